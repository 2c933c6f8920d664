#include "serving/guardrail.h"

#include <algorithm>
#include <cstdio>

#include "serving/terminal.h"

namespace shanhuo {

namespace {

bool names(const Experiment& experiment, const MetricResult& result) {
  return std::any_of(experiment.guardrails.begin(), experiment.guardrails.end(),
                     [&](const Guardrail& each) { return each.metric == result.metric.id; });
}

bool is_stale(const ExperimentResults& results, const GuardrailTerms& terms) {
  return results.newest + terms.stale < terms.now;
}

GuardrailBreach breach_of(const ExperimentResults& results, const MetricResult& result,
                          size_t arm) {
  return {result.metric.id, results.variations[arm].key, result.arms[arm].judged,
          result.guardrail_limit};
}

bool seems_worse(const MetricResult& result, const MetricArm& arm) {
  const double value = arm.judged.value;
  return (result.metric.up_is_good ? -value : value) > result.guardrail_limit;
}

// Of one metric.
ResultsHold hold_of(const Experiment& experiment, const ExperimentResults& results,
                    const MetricResult& result) {
  for (size_t arm = 1; arm < result.arms.size(); ++arm) {
    const GuardrailVerdict verdict = result.arms[arm].guardrail;
    if (verdict == GuardrailVerdict::kBreached) {
      return {RampState::kGuardrail, "surely worse: " + breach_of(results, result, arm).text()};
    }
    if (!names(experiment, result) || results.variations[arm].weight <= 0) continue;
    if (verdict == GuardrailVerdict::kNoData) {
      return {RampState::kThin, result.metric.id + " of " + results.variations[arm].key +
                                    " says nothing yet in this phase"};
    }
    if (verdict == GuardrailVerdict::kOpen && seems_worse(result, result.arms[arm])) {
      return {RampState::kGuardrail, "possibly worse: " + breach_of(results, result, arm).text()};
    }
  }
  return {};
}

// The first variation with too few viewers.
ResultsHold few_viewers(const ExperimentResults& results, const GuardrailTerms& terms) {
  for (const VariationViewers& each : results.variations) {
    if (each.weight <= 0 || each.viewers >= terms.viewers_min) continue;
    return {RampState::kThin, each.key + " has " + std::to_string(each.viewers) + " of " +
                                  std::to_string(terms.viewers_min) + " viewers in this phase"};
  }
  return {};
}

}  // namespace

std::string GuardrailBreach::text() const {
  char numbers[120];
  std::snprintf(numbers, sizeof numbers, ": %+.3f (%+.3f .. %+.3f), allowed %.3f worse", lift.value,
                lift.low, lift.high, limit);
  return metric + " of " + variation + numbers;
}

std::optional<GuardrailBreach> guardrail_breach(const Experiment& experiment,
                                                const ExperimentResults& results,
                                                const GuardrailTerms& terms) {
  if (!results.present || is_stale(results, terms)) return std::nullopt;
  const auto thin = [&](size_t arm) { return results.variations[arm].viewers < terms.viewers_min; };
  for (const MetricResult& result : results.metrics) {
    if (!names(experiment, result) || result.arms.empty() || thin(0)) continue;
    for (size_t arm = 1; arm < result.arms.size(); ++arm) {
      if (result.arms[arm].guardrail != GuardrailVerdict::kBreached || thin(arm)) continue;
      return breach_of(results, result, arm);
    }
  }
  return std::nullopt;
}

ResultsHold results_hold(const Experiment& experiment, const ExperimentResults& results,
                         const GuardrailTerms& terms) {
  if (results.sample_ratio_alarm && experiment.attribute == "user_id") {
    char p[32];
    std::snprintf(p, sizeof p, "%.2g", *results.sample_ratio_p);
    return {RampState::kSampleRatio,
            std::string("viewers are not spread as the weights say (p = ") + p + ")"};
  }
  ResultsHold hold;
  if (!experiment.guardrails.empty()) {
    if (is_stale(results, terms)) {
      return {RampState::kStale,
              results.newest.count() == 0
                  ? std::string("none of its viewers yet")
                  : "nothing of its viewers since " + format_time(results.newest)};
    }
    hold = few_viewers(results, terms);
  }
  for (const MetricResult& result : results.metrics) {
    if (hold.state != RampState::kReady) break;
    hold = hold_of(experiment, results, result);
  }
  return hold;
}

}  // namespace shanhuo
