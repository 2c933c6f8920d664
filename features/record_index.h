// A hash index from keys to record numbers that never stops to rehash: open addressing over 4-byte
// slots, linear probing, at most 3/4 full. When it grows, the old slots stay readable and each
// insertion moves eight of them, so an insertion costs a bounded number of steps. The keys live in
// the records; the caller compares them and recomputes their hashes.
//
// Slot: tag * 2^24 + record + 1, where the tag (8 bits of the hash) spares 255 of 256 looks at a
// wrong record. Hash bits: the low ones place, bits 48..55 are the tag, the top 8 are left to the
// caller's shards. Not thread-safe.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>
#include <vector>

#include "base/check.h"

namespace shanhuo {

class RecordIndex {
 public:
  explicit RecordIndex(std::pmr::memory_resource* memory) : slots_(memory), old_(memory) {}

  static constexpr uint32_t kNone = 0xFFFFFFFF;
  static constexpr uint32_t kRecordsMax = 0xFFFFFE;  // numbers 0..kRecordsMax - 1
  // While growing: slots for old and new table at 3/8 of the new one's capacity.
  static constexpr size_t kBytesPerRecordMax = 16;

  // The record for which matches(record) is true among those with this hash, or kNone.
  template <typename Matches>
  uint32_t find(uint64_t hash, Matches&& matches) const {
    const uint32_t found = find_in(slots_, hash, matches);
    return found != kNone || old_.empty() ? found : find_in(old_, hash, matches);
  }

  // Hints to the processor: the slot of the hash will be wanted; and then, the record that is
  // probably meant (kNone: probably none).
  void prefetch(uint64_t hash) const {
    if (slots_.empty()) return;
    __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
    asm volatile("");  // else GCC takes this for a function without effect and drops its calls
  }
  uint32_t likely(uint64_t hash) const {
    const auto any = [](uint32_t) { return true; };
    return find_in(slots_, hash, any);
  }

  // Requires: not there yet; record < kRecordsMax. hash_of(record) gives the hash of a record that
  // is in the index.
  template <typename HashOf>
  void insert(uint64_t hash, uint32_t record, HashOf&& hash_of) {
    CHECK(record < kRecordsMax);
    if ((used_ + 1) * 4 > slots_.size() * 3) grow(hash_of);
    move_some(hash_of);
    place(hash, record);
    ++live_;
  }

  // Requires: it is there.
  void erase(uint64_t hash, uint32_t record) {
    bury(slots_, hash, record);
    bury(old_, hash, record);
    --live_;
  }

  size_t size() const { return live_; }
  size_t bytes() const { return (slots_.capacity() + old_.capacity()) * sizeof(uint32_t); }

 private:
  using Slots = std::pmr::vector<uint32_t>;
  static constexpr uint32_t kRecordMask = 0xFFFFFF;
  static constexpr uint32_t kGrave = kRecordMask;  // record bits of an erased slot
  static constexpr size_t kMovedPerInsert = 8;
  static constexpr size_t kSlotsMin = 16;

  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 48) << 24; }

  template <typename Matches>
  static uint32_t find_in(const Slots& slots, uint64_t hash, Matches& matches) {
    if (slots.empty()) return kNone;
    const size_t mask = slots.size() - 1;
    const uint32_t tag = tag_of(hash);
    for (size_t i = hash & mask; slots[i] != 0; i = (i + 1) & mask) {
      const uint32_t record_plus_1 = slots[i] & kRecordMask;
      if ((slots[i] & ~kRecordMask) != tag || record_plus_1 == kGrave) continue;
      if (matches(record_plus_1 - 1)) return record_plus_1 - 1;
    }
    return kNone;
  }

  static void bury(Slots& slots, uint64_t hash, uint32_t record) {
    if (slots.empty()) return;
    const size_t mask = slots.size() - 1;
    for (size_t i = hash & mask; slots[i] != 0; i = (i + 1) & mask) {
      if ((slots[i] & kRecordMask) != record + 1) continue;
      slots[i] |= kGrave;
      return;
    }
  }

  void place(uint64_t hash, uint32_t record) {
    const size_t mask = slots_.size() - 1;
    size_t i = hash & mask;
    while (slots_[i] != 0) i = (i + 1) & mask;
    slots_[i] = tag_of(hash) | (record + 1);
    ++used_;
  }

  template <typename HashOf>
  void grow(HashOf& hash_of) {
    while (!old_.empty()) move_some(hash_of);
    old_.swap(slots_);
    moved_ = 0;
    slots_.resize(std::max({kSlotsMin, old_.size(), std::bit_ceil(2 * live_)}));
    used_ = 0;
  }

  // A moved slot stays in old_, where a search may still find it; its record is the same.
  template <typename HashOf>
  void move_some(HashOf& hash_of) {
    for (size_t n = 0; n < kMovedPerInsert && moved_ < old_.size(); ++n, ++moved_) {
      const uint32_t record_plus_1 = old_[moved_] & kRecordMask;
      if (record_plus_1 == 0 || record_plus_1 == kGrave) continue;
      place(hash_of(record_plus_1 - 1), record_plus_1 - 1);
    }
    if (moved_ == old_.size()) Slots(old_.get_allocator()).swap(old_);
  }

  Slots slots_;       // size is a power of two
  Slots old_;         // not empty while growing
  size_t moved_ = 0;  // slots of old_ that are done
  size_t used_ = 0;   // in slots_, graves included
  size_t live_ = 0;
};

}  // namespace shanhuo
