// One turn of the loop: poll both topics, fold, letters, publish, and some steps of a checkpoint.
// All of this happens on the loop's thread; what others look at is copied under the mutex.
#include "streaming/pipeline_loop.h"

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace shanhuo {
namespace {

constexpr int kPauseMs = 20;  // after the log or the disk said no

void pause_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

}  // namespace

Pipeline::Turn Pipeline::Loop::turn() {
  const Ask ask = asked();
  if (ask == Ask::kHalt || (ask == Ask::kStop && drained())) return Turn::kEnd;
  if (ask == Ask::kStop && !parts_.log->reachable().ok()) return Turn::kEnd;  // the rest is kept
  if (letters_.unwritten() >= options_.letters_in_flight_max) {
    letters_.flush();
    return Turn::kPause;
  }
  const bool items_were_waiting = !items_.empty();
  const bool stalled = room_ == StateRoom::kCheckpointFirst;
  const Status polled = stalled ? Status() : poll();
  if (!polled.ok() && polled.error().code != ErrorCode::kIo) {
    fail(polled.error());
    return Turn::kEnd;
  }
  const int64_t polled_ns = parts_.clock->monotonic_ns();
  // A poll that failed has not seen whether its topic is empty.
  if (!stalled && polled.ok()) fold_polled(items_were_waiting);
  const Result<StateRoom> room = parts_.machine->make_room();
  if (!room.ok()) {
    fail(room.error());
    return Turn::kEnd;  // before what is not exact can become a checkpoint
  }
  room_ = room.value();
  finish_turn();
  turn_checkpoint();
  longest_turn_ns_ = std::max(longest_turn_ns_, parts_.clock->monotonic_ns() - polled_ns);
  if (fenced()) return Turn::kEnd;
  return polled.ok() && !(stalled && committing_) ? Turn::kOn : Turn::kPause;
}

void Pipeline::Loop::run() {
  for (Turn made = turn(); made != Turn::kEnd; made = turn()) {
    if (made == Turn::kPause) pause_ms(kPauseMs);
  }
  if (asked() == Ask::kStop) {
    const Status last = stats().failure.empty() ? last_checkpoint() : Status();
    const std::lock_guard lock(mutex_);
    last_outcome_ = last;
  }
  end();
}

Pipeline::Loop::Ask Pipeline::Loop::asked() const {
  const std::lock_guard lock(mutex_);
  return ask_;
}

// Waits only when there is nothing else to do.
Status Pipeline::Loop::poll() {
  const bool busy = !items_.empty() || (gathering_ && !gathered_);
  if (events_.empty()) {
    const Status polled =
        events_.poll(options_.poll_records_max, busy ? 0 : options_.poll_timeout_ms, moved_);
    fold_.expect(events_.records);
    if (!polled.ok()) return polled;
  }
  if (!items_.empty()) return {};
  return items_.poll(options_.poll_records_max, items_ends_.empty() ? 0 : options_.poll_timeout_ms,
                     moved_);
}

// An empty poll of a log across the network may mean "not fetched yet". So what items had when the
// loop began is awaited before events go on alone; not for ever, since a foreign transaction or a
// leader that is away may hold one of its partitions.
bool Pipeline::Loop::items_fetched() {
  for (size_t p = 0; p < items_ends_.size(); ++p) {
    if (items_.reader->position(static_cast<uint32_t>(p)) >= items_ends_[p]) continue;
    if (parts_.clock->monotonic_ns() < items_patience_end_ns_) return false;
  }
  items_ends_.clear();
  return true;
}

// Merges by (accepted_at, items first). A topic's rest is folded only when the other was seen empty
// after it: then whatever comes there carries a later stamp. Otherwise it waits for the next poll.
void Pipeline::Loop::fold_polled(bool items_were_waiting) {
  while (!items_.empty() && !events_.empty()) {
    if (items_.head().accepted_at <= events_.head().accepted_at) {
      fold_item();
    } else {
      fold_event();
    }
    if (items_.empty() || events_.empty()) return;
  }
  if (!items_fetched()) return;
  while (!events_.empty()) fold_event();
  while (items_were_waiting && !items_.empty()) fold_item();
}

void Pipeline::Loop::fold_event() {
  const LogRecord& record = events_.head();
  const DeadReason reason = fold_.interaction(record);
  if (!reason.empty()) letters_.add(Topic::kInteractions, record, reason);
  if (folded_.empty() || folded_.back().accepted_at != record.accepted_at) {
    folded_.push_back({record.accepted_at, record.durable_ns, 0});
  }
  ++folded_.back().records;
  ++folded_since_checkpoint_;
  moved_ = true;
  events_.advance();
}

void Pipeline::Loop::fold_item() {
  const LogRecord& record = items_.head();
  const DeadReason reason = fold_.catalogue(record);
  if (!reason.empty()) letters_.add(Topic::kItems, record, reason);
  ++folded_since_checkpoint_;
  moved_ = true;
  items_.advance();
}

// What was folded becomes visible, then is said to be.
void Pipeline::Loop::finish_turn() {
  letters_.flush();
  const bool moved = std::exchange(moved_, false);
  if (moved && parts_.publish) parts_.publish();
  watermark_ms_.store(fold_.watermark().count(), std::memory_order_relaxed);
  if (moved) {
    items_.digest();
    events_.digest();
  }
  {
    const std::lock_guard lock(mutex_);
    count_freshness();
    stats_.longest_turn_us = longest_turn_ns_ / 1'000;
    const FoldCounters& counters = fold_.counters();
    stats_.accepted = counters.accepted;
    stats_.applied = counters.applied;
    stats_.duplicate = counters.duplicate;
    stats_.late = counters.late;
    if (stats_.dead != counters.dead || stats_.dead_by_reason.empty()) {
      stats_.dead_by_reason = {counters.dead_by_reason.begin(), counters.dead_by_reason.end()};
    }
    stats_.dead = counters.dead;
    stats_.forgotten = counters.forgotten;
    stats_.catalogue_applied = counters.catalogue_applied;
    stats_.catalogue_refused = counters.catalogue_refused;
    stats_.watermarks = fold_.watermarks();
    stats_.positions = items_.positions;
    stats_.positions.insert(stats_.positions.end(), events_.positions.begin(),
                            events_.positions.end());
  }
  if (moved) changed_.notify_all();
}

void Pipeline::Loop::count_freshness() {
  if (folded_.empty()) return;
  const Millis now = parts_.clock->now();
  const int64_t now_ns = parts_.clock->monotonic_ns();
  for (const Folded& folded : folded_) {
    const double age_ms = folded.durable_ns > 0
                              ? 1e-6 * static_cast<double>(now_ns - folded.durable_ns)
                              : static_cast<double>((now - folded.accepted_at).count());
    const auto bucket = std::lower_bound(kFreshnessMs.begin(), kFreshnessMs.end() - 1, age_ms);
    stats_.freshness_ms[static_cast<size_t>(bucket - kFreshnessMs.begin())] += folded.records;
  }
  folded_.clear();
}

bool Pipeline::Loop::fenced() const {
  const std::lock_guard lock(mutex_);
  return stats_.fenced;
}

bool Pipeline::Loop::drained() const {
  const std::lock_guard lock(mutex_);
  for (const SourcePosition& target : targets_) {
    const Feed& feed = target.topic == Topic::kItems ? items_ : events_;
    if (feed.positions[target.partition].next_offset < target.next_offset) return false;
  }
  return true;
}

void Pipeline::Loop::fail(const Error& error) {
  const std::lock_guard lock(mutex_);
  // The log has lost what comes next: nothing to be repaired here.
  const bool gap = error.code == ErrorCode::kNotFound;
  stats_.failure = gap ? gap_error(error.code, error.message).message : error.message;
}

void Pipeline::Loop::end() {
  parts_.checkpoints->wait();
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  changed_.notify_all();
}

}  // namespace shanhuo
