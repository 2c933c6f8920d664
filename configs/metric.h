// Metrics of experiments, as operators declare them in configs/metrics/*.yaml: what is counted of
// a viewer who has met a variation, and whether more of it is good.
//
//   id, name {zh-CN, en}, kind mean | proportion | ratio, numerator, denominator (of ratios),
//   window_days, cap | cap_percentile (of means), better up | down, guardrail
//
// mean: the numerator's count per viewer. proportion: the share of viewers who have one at all.
// ratio: numerator by denominator, over all viewers. Counts are features/experiment_tally.h's, from
// the first exposure on, within window_days (one of kTrialPeriodEnds; absent: all).
//
// A set is immutable and thread-safe.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/published.h"
#include "configs/config_store.h"
#include "features/experiment_tally.h"

namespace shanhuo {

inline constexpr size_t kMetricsMax = 100;
// What the engine counts of its own running; guardrails may name them, files may not.
inline constexpr std::array<std::string_view, 3> kOwnMetrics = {"delivery", "error_rate",
                                                                "latency"};

enum class MetricKind : uint8_t { kMean, kProportion, kRatio };
std::string_view metric_kind_name(MetricKind kind);  // "mean", ...

struct Metric {
  std::string id;
  std::string name_zh, name_en;
  MetricKind kind = MetricKind::kMean;
  TrialCount numerator = TrialCount::kClicks;
  TrialCount denominator = TrialCount::kImpressions;  // of ratios
  int window_days = 0;                                // 0: no end
  double cap = 0;             // a viewer counts for at most so much; 0: no cap
  double cap_percentile = 0;  // the same, as a percentile of viewers' values; 0: no cap
  bool up_is_good = true;
  bool guardrail = false;  // judged in every experiment
};

struct MetricSet {
  std::vector<Metric> metrics;   // ascending by id
  std::string version = "none";  // of all files

  const Metric* find(std::string_view id) const;  // nullptr: none
};

// One file; nullopt when `errors` grew.
std::optional<Metric> read_metric(std::string_view text, const std::string& file,
                                  ConfigErrors& errors);
// All of them; sets the id of each that can be read. Null when `errors` grew.
std::shared_ptr<const MetricSet> read_metrics(std::vector<ConfigFile>& files, ConfigErrors& errors);

// The folder of metric files (config_store.h), and the set that is live. Thread-safe.
class MetricStore final : public ConfigStore {
 public:
  // Does not read yet.
  explicit MetricStore(std::string folder);

  std::shared_ptr<const MetricSet> current() const { return current_.get(); }

 private:
  Publish compile(std::vector<ConfigFile>& files, ConfigErrors& errors);

  Published<MetricSet> current_;
};

}  // namespace shanhuo
