// Starting from a checkpoint, and what others may ask of the loop. Tested by
// tests/streaming_pipeline_test.cc against a single-threaded oracle, and under SIGKILL by
// tests/streaming_crash_test.cc.
#include "streaming/pipeline.h"

#include <chrono>

#include "base/check.h"
#include "base/clock.h"
#include "streaming/pipeline_loop.h"

namespace shanhuo {
namespace {

FoldOptions fold_options(const PipelineOptions& options) {
  return {options.partitions, options.caller_clock, options.future_max, options.late_after};
}

}  // namespace

Pipeline::Loop::Loop(const PipelineParts& parts, const PipelineOptions& options)
    : parts_(parts),
      options_(options),
      fold_(*parts.machine, parts.dedup, parts.apply_catalogue, fold_options(options)),
      letters_(*parts.log, *parts.clock) {
  checkpointed_ = {&fold_};
  checkpointed_.insert(checkpointed_.end(), parts.checkpointed.begin(), parts.checkpointed.end());
}

Pipeline::Loop::~Loop() { static_cast<void>(stop()); }

// ---- Start: state and positions from the checkpoint ----

Status Pipeline::Loop::start() {
  const Status opened = open();
  if (opened.ok()) thread_ = std::thread([this] { run(); });
  return opened;
}

Status Pipeline::Loop::open() {
  CHECK(!thread_.joinable());
  const Status restored = restore();
  if (!restored.ok()) return restored;
  for (Feed* feed : {&items_, &events_}) {
    const Status opened = open_feed(*feed);
    if (!opened.ok()) return opened;
  }
  if (parts_.publish) parts_.publish();
  watermark_ms_.store(fold_.watermark().count());
  last_begin_ns_ = last_purge_ns_ = parts_.clock->monotonic_ns();
  finish_turn();
  const std::lock_guard lock(mutex_);
  running_ = true;
  return {};
}

Status Pipeline::Loop::restore() {
  for (Feed* feed : {&items_, &events_}) {
    for (uint32_t p = 0; p < options_.partitions; ++p) {
      feed->positions.push_back({feed->topic, p, 0, 0});
    }
  }
  const Result<CheckpointPosition> position = parts_.checkpoints->restore(checkpointed_);
  if (!position.ok()) return position.error();
  int64_t letters_from = 0;
  for (const SourcePosition& source : position.value().sources) {
    if (source.topic == Topic::kDeadLetters) {
      letters_from = source.next_offset;
      continue;
    }
    if (source.topic == Topic::kDecisions || source.partition >= options_.partitions) {
      return Error{ErrorCode::kCorrupt, "checkpoint: made with other partitions"};
    }
    const Status held = check_position(source);
    if (!held.ok()) return held;
    Feed& feed = source.topic == Topic::kItems ? items_ : events_;
    feed.positions[source.partition] = source;
  }
  return letters_.resume(letters_from);
}

// The log must still have what comes after the position, and before it must stand the record that
// was folded last: otherwise this is another log, or one that lost its end.
Status Pipeline::Loop::check_position(const SourcePosition& position) const {
  if (parts_.log->end_offset(position.topic, position.partition) < position.next_offset) {
    return Error{ErrorCode::kNotFound,
                 std::string(topic_name(position.topic)) + ": the log ends before offset " +
                     std::to_string(position.next_offset) + ", where the checkpoint stands"};
  }
  if (position.next_offset == 0 || position.last_digest == 0) return {};
  auto reader = parts_.log->read(position.topic, {{position.partition, position.next_offset - 1}});
  if (!reader.ok()) return reader.error();
  std::vector<LogRecord> records;
  const Status polled = reader.value()->poll(1, 0, records);
  if (!polled.ok() && polled.error().code == ErrorCode::kNotFound) return {};  // by retention
  if (!polled.ok()) return polled;
  if (!records.empty() && hash64(records[0].value) == position.last_digest) return {};
  return Error{ErrorCode::kCorrupt,
               std::string(topic_name(position.topic)) + ": another log than the checkpoint's"};
}

Status Pipeline::Loop::open_feed(Feed& feed) {
  std::vector<LogPosition> from;
  for (const SourcePosition& position : feed.positions) {
    from.push_back({position.partition, position.next_offset});
  }
  auto reader = parts_.log->read(feed.topic, from);
  if (!reader.ok()) return reader.error();
  feed.reader = std::move(reader).value();
  return feed.poll(options_.poll_records_max, 0);  // a gap shows now
}

// ---- What others ask ----

Status Pipeline::Loop::stop() {
  if (!thread_.joinable()) return {};
  std::vector<SourcePosition> targets;
  for (const Topic topic : {Topic::kItems, Topic::kInteractions}) {
    for (uint32_t p = 0; p < options_.partitions; ++p) {
      targets.push_back({topic, p, parts_.log->end_offset(topic, p), 0});
    }
  }
  {
    const std::lock_guard lock(mutex_);
    targets_ = std::move(targets);
    ask_ = Ask::kStop;
  }
  thread_.join();
  const std::lock_guard lock(mutex_);
  if (!stats_.failure.empty()) return Error{ErrorCode::kCorrupt, stats_.failure};
  return last_outcome_;
}

void Pipeline::Loop::halt() {
  {
    const std::lock_guard lock(mutex_);
    ask_ = Ask::kHalt;
  }
  if (thread_.joinable()) thread_.join();
}

bool Pipeline::Loop::wait_applied(Topic topic, uint32_t partition, int64_t offset, int timeout_ms) {
  CHECK(topic == Topic::kItems || topic == Topic::kInteractions);
  CHECK(partition < options_.partitions);
  const size_t index = (topic == Topic::kItems ? 0 : options_.partitions) + partition;
  std::unique_lock lock(mutex_);
  const auto applied = [&] { return stats_.positions[index].next_offset > offset; };
  changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                    [&] { return !running_ || applied(); });
  return !stats_.positions.empty() && applied();
}

Status Pipeline::Loop::checkpoint_now(int timeout_ms) {
  std::unique_lock lock(mutex_);
  const uint64_t number = ++checkpoints_asked_;
  const bool answered = changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] {
    return !running_ || checkpoints_answered_ >= number;
  });
  if (answered && checkpoints_answered_ >= number) return last_outcome_;
  return Error{ErrorCode::kUnavailable,
               running_ ? "checkpoint: takes too long" : "checkpoint: the pipeline has stopped"};
}

PipelineStats Pipeline::Loop::stats() const {
  PipelineStats copy;
  {
    const std::lock_guard lock(mutex_);
    copy = stats_;
    copy.running = running_;
  }
  copy.watermark = watermark();
  for (const SourcePosition& position : copy.positions) {
    copy.lag_records +=
        parts_.log->end_offset(position.topic, position.partition) - position.next_offset;
  }
  return copy;
}

// ---- The face ----

Pipeline::Pipeline(const PipelineParts& parts, const PipelineOptions& options)
    : loop_(std::make_unique<Loop>(parts, options)) {}
Pipeline::~Pipeline() = default;
Status Pipeline::start() { return loop_->start(); }
Status Pipeline::open() { return loop_->open(); }
Pipeline::Turn Pipeline::turn() { return loop_->turn(); }
Status Pipeline::stop() { return loop_->stop(); }
void Pipeline::halt() { loop_->halt(); }
bool Pipeline::wait_applied(Topic topic, uint32_t partition, int64_t offset, int timeout_ms) {
  return loop_->wait_applied(topic, partition, offset, timeout_ms);
}
Millis Pipeline::watermark() const { return loop_->watermark(); }
Status Pipeline::checkpoint_now(int timeout_ms) { return loop_->checkpoint_now(timeout_ms); }
PipelineStats Pipeline::stats() const { return loop_->stats(); }

}  // namespace shanhuo
