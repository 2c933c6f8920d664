// The only loop that changes state: poll, decode, deduplicate, apply, checkpoint, release.
//
// One thread folds two topics, items and interactions, merged by (accepted_at, items first), so
// that live and replay see one order (streaming/embedded_log.h). Each interaction ends in exactly
// one of
//
//   applied     the state machine took it
//   duplicate   (user_id, event_id) was seen within the dedup window
//   late        ts below its partition's watermark - 24 h; applied with context.late = true
//   dead        undecodable, ts_in_future, or refused by the state machine with a reason
//
// and the counters of these, kept in the checkpoint, hold accepted = applied + duplicate + late +
// dead exactly, across any crash. A dead letter is durable before the checkpoint that passes it,
// and is appended once, however often its record is replayed. ts_in_future is judged before the
// watermark moves, so a clock that is years ahead cannot poison it.
//
// start() restores and begins; the other public calls are thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "features/catalogue.h"
#include "features/state_machine.h"
#include "streaming/checkpoint.h"
#include "streaming/event_log.h"

namespace shanhuo {

class Deduplicator;  // features/dedup.h

struct PipelineOptions {
  uint32_t partitions = 1;        // of the interactions topic
  uint32_t items_partitions = 1;  // of the items topic
  // A new state begins at the first record that the log has left; else at 0, and a log that has
  // dropped it is a gap.
  bool begin_at_first = false;
  bool caller_clock = false;      // contract 2, `clock: caller`: no event is in the future
  size_t poll_records_max = 256;  // raising it: less overhead, coarser freshness
  int poll_timeout_ms = 5;
  int64_t checkpoint_records = 250'000;    // begin a checkpoint after that many records ...
  int64_t checkpoint_interval_ms = 5'000;  // ... or that long after the last, if anything changed
  size_t checkpoint_step_records = 256;    // written between two polls
  Millis future_max{10 * 60'000};          // ts beyond accepted_at + this is dead
  Millis late_after{24 * 3'600'000};
  size_t letters_in_flight_max = 4'096;  // beyond: the loop waits for the log
  int64_t purge_interval_ms = 30'000;    // at most so often are forgotten viewers wiped from disk
};

// What the loop works with. Everything is borrowed and must outlive the pipeline.
struct PipelineParts {
  EventLog* log = nullptr;
  CheckpointStore* checkpoints = nullptr;
  std::vector<Deduplicator*> dedup;  // by partition of interactions
  StateMachine* machine = nullptr;
  std::function<Status(const CatalogueChange&)> apply_catalogue;
  std::function<void()> publish;  // after each poll batch, before wait_applied() returns
  // Everything that a checkpoint holds besides the pipeline's own counters, in the order of
  // restore; includes the deduplicator and the catalogue.
  std::vector<Checkpointed*> checkpointed;
  const Clock* clock = nullptr;  // intervals, and the freshness of what was accepted earlier
};

// freshness_ms[i]: interactions that were visible at most kFreshnessMs[i] after they were durable
// (and later than the bound before); the last takes the rest. What was durable before this process
// began counts from its accepted_at.
inline constexpr std::array kFreshnessMs = {0.25, 0.5,  1.0,   1.5,   2.0,   3.0,  4.0,  5.0,
                                            6.0,  8.0,  10.0,  12.0,  16.0,  24.0, 32.0, 48.0,
                                            64.0, 96.0, 128.0, 256.0, 512.0, 1e3,  1e4,  1e9};
inline constexpr size_t kFreshnessBuckets = kFreshnessMs.size();

struct PipelineStats {
  uint64_t accepted = 0, applied = 0, duplicate = 0, late = 0, dead = 0;
  std::map<std::string, uint64_t> dead_by_reason;
  uint64_t forgotten = 0;  // forget records
  uint64_t catalogue_applied = 0, catalogue_refused = 0;
  std::vector<SourcePosition> positions;  // applied up to here
  std::vector<Millis> watermarks;         // by partition of interactions
  Millis watermark;                       // the largest of them; 0 before any event
  int64_t lag_records = 0;                // end of the log - positions
  std::vector<int64_t> lags;              // the same, by partition of interactions
  std::array<uint64_t, kFreshnessBuckets> freshness_ms{};
  uint64_t checkpoints = 0, checkpoints_failed = 0;
  int64_t longest_turn_us = 0;  // of the loop, waiting for the log left out
  bool fenced = false;          // a checkpoint was refused: the state has another owner now
  bool running = false;
  std::string failure;  // why consuming stopped for good: a gap, a corrupt log, another owner of
                        // the state; empty: it did not
};

class Pipeline {
 public:
  Pipeline(const PipelineParts& parts, const PipelineOptions& options);
  ~Pipeline();  // stop(), if that was not called

  // Restores the last checkpoint and starts the loop at its positions. kCorrupt when the state or
  // the log does not hold, kNotFound when the log no longer has (or never had) that position: a gap
  // that an operator must decide about.
  Status start();
  // start() without a thread: the caller makes the turns, from one thread, and what waits for the
  // loop (stop, wait_applied, checkpoint_now) is not for it. For the deterministic simulation.
  Status open();
  // What a turn found: go on, go on after a pause (the log or the disk said no), or it is over.
  enum class Turn : uint8_t { kOn, kPause, kEnd };
  Turn turn();
  // Folds what the log had when it was called, writes a last checkpoint, ends the loop.
  Status stop();
  // Ends the loop at once, as a crash would: no drain, no checkpoint.
  void halt();

  // Waits until the record at `offset` is folded and published; false after timeout_ms, or when the
  // loop has ended.
  bool wait_applied(Topic topic, uint32_t partition, int64_t offset, int timeout_ms);
  // Largest event time seen; cheap.
  Millis watermark() const;
  // Asks for a checkpoint and waits for it; for backups and tests.
  Status checkpoint_now(int timeout_ms);
  PipelineStats stats() const;

 private:
  class Loop;
  const std::unique_ptr<Loop> loop_;
};

}  // namespace shanhuo
