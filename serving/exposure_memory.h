// Who has met which variation already, so that an exposure is counted once for each unit,
// experiment and variation. A fixed table of 64-bit keys, eight places for each; where they are all
// taken the oldest of the eight is forgotten and would be counted again, which is itself counted.
// Holds hashes alone, nobody's id; begins empty at each start.
//
// Thread-safe and without locks: of two threads that bring one key at once, both may be told that
// it is new (a viewer's requests are answered one after the other, ranker.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/hash.h"

namespace shanhuo {

class ExposureMemory {
 public:
  // 8 bytes an entry.
  explicit ExposureMemory(size_t entries)
      : sets_(entries / kWays + 1), table_(new std::atomic<uint64_t>[sets_ * kWays]()) {}

  // True when the key was not there; it is now.
  bool first(uint64_t key) {
    key |= 1;  // 0 is an empty place
    std::atomic<uint64_t>* const set = &table_[mix64(key) % sets_ * kWays];
    size_t end = 0;
    for (; end < kWays; ++end) {
      const uint64_t there = set[end].load(std::memory_order_relaxed);
      if (there == key) return false;
      if (there == 0) break;
    }
    if (end == kWays) {
      forgotten_.fetch_add(1, std::memory_order_relaxed);
      --end;
    }
    // The newest stands first.
    for (; end > 0; --end) {
      set[end].store(set[end - 1].load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    set[0].store(key, std::memory_order_relaxed);
    return true;
  }

  uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kWays = 8;  // a cache line

  const size_t sets_;
  const std::unique_ptr<std::atomic<uint64_t>[]> table_;
  std::atomic<uint64_t> forgotten_{0};
};

}  // namespace shanhuo
