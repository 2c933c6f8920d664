// What the parts write between begin() and the last step() is gathered in chunks, the manifest
// last; commit() gives them to the background thread, which makes one batch of them. The fold goes
// on while the disk works. A batch that could not be written is kept for another commit(), so that
// no part has to write anything twice. Tested by tests/streaming_checkpoint_test.cc.
#include "streaming/checkpoint.h"

#include <sys/resource.h>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "streaming/crc32c.h"
#include "streaming/record_chunks.h"

namespace shanhuo {
namespace {

constexpr std::string_view kManifestKey = "!manifest";
constexpr uint32_t kVersion = 1;

template <typename T>
void append_little(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// Takes a number off the front; false when there are not enough bytes.
template <typename T>
bool take_little(std::string_view& bytes, T& number) {
  if (bytes.size() < sizeof number) return false;
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes.remove_prefix(sizeof number);
  return true;
}

std::string encode_manifest(const CheckpointPosition& position) {
  std::string bytes;
  append_little(bytes, kVersion);
  append_little(bytes, position.sequence);
  append_little(bytes, static_cast<uint32_t>(position.sources.size()));
  for (const SourcePosition& source : position.sources) {
    append_little(bytes, static_cast<uint8_t>(source.topic));
    append_little(bytes, source.partition);
    append_little(bytes, source.next_offset);
    append_little(bytes, source.last_digest);
  }
  append_little(bytes, crc32c(bytes));
  return bytes;
}

bool take_source(std::string_view& bytes, SourcePosition& source) {
  uint8_t topic = 0;
  if (!take_little(bytes, topic) || topic >= kTopics) return false;
  source.topic = static_cast<Topic>(topic);
  return take_little(bytes, source.partition) && take_little(bytes, source.next_offset) &&
         take_little(bytes, source.last_digest);
}

Result<CheckpointPosition> decode_manifest(std::string_view bytes) {
  const Error broken{ErrorCode::kCorrupt, "checkpoint: the manifest does not hold"};
  if (bytes.size() < sizeof(uint32_t)) return broken;
  std::string_view sum = bytes.substr(bytes.size() - sizeof(uint32_t));
  bytes.remove_suffix(sizeof(uint32_t));
  uint32_t crc = 0, version = 0, count = 0;
  if (!take_little(sum, crc) || crc != crc32c(bytes)) return broken;
  CheckpointPosition position;
  if (!take_little(bytes, version)) return broken;
  if (version != kVersion) {
    return Error{ErrorCode::kCorrupt, "checkpoint: format version " + std::to_string(version) +
                                          ", this engine reads " + std::to_string(kVersion)};
  }
  if (!take_little(bytes, position.sequence) || !take_little(bytes, count)) return broken;
  for (uint32_t i = 0; i < count; ++i) {
    if (!take_source(bytes, position.sources.emplace_back())) return broken;
  }
  if (!bytes.empty()) return broken;
  return position;
}

enum class Phase : uint8_t { kIdle, kGathering, kGathered, kWriting };

// Nobody waits for a checkpoint: its thread yields to the fold and to requests when processors are
// scarce. Where the system refuses, it is a thread like others.
void yield_to_others() {
  constexpr int kNice = 10;
  static_cast<void>(setpriority(PRIO_PROCESS, 0, kNice));  // on Linux, of the calling thread alone
}

}  // namespace

struct CheckpointStore::State {
  explicit State(StateStore& given) : store(given) {}

  StateStore& store;
  Fence fence;  // constant after the first begin()

  // The fold's own, and while the phase is kWriting the background thread's.
  std::vector<Checkpointed*> parts;
  size_t next_part = 0;
  RecordChunks gathered;
  Batch batch;  // what was gathered, once a commit has begun
  CheckpointPosition position;
  std::string manifest;  // as it must stand on disk before the next write; empty: none
  bool purge = false;

  // Guarded by mutex.
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  Phase phase = Phase::kIdle;
  bool stopping = false;
  std::optional<Result<CheckpointPosition>> outcome;
  CheckpointStats stats;

  std::thread thread;

  void run();
  void write(std::unique_lock<std::mutex>& lock);
  Status may_write() const;
};

void CheckpointStore::State::run() {
  yield_to_others();
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return stopping || phase == Phase::kWriting; });
    if (phase != Phase::kWriting) return;
    write(lock);
  }
}

// Requires: phase is kWriting, `lock` holds the mutex; it is let go while the disk works.
void CheckpointStore::State::write(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  if (!gathered.empty()) batch = gathered.take();
  const int64_t started = monotonic_ns();
  Status written = may_write();
  const bool fenced = !written.ok() && written.error().code == ErrorCode::kConflict;
  if (written.ok()) written = store.write(batch, /*sync=*/true);
  const int64_t took_us = (monotonic_ns() - started) / 1000;
  const uint64_t records = batch.count(), bytes = batch.bytes();
  if (written.ok()) {
    batch = Batch();  // and its memory goes
    manifest = encode_manifest(position);
  }
  const Status purged = written.ok() && purge ? store.purge("", "") : Status();
  if (written.ok() && purged.ok()) purge = false;
  lock.lock();
  ++(written.ok() ? stats.committed : stats.failed);
  stats.fenced += fenced ? 1 : 0;
  stats.purges_failed += purged.ok() ? 0 : 1;
  stats.last_records = records;
  stats.last_bytes = bytes;
  stats.last_write_us = took_us;
  outcome = written.ok() ? Result<CheckpointPosition>(position) : written.error();
  phase = written.ok() ? Phase::kIdle : Phase::kGathered;
  changed.notify_all();
}

// A write that failed may stand on disk nevertheless.
Status CheckpointStore::State::may_write() const {
  const Status owned = fence ? fence() : Status();
  if (!owned.ok()) return owned;
  const Result<std::optional<std::string>> found = store.get(kManifestKey);
  if (!found.ok()) return found.error();
  const std::string on_disk = found.value().value_or("");
  if (on_disk == manifest || on_disk == encode_manifest(position)) return {};
  return Error{ErrorCode::kConflict, "fenced: somebody else has written a checkpoint"};
}

CheckpointStore::CheckpointStore(std::unique_ptr<StateStore> store)
    : store_(std::move(store)), state_(std::make_unique<State>(*store_)) {}

Result<std::unique_ptr<CheckpointStore>> CheckpointStore::open(const std::string& path,
                                                               const StoreOptions& options) {
  Result<std::unique_ptr<Store>> store = Store::open(path, options);
  if (!store.ok()) return store.error();
  std::unique_ptr<CheckpointStore> opened(new CheckpointStore(std::move(store).value()));
  opened->state_->thread = std::thread([state = opened->state_.get()] { state->run(); });
  return opened;
}

std::unique_ptr<CheckpointStore> CheckpointStore::on_this_thread(
    std::unique_ptr<StateStore> store) {
  return std::unique_ptr<CheckpointStore>(new CheckpointStore(std::move(store)));
}

CheckpointStore::~CheckpointStore() {
  if (!state_->thread.joinable()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

void CheckpointStore::set_fence(Fence fence) { state_->fence = std::move(fence); }

Status CheckpointStore::owned() const { return state_->fence ? state_->fence() : Status(); }

void CheckpointStore::begin(const std::vector<Checkpointed*>& parts,
                            const std::vector<SourcePosition>& sources) {
  {
    const std::lock_guard lock(state_->mutex);
    CHECK(state_->phase == Phase::kIdle);
    state_->phase = Phase::kGathering;
  }
  state_->parts = parts;
  state_->next_part = 0;
  ++state_->position.sequence;
  state_->position.sources = sources;
  for (Checkpointed* part : parts) part->begin_checkpoint(state_->gathered);
}

bool CheckpointStore::step(size_t records_max) {
  if (state_->next_part < state_->parts.size()) {
    if (state_->parts[state_->next_part]->checkpoint_step(records_max)) ++state_->next_part;
  }
  if (state_->next_part < state_->parts.size()) return false;
  const std::lock_guard lock(state_->mutex);
  CHECK(state_->phase == Phase::kGathering || state_->phase == Phase::kGathered);
  if (state_->phase == Phase::kGathering) {
    state_->gathered.put(kManifestKey, encode_manifest(state_->position));
  }
  state_->phase = Phase::kGathered;
  return true;
}

void CheckpointStore::commit(bool purge) {
  const std::lock_guard lock(state_->mutex);
  CHECK(state_->phase == Phase::kGathered);
  state_->purge = state_->purge || purge;
  state_->phase = Phase::kWriting;
  state_->changed.notify_all();
}

bool CheckpointStore::idle() const {
  const std::lock_guard lock(state_->mutex);
  return state_->phase == Phase::kIdle;
}

std::optional<Result<CheckpointPosition>> CheckpointStore::outcome() {
  std::optional<Result<CheckpointPosition>> ended;
  {
    const std::lock_guard lock(state_->mutex);
    ended = std::exchange(state_->outcome, std::nullopt);
  }
  if (ended && ended->ok()) {
    for (Checkpointed* part : state_->parts) part->checkpoint_committed();
  }
  return ended;
}

bool CheckpointStore::write_pending() {
  CHECK(!state_->thread.joinable());
  std::unique_lock lock(state_->mutex);
  if (state_->phase != Phase::kWriting) return false;
  state_->write(lock);
  return true;
}

void CheckpointStore::wait() const {
  if (!state_->thread.joinable()) return;
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->phase != Phase::kWriting; });
}

Result<CheckpointPosition> CheckpointStore::restore(const std::vector<Checkpointed*>& parts) {
  const Result<std::optional<std::string>> manifest = store_->get(kManifestKey);
  if (!manifest.ok()) return manifest.error();
  if (!manifest.value()) return CheckpointPosition();
  Result<CheckpointPosition> position = decode_manifest(*manifest.value());
  if (!position.ok()) return position;
  for (Checkpointed* part : parts) {
    const Status restored = part->restore(*store_);
    if (!restored.ok()) return restored.error().within("checkpoint");
  }
  state_->position = position.value();
  state_->manifest = *manifest.value();
  return position;
}

CheckpointStats CheckpointStore::stats() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

}  // namespace shanhuo
