// Appends are framed on the caller's thread, so that the writer only joins, sums and writes. While
// one group is being synced the next one gathers: the longer a sync takes, the larger the groups.
// Readers: embedded_log_reader.cc. Tested by tests/streaming_log_test.cc and, under SIGKILL,
// tests/streaming_crash_test.cc.
#include "streaming/embedded_log.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

#include "base/check.h"
#include "streaming/embedded_log_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kRetentionPeriodNs = 60'000'000'000;
constexpr Millis kTimeIndexSlot{10 * 60'000};

bool is_lazy(Topic topic) { return topic == Topic::kDecisions || topic == Topic::kDeadLetters; }

StoreOptions store_options() {
  StoreOptions options;
  options.block_cache_bytes = 8u << 20;  // blocks are read once, in order
  options.apart_bytes_min = 1024;
  return options;
}

}  // namespace

std::string_view topic_name(Topic topic) {
  constexpr std::array<std::string_view, kTopics> kNames = {
      "shanhuo.items", "shanhuo.interactions", "shanhuo.decisions", "shanhuo.dead-letters"};
  return kNames[static_cast<size_t>(topic)];
}

struct EmbeddedLog::State::Group {
  std::vector<PendingAppend> appends;
  std::vector<std::pair<Done, Error>> refusals;
  size_t bytes = 0;
  std::vector<std::shared_ptr<Block>> blocks;
  std::vector<int64_t> first_offsets;  // of each append
};

// ---- Recovery: where each partition begins and ends ----

Status EmbeddedLog::State::recover() {
  Cursor cursor = store.cursor();
  for (int t = 0; t < kTopics; ++t) {
    const auto topic = static_cast<Topic>(t);
    partitions[static_cast<size_t>(t)].resize(options.partitions);
    for (uint32_t p = 0; p < options.partitions; ++p) {
      LogPartition& partition = at(topic, p);
      if (is_lazy(topic)) partition.released = std::numeric_limits<int64_t>::max();
      const std::string lowest = block_key(topic, p, 0);
      cursor.seek_at_most(block_key(topic, p, std::numeric_limits<int64_t>::max()));
      if (!cursor.valid() || cursor.key() < lowest) {
        if (!cursor.status().ok()) return cursor.status();
        continue;
      }
      const auto last = open_block(cursor.key(), cursor.value());
      if (!last.ok()) return last.error();
      partition.end_offset = last.value()->end_offset();
      last_stamp = std::max(last_stamp, last.value()->accepted_at);
      cursor.seek(lowest);
      if (!cursor.valid()) return cursor.status();
      const auto first = open_block(cursor.key(), cursor.value());
      if (!first.ok()) return first.error();
      partition.first_offset = first.value()->first_offset;
    }
  }
  return {};
}

// ---- The writer ----

void EmbeddedLog::State::run() {
  Group group;
  while (take(group)) {
    if (!group.appends.empty()) commit(group);
    for (auto& [done, error] : group.refusals) done(error);
    group = Group();
    if (monotonic_ns() - last_retention_ns >= kRetentionPeriodNs) {
      last_retention_ns = monotonic_ns();
      retain();
    }
  }
}

// Waits for work and takes it from the queue; false when stopping and nothing is left.
bool EmbeddedLog::State::take(Group& group) {
  using std::chrono::milliseconds;
  std::unique_lock lock(mutex);
  const auto wanted = [&] { return urgent || stopping || !refusals.empty(); };
  while (!wanted() && queue.empty()) {
    if (work.wait_for(lock, milliseconds(1000)) == std::cv_status::timeout) break;
  }
  if (!wanted() && !queue.empty()) {
    work.wait_for(lock, milliseconds(options.lazy_linger_ms), wanted);
  }
  group.refusals.swap(refusals);
  while (!queue.empty() && group.bytes < options.group_bytes_max) {
    group.bytes += queue.front().frames.size();
    group.appends.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  urgent = urgent && !queue.empty();
  return !stopping || !group.appends.empty() || !group.refusals.empty();
}

// Later than every stamp before. When the clock still shows the last one, waits for its next
// millisecond, so that stamps do not run ahead of a clock that runs.
Millis EmbeddedLog::State::next_stamp() {
  Millis now = clock.now();
  for (int i = 0; i < 6 && now == last_stamp; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    now = clock.now();
  }
  last_stamp = std::max(now, last_stamp + Millis(1));
  return last_stamp;
}

void EmbeddedLog::State::make_blocks(Group& group, Batch& batch) {
  struct Share {
    uint32_t count = 0;
    std::string frames;
  };
  std::map<std::pair<Topic, uint32_t>, Share> shares;
  for (const PendingAppend& append : group.appends) {
    Share& share = shares[{append.topic, append.partition}];
    group.first_offsets.push_back(at(append.topic, append.partition).end_offset + share.count);
    share.count += append.count;
    share.frames.append(append.frames);
  }
  const Millis stamp = next_stamp();
  for (const auto& [owner, share] : shares) {
    if (share.count == 0) continue;
    const auto [topic, p] = owner;
    LogPartition& partition = at(topic, p);
    auto block = std::make_shared<Block>(
        Block{topic, p, partition.end_offset, share.count, stamp, std::string()});
    seal_block(*block, share.frames);
    batch.put(block_key(topic, p, block->first_offset), block->bytes);
    if (window_of(stamp, kTimeIndexSlot) != partition.time_index_slot) {
      char first[8];
      std::memcpy(first, &block->first_offset, sizeof first);
      batch.put(time_key(topic, p, stamp), {first, sizeof first});
    }
    group.blocks.push_back(std::move(block));
  }
}

// end_offset is written by this thread alone, so it may read it without the lock.
void EmbeddedLog::State::commit(Group& group) {
  Batch batch;
  make_blocks(group, batch);
  const Status written = group.blocks.empty() ? Status() : store.write(batch, /*sync=*/true);
  {
    const std::lock_guard lock(mutex);
    stats.queued_bytes -= group.bytes;
    if (written.ok()) {
      publish(group);
    } else {
      for (const PendingAppend& append : group.appends) stats.refused += append.count;
    }
  }
  if (written.ok()) published.notify_all();
  for (size_t i = 0; i < group.appends.size(); ++i) {
    if (written.ok()) {
      const PendingAppend& append = group.appends[i];
      const int64_t first = group.first_offsets[i];
      append.done(Appended{{append.partition, first, first + append.count - 1}});
    } else {
      group.appends[i].done(Error{ErrorCode::kUnavailable, "log: " + written.error().message});
    }
  }
}

void EmbeddedLog::State::publish(Group& group) {
  const int64_t now_ns = monotonic_ns();
  for (const std::shared_ptr<Block>& block : group.blocks) {
    block->durable_ns = now_ns;
    LogPartition& partition = at(block->topic, block->partition);
    partition.end_offset = block->end_offset();
    partition.time_index_slot = window_of(block->accepted_at, kTimeIndexSlot);
    stats.records += block->count;
    keep_in_tail(block);
  }
  ++stats.groups;
}

void EmbeddedLog::State::keep_in_tail(std::shared_ptr<const Block> block) {
  stats.tail_bytes += block->bytes.size();
  tail_order.emplace_back(block->topic, block->partition);
  at(block->topic, block->partition).tail.push_back(std::move(block));
  while (stats.tail_bytes > options.tail_bytes_max && tail_order.size() > 1) {
    auto& oldest = at(tail_order.front().first, tail_order.front().second).tail;
    stats.tail_bytes -= oldest.front()->bytes.size();
    oldest.pop_front();
    tail_order.pop_front();
  }
}

// ---- Retention ----

void EmbeddedLog::State::retain() {
  const std::lock_guard retaining(retain_mutex);
  const Millis oldest = clock.now() - Millis(options.retention_h * kHour.count());
  if (oldest.count() < 0) return;
  for (int t = 0; t < kTopics; ++t) {
    for (uint32_t p = 0; p < options.partitions; ++p) {
      retain_partition(static_cast<Topic>(t), p, oldest);
    }
  }
}

// Drops whole blocks below `oldest` and below what is released; the newest block always stays, and
// keeps the end of the log known. A failure leaves everything, to be tried again.
void EmbeddedLog::State::retain_partition(Topic topic, uint32_t p, Millis oldest) {
  int64_t released = 0;
  {
    const std::lock_guard lock(mutex);
    released = at(topic, p).released;
  }
  const std::string lowest = block_key(topic, p, 0), first_time = time_key(topic, p, Millis(0));
  Cursor cursor = store.cursor();
  cursor.seek_at_most(time_key(topic, p, oldest));
  if (!cursor.valid() || cursor.key() < first_time || cursor.value().size() != 8) return;
  int64_t limit = 0;
  std::memcpy(&limit, cursor.value().data(), sizeof limit);
  const std::string last_time(cursor.key());
  cursor.seek_at_most(block_key(topic, p, std::min(limit, released)));
  if (!cursor.valid() || cursor.key() <= lowest) return;
  const auto kept = open_block(cursor.key(), cursor.value());
  if (!kept.ok()) return;
  const int64_t first = kept.value()->first_offset;
  {
    const std::lock_guard lock(mutex);
    if (first <= at(topic, p).first_offset) return;
    at(topic, p).first_offset = first;
  }
  Batch batch;
  batch.erase_range(lowest, block_key(topic, p, first));
  if (first == limit) batch.erase_range(first_time, last_time);
  static_cast<void>(store.write(batch, /*sync=*/false));
}

// ---- The log ----

EmbeddedLog::EmbeddedLog(std::unique_ptr<Store> store, const EmbeddedLogOptions& options,
                         const Clock& clock)
    : store_(std::move(store)), state_(std::make_unique<State>(*store_, options, clock)) {}

Result<std::unique_ptr<EmbeddedLog>> EmbeddedLog::open(const std::string& path,
                                                       const EmbeddedLogOptions& options,
                                                       const Clock& clock) {
  Result<std::unique_ptr<Store>> store = Store::open(path, store_options());
  if (!store.ok()) return store.error();
  std::unique_ptr<EmbeddedLog> log(new EmbeddedLog(std::move(store).value(), options, clock));
  const Status recovered = log->state_->recover();
  if (!recovered.ok()) return recovered.error().within(path);
  log->state_->last_retention_ns = monotonic_ns();
  log->state_->writer = std::thread([state = log->state_.get()] { state->run(); });
  return log;
}

EmbeddedLog::~EmbeddedLog() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work.notify_all();
  if (state_->writer.joinable()) state_->writer.join();
}

uint32_t EmbeddedLog::partitions(Topic /*topic*/) const { return state_->options.partitions; }

void EmbeddedLog::append(Topic topic, uint32_t partition, const std::vector<AppendRecord>& records,
                         Done done) {
  if (partition == kByKey && state_->options.partitions == 1) partition = 0;
  PendingAppend append{topic, partition, static_cast<uint32_t>(records.size()), {}, {}};
  size_t bytes = 0;
  for (const AppendRecord& record : records) bytes += record.key.size() + record.value.size() + 9;
  append.frames.reserve(bytes);
  for (const AppendRecord& record : records) append_frame(append.frames, record);
  append.done = std::move(done);
  bool wake = false;
  {
    const std::lock_guard lock(state_->mutex);
    const bool known = partition < state_->options.partitions;
    if (!known || state_->stats.queued_bytes + bytes > state_->options.queue_bytes_max) {
      state_->stats.refused += append.count;
      state_->refusals.emplace_back(
          std::move(append.done),
          known ? Error{ErrorCode::kUnavailable, "log: the queue of unwritten records is full"}
                : Error{ErrorCode::kInvalid, "log: no partition " + std::to_string(partition)});
      wake = true;
    } else {
      state_->stats.queued_bytes += append.frames.size();
      wake = state_->queue.empty() || (!is_lazy(topic) && !state_->urgent);
      state_->urgent = state_->urgent || !is_lazy(topic);
      state_->queue.push_back(std::move(append));
    }
  }
  if (wake) state_->work.notify_one();
}

int64_t EmbeddedLog::end_offset(Topic topic, uint32_t partition) const {
  CHECK(partition < state_->options.partitions);
  const std::lock_guard lock(state_->mutex);
  return state_->at(topic, partition).end_offset;
}

int64_t EmbeddedLog::first_offset(Topic topic, uint32_t partition) const {
  CHECK(partition < state_->options.partitions);
  const std::lock_guard lock(state_->mutex);
  return state_->at(topic, partition).first_offset;
}

void EmbeddedLog::release(Topic topic, const std::vector<LogPosition>& below) {
  const std::lock_guard lock(state_->mutex);
  for (const LogPosition& position : below) {
    CHECK(position.partition < state_->options.partitions);
    state_->at(topic, position.partition).released = position.next_offset;
  }
}

void EmbeddedLog::retain_now() { state_->retain(); }

EmbeddedLogStats EmbeddedLog::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

}  // namespace shanhuo
