// How the fold's parts are checkpointed, and what the pipeline folds into. Interfaces only.
//
// A checkpoint is incremental and never stops the fold for long. begin_checkpoint() freezes the set
// of records that changed since the last one; checkpoint_step() then writes some of them at a time,
// between two polls. A frozen record that is about to change before its turn is written first (save
// before write). So what reaches the writer is the state as of begin_checkpoint(), exactly, and the
// caller puts it into one atomic write together with the log offsets of that moment
// (streaming/checkpoint.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "features/interaction.h"

namespace shanhuo {

// Key-value records of a checkpoint. Keys start with two letters that belong to one part:
//   vp viewer profiles   fr frequency   it item counters   ex exposure rollups   dd deduplication
//   pg program totals in interner          ci cc cb catalogue   lg ledger     pr prices cl
//   calibration pl the fold's own counters and watermarks (streaming/fold.h)   iv invalid traffic
//   xr results of experiments   lt item totals   sg segment rates   vm value models   pm their
//   probability maps   im impressions that wait for labels   ga gc go gq gr gt ge gk gh  giving and
//   its ledger
class StateWriter {
 public:
  virtual ~StateWriter() = default;
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
};

class StateReader {
 public:
  using Visit = std::function<Status(std::string_view key, std::string_view value)>;
  virtual ~StateReader() = default;
  // The value under one key; empty when there is none. From any thread.
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  // Calls `visit` for every record whose key starts with `prefix`, in key order; stops at its first
  // error.
  virtual Status scan(std::string_view prefix, const Visit& visit) const = 0;
  // Same, from key `from` (inclusive) to key `to` (exclusive).
  virtual Status scan_range(std::string_view from, std::string_view to,
                            const Visit& visit) const = 0;
};

// All calls come from the fold's thread.
class Checkpointed {
 public:
  virtual ~Checkpointed() = default;
  // Freezes what is dirty. `writer` stays valid until checkpoint_step() has returned true.
  virtual void begin_checkpoint(StateWriter& writer) = 0;
  // Writes up to about `records_max` frozen records; true when none is left.
  virtual bool checkpoint_step(size_t records_max) = 0;
  // What was written since begin_checkpoint() is durable and can be read back.
  virtual void checkpoint_committed() {}
  // Requires: a fresh object.
  virtual Status restore(const StateReader& reader) = 0;
};

// Where in which log a record stands, and the times the fold may know.
struct FoldContext {
  uint32_t partition = 0;
  int64_t offset = 0;
  Millis accepted_at;  // stamped by the log
  Millis watermark;    // largest ts of the partition up to and including this record
  bool late = false;   // ts below watermark - 24 h: only the ledger may change
};

// Empty: applied. Otherwise the reason of a dead letter, a string literal.
using DeadReason = std::string_view;

// What the state wants before more is folded into it.
enum class StateRoom : uint8_t {
  kEnough,
  kCheckpointSoon,   // one should begin, folding goes on
  kCheckpointFirst,  // nothing more may be folded until a checkpoint is durable
};

class StateMachine {
 public:
  virtual ~StateMachine() = default;
  // A hint: apply() of this event of `partition` comes soon, after those hinted at before it. The
  // state of many events is then on its way from memory at once. Changes nothing.
  virtual void expect(const Interaction& /*event*/, uint32_t /*partition*/) {}
  [[nodiscard]] virtual DeadReason apply(const Interaction& event, const FoldContext& context) = 0;
  virtual void forget(std::string_view user_id) = 0;
  // A control record (streaming/event_log.h): what its writer and this machine agree on.
  virtual void control(std::string_view /*key*/, std::string_view /*value*/, Millis /*watermark*/) {
  }
  // The viewer met a variation: the bytes of an ExperimentExposure (experiment_exposure.h).
  virtual void expose(std::string_view /*user_id*/, std::string_view /*exposure*/) {}
  // Asked after each poll batch. Fails when part of the state could not be read: what was folded
  // since the last checkpoint is not exact then, and must not become one.
  virtual Result<StateRoom> make_room() { return StateRoom::kEnough; }
};

}  // namespace shanhuo
