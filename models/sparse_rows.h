// Who did something with what, as the learners read it: rows of column numbers, compressed into two
// arrays (CSR without values). A row is a viewer's history, or, transposed, an item's audience.
//
// A value: immutable after it is made, shareable between threads. 4 bytes an entry, 8 a row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace shanhuo {

class SparseRows {
 public:
  using Entry = std::pair<uint32_t, uint32_t>;  // row, column

  SparseRows() = default;
  // Entries in any order; the same one given several times counts once. Requires: each row below
  // `rows`, each column below `columns`.
  SparseRows(size_t rows, size_t columns, std::vector<Entry> entries);
  // The same, but a row keeps the order in which its entries are given; a repeated one stands where
  // it came last.
  static SparseRows in_order(size_t rows, size_t columns, std::span<const Entry> entries);

  size_t rows() const { return starts_.size() - 1; }
  size_t columns() const { return columns_; }
  size_t entries() const { return entries_.size(); }
  // Without repeats; ascending, or of in_order() in that order.
  std::span<const uint32_t> row(size_t r) const {
    return std::span(entries_).subspan(starts_[r], starts_[r + 1] - starts_[r]);
  }

  // Its rows are ascending.
  SparseRows transposed() const;

 private:
  size_t columns_ = 0;
  std::vector<size_t> starts_ = {0};  // rows + 1
  std::vector<uint32_t> entries_;     // column numbers, row by row
};

}  // namespace shanhuo
