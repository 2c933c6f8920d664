// Re-solving against its slow twin: prices by grid search on small samples.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ranking/price_controller.h"

namespace shanhuo {
namespace {

constexpr Millis kStart{1'789'833'600'000};

double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

std::array<bool, kSurfaces> everywhere() {
  std::array<bool, kSurfaces> surfaces;
  surfaces.fill(true);
  return surfaces;
}

ResolveGoal goal_of(std::string_view program, double remaining, double requests_left) {
  ResolveGoal goal;
  goal.program = program_hash(program);
  goal.surfaces = everywhere();
  goal.remaining = remaining;
  goal.requests_left = requests_left;
  goal.ceiling = 3;
  goal.price = 0.3;
  return goal;
}

// Requests with one candidate of each program, at a cost drawn from an exponential distribution.
std::vector<RequestSnapshot> sample_of(int requests, std::vector<std::string_view> programs,
                                       int insertions_max, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<RequestSnapshot> sample(requests);
  for (RequestSnapshot& snapshot : sample) {
    snapshot.insertions_max = insertions_max;
    for (size_t i = 0; i < programs.size(); ++i) {
      SnapshotOption option;
      option.candidate = static_cast<int32_t>(i);
      option.examine = 0.5;
      option.viewer_fen = static_cast<float>(0.2 * std::log(1 - uniform(random)));
      option.programs[0] = program_hash(programs[i]);
      snapshot.options.push_back(option);
    }
  }
  return sample;
}

void fill(Resolver& resolver, const std::vector<RequestSnapshot>& sample) {
  for (size_t i = 0; i < sample.size(); ++i) {
    resolver.add(sample[i], kStart + Millis(static_cast<int64_t>(i) * 14'100));
  }
}

// The dual of what is left, per request: lower is better.
double dual(const std::vector<RequestSnapshot>& sample, std::span<const ResolveGoal> goals,
            std::span<const double> prices, double nu) {
  double sum = 0;
  for (const RequestSnapshot& snapshot : sample) {
    std::vector<double> gains;
    for (const SnapshotOption& option : snapshot.options) {
      double pays = 0;
      for (size_t j = 0; j < goals.size(); ++j) {
        pays += option.programs[0] == goals[j].program ? prices[j] : 0;
      }
      gains.push_back((1 + nu) * option.viewer_fen + pays * option.examine);
    }
    std::sort(gains.rbegin(), gains.rend());
    for (int i = 0; i < snapshot.insertions_max && i < static_cast<int>(gains.size()); ++i) {
      sum += std::max(0.0, gains[i]);
    }
  }
  sum /= static_cast<double>(sample.size());
  for (size_t j = 0; j < goals.size(); ++j) {
    sum -= prices[j] * goals[j].remaining / goals[j].requests_left;
  }
  return sum;
}

TEST(Resolver, FindsThePriceOfOneGoal) {
  for (const double rate : {0.1, 0.25, 0.4}) {
    for (const double nu : {0.0, 1.0}) {
      const auto sample = sample_of(256, {"a"}, 1, 5);
      Resolver resolver({});
      fill(resolver, sample);
      const ResolveGoal goals[] = {goal_of("a", rate * 10'000, 10'000)};
      const std::vector<double> prices = resolver.solve(goals, nu);
      ASSERT_EQ(prices.size(), 1U);
      // Inserted where price * 0.5 pays for (1 + nu) * cost: an exponential law.
      const double exact = -0.2 * (1 + nu) / 0.5 * std::log(1 - rate / 0.5);
      EXPECT_NEAR(prices[0], exact, 0.25 * exact) << rate << " " << nu;
    }
  }
}

TEST(Resolver, ComesCloseToTheBestPricesOfAGrid) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    std::mt19937_64 random(seed * 9);
    const auto sample = sample_of(128, {"a", "b"}, 1, seed);
    Resolver resolver({});
    fill(resolver, sample);
    const ResolveGoal goals[] = {goal_of("a", 500 + 2'000 * uniform(random), 10'000),
                                 goal_of("b", 500 + 1'500 * uniform(random), 10'000)};
    const std::vector<double> prices = resolver.solve(goals, 0.5);
    ASSERT_EQ(prices.size(), 2U);
    double best = INFINITY;
    for (double a = 0; a <= 3; a += 0.06) {
      for (double b = 0; b <= 3; b += 0.06) {
        best = std::min(best, dual(sample, goals, std::array{a, b}, 0.5));
      }
    }
    const double zero = dual(sample, goals, std::array{0.0, 0.0}, 0.5);
    EXPECT_LE(dual(sample, goals, prices, 0.5), best + 0.05 * (zero - best)) << seed;
  }
}

TEST(Resolver, AGoalThatCannotBeMetCostsItsCeilingAndAMetOneNothing) {
  Resolver resolver({});
  fill(resolver, sample_of(128, {"a", "b", "c"}, 2, 3));
  ResolveGoal idle = goal_of("c", 10, 0);
  idle.price = 1.25;
  const ResolveGoal goals[] = {goal_of("a", 20'000, 10'000), goal_of("b", 0, 10'000), idle};
  const std::vector<double> prices = resolver.solve(goals, 0);
  EXPECT_NEAR(prices[0], 3, 0.01);
  EXPECT_EQ(prices[1], 0);
  EXPECT_EQ(prices[2], 1.25);
}

TEST(Resolver, TheSampleIsSpreadOverItsMemoryAndBounded) {
  ResolveOptions options;
  options.snapshots_max = 60;
  options.snapshots_min = 30;
  Resolver resolver(options);
  const ResolveGoal goals[] = {goal_of("a", 100, 1'000)};
  EXPECT_TRUE(resolver.solve(goals, 0).empty());
  // 100 requests a second for two hours: one a minute is wanted.
  int wanted = 0;
  const auto one = sample_of(1, {"a"}, 1, 1);
  for (int s = 0; s < 7'200; ++s) {
    for (int i = 0; i < 100; ++i) {
      const Millis now = kStart + Millis(s * 1'000 + i * 10);
      if (!resolver.wants(now)) continue;
      ++wanted;
      resolver.add(one[0], now);
    }
  }
  EXPECT_EQ(wanted, 120);
  EXPECT_EQ(resolver.size(), 60U);
  resolver.add(one[0], kStart + Millis(5 * kHour.count()));
  EXPECT_EQ(resolver.size(), 1U);
  options.period = Millis(0);
  EXPECT_FALSE(Resolver(options).wants(kStart));
}

TEST(Resolver, PricesMoveByAtMostAQuarterAtATime) {
  auto program = std::make_shared<Program>();
  program->id = ProgramId(std::string_view("a"));
  program->start = kStart;
  program->end = kStart + kDay;
  program->surfaces.fill(true);
  program->goals.push_back(
      {GoalUnit::kViewable, 5'000, 5'200, GoalPeriod::kTotal, Surface::kNone, 3});
  auto set = std::make_shared<ProgramSet>();
  set->programs.push_back(program);
  set->version = "v";
  PriceController controller({}, remaining_goal_law({}));
  controller.set_programs(
      set, [](const ProgramId&, GoalUnit, Millis, Millis) { return 0.0; }, kStart);
  const auto sample = sample_of(256, {"a"}, 1, 7);
  int moved = 0;
  for (int i = 0; i < 240; ++i) {
    const Millis now = kStart + Millis(i * 15'000);
    controller.resolver().add(sample[i], now);
    ASSERT_TRUE(controller.reserve({}, {10, 0}, {}, now));
    controller.step(now);
    const double before = controller.table()->programs[0].fen_per_unit;
    if (!controller.resolve(now)) continue;
    ++moved;
    EXPECT_FALSE(controller.resolve(now));
    const double after = controller.table()->programs[0].fen_per_unit;
    EXPECT_LE(std::abs(after - before), 0.25 * std::max(before, 0.3) + 1e-9);
  }
  EXPECT_GE(moved, 8);
  EXPECT_LE(moved, 12);
}

}  // namespace
}  // namespace shanhuo
