#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <vector>

#include "base/hash.h"
#include "features/sketch.h"

namespace shanhuo {
namespace {

std::vector<uint64_t> hashes(size_t n, uint64_t seed) {
  std::vector<uint64_t> out;
  for (size_t i = 0; i < n; ++i) out.push_back(hash64("viewer-" + std::to_string(i), seed));
  return out;
}

UniqueSketch sketch_of(const std::vector<uint64_t>& members) {
  UniqueSketch sketch;
  for (const uint64_t member : members) sketch.add(member);
  return sketch;
}

std::string bytes_of(const UniqueSketch& sketch) {
  std::string bytes;
  sketch.append_to(&bytes);
  return bytes;
}

TEST(Sketch, IsExactForAFew) {
  UniqueSketch sketch;
  const auto members = hashes(UniqueSketch::kExactMax, 1);
  for (size_t i = 0; i < members.size(); ++i) {
    EXPECT_TRUE(sketch.add(members[i]));
    EXPECT_FALSE(sketch.add(members[i / 2]));
    EXPECT_EQ(sketch.estimate(), static_cast<int64_t>(i + 1));
  }
  EXPECT_TRUE(sketch.exact());
  sketch.add(12345);
  EXPECT_FALSE(sketch.exact());
}

// 1.04 / sqrt(1024) = 3.25 % is the standard error: over 200 seeds the root mean square must be
// near it and the bias within its own error, at every size, the change from exact included.
TEST(Sketch, ErrsByItsStandardErrorAndWithoutBias) {
  for (const size_t n : {65UL, 100UL, 500UL, 1'000UL, 2'500UL, 4'000UL, 10'000UL, 100'000UL}) {
    const int seeds = n >= 100'000 ? 60 : 200;
    double sum = 0, squares = 0;
    for (int seed = 0; seed < seeds; ++seed) {
      const double estimate = static_cast<double>(sketch_of(hashes(n, 1000 + seed)).estimate());
      const double error = estimate / static_cast<double>(n) - 1;
      sum += error;
      squares += error * error;
      EXPECT_LT(std::abs(error), 5 * 0.0325) << n << " seed " << seed;
    }
    const double rms = std::sqrt(squares / seeds), bias = sum / seeds;
    EXPECT_LT(rms, 0.0325 * 1.25) << n;
    EXPECT_LT(std::abs(bias), 3.5 * 0.0325 / std::sqrt(seeds)) << n;
  }
}

TEST(Sketch, MergingIsUnion) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    const auto members = hashes(1 + random() % 300, round);
    std::vector<uint64_t> left, right, both;
    for (const uint64_t member : members) {
      const auto side = random() % 3;
      if (side != 0) left.push_back(member);
      if (side != 1) right.push_back(member);
      both.push_back(member);
    }
    std::shuffle(both.begin(), both.end(), random);
    UniqueSketch a = sketch_of(left), b = sketch_of(right);
    a.merge(sketch_of(right));
    b.merge(sketch_of(left));
    EXPECT_EQ(a, sketch_of(both));
    EXPECT_EQ(b, a);
    a.merge(b);
    EXPECT_EQ(a, b);
  }
}

TEST(Sketch, ReadsBackFromItsBytes) {
  for (const size_t n : {0UL, 1UL, 64UL, 65UL, 5'000UL}) {
    const UniqueSketch sketch = sketch_of(hashes(n, 3));
    const std::string bytes = bytes_of(sketch) + "rest";
    std::string_view left = bytes;
    const auto read = UniqueSketch::take_from(&left);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read.value(), sketch);
    EXPECT_EQ(left, "rest");
  }
}

TEST(Sketch, RefusesBytesThatDoNotHold) {
  for (const size_t n : {3UL, 500UL}) {
    const std::string bytes = bytes_of(sketch_of(hashes(n, 3)));
    for (size_t length = 0; length < bytes.size(); ++length) {
      std::string_view cut(bytes.data(), length);
      EXPECT_FALSE(UniqueSketch::take_from(&cut).ok());
    }
  }
  std::string unsorted = bytes_of(sketch_of(hashes(2, 3)));
  std::swap_ranges(unsorted.begin() + 2, unsorted.begin() + 6, unsorted.begin() + 6);
  std::string_view view = unsorted;
  EXPECT_FALSE(UniqueSketch::take_from(&view).ok());
  std::string overfull = bytes_of(sketch_of(hashes(500, 3)));
  std::fill(overfull.begin() + 2, overfull.end(), '\xFF');  // registers of 31
  view = overfull;
  EXPECT_FALSE(UniqueSketch::take_from(&view).ok());
}

}  // namespace
}  // namespace shanhuo
