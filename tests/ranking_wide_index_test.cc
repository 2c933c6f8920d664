#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"
#include "models/row_math.h"
#include "ranking/wide_index.h"

namespace shanhuo {
namespace {

constexpr size_t kWidth = 100;

// Towns, so that there is something for lists to find.
std::vector<float> random_rows(size_t count, Random& random) {
  std::vector<float> towns(20 * kWidth), rows(count * kWidth);
  for (float& x : towns) x = static_cast<float>(random.normal());
  for (size_t r = 0; r < count; ++r) {
    const float* town = towns.data() + random.below(20) * kWidth;
    for (size_t k = 0; k < kWidth; ++k) {
      rows[r * kWidth + k] = town[k] + 0.5F * static_cast<float>(random.normal());
    }
  }
  return rows;
}

std::vector<uint32_t> best_by_scan(const std::vector<float>& rows, const float* query, size_t k) {
  std::vector<uint32_t> order(rows.size() / kWidth);
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, std::greater<>(),
                    [&](uint32_t r) { return inner(rows.data() + r * kWidth, query, kWidth); });
  order.resize(std::min(k, order.size()));
  return order;
}

TEST(WideIndex, ProbingAllListsIsTheScan) {
  Random random(1);
  for (const size_t count : {1U, 2U, 30U, 700U}) {
    const std::vector<float> rows = random_rows(count, random);
    const WideIndex index({rows.data(), count, kWidth}, {.probed_share = 1});
    std::vector<uint32_t> found;
    for (size_t q = 0; q < std::min<size_t>(count, 40); ++q) {
      const float* query = rows.data() + q * kWidth;
      index.search({query, kWidth}, 10, found);
      EXPECT_EQ(found, best_by_scan(rows, query, 10)) << count << ": " << q;
    }
  }
}

TEST(WideIndex, ProbingAQuarterFindsNearlyAll) {
  Random random(2);
  const std::vector<float> rows = random_rows(3'000, random);
  const WideIndex index({rows.data(), 3'000, kWidth}, {.probed_share = 0.25});
  std::vector<uint32_t> found;
  size_t hits = 0;
  for (size_t q = 0; q < 50; ++q) {
    const float* query = rows.data() + q * kWidth;
    index.search({query, kWidth}, 20, found);
    for (const uint32_t row : best_by_scan(rows, query, 20)) {
      hits += static_cast<size_t>(std::ranges::count(found, row));
    }
  }
  EXPECT_GT(hits, 950U);  // of 1,000
}

}  // namespace
}  // namespace shanhuo
