// What experiments make of one rank request: its options, and what the answer, its tokens and its
// decision record say of them.
//
// Lives with a request's scratch memory and is used by one thread; after the first requests it
// allocates nothing. Rooms take part in none: what everybody in a room sees cannot differ by
// viewer.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "configs/experiment.h"
#include "configs/imported_flags.h"
#include "features/exposure_token.h"
#include "ranking/options.h"
#include "serving/exposure_memory.h"
#include "serving/metrics.h"
#include "serving/page_meters.h"
#include "serving/rank_codec.h"

namespace shanhuo {

class PageExperiments {
 public:
  using TokenVariations = std::array<uint32_t, kVariationsPerTokenMax>;

  // Before a request: it takes part in nothing, `base` are its options. `imported`: whose features
  // set parameters beneath what experiments set; nullptr: none do.
  void begin(std::shared_ptr<const ExperimentSet> set, const RankingOptions* base,
             std::shared_ptr<const ImportedFlags> imported = nullptr);
  // Assigns the viewer. When it throws, the request goes on as after begin().
  void assign(const AttributeSource& viewer, Millis now);

  const RankingOptions& options() const { return *options_; }
  const ExperimentSet& set() const { return *set_; }
  // All experiments, ascending by id; none before assign(). Valid while the set is held.
  const std::vector<ShownExperiment>& shown() const { return shown_; }
  // variation_hash() of each that the viewer is in, those that set parameters first; tokens carry
  // the first four.
  const std::vector<uint32_t>& variations() const { return variations_; }
  TokenVariations of_token() const;
  // Counts the exposures that are new, each unit's once; and calls `met`, if there is one, for each
  // variation that `user_id` has not met in its phase, as far as the memory goes.
  using OnMet = std::function<void(const Experiment&, const ExperimentVariation&)>;
  void count(ExposureMemory& memory, Metrics& metrics, std::string_view user_id = {},
             const OnMet& met = nullptr) const;
  // Counts what the page took, where somebody asks for it.
  void meter(const MeterTable& table, bool degraded, int64_t ns) const;

 private:
  struct Met {
    uint32_t experiment;
    uint32_t variation;
    uint64_t key;  // of the unit's exposure
  };

  std::shared_ptr<const ExperimentSet> set_;
  std::shared_ptr<const ImportedFlags> imported_;
  const RankingOptions* options_ = nullptr;
  RankingOptions own_;
  std::vector<Assignment> assignments_;
  std::vector<ShownExperiment> shown_;
  std::vector<uint32_t> variations_;
  std::vector<Met> met_;
};

}  // namespace shanhuo
