// Slates given out lately: a repeated request gets the same bytes (contract 2.3), and an organic
// impression finds the score its item had (the label of the calibration).
//
// Thread-safe: sharded by (user, request). Bounded: beyond slates_max the oldest of the shard goes,
// and is counted. Time is engine time, passed in. Filled again from decision records after a
// restart.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "features/interaction.h"

namespace shanhuo {

class SlateBook {
 public:
  struct Slate {
    uint64_t caller_hash = 0;
    uint64_t body_hash = 0;
    uint64_t user_hash = 0;
    Surface surface = Surface::kNone;
    std::string response;
    std::vector<std::pair<uint64_t, double>> organic;  // hash64(item_id), the caller's score
  };
  enum class Found { kNone, kSame, kOther };  // kOther: the same request id with another body

  SlateBook(size_t slates_max, Millis memory);

  // kSame: `response` is set.
  Found find(uint64_t request, uint64_t caller_hash, uint64_t body_hash, Millis now,
             std::string& response) const;
  // The score that an organic item had in this request, whoever called.
  std::optional<std::pair<Surface, double>> score(uint64_t request, uint64_t item_hash) const;
  void put(uint64_t request, Slate slate, Millis now);
  void forget(std::string_view user_id);

  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 64;
  struct Entry {
    Millis at;
    uint64_t number = 0;  // tells it from a later one of the same request
    Slate slate;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_multimap<uint64_t, Entry> slates;  // guarded by mutex
    std::deque<std::pair<uint64_t, uint64_t>> order;  // guarded by mutex: request, number
    uint64_t next_number = 0;                         // guarded by mutex
  };
  static void drop_oldest(Shard& shard);

  const size_t shard_max_;
  const Millis memory_;
  std::array<Shard, kShards> shards_;
  std::atomic<uint64_t> dropped_{0};
};

}  // namespace shanhuo
