// Decision records: what was answered, kept on the decisions topic (contract 2.3). append() returns
// at once; the record is durable within the log's linger (at most 50 ms). A crash may forget the
// last ones: their count is known, because each decision first takes a number from a counter in a
// mapped file, which outlives the process.
//
// Thread-safe, but for open() and replay(). Checkpointed under "de": from which record on a restart
// must read again.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "features/state_machine.h"
#include "streaming/decision.h"
#include "streaming/event_log.h"

namespace shanhuo {

struct DecisionBookOptions {
  Millis replay{3'600'000};  // engine time that a restart reads again: rooms, reservations, slates
  int64_t replay_records_max = 500'000;  // but no more than so many, newest first
};

class DecisionBook final : public Checkpointed {
 public:
  // `counter_path` is made when missing. `log` must outlive the book.
  static Result<std::unique_ptr<DecisionBook>> open(const std::string& counter_path, EventLog& log,
                                                    const DecisionBookOptions& options);
  ~DecisionBook() override;  // waits for the log to answer every append

  void append(Decision decision);

  // Waits until the log has answered every append() that was called before. False: `timeout` passed
  // first.
  bool wait_answered(Millis timeout);
  uint64_t queued() const;  // appends that the log has not answered

  // Reads what a restart needs, oldest first: decisions, and forget records, each of which ends
  // what was decided for that viewer before it. Call once, after restore().
  Status replay(const std::function<void(const Decision&)>& decided,
                const std::function<void(std::string_view user_id)>& forgotten);
  // Decisions that were answered and not durable when the last process ended; known after replay().
  uint64_t lost() const { return lost_; }

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override { return records_max > 0; }
  Status restore(const StateReader& reader) override;

 private:
  DecisionBook(std::atomic<uint64_t>* counter, EventLog& log, const DecisionBookOptions& options)
      : counter_(counter), log_(log), options_(options) {}
  void remember(Millis at, int64_t offset);

  std::atomic<uint64_t>* const counter_;  // numbers given out so far; lives in the mapped file
  EventLog& log_;
  const DecisionBookOptions options_;
  uint64_t lost_ = 0;
  int64_t replay_from_ = 0;  // set by restore()

  mutable std::mutex mutex_;
  std::condition_variable answered_;  // answers_ has grown
  uint64_t appends_ = 0;              // guarded by mutex_
  uint64_t answers_ = 0;  // guarded by mutex_: of the log, to these appends and in their order
  Millis latest_;         // guarded by mutex_: engine time of the last one
  std::deque<std::pair<Millis, int64_t>>
      minutes_;          // guarded by mutex_: first durable offset of each minute
  int64_t durable_ = 0;  // guarded by mutex_: next offset after what is durable
};

}  // namespace shanhuo
