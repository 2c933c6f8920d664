// Starting from a checkpoint, and what others may ask of the loop. Tested by
// tests/streaming_pipeline_test.cc against a single-threaded oracle, and under SIGKILL by
// tests/streaming_crash_test.cc.
#include "streaming/pipeline.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/clock.h"
#include "streaming/log_scan.h"
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
      letters_(*parts.log, *parts.clock, [store = parts.checkpoints] { return store->owned(); }) {
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
  for (const SourcePosition& items : items_.positions) {
    items_ends_.push_back(parts_.log->end_offset(Topic::kItems, items.partition));
  }
  items_patience_end_ns_ = parts_.clock->monotonic_ns() + kItemsPatienceMs * kNsPerMs;
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
    for (uint32_t p = 0; p < partitions(feed->topic); ++p) {
      const int64_t first = options_.begin_at_first ? parts_.log->first_offset(feed->topic, p) : 0;
      feed->positions.push_back({feed->topic, p, first, 0});
    }
  }
  const Result<CheckpointPosition> position = parts_.checkpoints->restore(checkpointed_);
  if (!position.ok()) return position.error();
  const std::vector<SourcePosition>& sources = position.value().sources;
  const Status held = sources.empty() ? Status() : check_sources(sources);
  if (!held.ok()) return held;
  int64_t letters_from = parts_.log->first_offset(Topic::kDeadLetters, 0);
  for (const SourcePosition& source : sources) {
    if (source.topic == Topic::kDeadLetters) letters_from = source.next_offset;
    if (source.topic == Topic::kItems) items_.positions[source.partition] = source;
    if (source.topic == Topic::kInteractions) events_.positions[source.partition] = source;
  }
  return letters_.resume(letters_from, [this](Topic topic, uint32_t partition, int64_t offset) {
    const Feed& feed = topic == Topic::kItems ? items_ : events_;
    return partition >= feed.positions.size() || offset >= feed.positions[partition].next_offset;
  });
}

uint32_t Pipeline::Loop::partitions(Topic topic) const {
  return topic == Topic::kItems ? options_.items_partitions : options_.partitions;
}

Status Pipeline::Loop::check_sources(const std::vector<SourcePosition>& sources) const {
  for (const Topic topic : {Topic::kItems, Topic::kInteractions}) {
    uint32_t count = 0;
    for (const SourcePosition& source : sources) count += source.topic == topic ? 1 : 0;
    if (count != partitions(topic)) {
      return gap_error(ErrorCode::kCorrupt, std::string(topic_name(topic)) + " has " +
                                                std::to_string(partitions(topic)) +
                                                " partitions, the checkpoint was made with " +
                                                std::to_string(count));
    }
  }
  for (const SourcePosition& source : sources) {
    if (source.topic == Topic::kDeadLetters) continue;
    const Status held = check_position(source);
    if (!held.ok()) return held;
  }
  return {};
}

Error gap_error(ErrorCode code, const std::string& what) {
  return {code, "state GAP: " + what +
                    ". The topic was deleted, made anew, or cut by retention while the engine was "
                    "away. Bring the topic back as it was; or, to go on with what the log has now, "
                    "move the folder state/ out of the data folder: it is folded again from the "
                    "first record there is"};
}

// The log must still have what comes after the position, and before it must stand the record that
// was folded last: otherwise this is another log, or one that lost its end. Where a compaction or a
// transaction has left a hole before the position nothing can be compared.
Status Pipeline::Loop::check_position(const SourcePosition& position) const {
  const std::string where =
      std::string(topic_name(position.topic)) + "[" + std::to_string(position.partition) + "]";
  const int64_t end = parts_.log->end_offset(position.topic, position.partition);
  if (end < position.next_offset) {
    return gap_error(ErrorCode::kNotFound, where + " ends at offset " + std::to_string(end) +
                                               ", before " + std::to_string(position.next_offset) +
                                               " where the checkpoint stands");
  }
  const int64_t first = parts_.log->first_offset(position.topic, position.partition);
  if (first > position.next_offset) {
    return gap_error(ErrorCode::kNotFound, where + " begins at offset " + std::to_string(first) +
                                               ", after " + std::to_string(position.next_offset) +
                                               " where the checkpoint stands");
  }
  if (position.next_offset == 0 || position.last_digest == 0) return {};
  auto reader = parts_.log->read(position.topic, {{position.partition, position.next_offset - 1}});
  if (!reader.ok()) return reader.error();
  bool same = true;
  const Status read = scan_to(*reader.value(), position.partition, position.next_offset,
                              [&](const LogRecord& record) {
                                same = hash64(record.value) == position.last_digest;
                                return Status();
                              });
  if (!read.ok()) return read.error().code == ErrorCode::kNotFound ? Status() : read;  // retention
  if (same) return {};
  return gap_error(ErrorCode::kCorrupt, where + " has another record at offset " +
                                            std::to_string(position.next_offset - 1) +
                                            " than the one that was folded");
}

Status Pipeline::Loop::open_feed(Feed& feed) {
  std::vector<LogPosition> from;
  for (const SourcePosition& position : feed.positions) {
    from.push_back({position.partition, position.next_offset});
  }
  auto reader = parts_.log->read(feed.topic, from);
  if (!reader.ok()) return reader.error();
  feed.reader = std::move(reader).value();
  // A gap shows now; a log that is slow to answer may come later.
  const Status polled = feed.poll(options_.poll_records_max, 0, moved_);
  if (polled.ok() || polled.error().code == ErrorCode::kIo) return {};
  if (polled.error().code != ErrorCode::kNotFound) return polled;
  return gap_error(polled.error().code, polled.error().message);
}

// ---- What others ask ----

Status Pipeline::Loop::stop() {
  if (!thread_.joinable()) return {};
  std::vector<SourcePosition> targets;
  for (const Topic topic : {Topic::kItems, Topic::kInteractions}) {
    for (uint32_t p = 0; p < partitions(topic); ++p) {
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
  CHECK(partition < partitions(topic));
  const size_t index = (topic == Topic::kItems ? 0 : options_.items_partitions) + partition;
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
    const int64_t end = parts_.log->end_offset(position.topic, position.partition);
    const int64_t lag = std::max<int64_t>(end - position.next_offset, 0);
    copy.lag_records += lag;
    if (position.topic == Topic::kInteractions) copy.lags.push_back(lag);
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
