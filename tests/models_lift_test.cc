#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "models/lift.h"

namespace shanhuo {
namespace {

constexpr double kDigits = 5e-6;  // five decimals

void expect_lift(const Lift& lift, double value, double low, double high) {
  EXPECT_TRUE(lift.known);
  EXPECT_NEAR(lift.value, value, kDigits);
  EXPECT_NEAR(lift.low, low, kDigits);
  EXPECT_NEAR(lift.high, high, kDigits);
}

const ArmEstimate kControl = mean_estimate({3407, 1396.87, 52377.9767});
const ArmEstimate kTreatment = mean_estimate({3461, 2422.7, 134698.29});

TEST(Lift, OfMeansIsThatOfGrowthBooksEngine) {
  const Lift relative = lift_of(kControl, kTreatment, LiftScale::kRelative);
  expect_lift(relative, 0.70732, -0.03526, 1.44989);
  EXPECT_NEAR(relative.p, 0.06191, kDigits);
  const Lift absolute = lift_of(kControl, kTreatment, LiftScale::kAbsolute);
  expect_lift(absolute, 0.29, 0.04538, 0.53462);
  EXPECT_NEAR(absolute.p, 0.02016, kDigits);
}

TEST(Lift, OfProportionsIsThatOfGrowthBooksEngine) {
  const Lift lift =
      lift_of(proportion_estimate(28, 14), proportion_estimate(30, 16), LiftScale::kRelative);
  expect_lift(lift, 0.06667, -0.47767, 0.61101);
  EXPECT_NEAR(lift.p, 0.80707, kDigits);
}

TEST(Lift, SequentialIsThatOfGrowthBooksEngine) {
  const ArmEstimate control = mean_estimate({3000, 1396.87, 52377.9767});
  const Lift lift = sequential_lift_of(control, kTreatment, LiftScale::kRelative, 0.05, 1'000);
  expect_lift(lift, 0.50336, -0.55844, 1.56516);
  EXPECT_EQ(lift.p, 1);
}

TEST(Lift, SampleRatioIsThatOfGrowthBooksEngine) {
  using Counts = std::vector<int64_t>;
  using Weights = std::vector<double>;
  EXPECT_NEAR(sample_ratio_p(Counts{1000, 1200}, Weights{0.5, 0.5}), 0.000020079, 5e-10);
  EXPECT_NEAR(sample_ratio_p(Counts{310, 98}, Weights{0.75, 0.25}), 0.647434186, 5e-10);
  EXPECT_NEAR(sample_ratio_p(Counts{310, 7, 98}, Weights{0.75, 0, 0.25}), 0.647434186, 5e-10);
  EXPECT_EQ(sample_ratio_p(Counts{310, 7}, Weights{1, 0}), 1);
  EXPECT_EQ(sample_ratio_p(Counts{0, 0}, Weights{1, 1}), 1);
  EXPECT_EQ(sample_ratio_p({}, {}), 1);
}

TEST(Lift, SaysThatItKnowsNothing) {
  const ArmEstimate nobody, one = mean_estimate({1, 5, 25}), same = mean_estimate({50, 100, 200});
  for (const LiftScale scale : {LiftScale::kRelative, LiftScale::kAbsolute}) {
    for (const ArmEstimate& control : {nobody, one, same}) {
      EXPECT_FALSE(lift_of(control, same, scale).known);
      EXPECT_FALSE(sequential_lift_of(control, same, scale).known);
    }
  }
  const ArmEstimate around_0 = mean_estimate({2, 0, 2});  // no base for a relative lift
  EXPECT_FALSE(lift_of(around_0, kTreatment, LiftScale::kRelative).known);
  EXPECT_TRUE(lift_of(around_0, kTreatment, LiftScale::kAbsolute).known);
  EXPECT_EQ(ratio_estimate({5, 1, 1, 0, 0, 0}).variance, 0);
}

struct Viewer {
  double x = 0, y = 0;
};
PairSums sums_of(const std::vector<Viewer>& viewers) {
  PairSums sums;
  for (const auto& [x, y] : viewers) {
    ++sums.n;
    sums.sum_x += x;
    sums.squares_x += x * x;
    sums.sum_y += y;
    sums.squares_y += y * y;
    sums.products += x * y;
  }
  return sums;
}

// The standard error of a ratio, against the spread of many samples.
TEST(Lift, TheDeltaMethodGivesTheSpreadOfARatio) {
  Random random(5);
  std::vector<double> ratios;
  double claimed = 0;
  constexpr int kSamples = 2'000;
  for (int sample = 0; sample < kSamples; ++sample) {
    std::vector<Viewer> viewers(400);
    for (auto& [clicks, seen] : viewers) {
      seen = static_cast<double>(1 + random.below(20));  // and those who see more click more often
      for (int i = 0; i < static_cast<int>(seen); ++i) clicks += random.uniform() < 0.02 * seen;
    }
    const ArmEstimate estimate = ratio_estimate(sums_of(viewers));
    ratios.push_back(estimate.mean);
    claimed += estimate.variance / static_cast<double>(estimate.n) / kSamples;
  }
  double mean = 0, spread = 0;
  for (const double ratio : ratios) mean += ratio / kSamples;
  for (const double ratio : ratios) spread += (ratio - mean) * (ratio - mean) / (kSamples - 1);
  EXPECT_NEAR(std::sqrt(claimed / spread), 1, 0.05);
}

// What a viewer did before says half of what it does: the interval shrinks by that, and stays
// right.
TEST(Lift, CupedTakesOutWhatWasSoBefore) {
  Random random(6);
  constexpr double kTruth = 0.05;
  int covered = 0;
  double with = 0, without = 0;
  constexpr int kRuns = 1'000;
  for (int run = 0; run < kRuns; ++run) {
    std::array<std::vector<Viewer>, 2> arms;
    for (int arm = 0; arm < 2; ++arm) {
      for (int n = 0; n < 200; ++n) {
        const double before = random.normal();
        arms[arm].push_back({before, 1 + before + random.normal() + kTruth * arm});
      }
    }
    const PairSums control = sums_of(arms[0]), treatment = sums_of(arms[1]);
    const double theta = cuped_theta(control, treatment);
    const Lift adjusted = lift_of(cuped_estimate(control, theta), cuped_estimate(treatment, theta),
                                  LiftScale::kAbsolute);
    const Lift plain =
        lift_of(cuped_estimate(control, 0), cuped_estimate(treatment, 0), LiftScale::kAbsolute);
    covered += adjusted.low <= kTruth && kTruth <= adjusted.high ? 1 : 0;
    with += adjusted.high - adjusted.low;
    without += plain.high - plain.low;
  }
  EXPECT_NEAR(covered, 0.95 * kRuns, 0.02 * kRuns);
  EXPECT_NEAR(with / without, std::sqrt(0.5), 0.02);
}

// Two variations that do the same, looked at 50 times: who stops at the first difference finds one
// far too often by the fixed test, and not by the sequential one.
TEST(Lift, LookingOftenFoolsTheFixedTestAndNotTheSequentialOne) {
  Random random(7);
  constexpr int kRuns = 2'000, kLooks = 50, kViewersALook = 100;
  int fixed_alarms = 0, sequential_alarms = 0;
  for (int run = 0; run < kRuns; ++run) {
    std::array<ValueSums, 2> arms;
    bool fixed = false, sequential = false;
    for (int look = 0; look < kLooks; ++look) {
      for (ValueSums& arm : arms) {
        for (int n = 0; n < kViewersALook; ++n) {
          const double value = 1 + random.normal();
          ++arm.n;
          arm.sum += value;
          arm.squares += value * value;
        }
      }
      const ArmEstimate a = mean_estimate(arms[0]), b = mean_estimate(arms[1]);
      const auto alarms = [](const Lift& lift) { return lift.low > 0 || lift.high < 0; };
      fixed = fixed || alarms(lift_of(a, b, LiftScale::kRelative));
      sequential = sequential || alarms(sequential_lift_of(a, b, LiftScale::kRelative));
    }
    fixed_alarms += fixed ? 1 : 0;
    sequential_alarms += sequential ? 1 : 0;
  }
  EXPECT_LE(sequential_alarms, 0.05 * kRuns);
  EXPECT_GT(fixed_alarms, 0.20 * kRuns);
}

}  // namespace
}  // namespace shanhuo
