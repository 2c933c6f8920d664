#include "models/value_variations.h"

#include <algorithm>
#include <string>

#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr std::string_view kPeriodKey = "vmperiod";
constexpr int kNoMemoryLog2 = 6;  // a copy waits for no label

}  // namespace

ValueVariations::ValueVariations(const ValueLearnerOptions& live, const ValueLearnerOptions& second,
                                 Millis frozen_every)
    : frozen_every_(frozen_every) {
  if (!live.enabled) return;
  learners_[0] = std::make_unique<ValueLearner>(live);
  if (second.enabled) learners_[1] = std::make_unique<ValueLearner>(second, kValueModelNames[1]);
  if (frozen_every <= Millis(0)) return;
  ValueLearnerOptions copy = live;
  copy.impressions_log2 = copy.clicks_log2 = kNoMemoryLog2;
  learners_[2] = std::make_unique<ValueLearner>(copy, kValueModelNames[2]);
}

void ValueVariations::impression(uint64_t key, const ImpressionContext& context) {
  at(ValueModelKind::kLive)->impression(key, context);
  if (ValueLearner* second = at(ValueModelKind::kSecond)) second->impression(key, context);
}

void ValueVariations::click(uint64_t key) {
  at(ValueModelKind::kLive)->click(key);
  if (ValueLearner* second = at(ValueModelKind::kSecond)) second->click(key);
}

void ValueVariations::long_watch(uint64_t key) {
  at(ValueModelKind::kLive)->long_watch(key);
  if (ValueLearner* second = at(ValueModelKind::kSecond)) second->long_watch(key);
}

void ValueVariations::order(uint64_t key) {
  at(ValueModelKind::kLive)->order(key);
  if (ValueLearner* second = at(ValueModelKind::kSecond)) second->order(key);
}

void ValueVariations::pass(Millis watermark) {
  ValueLearner* const frozen = at(ValueModelKind::kFrozen);
  if (frozen == nullptr) return;
  const int64_t period = window_of(watermark, frozen_every_);
  if (period <= period_) return;
  if (period_ != INT64_MIN) frozen->take_over(*at(ValueModelKind::kLive));
  period_ = period;
}

ValueModels ValueVariations::models() const {
  return {learners_[0].get(), learners_[1].get(), learners_[2].get()};
}

void ValueVariations::begin_checkpoint(StateWriter& writer) {
  for (const auto& learner : learners_) {
    if (learner) learner->begin_checkpoint(writer);
  }
  if (at(ValueModelKind::kFrozen) == nullptr) return;
  std::string period;
  put_signed(&period, period_);
  writer.put(kPeriodKey, period);
}

bool ValueVariations::checkpoint_step(size_t records_max) {
  return std::all_of(learners_.begin(), learners_.end(), [&](const auto& learner) {
    return learner == nullptr || learner->checkpoint_step(records_max);
  });
}

Status ValueVariations::restore(const StateReader& reader) {
  for (const auto& learner : learners_) {
    const Status status = learner ? learner->restore(reader) : Status();
    if (!status.ok()) return status;
  }
  const auto record = reader.get(kPeriodKey);
  if (!record.ok()) return record.error();
  if (!record.value() || at(ValueModelKind::kFrozen) == nullptr) return {};
  std::string_view bytes = *record.value();
  if (take_signed(&bytes, &period_) && bytes.empty()) return {};
  return Error{ErrorCode::kCorrupt, "value models: the period's record has the wrong shape"};
}

}  // namespace shanhuo
