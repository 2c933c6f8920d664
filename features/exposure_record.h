// One record of exposure.h: the rows of one item in one hour, and its viewers. A value with one
// format, and the arithmetic of adding.
//
//   record := varint n, n * row, sketch (sketch.h)            rows ascending by (kind, key)
//   row    := kind:u8 key:varint served viewable clicks plays likes orders boosted_viewable
//             boosted_orders:varint watch_ms amount_fen:zigzag varint
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "features/counts.h"
#include "features/sketch.h"

namespace shanhuo {

enum class ExposureDimension : uint8_t { kSurface, kProgram, kVariation, kNone = 0xFF };

// Counts of one hour in 56 bytes; each count saturates at 2^32 - 1.
struct ExposureRow {
  ExposureDimension dimension = ExposureDimension::kNone;
  uint32_t key = 0;  // Surface, program_hash() or variation_hash()
  uint32_t served = 0, viewable = 0, clicks = 0, plays = 0, likes = 0, orders = 0;
  uint32_t boosted_viewable = 0, boosted_orders = 0;
  int64_t watch_ms = 0;
  int64_t amount_fen = 0;

  std::pair<ExposureDimension, uint32_t> place() const { return {dimension, key}; }
  void add(const Counts& counts);
  Counts counts() const;
};

// The row that was made first stands in the record itself: most records have no other.
class ExposureRecord {
 public:
  ExposureRecord() = default;
  // What does not fit stands in `memory`, which must outlive the record; that of a copy on the
  // heap.
  explicit ExposureRecord(std::pmr::memory_resource* memory) : viewers_(memory), others_(memory) {}

  ExposureRow& row(ExposureDimension dimension, uint32_t key) {  // found or made
    return first_.place() == std::pair(dimension, key) ? first_ : other_row(dimension, key);
  }
  // Ascending by (dimension, key), each pair once.
  template <typename Visit>
  void each_row(const Visit& visit) const {
    bool due = has_rows();
    for (const ExposureRow& row : others_) {
      if (due && first_.place() < row.place()) {
        visit(first_);
        due = false;
      }
      visit(row);
    }
    if (due) visit(first_);
  }

  UniqueSketch& viewers() { return viewers_; }
  const UniqueSketch& viewers() const { return viewers_; }
  size_t heap_bytes() const {
    return others_.capacity() * sizeof(ExposureRow) + viewers_.heap_bytes();
  }

  std::string encode() const;
  static Result<ExposureRecord> decode(std::string_view bytes);

 private:
  bool has_rows() const { return first_.dimension != ExposureDimension::kNone; }
  ExposureRow& other_row(ExposureDimension dimension, uint32_t key);

  ExposureRow first_;
  UniqueSketch viewers_;
  std::pmr::vector<ExposureRow> others_;  // ascending
};

}  // namespace shanhuo
