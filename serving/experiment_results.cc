// One pass sums up, for each metric and variation, four values of a viewer and their products:
// numerator and denominator, and the same two of before. Everything else follows from these
// moments, also CUPED of a ratio: its linearised value (x - R y) / mean(y) + R is linear in them.
// Tested by tests/serving_experiment_results_test.cc against a recount viewer by viewer.
#include "serving/experiment_results.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

namespace shanhuo {
namespace {

enum Value : size_t { kX, kY, kBeforeX, kBeforeY };
using Values = std::array<double, 4>;

struct Moments {
  int64_t n = 0;
  int64_t positive = 0;  // with kX > 0
  Values sums{};
  std::array<Values, 4> products{};

  void add(const Values& values) {
    ++n;
    positive += values[kX] > 0 ? 1 : 0;
    for (size_t i = 0; i < 4; ++i) {
      sums[i] += values[i];
      for (size_t j = 0; j < 4; ++j) products[i][j] += values[i] * values[j];
    }
  }
};

// factors * values + constant.
struct Linear {
  Values factors{};
  double constant = 0;

  double sum(const Moments& m) const {
    double sum = constant * static_cast<double>(m.n);
    for (size_t i = 0; i < 4; ++i) sum += factors[i] * m.sums[i];
    return sum;
  }
  double product(const Linear& other, const Moments& m) const {
    double sum = constant * other.sum(m) + other.constant * (this->sum(m));
    sum -= constant * other.constant * static_cast<double>(m.n);
    for (size_t i = 0; i < 4; ++i) {
      for (size_t j = 0; j < 4; ++j) sum += factors[i] * other.factors[j] * m.products[i][j];
    }
    return sum;
  }
};

PairSums pair_of(const Linear& x, const Linear& y, const Moments& m) {
  return {m.n, x.sum(m), x.product(x, m), y.sum(m), y.product(y, m), x.product(y, m)};
}

double before_of(TrialCount count, const ViewerRates& before) {
  switch (count) {
    case TrialCount::kOrganicClicks:
    case TrialCount::kClicks:
    case TrialCount::kLikes:
      return before.clicks;
    case TrialCount::kOrders:
    case TrialCount::kAmountFen:
    case TrialCount::kRefunds:
    case TrialCount::kBoostedOrders:
      return before.orders;
    default:
      return before.impressions;
  }
}

double count_within(const TrialRow& row, TrialCount count, int window_days) {
  int64_t sum = 0;
  for (const TrialPeriod& period : row.periods) {
    const bool within = window_days == 0 || (period.number < kTrialPeriodEnds.size() &&
                                             kTrialPeriodEnds[period.number] <= window_days);
    if (within) sum += period.counts[static_cast<size_t>(count)];
  }
  return static_cast<double>(sum);
}

Values values_of(const TrialRow& row, const Metric& metric, double cap) {
  Values values{};
  values[kX] = count_within(row, metric.numerator, metric.window_days);
  if (cap > 0) values[kX] = std::min(values[kX], cap);
  if (metric.kind == MetricKind::kProportion) values[kX] = values[kX] > 0 ? 1 : 0;
  values[kBeforeX] = before_of(metric.numerator, row.before);
  if (metric.kind == MetricKind::kRatio) {
    values[kY] = count_within(row, metric.denominator, metric.window_days);
    values[kBeforeY] = before_of(metric.denominator, row.before);
  }
  return values;
}

ArmEstimate estimate_of(const Metric& metric, const Moments& m) {
  if (metric.kind == MetricKind::kProportion) return proportion_estimate(m.n, m.positive);
  if (metric.kind == MetricKind::kMean) {
    return mean_estimate({m.n, m.sums[kX], m.products[kX][kX]});
  }
  return ratio_estimate(
      {m.n, m.sums[kX], m.products[kX][kX], m.sums[kY], m.products[kY][kY], m.products[kX][kY]});
}

LiftPair lifts(const ArmEstimate& control, const ArmEstimate& arm, LiftScale scale) {
  return {lift_of(control, arm, scale, kResultsAlpha),
          sequential_lift_of(control, arm, scale, kResultsAlpha)};
}

MetricLifts lifts(const ArmEstimate& control, const ArmEstimate& arm) {
  return {lifts(control, arm, LiftScale::kRelative), lifts(control, arm, LiftScale::kAbsolute)};
}

// What a viewer adds to the metric, linearised around the arm's own ratio.
Linear part_of(const Metric& metric, const Moments& m) {
  if (metric.kind != MetricKind::kRatio) return {{1, 0, 0, 0}, 0};
  if (m.sums[kY] == 0) return {};
  const double ratio = m.sums[kX] / m.sums[kY];
  const double below = m.sums[kY] / static_cast<double>(m.n);
  return {{1 / below, -ratio / below, 0, 0}, ratio};
}

Linear before_part(const Metric& metric, const Moments& a, const Moments& b) {
  if (metric.kind != MetricKind::kRatio) return {{0, 0, 1, 0}, 0};
  const double below = a.sums[kBeforeY] + b.sums[kBeforeY];
  const double ratio = below == 0 ? 0 : (a.sums[kBeforeX] + b.sums[kBeforeX]) / below;
  return {{0, 0, 1, -ratio}, 0};
}

MetricLifts cuped_lifts(const Metric& metric, const Moments& control, const Moments& arm) {
  if (estimate_of(metric, control).n < 2 || estimate_of(metric, arm).n < 2) return {};
  const Linear before = before_part(metric, control, arm);
  const PairSums a = pair_of(before, part_of(metric, control), control);
  const PairSums b = pair_of(before, part_of(metric, arm), arm);
  const double theta = cuped_theta(a, b);
  return lifts(cuped_estimate(a, theta), cuped_estimate(b, theta));
}

// A variation in which nobody did anything has no variance, so that GrowthBook's relative lift says
// nothing of the worst that can happen. The absolute one does, by the control's mean.
Lift judged_lift(const ArmEstimate& control, const MetricLifts& lifts) {
  const Lift& absolute = lifts.absolute.sequential;
  if (lifts.relative.sequential.known || !absolute.known || control.mean <= 0) {
    return lifts.relative.sequential;
  }
  return {true, absolute.value / control.mean, absolute.low / control.mean,
          absolute.high / control.mean, absolute.p};
}

GuardrailVerdict verdict_of(const Metric& metric, double limit, const Lift& lift) {
  if (!lift.known) return GuardrailVerdict::kNoData;
  const double least = metric.up_is_good ? -lift.high : lift.low;  // worse by at least ...
  const double most = metric.up_is_good ? -lift.low : lift.high;
  if (least > limit) return GuardrailVerdict::kBreached;
  return most <= limit ? GuardrailVerdict::kKept : GuardrailVerdict::kOpen;
}

// The limit of a metric that is judged.
std::optional<double> guardrail_limit(const Experiment& experiment, const Metric& metric) {
  for (const Guardrail& guardrail : experiment.guardrails) {
    if (guardrail.metric == metric.id) return std::max(guardrail.max_drop, guardrail.max_rise);
  }
  return metric.guardrail ? std::optional<double>(0) : std::nullopt;
}

class Reading {
 public:
  Reading(const Experiment& experiment, const MetricSet& metrics, const ExperimentTally& tally,
          uint32_t phase)
      : experiment_(experiment), metrics_(metrics), tally_(tally), phase_(phase) {
    results_.phase = phase;
    results_.present = phase == experiment.phase;
  }

  ExperimentResults read() {
    const auto summary = tally_.summary(experiment_.id);
    if (summary) {
      results_.left_out = summary->left_out;
      results_.newest = summary->newest;
    }
    name_variations(summary ? summary->variations : std::vector<std::string>());
    find_caps();
    moments_.assign(metrics_.metrics.size(),
                    std::vector<Moments>(results_.variations.size(), Moments()));
    tally_.read(experiment_.id, [&](const TrialRow& row) { take(row); });
    for (const auto& [phase, viewers] : phases_) results_.phases.push_back(viewers);
    std::stable_sort(results_.phases.begin(), results_.phases.end(),
                     [](const PhaseViewers& a, const PhaseViewers& b) { return a.from < b.from; });
    check_sample_ratio();
    for (size_t i = 0; i < metrics_.metrics.size(); ++i) judge(i);
    drop_strangers();
    return std::move(results_);
  }

 private:
  // Those of the file first; then what earlier phases had, by the tally's numbers.
  void name_variations(const std::vector<std::string>& met) {
    for (const ExperimentVariation& each : experiment_.variations) {
      results_.variations.push_back({each.key, results_.present ? each.weight : 0, 0});
    }
    for (const std::string& key : met) {
      auto& all = results_.variations;
      const auto found = std::find_if(
          all.begin(), all.end(), [&](const VariationViewers& each) { return each.key == key; });
      places_.push_back(static_cast<size_t>(found - all.begin()));
      if (found == all.end()) all.push_back({key, 0, 0});
    }
  }

  // The k-th smallest value of all viewers: at most so many are above it.
  void find_caps() {
    caps_.clear();
    std::vector<std::vector<double>> values(metrics_.metrics.size());
    bool any = false;
    for (const Metric& metric : metrics_.metrics) {
      caps_.push_back(metric.cap);
      any = any || metric.cap_percentile > 0;
    }
    if (!any) return;
    tally_.read(experiment_.id, [&](const TrialRow& row) {
      if (row.phase != phase_ || row.multiple) return;
      for (size_t i = 0; i < values.size(); ++i) {
        const Metric& metric = metrics_.metrics[i];
        if (metric.cap_percentile == 0) continue;
        values[i].push_back(count_within(row, metric.numerator, metric.window_days));
      }
    });
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i].empty()) continue;
      const double place =
          metrics_.metrics[i].cap_percentile * static_cast<double>(values[i].size());
      const auto k = std::max<ptrdiff_t>(static_cast<ptrdiff_t>(std::ceil(place)) - 1, 0);
      std::nth_element(values[i].begin(), values[i].begin() + k, values[i].end());
      caps_[i] = values[i][static_cast<size_t>(k)];
    }
  }

  void take(const TrialRow& row) {
    auto& phase = phases_.try_emplace(row.phase, PhaseViewers{row.phase, 0, row.first, row.first})
                      .first->second;
    ++phase.viewers;
    phase.from = std::min(phase.from, row.first);
    phase.to = std::max(phase.to, row.first);
    if (row.phase != phase_ || row.variation >= places_.size()) return;
    if (row.multiple) {
      ++results_.multiple;
      return;
    }
    const size_t place = places_[row.variation];
    ++results_.variations[place].viewers;
    for (size_t i = 0; i < metrics_.metrics.size(); ++i) {
      moments_[i][place].add(values_of(row, metrics_.metrics[i], caps_[i]));
    }
  }

  void check_sample_ratio() {
    if (!results_.present) return;
    std::vector<int64_t> viewers;
    std::vector<double> weights;
    for (const VariationViewers& each : results_.variations) {
      viewers.push_back(each.viewers);
      weights.push_back(each.weight);
    }
    results_.sample_ratio_p = sample_ratio_p(viewers, weights);
    results_.sample_ratio_alarm = *results_.sample_ratio_p < kSampleRatioAlarm;
  }

  void judge(size_t index) {
    MetricResult result{metrics_.metrics[index], caps_[index], 0, {}};
    const std::optional<double> limit = guardrail_limit(experiment_, result.metric);
    result.guardrail_limit = limit.value_or(0);
    const std::vector<Moments>& moments = moments_[index];
    const ArmEstimate control = estimate_of(result.metric, moments[0]);
    for (size_t arm = 0; arm < moments.size(); ++arm) {
      MetricArm& out = result.arms.emplace_back();
      out.estimate = estimate_of(result.metric, moments[arm]);
      if (arm == 0) continue;
      out.plain = lifts(control, out.estimate);
      out.cuped = cuped_lifts(result.metric, moments[0], moments[arm]);
      if (limit) {
        out.judged = judged_lift(control, out.plain);
        out.guardrail = verdict_of(result.metric, *limit, out.judged);
      }
    }
    results_.metrics.push_back(std::move(result));
  }

  // Variations of other phases alone.
  void drop_strangers() {
    for (size_t i = results_.variations.size(); i-- > experiment_.variations.size();) {
      if (results_.variations[i].viewers > 0) continue;
      results_.variations.erase(results_.variations.begin() + static_cast<ptrdiff_t>(i));
      for (MetricResult& metric : results_.metrics) {
        metric.arms.erase(metric.arms.begin() + static_cast<ptrdiff_t>(i));
      }
    }
  }

  const Experiment& experiment_;
  const MetricSet& metrics_;
  const ExperimentTally& tally_;
  const uint32_t phase_;
  ExperimentResults results_;
  std::vector<size_t> places_;                 // of the tally's variations in results_.variations
  std::vector<double> caps_;                   // by metric
  std::vector<std::vector<Moments>> moments_;  // by metric and variation
  std::map<uint32_t, PhaseViewers> phases_;
};

}  // namespace

std::string_view verdict_name(GuardrailVerdict verdict) {
  static constexpr std::array<std::string_view, 5> kNames = {"", "no_data", "open", "kept",
                                                             "breached"};
  return kNames[static_cast<size_t>(verdict)];
}

ExperimentResults experiment_results(const Experiment& experiment, const MetricSet& metrics,
                                     const ExperimentTally& tally, std::optional<uint32_t> phase) {
  const bool delivery = std::any_of(experiment.guardrails.begin(), experiment.guardrails.end(),
                                    [](const Guardrail& each) { return each.metric == kDelivery; });
  if (delivery && metrics.find(kDelivery) == nullptr) {
    MetricSet more = metrics;
    Metric& own = more.metrics.emplace_back();
    own.id = kDelivery;
    own.name_zh = "承诺曝光的兑现";
    own.name_en = "Delivery of goals";
    own.numerator = TrialCount::kBoostedViewable;
    return Reading(experiment, more, tally, phase.value_or(experiment.phase)).read();
  }
  return Reading(experiment, metrics, tally, phase.value_or(experiment.phase)).read();
}

std::string phase_name(uint32_t phase) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name;
  for (int shift = 28; shift >= 0; shift -= 4) name.push_back(kDigits[phase >> shift & 0xF]);
  return name;
}

std::optional<uint32_t> parse_phase(std::string_view text) {
  uint32_t phase = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), phase, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.size() != 8) {
    return std::nullopt;
  }
  return phase;
}

}  // namespace shanhuo
