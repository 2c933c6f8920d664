// configs/experiments/*.yaml -> experiment.h: the grammar of contract 3, every error with file,
// line and column, those between files too.
//
//   id, name {zh-CN, en}, layer, range [low, high], hash {attribute, version: 2, seed}, coverage,
//   condition, enabled, holdout, schedule {start, end}, variations [{key, weight, set}],
//   prerequisites [{experiment, variation}], guardrails [{metric, max_drop | max_rise}],
//   ramp {steps, hold_h, viewers_min, approve_at, held}
//
// What a set of files must keep, beside ids of their own: ranges of one layer never overlap,
// whether enabled or not, so that enabling one is never refused; experiments of one layer hash one
// attribute; no two of different layers share a seed or set one parameter, so that nobody's values
// depend on an order; prerequisites exist and are no circle.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "configs/config_store.h"
#include "configs/experiment.h"
#include "configs/metric.h"

namespace shanhuo {

// One file; nullopt when `errors` grew. `base`: what variations' values are laid over. `metrics`:
// those that guardrails may name, beside delivery, error_rate and latency; null or empty: the names
// that the engine ships.
std::optional<Experiment> read_experiment(std::string_view text, const std::string& file,
                                          const RankingOptions& base, ConfigErrors& errors,
                                          const MetricSet* metrics = nullptr);

// All of them; sets the id of each that can be read. Null when `errors` grew. Of two that do not go
// together the later one is wrong.
std::shared_ptr<const ExperimentSet> read_experiments(std::vector<ConfigFile>& files,
                                                      const RankingOptions& base,
                                                      ConfigErrors& errors,
                                                      const MetricSet* metrics = nullptr);

}  // namespace shanhuo
