// Which records a checkpoint must write, and "save before write" (state_machine.h), for one part of
// the state. Each record carries one byte, its mark; Ref is how the part finds the record again.
//
//   clean (0)   --touch-->  dirty
//   dirty       --begin-->  frozen (no byte is rewritten: the meanings of 1 and 2 swap)
//   frozen      --step -->  written, clean
//   frozen      --touch-->  written first, then dirty
//
// Not thread-safe: the fold's thread only. A record must outlive its mark's return to clean.
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"

namespace shanhuo {

template <typename Ref>
class DirtyList {
 public:
  // Call before a record changes. `save()` writes the record as it still is.
  template <typename Save>
  void touch(uint8_t* mark, const Ref& ref, const Save& save) {
    if (*mark == live_) return;
    if (*mark != 0) save();
    *mark = live_;
    dirty_.push_back(ref);
  }

  void begin() {
    CHECK(frozen_.empty());
    frozen_.swap(dirty_);
    live_ = frozen_mark();
  }

  // Writes up to `records_max` frozen records by `save(ref)`; true when none is left.
  template <typename MarkOf, typename Save>
  bool step(size_t records_max, const MarkOf& mark_of, const Save& save) {
    for (size_t seen = 0; seen < records_max && next_ < frozen_.size(); ++seen, ++next_) {
      uint8_t* mark = mark_of(frozen_[next_]);
      if (*mark != frozen_mark()) continue;
      save(frozen_[next_]);
      *mark = 0;
    }
    if (next_ < frozen_.size()) return false;
    frozen_.clear();
    next_ = 0;
    return true;
  }

  size_t bytes() const { return (dirty_.capacity() + frozen_.capacity()) * sizeof(Ref); }

 private:
  uint8_t frozen_mark() const { return static_cast<uint8_t>(3 - live_); }

  uint8_t live_ = 1;  // 1 or 2: the mark of dirty records; the other one is that of frozen records
  std::vector<Ref> dirty_;
  std::vector<Ref> frozen_;
  size_t next_ = 0;  // of frozen_
};

}  // namespace shanhuo
