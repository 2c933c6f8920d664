#include "serving/operation.h"

#include <algorithm>
#include <cstdio>

namespace shanhuo {
namespace {

// Sums over groups: pages, and of each page whether it was degraded, or its ms.
struct ArmSums {
  PairSums groups;
  int64_t pages = 0;
};

ArmSums sums_of(const PageMeter& meter, bool errors) {
  ArmSums sums;
  for (const PageMeter::Counts& each : meter.read()) {
    if (each.pages == 0) continue;
    const double x =
        errors ? static_cast<double>(each.degraded) : 1e-3 * static_cast<double>(each.us);
    const auto y = static_cast<double>(each.pages);
    PairSums& groups = sums.groups;
    ++groups.n;
    groups.sum_x += x;
    groups.squares_x += x * x;
    groups.sum_y += y;
    groups.squares_y += y * y;
    groups.products += x * y;
    sums.pages += static_cast<int64_t>(each.pages);
  }
  return sums;
}

// As sure as its groups make it, counted in pages, so that the interval narrows with these. Of a
// rate never surer than of as many pages that know nothing of each other, and half a page that
// failed and half a one that did not are added to these: no error in 200 pages is not none ever.
ArmEstimate estimate_of(const ArmSums& sums, bool errors) {
  ArmEstimate estimate = ratio_estimate(sums.groups);
  if (estimate.n == 0) return estimate;
  estimate.variance *= static_cast<double>(sums.pages) / static_cast<double>(estimate.n);
  estimate.n = sums.pages;
  if (errors) {
    const double rate = (sums.groups.sum_x + 0.5) / (sums.groups.sum_y + 1);
    estimate.variance = std::max(estimate.variance, rate * (1 - rate));
  }
  return estimate;
}

GuardrailVerdict verdict_of(const OperationArm& arm, double allowed) {
  if (!arm.lift.known) return GuardrailVerdict::kNoData;
  if (arm.lift.low > allowed) return GuardrailVerdict::kBreached;
  return arm.lift.high <= allowed ? GuardrailVerdict::kKept : GuardrailVerdict::kOpen;
}

OperationResult result_of(const Experiment& experiment, const Guardrail& guardrail,
                          const MeterWindow& window, int64_t pages_min) {
  const bool errors = guardrail.metric == kErrorRate;
  OperationResult result{guardrail.metric, guardrail.max_rise, guardrail.max_rise, {}};
  std::vector<bool> enough;
  for (size_t i = 0; i < window.meters.size(); ++i) {
    const ArmSums sums = sums_of(*window.meters[i], errors);
    enough.push_back(sums.pages >= pages_min &&
                     sums.groups.n >= static_cast<int64_t>(PageMeter::kGroups) / 2);
    OperationArm& arm = result.arms.emplace_back();
    arm.key = experiment.variations[i].key;
    arm.pages = sums.pages;
    arm.estimate = estimate_of(sums, errors);
  }
  const ArmEstimate control = result.arms[0].estimate;
  if (errors) result.allowed *= std::max(control.mean, kErrorRateFloor);
  for (size_t i = 1; i < result.arms.size(); ++i) {
    OperationArm& arm = result.arms[i];
    if (enough[0] && enough[i]) {
      arm.lift =
          sequential_lift_of(control, arm.estimate,
                             errors ? LiftScale::kAbsolute : LiftScale::kRelative, kOperationAlpha);
    }
    arm.verdict = verdict_of(arm, result.allowed);
  }
  return result;
}

std::string text_of(const OperationResult& result, const OperationArm& arm) {
  char numbers[200];
  std::snprintf(numbers, sizeof numbers,
                ": %.4g%s against %.4g, %+.3g (%+.3g .. %+.3g), allowed %.3g worse; %lld pages",
                arm.estimate.mean, result.metric == kLatency ? " ms" : "",
                result.arms[0].estimate.mean, arm.lift.value, arm.lift.low, arm.lift.high,
                result.allowed, static_cast<long long>(arm.pages));
  return result.metric + " of " + arm.key + numbers;
}

}  // namespace

std::vector<OperationResult> operation_results(const Experiment& experiment,
                                               const MeterWindow& window, int64_t pages_min) {
  std::vector<OperationResult> results;
  if (window.meters.size() != experiment.variations.size()) return results;
  for (const Guardrail& each : experiment.guardrails) {
    if (each.metric != kErrorRate && each.metric != kLatency) continue;
    results.push_back(result_of(experiment, each, window, pages_min));
  }
  return results;
}

std::optional<std::string> operation_breach(const std::vector<OperationResult>& results) {
  for (const OperationResult& result : results) {
    for (const OperationArm& arm : result.arms) {
      if (arm.verdict == GuardrailVerdict::kBreached) return text_of(result, arm);
    }
  }
  return std::nullopt;
}

ResultsHold operation_hold(const Experiment& experiment,
                           const std::vector<OperationResult>& results) {
  for (const OperationResult& result : results) {
    for (size_t i = 1; i < result.arms.size(); ++i) {
      const OperationArm& arm = result.arms[i];
      if (experiment.variations[i].weight <= 0) continue;
      if (arm.verdict == GuardrailVerdict::kNoData) {
        return {RampState::kThin, result.metric + " of " + arm.key + " says nothing yet, with " +
                                      std::to_string(arm.pages) + " pages"};
      }
      const bool sure = arm.verdict == GuardrailVerdict::kBreached;
      if (sure || (arm.verdict == GuardrailVerdict::kOpen && arm.lift.value > result.allowed)) {
        return {RampState::kGuardrail,
                (sure ? "surely worse: " : "possibly worse: ") + text_of(result, arm)};
      }
    }
  }
  return {};
}

}  // namespace shanhuo
