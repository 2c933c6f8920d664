#include "models/sparse_rows.h"

#include <algorithm>
#include <set>

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

// From the end, so that the last of repeated entries is met first; then each row is turned round.
SparseRows SparseRows::in_order(size_t rows, size_t columns, std::span<const Entry> entries) {
  std::vector<std::vector<uint32_t>> histories(rows);
  std::set<Entry> met;
  for (size_t n = entries.size(); n-- > 0;) {
    const auto& [row, column] = entries[n];
    CHECK(row < rows && column < columns);
    if (met.insert(entries[n]).second) histories[row].push_back(column);
  }
  SparseRows made;
  made.columns_ = columns;
  made.entries_.reserve(met.size());
  for (const std::vector<uint32_t>& history : histories) {
    made.entries_.insert(made.entries_.end(), history.rbegin(), history.rend());
    made.starts_.push_back(made.entries_.size());
  }
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
