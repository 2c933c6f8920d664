#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "models/sparse_rows.h"

namespace shanhuo {
namespace {

using Entry = SparseRows::Entry;

std::set<Entry> entries_of(const SparseRows& rows) {
  std::set<Entry> all;
  for (uint32_t r = 0; r < rows.rows(); ++r) {
    for (const uint32_t column : rows.row(r)) all.emplace(r, column);
  }
  return all;
}

TEST(SparseRows, HoldEachEntryOnceInOrder) {
  Random random(1);
  for (size_t round = 0; round < 200; ++round) {
    const size_t height = 1 + random.below(6), width = 1 + random.below(6);
    std::vector<Entry> drawn;
    for (size_t n = random.below(30); n > 0; --n) {
      drawn.emplace_back(random.below(height), random.below(width));
    }
    const SparseRows rows(height, width, drawn);
    const std::set<Entry> wanted(drawn.begin(), drawn.end());
    EXPECT_EQ(entries_of(rows), wanted);
    EXPECT_EQ(rows.entries(), wanted.size());
    EXPECT_EQ(rows.rows(), height);
    EXPECT_EQ(rows.columns(), width);
    for (size_t r = 0; r < height; ++r) EXPECT_TRUE(std::ranges::is_sorted(rows.row(r)));
  }
}

TEST(SparseRows, TransposedSwapsRowsAndColumnsAndTwiceIsTheSame) {
  Random random(2);
  for (size_t round = 0; round < 200; ++round) {
    const size_t height = 1 + random.below(6), width = 1 + random.below(6);
    std::vector<Entry> drawn, swapped;
    for (size_t n = random.below(30); n > 0; --n) {
      drawn.emplace_back(random.below(height), random.below(width));
      swapped.emplace_back(drawn.back().second, drawn.back().first);
    }
    const SparseRows rows(height, width, drawn);
    EXPECT_EQ(entries_of(rows.transposed()), entries_of({width, height, swapped}));
    EXPECT_EQ(entries_of(rows.transposed().transposed()), entries_of(rows));
    for (size_t c = 0; c < width; ++c)
      EXPECT_TRUE(std::ranges::is_sorted(rows.transposed().row(c)));
  }
}

TEST(SparseRows, KeepTheOrderGivenWhenAsked) {
  const std::vector<Entry> given = {{1, 4}, {0, 3}, {1, 2}, {1, 4}, {1, 0}, {0, 1}};
  const SparseRows rows = SparseRows::in_order(3, 5, given);
  EXPECT_TRUE(std::ranges::equal(rows.row(0), std::vector<uint32_t>{3, 1}));
  EXPECT_TRUE(std::ranges::equal(rows.row(1), std::vector<uint32_t>{2, 4, 0}));
  EXPECT_TRUE(rows.row(2).empty());
  EXPECT_EQ(entries_of(rows.transposed().transposed()), entries_of(rows));
}

TEST(SparseRows, NothingIsFine) {
  EXPECT_EQ(SparseRows().rows(), 0U);
  EXPECT_EQ(SparseRows().transposed().rows(), 0U);
  EXPECT_EQ(SparseRows(3, 2, {}).transposed().rows(), 2U);
  EXPECT_TRUE(SparseRows(3, 2, {}).row(2).empty());
}

// The slow twin: of each row what was given, without what comes again later.
TEST(SparseRows, InOrderKeepsTheLastOfWhatIsRepeated) {
  Random random(3);
  for (size_t round = 0; round < 300; ++round) {
    const size_t height = 1 + random.below(5), width = 1 + random.below(5);
    std::vector<Entry> given;
    for (size_t n = random.below(25); n > 0; --n) {
      given.emplace_back(random.below(height), random.below(width));
    }
    const SparseRows rows = SparseRows::in_order(height, width, given);
    size_t entries = 0;
    for (size_t r = 0; r < height; ++r) {
      std::vector<uint32_t> wanted;
      for (size_t n = 0; n < given.size(); ++n) {
        const auto later = given.begin() + static_cast<std::ptrdiff_t>(n) + 1;
        if (given[n].first == r && std::find(later, given.end(), given[n]) == given.end()) {
          wanted.push_back(given[n].second);
        }
      }
      EXPECT_TRUE(std::ranges::equal(rows.row(r), wanted));
      entries += wanted.size();
    }
    EXPECT_EQ(rows.entries(), entries);
  }
}

}  // namespace
}  // namespace shanhuo
