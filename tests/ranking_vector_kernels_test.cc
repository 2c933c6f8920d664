#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "ranking/vector_kernels.h"

namespace shanhuo {
namespace {

struct Coded {
  explicit Coded(size_t n)
      : rows(n * kDims), codes((n + kCodeGroup) * kDims), scales(n + kCodeGroup) {
    std::mt19937_64 random(n + 1);
    std::normal_distribution<float> normal(0, 0.125F);
    for (float& x : rows) x = normal(random);
    for (size_t i = 0; i < n; ++i) {
      scales[i] = encode_row(rows.data() + i * kDims, codes.data() + i * kDims);
    }
    for (float& x : query) x = normal(random);
  }
  std::vector<float> rows;
  std::vector<int8_t> codes;
  std::vector<float> scales;
  Vector query{};
};

TEST(VectorKernels, CodedProductsAreThePlainLoopsToTheBit) {
  for (const size_t n : {0U, 1U, 2U, 3U, 4U, 5U, 255U, 256U}) {
    const Coded coded(n);
    const CodedQuery query = encode_query(coded.query);
    std::vector<float> fast(n + kCodeGroup), plain(n + kCodeGroup);
    coded_products(coded.codes.data(), coded.scales.data(), n, query, fast.data());
    coded_products_plain(coded.codes.data(), coded.scales.data(), n, query, plain.data());
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(fast[i], plain[i]) << n << " " << i;
  }
}

TEST(VectorKernels, CodedProductsOfTheLargestCodesDoNotOverflow) {
  std::vector<int8_t> codes(kCodeGroup * kDims, -127);
  const std::vector<float> scales(kCodeGroup, 1);
  CodedQuery query;
  query.fill(32'767);
  std::vector<float> out(kCodeGroup);
  coded_products(codes.data(), scales.data(), kCodeGroup, query, out.data());
  for (const float product : out) EXPECT_EQ(product, -127.0F * 32'767 * kDims);
}

TEST(VectorKernels, ACodedProductErrsByLessThanRoundingMay) {
  const Coded coded(500);
  const CodedQuery query = encode_query(coded.query);
  std::vector<float> exact(500), approximate(500 + kCodeGroup);
  inner_products(coded.rows.data(), 500, coded.query.data(), exact.data());
  coded_products(coded.codes.data(), coded.scales.data(), 500, query, approximate.data());
  float largest = 0, absolute = 0;
  for (const float x : coded.query) {
    largest = std::max(largest, std::fabs(x));
    absolute += std::fabs(x);
  }
  for (size_t i = 0; i < 500; ++i) {
    const float product = approximate[i] * largest / 32'767;
    ASSERT_NEAR(product, exact[i], 0.51F * coded.scales[i] * absolute) << i;
  }
}

TEST(VectorKernels, ZeroVectorsHaveZeroCodes) {
  const Vector zero{};
  std::vector<int8_t> code(kDims, 7);
  EXPECT_EQ(encode_row(zero.data(), code.data()), 0);
  for (const int8_t c : code) EXPECT_EQ(c, 0);
  EXPECT_EQ(encode_query(zero), CodedQuery{});
}

TEST(VectorKernels, ScoresAtOrAboveAThresholdAreFoundInOrder) {
  std::mt19937_64 random(5);
  for (const size_t n : {0U, 1U, 7U, 8U, 9U, 255U, 256U}) {
    std::vector<float> scores(n + 8, 100);
    for (size_t i = 0; i < n; ++i) scores[i] = static_cast<float>(random() % 10);
    for (const float threshold : {-INFINITY, 0.0F, 5.0F, 9.0F, 10.0F}) {
      std::vector<uint32_t> found(n + 1), expected;
      const size_t count = at_least(scores.data(), n, threshold, found.data());
      for (size_t i = 0; i < n; ++i) {
        if (scores[i] >= threshold) expected.push_back(static_cast<uint32_t>(i));
      }
      found.resize(count);
      EXPECT_EQ(found, expected) << n << " " << threshold;
    }
  }
}

}  // namespace
}  // namespace shanhuo
