// The folder of experiment files (config_store.h), and the set of experiments that is live.
//
// Thread-safe. current() takes no file lock.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/published.h"
#include "configs/config_store.h"
#include "configs/experiment.h"
#include "configs/metric.h"

namespace shanhuo {

class ExperimentStore final : public ConfigStore {
 public:
  // Does not read yet. `folder` may be missing: no experiments. `base` gives the options that
  // variations' values are laid over, `metrics` those that guardrails may name (none: the shipped
  // names); when either changes, read_anew().
  using Metrics = std::function<std::shared_ptr<const MetricSet>()>;
  ExperimentStore(std::string folder, std::function<RankingOptions()> base,
                  Metrics metrics = nullptr);

  std::shared_ptr<const ExperimentSet> current() const { return current_.get(); }
  const Published<ExperimentSet>& published() const { return current_; }
  // Where nothing could be read yet: the set says from now on that it is missing.
  void go_without();

  // The set with a change that fits, as write() has it; nothing is written.
  Result<std::shared_ptr<const ExperimentSet>> preview(std::string_view id, const ConfigEdit& edit,
                                                       ConfigErrors& wrong) const;
  // RFC 7396. kNotFound without a file, kConflict when it is broken.
  ConfigEdit patch(Value patch) const;

 private:
  Publish compile(std::vector<ConfigFile>& files, ConfigErrors& errors);

  std::shared_ptr<const MetricSet> metrics() const { return metrics_ ? metrics_() : nullptr; }

  const std::function<RankingOptions()> base_;
  const Metrics metrics_;
  Published<ExperimentSet> current_;
};

}  // namespace shanhuo
