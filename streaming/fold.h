// Fold: what becomes of one record. Decode, ts_in_future, watermark, lateness, deduplication,
// apply, in this order, and the counters of how it ended. Pure: time comes with the records. Live
// stream, replay and tests go through these two calls. One thread, except counters() copies made by
// it.
//
// Its own part of the checkpoint:
//   "pl"  := version u32 | 8 counters u64 | watermark count u32 | watermark i64* |
//            reason count u32 | (bytes u32 | reason | dead u64)*          little endian
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "features/catalogue.h"
#include "features/dedup.h"
#include "features/state_machine.h"
#include "streaming/codec.h"
#include "streaming/event_log.h"

namespace shanhuo {

struct FoldOptions {
  uint32_t partitions = 1;
  bool caller_clock = false;
  Millis future_max{10 * 60'000};
  Millis late_after{24 * 3'600'000};
};

struct FoldCounters {
  uint64_t accepted = 0, applied = 0, duplicate = 0, late = 0, dead = 0;
  uint64_t forgotten = 0;
  uint64_t catalogue_applied = 0, catalogue_refused = 0;
  std::map<std::string, uint64_t, std::less<>> dead_by_reason;
};

class Fold final : public Checkpointed {
 public:
  using ApplyCatalogue = std::function<Status(const CatalogueChange&)>;

  // Requires: dedup.size() == options.partitions. Everything given must outlive it.
  Fold(StateMachine& machine, std::vector<Deduplicator*> dedup, ApplyCatalogue apply_catalogue,
       const FoldOptions& options);

  // interaction() will be called with these next, in this order: some are decoded, and their state
  // is on its way from memory, before their turn. `records` stay as they are until then. Changes
  // nothing but the time that it takes.
  void expect(std::span<const LogRecord> records);

  // Each gives the reason of a dead letter, or an empty one.
  DeadReason interaction(const LogRecord& record);
  DeadReason catalogue(const LogRecord& record);

  const FoldCounters& counters() const { return counters_; }
  const std::vector<Millis>& watermarks() const { return watermarks_; }
  Millis watermark() const;  // the largest

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  // A record decoded before its turn.
  struct Ahead {
    EventDecoder decoder;
    Interaction event;
    DeadReason undecodable;
    uint64_t hash = 0;  // of its event, for deduplication
  };
  static constexpr size_t kAhead = 12;  // some microseconds of work: longer than a chain of misses

  const Ahead& decoded(const LogRecord& record);
  void look_at(const LogRecord& record, Ahead& ahead);
  DeadReason event(const LogRecord& record, const Ahead& ahead);
  Status restore_from(std::string_view bytes);

  StateMachine& machine_;
  const std::vector<Deduplicator*> dedup_;
  const ApplyCatalogue apply_catalogue_;
  const FoldOptions options_;
  FoldCounters counters_;
  std::vector<Millis> watermarks_;

  std::span<const LogRecord> expected_;
  size_t turn_ = 0, looked_at_ = 0;  // of expected_: whose turn is next, how many are decoded
  std::array<Ahead, kAhead> ahead_;  // those in between, by place in expected_

  StateWriter* writer_ = nullptr;  // while a checkpoint is gathered
  std::string frozen_;
};

}  // namespace shanhuo
