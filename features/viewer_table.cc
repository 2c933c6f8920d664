// How a checkpoint sees the state of begin_checkpoint() although updates go on: a record changed
// since then carries dirty_mark_, one frozen and not yet written the other mark. Whoever is about
// to change a frozen record writes it first, and its later turn finds the mark gone. Marks swap
// roles at each begin_checkpoint(), which is sound because no frozen mark outlives its checkpoint.
//
// A written record carries the mark of its checkpoint until it changes again, and may be evicted
// once that checkpoint is durable (one of kSavedMarks checkpoints ago waits for nothing, no harm).
// kSpared is the second chance: set when a record is written, taken by the hand.
//
//   mark := 0 clean | 1, 2 dirty or frozen | 3.. written, + kSpared
//
// What is not in memory is what the store says, but for those whom the store still has because
// the checkpoint that erases them is not durable: Shard::gone.
// Tested by features_viewer_table_test.cc and features_cold_viewers_test.cc in tests/.
#include "features/viewer_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace shanhuo {
namespace {

constexpr std::string_view kPrefix = "vp";
constexpr int kShardShift = 24;
constexpr uint32_t kNumberMask = (1U << kShardShift) - 1;
constexpr uint8_t kFirstSavedMark = 3, kSavedMarks = 124, kSpared = 0x80;
constexpr int kHandSteps = 32;          // at most, to find one to evict
constexpr size_t kShardsRelieved = 32;  // by one make_room()
constexpr int kEvictedEach = 16;        // of each of those

uint8_t saved_mark(uint64_t checkpoint) {
  return static_cast<uint8_t>(kFirstSavedMark + checkpoint % kSavedMarks);
}

size_t long_id_bytes(size_t size, size_t inline_max) {
  return size <= inline_max ? 0 : sizeof(std::string) + size + 1;
}

}  // namespace

std::string_view ViewerTable::Shard::id_of(const Record& record) const {
  if (record.id_size <= kInlineIdBytes) return {record.id, record.id_size};
  uint32_t place;
  std::memcpy(&place, record.id, sizeof(place));
  return long_ids[place];
}

uint32_t ViewerTable::Shard::find(uint64_t hash, std::string_view user_id) const {
  return index.find(hash, [&](uint32_t number) { return id_of(at(number)) == user_id; });
}

ViewerTable::ViewerTable(const ViewerTableOptions& options)
    : options_(options), shards_(kShards, &memory_) {}

ViewerTable::~ViewerTable() = default;

void ViewerTable::keep_cold_in(const StateReader& store) {
  CHECK(size() == 0 && store_ == nullptr);
  store_ = &store;
  budget_ = std::max(options_.memory_bytes_max, bytes() + kShards * kViewerBytes) - bytes();
}

// ---- One viewer ----

uint32_t ViewerTable::create(Shard& shard, uint64_t hash, std::string_view user_id) {
  CHECK(!user_id.empty() && user_id.size() <= kIdBytesMax);
  uint32_t number;
  if (!shard.free.empty()) {
    number = shard.free.back();
    shard.free.pop_back();
  } else {
    number = shard.records++;
    if (number % kSlabRecords == 0) {
      shard.slabs.push_back(shard.slabs.get_allocator().allocate_object<Record>(kSlabRecords));
    }
  }
  Record& record = shard.at(number);
  record = Record{};
  record.id_size = static_cast<uint8_t>(user_id.size());
  if (user_id.size() <= kInlineIdBytes) {
    std::memcpy(record.id, user_id.data(), user_id.size());
  } else {
    auto place = static_cast<uint32_t>(shard.long_ids.size());
    if (shard.free_long_ids.empty()) {
      shard.long_ids.emplace_back(user_id);
    } else {
      place = shard.free_long_ids.back();
      shard.free_long_ids.pop_back();
      shard.long_ids[place] = user_id;
    }
    std::memcpy(record.id, &place, sizeof(place));
  }
  shard.index.insert(hash, number, [&](uint32_t n) { return hash64(shard.id_of(shard.at(n))); });
  weigh(shard, user_id.size(), /*added=*/true);
  return number;
}

void ViewerTable::weigh(Shard& shard, size_t id_size, bool added) {
  const size_t bytes = kViewerBytes + long_id_bytes(id_size, kInlineIdBytes);
  crowded_ -= crowded(shard) ? 1 : 0;
  shard.bytes = added ? shard.bytes + bytes : shard.bytes - bytes;
  bytes_ = added ? bytes_ + bytes : bytes_ - bytes;
  crowded_ += crowded(shard) ? 1 : 0;
}

void ViewerTable::remove(Shard& shard, uint64_t hash, uint32_t number) {
  Record& record = shard.at(number);
  weigh(shard, record.id_size, /*added=*/false);
  shard.index.erase(hash, number);
  if (record.id_size > kInlineIdBytes) {
    uint32_t place;
    std::memcpy(&place, record.id, sizeof(place));
    std::string().swap(shard.long_ids[place]);
    shard.free_long_ids.push_back(place);
  }
  record = Record{};
  shard.free.push_back(number);
}

void ViewerTable::prefetch_record(uint64_t hash) const {
  const Shard& shard = shard_of(hash);
  const uint32_t number = shard.index.likely(hash);
  if (number == RecordIndex::kNone) return;
  const auto* record = reinterpret_cast<const char*>(&shard.at(number));
  constexpr size_t kLine = 64;
  for (size_t at = 0; at < sizeof(Record); at += kLine) __builtin_prefetch(record + at, 1);
}

PackedProfile* ViewerTable::writable(Shard& shard, uint64_t hash, std::string_view user_id,
                                     Lock& lock) {
  uint32_t number = shard.find(hash, user_id);
  if (number == RecordIndex::kNone) {
    number = bring(shard, hash, user_id, lock);
    if (number == RecordIndex::kNone) return nullptr;
  }
  Record& record = shard.at(number);
  if (writer_ != nullptr && record.mark == 3 - dirty_mark_) save(shard, record);
  if (record.mark != dirty_mark_) {
    record.mark = dirty_mark_;
    dirty_.push_back(static_cast<uint32_t>(shard_number(hash)) << kShardShift | number);
  }
  return &record.profile;
}

// The record of a viewer who has none in memory: as the store has it, or a new one. While the disk
// works readers have the lock; the shard does not change, that is this thread's alone.
uint32_t ViewerTable::bring(Shard& shard, uint64_t hash, std::string_view user_id, Lock& lock) {
  PackedProfile profile{};
  bool known = false;
  if (may_be_cold(shard, user_id)) {
    lock.unlock();
    const Result<bool> read = read_cold(user_id, profile);
    lock.lock();
    cold_reads_.fetch_add(1, std::memory_order_relaxed);
    if (!read.ok()) {
      unreadable_ = read.error();
      return RecordIndex::kNone;
    }
    known = read.value();
  }
  if ((shard.free.empty() && shard.records == RecordIndex::kRecordsMax) ||
      (!known && size() >= options_.viewers_max)) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return RecordIndex::kNone;
  }
  if (store_ != nullptr && over(shard)) {
    if (!evict(shard)) grown_.fetch_add(1, std::memory_order_relaxed);
    if (over(shard)) evict(shard);  // what an earlier want of room has left too much
  }
  const uint32_t number = create(shard, hash, user_id);
  shard.at(number).profile = profile;
  (known ? cold_.fetch_sub(1, std::memory_order_relaxed)
         : size_.fetch_add(1, std::memory_order_relaxed));
  return number;
}

bool ViewerTable::copy(std::string_view user_id, PackedProfile& out) const {
  const uint64_t hash = hash64(user_id);
  const Shard& shard = shard_of(hash);
  {
    const std::lock_guard lock(shard.mutex);
    const uint32_t number = shard.find(hash, user_id);
    if (number != RecordIndex::kNone) {
      out = shard.at(number).profile;
      return true;
    }
    if (!may_be_cold(shard, user_id)) return false;
  }
  cold_looks_.fetch_add(1, std::memory_order_relaxed);
  const Result<bool> read = read_cold(user_id, out);
  if (!read.ok()) cold_failures_.fetch_add(1, std::memory_order_relaxed);
  return read.ok() && read.value();
}

bool ViewerTable::erase(std::string_view user_id) {
  const uint64_t hash = hash64(user_id);
  Shard& shard = shard_of(hash);
  Lock lock(shard.mutex);
  const uint32_t number = shard.find(hash, user_id);
  if (number != RecordIndex::kNone) {
    Record& record = shard.at(number);
    if (writer_ != nullptr && record.mark == 3 - dirty_mark_) save(shard, record);
    remove(shard, hash, number);
  } else {
    if (!may_be_cold(shard, user_id)) return false;
    lock.unlock();
    PackedProfile unused;
    const Result<bool> read = read_cold(user_id, unused);
    lock.lock();
    if (!read.ok()) unreadable_ = read.error();
    if (!read.ok() || !read.value()) return false;
    cold_.fetch_sub(1, std::memory_order_relaxed);
  }
  erased_.emplace_back(user_id);
  if (store_ != nullptr) shard.gone.insert_or_assign(std::string(user_id), checkpoint_ + 1);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

// ---- Memory ----

// Requires: the shard's lock; the viewer is not in memory.
bool ViewerTable::may_be_cold(const Shard& shard, std::string_view user_id) const {
  return cold_.load(std::memory_order_relaxed) > 0 &&
         (shard.gone.empty() || !shard.gone.contains(user_id));
}

// False, `out` untouched, when the store does not have the viewer.
Result<bool> ViewerTable::read_cold(std::string_view user_id, PackedProfile& out) const {
  const auto stored = store_->get(std::string(kPrefix).append(user_id));
  if (!stored.ok()) return stored.error().within("viewer " + std::string(user_id));
  if (!stored.value()) return false;
  const Status read = read_profile(*stored.value(), out);
  if (!read.ok()) return read.error().within("viewer " + std::string(user_id));
  return true;
}

bool ViewerTable::durable(uint8_t mark) const {
  const auto plain = static_cast<uint8_t>(mark & ~kSpared);
  if (plain < kFirstSavedMark) return plain == 0;
  return committed_ || plain != saved_mark(checkpoint_);
}

// Requires: the shard's lock. False: none was found in a few steps.
bool ViewerTable::evict(Shard& shard) {
  for (int step = 0; step < kHandSteps; ++step) {
    shard.hand = shard.hand + 1 < shard.records ? shard.hand + 1 : 0;
    Record& record = shard.at(shard.hand);
    if (record.id_size == 0 || !durable(record.mark)) continue;
    if ((record.mark & kSpared) != 0) {
      record.mark = static_cast<uint8_t>(record.mark & ~kSpared);
      continue;
    }
    cold_.fetch_add(1, std::memory_order_relaxed);
    remove(shard, hash64(shard.id_of(record)), shard.hand);
    evicted_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  return false;
}

Result<StateRoom> ViewerTable::make_room() {
  if (!unreadable_.ok()) return unreadable_.error();
  if (store_ == nullptr) return StateRoom::kEnough;
  for (size_t n = 0; n < kShardsRelieved && (crowded_ > 0 || bytes_ > budget_); ++n) {
    Shard& shard = shards_[next_shard_++ % kShards];
    const std::lock_guard lock(shard.mutex);
    for (int i = 0; i < kEvictedEach && over(shard) && evict(shard); ++i) {
    }
  }
  if (crowded_ > 0) {
    stalls_.fetch_add(1, std::memory_order_relaxed);
    return StateRoom::kCheckpointFirst;
  }
  return dirty_.size() * kViewerBytes > budget_ / 2 ? StateRoom::kCheckpointSoon
                                                    : StateRoom::kEnough;
}

size_t ViewerTable::bytes() const {
  size_t sum = sizeof(*this) + shards_.capacity() * sizeof(Shard);
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.slabs.size() * (kSlabRecords * sizeof(Record)) + shard.index.bytes();
    sum += shard.slabs.capacity() * sizeof(shard.slabs[0]);
    sum += (shard.free.capacity() + shard.free_long_ids.capacity()) * sizeof(uint32_t);
    sum += shard.long_ids.capacity() * sizeof(std::string);
    for (const std::string& id : shard.long_ids) sum += id.capacity();
  }
  return sum;
}

ViewerTableStats ViewerTable::stats() const {
  return {cold_, cold_reads_, cold_looks_, cold_failures_, evicted_, grown_, stalls_};
}

// ---- Checkpoints ----

void ViewerTable::begin_checkpoint(StateWriter& writer) {
  CHECK(writer_ == nullptr);
  if (!committed_) checkpoint_committed();  // they run one after the other
  for (const std::string& user_id : erased_) {
    key_.assign(kPrefix).append(user_id);
    writer.erase(key_);  // before any put, so that a viewer who came back is written after it
  }
  erasing_ = std::exchange(erased_, {});
  const uint64_t viewers = size();
  writer.put(kPrefix, {reinterpret_cast<const char*>(&viewers), sizeof viewers});
  writer_ = &writer;
  ++checkpoint_;
  committed_ = false;
  frozen_.swap(dirty_);
  frozen_done_ = 0;
  dirty_mark_ = 3 - dirty_mark_;
}

// The fold's thread is the only one that changes records and indexes, so it reads them without
// locks.
bool ViewerTable::checkpoint_step(size_t records_max) {
  CHECK(writer_ != nullptr);
  for (size_t n = 0; n < records_max && frozen_done_ < frozen_.size(); ++n, ++frozen_done_) {
    const uint32_t name = frozen_[frozen_done_];
    const Shard& shard = shards_[name >> kShardShift];
    Record& record = shard.at(name & kNumberMask);
    if (record.mark == 3 - dirty_mark_) save(shard, record);
  }
  if (frozen_done_ < frozen_.size()) return false;
  frozen_.clear();
  writer_ = nullptr;
  return true;
}

void ViewerTable::save(const Shard& shard, Record& record) {
  key_.assign(kPrefix).append(shard.id_of(record));
  writer_->put(key_, profile_bytes(record.profile));
  record.mark = saved_mark(checkpoint_) | kSpared;
}

void ViewerTable::checkpoint_committed() {
  committed_ = true;
  for (const std::string& user_id : erasing_) {
    Shard& shard = shard_of(hash64(user_id));
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.gone.find(user_id);
    if (found != shard.gone.end() && found->second <= checkpoint_) shard.gone.erase(found);
  }
  erasing_.clear();
}

Status ViewerTable::restore(const StateReader& reader) {
  CHECK(size() == 0);
  const auto head = reader.get(kPrefix);
  if (!head.ok()) return head.error();
  uint64_t viewers = 0;  // without a head (written before there was one): counted
  if (head.value() && head.value()->size() != sizeof viewers) {
    return Error{ErrorCode::kCorrupt, "malformed number of viewers"};
  }
  if (head.value()) std::memcpy(&viewers, head.value()->data(), sizeof viewers);
  const Error too_many{ErrorCode::kTooLarge, "more viewers on disk than viewers_max = " +
                                                 std::to_string(options_.viewers_max)};
  if (viewers > options_.viewers_max) return too_many;

  uint64_t seen = 0;
  bool enough = false;
  const Status scanned =
      reader.scan(kPrefix, [&](std::string_view key, std::string_view value) -> Status {
        if (key.size() == kPrefix.size()) return {};
        enough = enough || bytes_ > budget_ - budget_ / 16;  // shards do not fill evenly
        if (enough && head.value()) return Error{ErrorCode::kUnavailable, ""};
        if (++seen > options_.viewers_max) return too_many;
        return enough ? Status() : restore_one(key.substr(kPrefix.size()), value);
      });
  if (!scanned.ok() && !(enough && head.value())) return scanned;
  if (!head.value()) viewers = seen;
  if (viewers < seen || (!enough && viewers != seen)) {
    return Error{ErrorCode::kCorrupt, "the number of viewers does not hold"};
  }
  cold_ = viewers - size();
  size_ = viewers;
  return {};
}

// Leaves a viewer on disk when the shard has no room.
Status ViewerTable::restore_one(std::string_view user_id, std::string_view value) {
  PackedProfile profile;
  Status read = read_profile(value, profile);
  if (!read.ok()) return read.error().within("viewer " + std::string(user_id));
  if (user_id.size() > kIdBytesMax) {
    return Error{ErrorCode::kCorrupt, "viewer profile under a key without a valid id"};
  }
  const uint64_t hash = hash64(user_id);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  if (over(shard)) return {};
  shard.at(create(shard, hash, user_id)).profile = profile;
  size_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

}  // namespace shanhuo
