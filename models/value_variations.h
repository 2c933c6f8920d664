// Value models side by side in the fold: the live one, a second one with settings of its own, and a
// copy of the live one as it stood at the last full period of event time, which learns nothing in
// between. Variations of an experiment choose among them (ranking.value_model), so that what other
// settings, or freshness, are worth can be measured while all of them serve.
//
// All learn from the same calls, exactly once, and are checkpointed together; equal calls give
// equal bytes. One writer, the fold; models() from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "models/value_learner.h"

namespace shanhuo {

enum class ValueModelKind : uint8_t { kLive, kSecond, kFrozen };
inline constexpr size_t kValueModelKinds = 3;
inline constexpr std::array<std::string_view, kValueModelKinds> kValueModelNames = {
    "live", "second", "frozen"};

// By kind; nullptr: off.
using ValueModels = std::array<const ValueLearner*, kValueModelKinds>;

class ValueVariations final : public Checkpointed {
 public:
  // `live`.enabled false: all are off. `frozen_every` <= 0: no frozen copy.
  ValueVariations(const ValueLearnerOptions& live, const ValueLearnerOptions& second,
                  Millis frozen_every);

  bool enabled() const { return learners_[0] != nullptr; }
  // As ValueLearner's of the same names.
  void impression(uint64_t key, const ImpressionContext& context);
  void click(uint64_t key);
  void long_watch(uint64_t key);
  void order(uint64_t key);
  // Event time has come this far: a period that is full now renews the frozen copy, which takes
  // some milliseconds.
  void pass(Millis watermark);

  ValueModels models() const;

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  ValueLearner* at(ValueModelKind kind) const { return learners_[static_cast<size_t>(kind)].get(); }

  const Millis frozen_every_;
  std::array<std::unique_ptr<ValueLearner>, kValueModelKinds> learners_;  // by kind
  int64_t period_ = INT64_MIN;  // that the frozen copy is of
};

}  // namespace shanhuo
