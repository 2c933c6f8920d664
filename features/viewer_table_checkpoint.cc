// The checkpoints of viewer_table.h.
//
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
// Tested by features_viewer_table_test.cc and features_cold_viewers_test.cc in tests/.
#include <cstring>
#include <utility>

#include "features/viewer_table.h"

namespace shanhuo {

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
