#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "configs/bucketing.h"

namespace shanhuo {
namespace {

// Upper bound of chi-squared that a uniform count exceeds once in a thousand runs (Wilson and
// Hilferty 1931).
double chi_squared_bound(double degrees) {
  const double z = 3.0902, scale = 2 / (9 * degrees);
  return degrees * std::pow(1 - scale + z * std::sqrt(scale), 3);
}

TEST(Bucketing, TheSecondHashSpreadsAMillionNumberedViewersEvenlyOverItsBuckets) {
  constexpr int kBuckets = 10'000, kViewers = 1'000'000;
  std::vector<int> count(kBuckets);
  const BucketHash hash("stronger-boost", 2);
  for (int i = 0; i < kViewers; ++i) {
    const auto bucket = hash.bucket(std::to_string(i));
    ASSERT_TRUE(bucket && *bucket >= 0 && *bucket < 1);
    ++count[static_cast<size_t>(std::lround(*bucket * kBuckets))];
  }
  double chi_squared = 0;
  for (const int n : count) {
    const double expected = double{kViewers} / kBuckets;
    chi_squared += (n - expected) * (n - expected) / expected;
  }
  EXPECT_LT(chi_squared, chi_squared_bound(kBuckets - 1));
  EXPECT_GT(chi_squared, 0.9 * kBuckets) << "more even than chance is not independent either";
}

// Of 200 pairs of seeds that differ in their number alone, a chance of one in a thousand each.
TEST(Bucketing, ExperimentsWithNeighbouringSeedsAreIndependent) {
  int dependent = 0;
  for (int seed = 0; seed < 200; ++seed) {
    const BucketHash one("exp-" + std::to_string(seed), 2),
        two("exp-" + std::to_string(seed + 1), 2);
    double both[4][4] = {};
    constexpr int kViewers = 8'000;
    for (int i = 0; i < kViewers; ++i) {
      const std::string viewer = "u" + std::to_string(i);
      const auto a = static_cast<size_t>(*one.bucket(viewer) * 4);
      const auto b = static_cast<size_t>(*two.bucket(viewer) * 4);
      ++both[a][b];
    }
    double chi_squared = 0;
    for (const auto& row : both) {
      for (const double n : row) {
        chi_squared += (n - kViewers / 16.0) * (n - kViewers / 16.0) / (kViewers / 16.0);
      }
    }
    dependent += chi_squared > chi_squared_bound(15) ? 1 : 0;
  }
  EXPECT_LE(dependent, 3);
}

TEST(Bucketing, OtherVersionsOfTheHashHaveNoBucket) {
  for (const int version : {-1, 0, 3, 99})
    EXPECT_FALSE(BucketHash("s", version).bucket("u")) << version;
}

TEST(Bucketing, RaisingCoverageMovesNobodyToAnotherVariation) {
  const std::vector<double> weights = {0.2, 0.3, 0.5};
  for (int i = 0; i < 2'000; ++i) {
    const double bucket = *BucketHash("ramp", 2).bucket("viewer-" + std::to_string(i));
    int before = -1;
    for (const double coverage : {0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0}) {
      const int now = choose_variation(bucket, bucket_ranges(3, coverage, weights));
      EXPECT_TRUE(before < 0 || now == before) << bucket << " at " << coverage;
      before = now;
    }
    EXPECT_GE(before, 0) << "everybody is in at full coverage";
  }
}

TEST(Bucketing, WeightsThatDoNotAddUpCountAsEqual) {
  const std::vector<double> wrong = {0.5, 0.3}, short_of = {1.0}, nearly = {0.5, 0.495};
  EXPECT_EQ(bucket_ranges(2, 1, wrong), bucket_ranges(2, 1, {}));
  EXPECT_EQ(bucket_ranges(2, 1, short_of), bucket_ranges(2, 1, {}));
  EXPECT_NE(bucket_ranges(2, 1, nearly), bucket_ranges(2, 1, {}));
  EXPECT_TRUE(bucket_ranges(0, 1, {}).empty());
}

TEST(Bucketing, NamespacesThatDoNotMeetShareNobody) {
  int in[2] = {};
  for (int i = 0; i < 2'000; ++i) {
    const std::string viewer = "u" + std::to_string(i);
    const bool low = in_namespace(viewer, {"home", {0, 0.3}});
    const bool high = in_namespace(viewer, {"home", {0.3, 1}});
    EXPECT_NE(low, high) << viewer;
    in[0] += low;
    in[1] += high;
  }
  EXPECT_NEAR(in[0], 600, 120);
}

TEST(Bucketing, ATesterForcesAVariationByTheUrl) {
  EXPECT_EQ(query_override("exp", "http://feed/?exp=1", 2), 1);
  EXPECT_EQ(query_override("exp", "http://feed/?a=2&exp=1&b#exp=0", 2), 1);
  EXPECT_EQ(query_override("exp", "http://feed/?exp=1px", 2), 1);
  for (const char* url : {"", "http://feed/", "http://feed/?exp", "http://feed/?exp=", "?exp=2",
                          "?exp=-1", "?expo=1", "#?other=1", "?a=1?exp=1", "?exp=x"}) {
    EXPECT_FALSE(query_override("exp", url, 2)) << url;
  }
}

}  // namespace
}  // namespace shanhuo
