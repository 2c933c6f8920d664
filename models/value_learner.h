// What items are worth, learned inside the fold: P(click), P(long watch) of an impression, and
// P(order | click), each a ValueModel behind a ProbabilityMap.
//
// An impression is a negative at once and waits for its label in a memory of fixed size; a click or
// a long watch that comes later corrects it (ValueModel::learn_delayed). A click waits likewise, in
// a memory of its own, for its order. A label whose impression has been overwritten, or never came,
// changes nothing and is counted.
//
// One writer, the fold. Values may be read from any thread meanwhile and are those of that moment:
// what was folded a microsecond ago counts. Checkpointed with the rest, hence exactly once and
// replayable: the same events in the same order give the same bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "features/state_machine.h"
#include "models/impression.h"
#include "models/impression_memory.h"
#include "models/probability_map.h"
#include "models/value_model.h"

namespace shanhuo {

struct ValueLearnerOptions {
  bool enabled = false;
  int64_t labels_min = 10'000;  // impressions learned before ranking uses the values
  int64_t long_watch_ms = 18'000;
  int slots_log2 = 18;         // of each of the three models, 12 bytes a slot
  int factor_slots_log2 = 14;  // 64 bytes a slot
  int impressions_log2 = 17;   // that wait for a click or a watch, 48 bytes each
  int clicks_log2 = 17;        // that wait for an order
  float alpha = 0.02F;
  float factor_rate = 0.02F;
};

class ValueLearner final : public Checkpointed {
 public:
  struct Values {
    float click = 0, long_watch = 0;  // of an impression at the reference position
    float order = 0;                  // of a click
  };

  struct Stats {
    uint64_t impressions = 0, clicks = 0, long_watches = 0, orders = 0;  // learned
    uint64_t labels_lost = 0;  // their impression, or click, is not remembered
    size_t bytes = 0;
    std::vector<ProbabilityMap::Point> click_map, order_map;
  };

  // `name` tells the records of several learners apart.
  explicit ValueLearner(const ValueLearnerOptions& options, std::string_view name = "");

  // The fold. `key` names viewer and item: a label is that of the newest impression.
  void impression(uint64_t key, const ImpressionContext& context);
  void click(uint64_t key);
  void long_watch(uint64_t key);
  void order(uint64_t key);
  // Predicts from then on as another learner of the same sizes does now.
  void take_over(const ValueLearner& other);

  // True once labels_min impressions were learned. Any thread, as all below.
  bool ready() const;
  Stats stats() const;

  // The values of one page's items; made for each page.
  class Page {
   public:
    Page(const ValueLearner& learner, const ViewerContext& viewer);
    Values values(const ItemContext& item);

   private:
    const ValueLearner& learner_;
    const ViewerContext viewer_;
    ImpressionFeatures features_;
    ValueModel::Sums click_, long_watch_, order_;  // of what all items share
  };

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  // One thing to predict.
  struct Head {
    Head(const std::string& name, const ValueModelOptions& options)
        : model(name, options), map(name, {}) {}
    void learn(ImpressionFeatures& features, const ImpressionContext& context, bool positive);
    float probability(const ValueModel::Sums& sums) const;
    ValueModel model;
    ProbabilityMap map;
  };
  enum Counter : size_t { kImpressions, kClicks, kLongWatches, kOrders, kLost, kCounters };

  // The context of an impression that gets this label for the first time; nullptr otherwise.
  const ImpressionContext* first_label(ImpressionMemory& memory, uint64_t key, uint8_t label);
  void count(Counter counter);

  const ValueLearnerOptions options_;
  const std::string counters_key_;
  Head click_, long_watch_, order_;
  ImpressionMemory impressions_, clicks_;
  std::vector<Checkpointed*> parts_;
  ImpressionFeatures features_;  // the fold's
  std::array<std::atomic<uint64_t>, kCounters> counters_{};
  size_t checkpoint_part_ = 0;
};

}  // namespace shanhuo
