// Which decision holds in which live room now. The first call of a window decides, all others get
// the same. Thread-safe: sharded by room. Bounded: a shard that is full drops the room whose window
// ends first (counted). Time is engine time, passed in. Nothing is saved: decision records restore
// it through put().
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ranking/recommender.h"

namespace shanhuo {

class RoomBook {
 public:
  explicit RoomBook(size_t rooms_max = 100'000);

  // The decision that holds at `now`, if one does.
  std::optional<RoomDecision> find(std::string_view room_id, Millis now) const;
  // Keeps `decision` unless one holds at `now` already; returns the one that holds. So two first
  // calls at once agree.
  RoomDecision put(std::string_view room_id, RoomDecision decision, Millis now);

  uint64_t dropped() const;  // decisions dropped before their end since the start
  size_t size() const;

 private:
  static constexpr size_t kShards = 16;
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, RoomDecision> rooms;  // guarded by mutex
    uint64_t dropped = 0;                                 // guarded by mutex
  };
  Shard& shard_of(std::string_view room_id);
  const Shard& shard_of(std::string_view room_id) const;
  static void make_room(Shard& shard, size_t max, Millis now);

  const size_t shard_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace shanhuo
