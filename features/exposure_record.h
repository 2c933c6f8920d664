// One record of exposure.h: the rows of one item in one hour, and its viewers. A value with one
// format, and the arithmetic of adding.
//
//   record := varint n, n * row, sketch (sketch.h)            rows ascending by (kind, key)
//   row    := kind:u8 key:varint served viewable clicks plays likes orders boosted_viewable
//             boosted_orders:varint watch_ms amount_fen:zigzag varint
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "features/counts.h"
#include "features/sketch.h"

namespace shanhuo {

enum class ExposureDimension : uint8_t { kSurface, kProgram, kVariation };

// Counts of one hour in 56 bytes; each count saturates at 2^32 - 1.
struct ExposureRow {
  ExposureDimension dimension = ExposureDimension::kSurface;
  uint32_t key = 0;  // Surface, program_hash() or variation_hash()
  uint32_t served = 0, viewable = 0, clicks = 0, plays = 0, likes = 0, orders = 0;
  uint32_t boosted_viewable = 0, boosted_orders = 0;
  int64_t watch_ms = 0;
  int64_t amount_fen = 0;

  void add(const Counts& counts);
  Counts counts() const;
};

struct ExposureRecord {
  std::vector<ExposureRow> rows;  // ascending by (dimension, key), each pair once
  UniqueSketch viewers;

  ExposureRow& row(ExposureDimension dimension, uint32_t key);  // found or made
  size_t heap_bytes() const { return rows.capacity() * sizeof(ExposureRow) + viewers.heap_bytes(); }

  std::string encode() const;
  static Result<ExposureRecord> decode(std::string_view bytes);
};

}  // namespace shanhuo
