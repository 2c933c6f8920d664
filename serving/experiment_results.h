// Results of an experiment: what its variations did to each metric, from the viewers that the fold
// has counted (features/experiment_tally.h), by the statistics of models/lift.h.
//
// Of one phase. Viewers who have met two of its variations are in none and counted in `multiple`.
// The first variation is the control. CUPED takes out what the viewer's profile knew at the first
// exposure: decayed impressions, clicks and orders (half-life 7 d), whichever is nearest to the
// metric; of ratios, in their linearised form (Deng, Knoblich, Lu, KDD 2018).
//
// Pure, but that the fold may go on meanwhile. Thread-safe. Reads every viewer of the experiment
// once, twice when a metric has a cap_percentile: about 1 s for a million.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "configs/experiment.h"
#include "configs/metric.h"
#include "features/experiment_tally.h"
#include "models/lift.h"

namespace shanhuo {

// The engine's own: viewable boosted exposures of a viewer, which is what programs' goals count.
// Among the metrics of experiments with a guardrail of this name.
inline constexpr std::string_view kDelivery = "delivery";
inline constexpr double kSampleRatioAlarm = 0.001;
inline constexpr double kResultsAlpha = 0.05;

// A look at a fixed time, and one that may be repeated; nothing known of the control itself.
struct LiftPair {
  Lift fixed, sequential;
};
struct MetricLifts {
  LiftPair relative, absolute;
};

// By relative sequential intervals: kKept and kBreached are sure, kOpen is neither yet.
enum class GuardrailVerdict : uint8_t { kNone, kNoData, kOpen, kKept, kBreached };
std::string_view verdict_name(GuardrailVerdict verdict);  // "", "no_data", "open", ...

struct MetricArm {
  ArmEstimate estimate;      // without CUPED
  MetricLifts plain, cuped;  // against the control
  Lift judged;               // relative, sequential: what the guardrail is judged by
  GuardrailVerdict guardrail = GuardrailVerdict::kNone;
};

struct MetricResult {
  Metric metric;
  double cap = 0;               // what viewers' values were capped at; 0: they were not
  double guardrail_limit = 0;   // relative, towards the worse; of those with a verdict
  std::vector<MetricArm> arms;  // by variation
};

struct VariationViewers {
  std::string key;
  double weight = 0;  // 0 in a phase that is over
  int64_t viewers = 0;
};

struct PhaseViewers {
  uint32_t phase = 0;
  int64_t viewers = 0;
  Millis from, to;  // first and last first exposure
};

struct ExperimentResults {
  uint32_t phase = 0;
  bool present = false;                      // the phase that runs now
  std::vector<PhaseViewers> phases;          // by their beginning
  std::vector<VariationViewers> variations;  // the control first
  int64_t multiple = 0;
  uint64_t left_out = 0;  // exposures that found no room, of all phases
  Millis newest;          // event or exposure counted; 0: none
  // Of the present phase; nothing is said of earlier ones, whose weights are not kept.
  std::optional<double> sample_ratio_p;
  bool sample_ratio_alarm = false;
  std::vector<MetricResult> metrics;  // as the set has them
};

// Of the present phase unless one is named. One that nobody has met has no viewers.
ExperimentResults experiment_results(const Experiment& experiment, const MetricSet& metrics,
                                     const ExperimentTally& tally,
                                     std::optional<uint32_t> phase = std::nullopt);

std::string phase_name(uint32_t phase);  // 8 hex digits
std::optional<uint32_t> parse_phase(std::string_view text);

}  // namespace shanhuo
