#include "models/sparse_rows.h"

#include <algorithm>

#include "base/check.h"

namespace shanhuo {

SparseRows::SparseRows(size_t rows, size_t columns, std::vector<Entry> entries)
    : columns_(columns), starts_(rows + 1) {
  std::ranges::sort(entries);
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  entries_.reserve(entries.size());
  for (const auto& [row, column] : entries) {
    CHECK(row < rows && column < columns);
    ++starts_[row + 1];
    entries_.push_back(column);
  }
  for (size_t r = 0; r < rows; ++r) starts_[r + 1] += starts_[r];
}

// A counting sort by row, then each row from its end, so that the last of repeated entries is met
// first; what is kept is turned round again.
SparseRows SparseRows::in_order(size_t rows, size_t columns, std::span<const Entry> entries) {
  SparseRows made;
  made.columns_ = columns;
  made.starts_.assign(rows + 1, 0);
  made.entries_.resize(entries.size());
  for (const auto& [row, column] : entries) {
    CHECK(row < rows && column < columns);
    ++made.starts_[row + 1];
  }
  for (size_t r = 0; r < rows; ++r) made.starts_[r + 1] += made.starts_[r];
  std::vector<size_t> next(made.starts_.begin(), made.starts_.end() - 1);
  for (const auto& [row, column] : entries) made.entries_[next[row]++] = column;
  std::vector<size_t> met(columns);  // by column: the row it was met in last, from 1
  std::vector<uint32_t> row;
  size_t kept = 0, first = 0;
  for (size_t r = 0; r < rows; ++r) {
    row.clear();
    const size_t end = made.starts_[r + 1];
    for (size_t n = end; n-- > first;) {
      const uint32_t column = made.entries_[n];
      if (met[column] != r + 1) row.push_back(column);
      met[column] = r + 1;
    }
    std::reverse_copy(row.begin(), row.end(),
                      made.entries_.begin() + static_cast<std::ptrdiff_t>(kept));
    kept += row.size();
    first = end;
    made.starts_[r + 1] = kept;
  }
  made.entries_.resize(kept);
  made.entries_.shrink_to_fit();
  return made;
}

// A counting sort by column; rows are visited in order, so each new row is ascending.
SparseRows SparseRows::transposed() const {
  SparseRows other;
  other.columns_ = rows();
  other.starts_.assign(columns_ + 1, 0);
  other.entries_.resize(entries_.size());
  for (const uint32_t column : entries_) ++other.starts_[column + 1];
  for (size_t c = 0; c < columns_; ++c) other.starts_[c + 1] += other.starts_[c];
  std::vector<size_t> next(other.starts_.begin(), other.starts_.end() - 1);
  for (size_t r = 0; r < rows(); ++r) {
    for (const uint32_t column : row(r)) other.entries_[next[column]++] = static_cast<uint32_t>(r);
  }
  return other;
}

}  // namespace shanhuo
