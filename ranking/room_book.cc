#include "ranking/room_book.h"

#include <algorithm>

#include "base/hash.h"

namespace shanhuo {

RoomBook::RoomBook(size_t rooms_max) : shard_max_(std::max<size_t>(1, rooms_max / kShards)) {}

RoomBook::Shard& RoomBook::shard_of(std::string_view room_id) {
  return shards_[hash64(room_id) % kShards];
}
const RoomBook::Shard& RoomBook::shard_of(std::string_view room_id) const {
  return shards_[hash64(room_id) % kShards];
}

std::optional<RoomDecision> RoomBook::find(std::string_view room_id, Millis now) const {
  const Shard& shard = shard_of(room_id);
  const std::lock_guard lock(shard.mutex);
  const auto it = shard.rooms.find(std::string(room_id));
  if (it == shard.rooms.end() || it->second.window_end <= now) return std::nullopt;
  return it->second;
}

// Drops what has ended, then, if that was not enough, whatever ends first.
void RoomBook::make_room(Shard& shard, size_t max, Millis now) {
  if (shard.rooms.size() < max) return;
  std::erase_if(shard.rooms, [&](const auto& entry) { return entry.second.window_end <= now; });
  if (shard.rooms.size() < max) return;
  const auto first =
      std::min_element(shard.rooms.begin(), shard.rooms.end(), [](const auto& a, const auto& b) {
        if (a.second.window_end != b.second.window_end) {
          return a.second.window_end < b.second.window_end;
        }
        return a.first < b.first;
      });
  shard.rooms.erase(first);
  ++shard.dropped;
}

RoomDecision RoomBook::put(std::string_view room_id, RoomDecision decision, Millis now) {
  Shard& shard = shard_of(room_id);
  const std::lock_guard lock(shard.mutex);
  const auto it = shard.rooms.find(std::string(room_id));
  if (it != shard.rooms.end()) {
    if (it->second.window_end <= now) it->second = std::move(decision);
    return it->second;
  }
  make_room(shard, shard_max_, now);
  return shard.rooms.emplace(std::string(room_id), std::move(decision)).first->second;
}

uint64_t RoomBook::dropped() const {
  uint64_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.dropped;
  }
  return sum;
}

size_t RoomBook::size() const {
  size_t sum = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.rooms.size();
  }
  return sum;
}

}  // namespace shanhuo
