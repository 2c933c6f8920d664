#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "serving/impact.h"
#include "serving/pack_weight.h"

namespace shanhuo {
namespace {

// Its definition: the mean absolute difference of all pairs by twice the mean.
double slow_gini(const std::vector<double>& values) {
  double differences = 0;
  for (const double a : values) {
    for (const double b : values) differences += std::abs(a - b);
  }
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return differences / (2 * static_cast<double>(values.size()) * sum);
}

TEST(Impact, GiniIsTheMeanDifferenceByTwiceTheMean) {
  EXPECT_NEAR(gini({3, 3, 3, 3}), 0, 1e-12);
  EXPECT_NEAR(gini({0, 0, 0, 8}), 0.75, 1e-12);
  EXPECT_EQ(gini({0, 0}), 0);
  EXPECT_NEAR(gini({5}), 0, 1e-12);
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<double> values(1 + random() % 40);
    for (double& value : values) value = static_cast<double>(random() % 1'000);
    values[0] += 1;
    EXPECT_NEAR(gini(values), slow_gini(values), 1e-9);
  }
}

TEST(Impact, LorenzIsTheShareOfThePoorest) {
  EXPECT_EQ(lorenz({0, 0}), lorenz({1, 1}));
  const std::vector<double> curve = lorenz({4, 1, 3, 2, 0, 0, 0, 0, 0, 0});
  ASSERT_EQ(curve.size(), 11U);
  const double wanted[] = {0, 0, 0, 0, 0, 0, 0, 0.1, 0.3, 0.6, 1};
  for (size_t i = 0; i < curve.size(); ++i) EXPECT_NEAR(curve[i], wanted[i], 1e-12) << i;
  const std::vector<double> three = lorenz({1, 1, 4});  // 30 % is nine tenths of the first one
  EXPECT_NEAR(three[3], 0.15, 1e-12);
  EXPECT_NEAR(three[5], 1.5 / 6, 1e-12);
}

// Half the area above the curve is the coefficient, but for what eleven points cut off.
TEST(Impact, GiniIsTwiceTheAreaBetweenTheCurveAndEquality) {
  std::mt19937 random(9);
  std::vector<double> values(500);
  for (double& value : values) value = std::exp(static_cast<double>(random() % 400) / 100);
  const std::vector<double> curve = lorenz(values);
  double below = 0;
  for (size_t i = 1; i < curve.size(); ++i) below += 0.1 * (curve[i - 1] + curve[i]) / 2;
  EXPECT_NEAR(gini(values), 1 - 2 * below, 0.01);
}

TEST(Impact, IsByWhatTheContractNames) {
  for (const std::string_view name : {"county", "program", "cause", "creator"}) {
    EXPECT_EQ(impact_by_name(parse_impact_by(name).value()), name);
  }
  EXPECT_FALSE(parse_impact_by("item"));
}

TEST(PackWeight, IsWhatTheTitleSays) {
  EXPECT_EQ(pack_grams("十八洞猕猴桃 现摘现发 5斤装 产地直发"), 2'500);
  EXPECT_EQ(pack_grams("2个16斤装"), 8'000);
  EXPECT_EQ(pack_grams("岩羊奶粉400克"), 400);
  EXPECT_EQ(pack_grams("大米 10公斤装"), 10'000);
  EXPECT_EQ(pack_grams("Tea 0.5 kg, 3斤 box"), 500);
  EXPECT_EQ(pack_grams("80g*3"), 80);
}

TEST(PackWeight, IsNothingWithoutAWeight) {
  for (const std::string_view title : {"", "5", "12枚礼盒", "5gift boxes", "2026年新茶", "斤斤计较",
                                       "99999999999999999999斤", "...3"}) {
    EXPECT_EQ(pack_grams(title), 0) << title;
  }
}

}  // namespace
}  // namespace shanhuo
