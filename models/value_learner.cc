#include "models/value_learner.h"

#include <cstring>

namespace shanhuo {
namespace {

constexpr uint8_t kClicked = 1, kWatched = 2, kOrdered = 4;

// No name begins with another one.
std::string part_name(std::string_view part, std::string_view learner) {
  std::string name = "-" + std::string(part);
  if (!learner.empty()) name += "." + std::string(learner);
  return name + "-";
}

ValueModelOptions model_options(const ValueLearnerOptions& options) {
  ValueModelOptions model;
  model.slots_log2 = options.slots_log2;
  model.factor_slots_log2 = options.factor_slots_log2;
  model.alpha = options.alpha;
  model.factor_rate = options.factor_rate;
  return model;
}

// Other kinds are not watched.
bool can_be_watched(const ImpressionContext& context) {
  const auto kind = static_cast<ItemKind>(context.kind);
  return kind == ItemKind::kVideo || kind == ItemKind::kScenicVideo || kind == ItemKind::kLiveRoom;
}

}  // namespace

void ValueLearner::Head::learn(ImpressionFeatures& features, const ImpressionContext& context,
                               bool positive) {
  features.set_shared(context);
  features.set_own(context);
  const ModelFeatures parts[] = {features.shared(), features.own()};
  map.learn_delayed(model.learn_delayed(parts, positive), positive);
}

float ValueLearner::Head::probability(const ValueModel::Sums& sums) const {
  return map.probability(ValueModel::log_odds(sums));
}

ValueLearner::ValueLearner(const ValueLearnerOptions& options, std::string_view name)
    : options_(options),
      counters_key_("vmcounters" + std::string(name)),
      click_(part_name("click", name), model_options(options)),
      long_watch_(part_name("watch", name), model_options(options)),
      order_(part_name("order", name), model_options(options)),
      impressions_(part_name("i", name), options.impressions_log2),
      clicks_(part_name("c", name), options.clicks_log2),
      parts_{&click_.model, &click_.map, &long_watch_.model, &long_watch_.map,
             &order_.model, &order_.map, &impressions_,      &clicks_} {}

void ValueLearner::count(Counter counter) {
  std::atomic<uint64_t>& at = counters_[counter];
  at.store(at.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void ValueLearner::impression(uint64_t key, const ImpressionContext& context) {
  click_.learn(features_, context, false);
  if (can_be_watched(context)) long_watch_.learn(features_, context, false);
  impressions_.put(key, context);
  count(kImpressions);
}

const ImpressionContext* ValueLearner::first_label(ImpressionMemory& memory, uint64_t key,
                                                   uint8_t label) {
  const ImpressionContext* context = memory.find(key);
  if (context == nullptr) count(kLost);
  if (context == nullptr || (context->labels & label) != 0) return nullptr;
  memory.set_labels(key, label);
  return context;
}

void ValueLearner::click(uint64_t key) {
  const ImpressionContext* context = first_label(impressions_, key, kClicked);
  if (context == nullptr) return;
  click_.learn(features_, *context, true);
  order_.learn(features_, *context, false);
  clicks_.put(key, *context);
  count(kClicks);
}

void ValueLearner::long_watch(uint64_t key) {
  const ImpressionContext* context = first_label(impressions_, key, kWatched);
  if (context == nullptr || !can_be_watched(*context)) return;
  long_watch_.learn(features_, *context, true);
  count(kLongWatches);
}

void ValueLearner::order(uint64_t key) {
  const ImpressionContext* context = first_label(clicks_, key, kOrdered);
  if (context == nullptr) return;
  order_.learn(features_, *context, true);
  count(kOrders);
}

void ValueLearner::take_over(const ValueLearner& other) {
  for (Head ValueLearner::*head :
       {&ValueLearner::click_, &ValueLearner::long_watch_, &ValueLearner::order_}) {
    (this->*head).model.take_over((other.*head).model);
    (this->*head).map.take_over((other.*head).map);
  }
  for (size_t i = 0; i < kCounters; ++i) {
    counters_[i].store(other.counters_[i].load(std::memory_order_relaxed),
                       std::memory_order_relaxed);
  }
}

bool ValueLearner::ready() const {
  return counters_[kImpressions].load(std::memory_order_relaxed) >=
         static_cast<uint64_t>(options_.labels_min);
}

ValueLearner::Stats ValueLearner::stats() const {
  const auto value = [this](Counter counter) {
    return counters_[counter].load(std::memory_order_relaxed);
  };
  return {.impressions = value(kImpressions),
          .clicks = value(kClicks),
          .long_watches = value(kLongWatches),
          .orders = value(kOrders),
          .labels_lost = value(kLost),
          .bytes = 3 * click_.model.bytes() + impressions_.bytes() + clicks_.bytes(),
          .click_map = click_.map.points(),
          .order_map = order_.map.points()};
}

ValueLearner::Page::Page(const ValueLearner& learner, const ViewerContext& viewer)
    : learner_(learner), viewer_(viewer) {
  features_.set_shared(impression_context(viewer_, {}, kReferencePosition));
  learner_.click_.model.add(features_.shared(), click_);
  learner_.long_watch_.model.add(features_.shared(), long_watch_);
  learner_.order_.model.add(features_.shared(), order_);
}

ValueLearner::Values ValueLearner::Page::values(const ItemContext& item) {
  const ImpressionContext context = impression_context(viewer_, item, kReferencePosition);
  features_.set_own(context);
  ValueModel::Sums click = click_, order = order_;
  learner_.click_.model.add(features_.own(), click);
  learner_.order_.model.add(features_.own(), order);
  Values values{.click = learner_.click_.probability(click),
                .order = learner_.order_.probability(order)};
  if (can_be_watched(context)) {
    ValueModel::Sums long_watch = long_watch_;
    learner_.long_watch_.model.add(features_.own(), long_watch);
    values.long_watch = learner_.long_watch_.probability(long_watch);
  }
  return values;
}

// Beside the parts' own records: "vmcounters" -> the counters, 8 bytes each, host byte order.
void ValueLearner::begin_checkpoint(StateWriter& writer) {
  checkpoint_part_ = 0;
  for (Checkpointed* part : parts_) part->begin_checkpoint(writer);
  std::array<uint64_t, kCounters> values;
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = counters_[i].load(std::memory_order_relaxed);
  }
  writer.put(counters_key_, {reinterpret_cast<const char*>(values.data()), sizeof values});
}

bool ValueLearner::checkpoint_step(size_t records_max) {
  while (checkpoint_part_ < parts_.size() &&
         parts_[checkpoint_part_]->checkpoint_step(records_max)) {
    ++checkpoint_part_;
  }
  return checkpoint_part_ == parts_.size();
}

Status ValueLearner::restore(const StateReader& reader) {
  for (Checkpointed* part : parts_) {
    const Status status = part->restore(reader);
    if (!status.ok()) return status;
  }
  const auto record = reader.get(counters_key_);
  if (!record.ok()) return record.error();
  if (!record.value()) return {};
  std::array<uint64_t, kCounters> values;
  if (record.value()->size() != sizeof values) {
    return Error{ErrorCode::kCorrupt, "value learner: a record of the wrong shape"};
  }
  std::memcpy(values.data(), record.value()->data(), sizeof values);
  for (size_t i = 0; i < values.size(); ++i) {
    counters_[i].store(values[i], std::memory_order_relaxed);
  }
  return {};
}

}  // namespace shanhuo
