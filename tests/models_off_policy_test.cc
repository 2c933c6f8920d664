#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "models/off_policy.h"

namespace shanhuo {
namespace {

// Three actions: how often the log draws each in ten, how often the other policy does, and what
// each earns.
constexpr int kDrawn[] = {6, 3, 1};
constexpr int kWanted[] = {1, 3, 6};
constexpr double kEarns[] = {0.1, 0.4, 0.9};
constexpr double kTruth = 0.1 * 0.1 + 0.3 * 0.4 + 0.6 * 0.9;

LoggedAction action(int which, double reward, double model_error) {
  double expected = 0;
  for (int a = 0; a < 3; ++a) expected += kWanted[a] / 10.0 * (kEarns[a] + model_error * a);
  return {.reward = reward,
          .weight = static_cast<double>(kWanted[which]) / kDrawn[which],
          .modelled = kEarns[which] + model_error * which,
          .expected = expected};
}

TEST(OffPolicy, APolicyOnItsOwnLogIsItsMean) {
  std::vector<LoggedAction> log;
  std::vector<double> rewards;
  for (int i = 0; i < 50; ++i) {
    rewards.push_back(i % 7);
    log.push_back({.reward = rewards.back(), .weight = 1});
  }
  const OffPolicyEstimates estimates = estimate_off_policy(log);
  const Estimate mean = mean_of(rewards);
  for (const Estimate& estimate : {estimates.ips, estimates.snips, estimates.dr}) {
    EXPECT_NEAR(estimate.value, mean.value, 1e-12);
    EXPECT_NEAR(estimate.high - estimate.low, mean.high - mean.low, 0.05);
  }
  EXPECT_NEAR(estimates.effective_sample, 50, 1e-9);
}

// The log holds each action as often as it is drawn, so means over it are expectations.
TEST(OffPolicy, IsRightOnAverageAndDoublyRobustWhateverTheModelSays) {
  for (const double model_error : {0.0, 0.3, -2.0}) {
    std::vector<LoggedAction> log;
    for (int a = 0; a < 3; ++a) {
      for (int i = 0; i < kDrawn[a]; ++i) log.push_back(action(a, kEarns[a], model_error));
    }
    const OffPolicyEstimates estimates = estimate_off_policy(log);
    EXPECT_NEAR(estimates.ips.value, kTruth, 1e-12);
    EXPECT_NEAR(estimates.snips.value, kTruth, 1e-12);
    EXPECT_NEAR(estimates.dr.value, kTruth, 1e-12);
    if (model_error == 0) {
      EXPECT_NEAR(estimates.dr.high - estimates.dr.low, 0, 0.6);
    }
  }
}

// Sixty clicks, six of them of large weight: an interval that is even on both sides lies too
// low too often.
TEST(OffPolicy, IntervalsOfFewClicksCoverTheTruth) {
  std::mt19937_64 random(2);
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  constexpr int kRounds = 500;
  int ips = 0, snips = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<LoggedAction> log;
    for (int i = 0; i < 2'000; ++i) {
      const int which = unit() < 0.9 ? 0 : 1;
      log.push_back({.reward = unit() < 0.03 ? 1.0 : 0.0, .weight = which == 0 ? 0.5 / 0.9 : 5});
    }
    const OffPolicyEstimates estimates = estimate_off_policy(log);
    EXPECT_GE(estimates.ips.low, 0);
    ips += estimates.ips.covers(0.03);
    snips += estimates.snips.covers(0.03);
  }
  EXPECT_GT(ips, 0.9 * kRounds);
  EXPECT_GT(snips, 0.9 * kRounds);
}

TEST(OffPolicy, IntervalsCoverTheTruthAboutAsOftenAsTheySay) {
  std::mt19937_64 random(1);
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  constexpr int kRounds = 1'000;
  int ips = 0, snips = 0, dr = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<LoggedAction> log;
    for (int i = 0; i < 400; ++i) {
      const double u = unit();
      const int which = u < 0.6 ? 0 : u < 0.9 ? 1 : 2;
      log.push_back(action(which, unit() < kEarns[which] ? 1 : 0, 0.1));
    }
    const OffPolicyEstimates estimates = estimate_off_policy(log);
    ips += estimates.ips.covers(kTruth);
    snips += estimates.snips.covers(kTruth);
    dr += estimates.dr.covers(kTruth);
  }
  for (const int covered : {ips, snips, dr}) {
    EXPECT_GT(covered, 0.92 * kRounds);
    EXPECT_LT(covered, 0.98 * kRounds);
  }
}

}  // namespace
}  // namespace shanhuo
