// Looking ahead (expect()). From a viewer's hash to the record is a chain of three places that
// miss: the index's slot, the slab's pointer, the record. A prefetch of a place whose page the
// processor does not know waits for the translation, a hundred nanoseconds of a large table, and
// holds up what follows. So each step is taken for four events at once, which wait together:
//
//   the slot -> the slab's pointer -> the record's first line      one event apart
//
// The record's other lines, whose page is known by then, are asked for two events before their turn
// and not here but in update(): the processor has room for some twenty lines on their way, drops
// what is asked for beyond that, and has its hands full after each expect().
//
// How a record stands to checkpoints (mark): viewer_table_checkpoint.cc.
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

constexpr int kHandSteps = 32;          // at most, to find one to evict
constexpr size_t kShardsRelieved = 32;  // by one make_room()
constexpr int kEvictedEach = 16;        // of each of those

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

// All lines of the record are asked for at once: whoever finds it reads them all.
void ViewerTable::prefetch_lines(const char* record) {
  constexpr size_t kLine = 64;
  for (size_t at = 0; at < sizeof(Record); at += kLine) __builtin_prefetch(record + at, 1);
  asm volatile("");  // as in record_index.h
}

uint32_t ViewerTable::Shard::find(uint64_t hash, std::string_view user_id) const {
  return index.find(hash, [&](uint32_t number) {
    const Record& record = at(number);
    prefetch_lines(reinterpret_cast<const char*>(&record));
    return id_of(record) == user_id;
  });
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

void ViewerTable::expect(uint64_t hash) {
  expected(expected_count_++) = {.hash = hash};
  if (expected_count_ - turn_ > kExpected) ++turn_;  // whose turn never came
  const size_t step = expected_count_ % kTogether;
  if (step == 0 || expected_count_ < kExpected) return;
  // A step later, the same four events.
  for (size_t n = expected_count_ - step - kTogether; n < expected_count_ - step; ++n) {
    Expected& each = expected(n);
    const Shard& shard = shard_of(each.hash);
    if (step == 1) {
      shard.index.prefetch(each.hash);
    } else if (step == 2) {
      each.number = shard.index.likely(each.hash);
      if (each.number == RecordIndex::kNone) continue;
      __builtin_prefetch(&shard.slabs[each.number / kSlabRecords]);
    } else if (each.number != RecordIndex::kNone) {
      each.record = reinterpret_cast<const char*>(&shard.at(each.number));
      __builtin_prefetch(each.record, 1);
    }
  }
}

// The turn of an expected event, or of another.
void ViewerTable::pass_turn(uint64_t hash) {
  for (size_t n = turn_; n < expected_count_; ++n) {
    if (expected(n).hash != hash) continue;
    turn_ = n + 1;
    break;
  }
  asked_ = std::max(asked_, turn_);
  for (; asked_ < std::min(turn_ + kAskedAhead, expected_count_); ++asked_) {
    if (expected(asked_).record != nullptr) prefetch_lines(expected(asked_).record);
  }
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

}  // namespace shanhuo
