// How a checkpoint sees the state of begin_checkpoint() although updates go on: a record changed
// since then carries dirty_mark_, one frozen and not yet written the other mark. Whoever is about
// to change a frozen record writes it first, and its later turn finds the mark gone. Marks swap
// roles at each begin_checkpoint(), which is sound because no frozen mark outlives its checkpoint.
//
// Tested by tests/features_viewer_table_test.cc against a map, checkpoints included.
#include "features/viewer_table.h"

#include <cstring>
#include <utility>

namespace shanhuo {
namespace {

constexpr std::string_view kPrefix = "vp";
constexpr int kShardShift = 24;
constexpr uint32_t kNumberMask = (1U << kShardShift) - 1;

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

ViewerTable::ViewerTable(const ViewerTableOptions& options) : options_(options), shards_(kShards) {}

ViewerTable::~ViewerTable() = default;

uint32_t ViewerTable::create(Shard& shard, uint64_t hash, std::string_view user_id) {
  CHECK(!user_id.empty() && user_id.size() <= kIdBytesMax);
  uint32_t number;
  if (!shard.free.empty()) {
    number = shard.free.back();
    shard.free.pop_back();
  } else {
    number = shard.records++;
    if (number % kSlabRecords == 0) {
      shard.slabs.push_back(std::make_unique<Record[]>(kSlabRecords));
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
  size_.fetch_add(1, std::memory_order_relaxed);
  return number;
}

void ViewerTable::prefetch_record(uint64_t hash) const {
  const Shard& shard = shard_of(hash);
  const uint32_t number = shard.index.likely(hash);
  if (number == RecordIndex::kNone) return;
  const auto* record = reinterpret_cast<const char*>(&shard.at(number));
  constexpr size_t kLine = 64;
  for (size_t at = 0; at < sizeof(Record); at += kLine) __builtin_prefetch(record + at, 1);
}

PackedProfile* ViewerTable::writable(Shard& shard, uint64_t hash, std::string_view user_id) {
  uint32_t number = shard.find(hash, user_id);
  if (number == RecordIndex::kNone) {
    const bool full = shard.free.empty() && shard.records == RecordIndex::kRecordsMax;
    if (size() >= options_.viewers_max || full) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return nullptr;
    }
    number = create(shard, hash, user_id);
  }
  Record& record = shard.at(number);
  if (writer_ != nullptr && record.mark == 3 - dirty_mark_) save(shard, record);
  if (record.mark != dirty_mark_) {
    record.mark = dirty_mark_;
    dirty_.push_back(static_cast<uint32_t>(shard_number(hash)) << kShardShift | number);
  }
  return &record.profile;
}

bool ViewerTable::copy(std::string_view user_id, PackedProfile& out) const {
  const uint64_t hash = hash64(user_id);
  const Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  const uint32_t number = shard.find(hash, user_id);
  if (number == RecordIndex::kNone) return false;
  out = shard.at(number).profile;
  return true;
}

bool ViewerTable::erase(std::string_view user_id) {
  const uint64_t hash = hash64(user_id);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  const uint32_t number = shard.find(hash, user_id);
  if (number == RecordIndex::kNone) return false;
  Record& record = shard.at(number);
  if (writer_ != nullptr && record.mark == 3 - dirty_mark_) save(shard, record);
  erased_.emplace_back(user_id);
  shard.index.erase(hash, number);
  if (record.id_size > kInlineIdBytes) {
    uint32_t place;
    std::memcpy(&place, record.id, sizeof(place));
    std::string().swap(shard.long_ids[place]);
    shard.free_long_ids.push_back(place);
  }
  record = Record{};
  shard.free.push_back(number);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return true;
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

void ViewerTable::begin_checkpoint(StateWriter& writer) {
  CHECK(writer_ == nullptr);
  for (const std::string& user_id : erased_) {
    key_.assign(kPrefix).append(user_id);
    writer.erase(key_);  // before any put, so that a viewer who came back is written after it
  }
  erased_.clear();
  writer_ = &writer;
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
  record.mark = 0;
}

Status ViewerTable::restore(const StateReader& reader) {
  CHECK(size() == 0);
  return reader.scan(kPrefix, [&](std::string_view key, std::string_view value) -> Status {
    const std::string_view user_id = key.substr(kPrefix.size());
    PackedProfile profile;
    Status read = read_profile(value, profile);
    if (!read.ok()) return read.error().within("viewer " + std::string(user_id));
    if (user_id.empty() || user_id.size() > kIdBytesMax) {
      return Error{ErrorCode::kCorrupt, "viewer profile under a key without a valid id"};
    }
    if (size() >= options_.viewers_max) {
      return Error{ErrorCode::kTooLarge, "more viewers on disk than viewers_max = " +
                                             std::to_string(options_.viewers_max)};
    }
    const uint64_t hash = hash64(user_id);
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    shard.at(create(shard, hash, user_id)).profile = profile;
    return {};
  });
}

}  // namespace shanhuo
