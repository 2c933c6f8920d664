// A checkpoint in the loop's turns: begin, some records a turn, commit, and later its outcome. The
// fold never waits for the disk. Order of what becomes durable: dead letters, then the checkpoint
// that passes their records, then the log may drop them.
#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "streaming/pipeline_loop.h"

namespace shanhuo {
namespace {

constexpr int64_t kCommitRetryNs = 1'000 * kNsPerMs;

}  // namespace

std::vector<SourcePosition> Pipeline::Loop::sources() const {
  std::vector<SourcePosition> all = items_.positions;
  all.insert(all.end(), events_.positions.begin(), events_.positions.end());
  all.push_back({Topic::kDeadLetters, 0, letters_.resume_offset(), 0});
  return all;
}

bool Pipeline::Loop::checkpoint_due() const {
  {
    const std::lock_guard lock(mutex_);
    if (checkpoints_asked_ > checkpoints_answered_) return true;
  }
  const bool to_wipe =
      forgotten_frozen_ > forgotten_wiped_ &&
      parts_.clock->monotonic_ns() - last_purge_ns_ >= options_.purge_interval_ms * kNsPerMs;
  if (to_wipe) return true;
  if (folded_since_checkpoint_ == 0) return false;
  if (room_ != StateRoom::kEnough) return true;
  return folded_since_checkpoint_ >= options_.checkpoint_records ||
         parts_.clock->monotonic_ns() - last_begin_ns_ >=
             options_.checkpoint_interval_ms * kNsPerMs;
}

// One turn's share: begin, some records, commit, or look at the outcome.
void Pipeline::Loop::turn_checkpoint() {
  if (committing_) note_outcome();
  if (!gathering_) {
    if (!checkpoint_due() || fenced_now()) return;
    begin_checkpoint();
  }
  if (!gathered_) gathered_ = parts_.checkpoints->step(options_.checkpoint_step_records);
  if (!gathered_ || committing_ || parts_.clock->monotonic_ns() < retry_commit_ns_) return;
  // A letter must not be lost behind a checkpoint that passes its record. Those of a state that is
  // somebody else's now will never be taken.
  if (!letters_.durable_before(letters_mark_)) {
    static_cast<void>(fenced_now());
    return;
  }
  purging_ = forgotten_frozen_ > forgotten_wiped_ &&
             parts_.clock->monotonic_ns() - last_purge_ns_ >= options_.purge_interval_ms * kNsPerMs;
  parts_.checkpoints->commit(purging_);
  committing_ = true;
}

void Pipeline::Loop::begin_checkpoint() {
  parts_.checkpoints->begin(checkpointed_, sources());
  gathering_ = true;
  gathered_ = false;
  letters_mark_ = letters_.mark();
  folded_since_checkpoint_ = 0;
  last_begin_ns_ = parts_.clock->monotonic_ns();
  forgotten_frozen_ = fold_.counters().forgotten;
  const std::lock_guard lock(mutex_);
  asked_frozen_ = checkpoints_asked_;
}

void Pipeline::Loop::note_outcome() {
  const std::optional<Result<CheckpointPosition>> outcome = parts_.checkpoints->outcome();
  if (!outcome) return;
  committing_ = false;
  if (outcome->ok()) {
    gathering_ = false;
    if (std::exchange(purging_, false)) {
      forgotten_wiped_ = forgotten_frozen_;
      last_purge_ns_ = parts_.clock->monotonic_ns();
    }
    for (const Topic topic : {Topic::kItems, Topic::kInteractions}) {
      std::vector<LogPosition> below;
      for (const SourcePosition& source : outcome->value().sources) {
        if (source.topic == topic) below.push_back({source.partition, source.next_offset});
      }
      parts_.log->release(topic, below);
    }
  } else {
    retry_commit_ns_ = parts_.clock->monotonic_ns() + kCommitRetryNs;
  }
  {
    const std::lock_guard lock(mutex_);
    ++(outcome->ok() ? stats_.checkpoints : stats_.checkpoints_failed);
    last_outcome_ = outcome->ok() ? Status() : Status(outcome->error());
    checkpoints_answered_ = std::max(checkpoints_answered_, asked_frozen_);
  }
  if (!outcome->ok() && outcome->error().code == ErrorCode::kConflict) fence(outcome->error());
  changed_.notify_all();
}

// Whether the state is somebody else's, as a look tells.
bool Pipeline::Loop::fenced_now() {
  const Status owned = parts_.checkpoints->owned();
  if (owned.ok() || owned.error().code != ErrorCode::kConflict) return false;
  fence(owned.error());
  return true;
}

// The state is somebody else's: nothing more is written, and the loop ends.
void Pipeline::Loop::fence(const Error& refused) {
  const std::lock_guard lock(mutex_);
  stats_.fenced = true;
  stats_.failure = refused.message;
  last_outcome_ = refused;
}

// Ends a checkpoint that runs, then writes one of everything. Gives up at the first failure.
Status Pipeline::Loop::last_checkpoint() {
  {
    const std::lock_guard lock(mutex_);
    ++checkpoints_asked_;
    last_outcome_ = Status();
  }
  retry_commit_ns_ = 0;
  while (true) {
    letters_.flush();
    turn_checkpoint();
    {
      const std::lock_guard lock(mutex_);
      if (ask_ == Ask::kHalt) return Error{ErrorCode::kUnavailable, "halted"};
      if (!last_outcome_.ok()) return last_outcome_;
      if (checkpoints_answered_ == checkpoints_asked_) return {};
    }
    // Letters that the log does not take keep the checkpoint back.
    const Status reachable = parts_.log->reachable();
    if (!reachable.ok() && letters_.unwritten() > 0) return reachable;
    if (gathered_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace shanhuo
