// The price laws in closed loops on small markets, their projections against slow twins, and the
// re-solved dual against all assignments.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "ranking/price_law.h"

namespace shanhuo {
namespace {

double unit(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

PriceLawOptions options_of(PriceLawKind kind) {
  PriceLawOptions options;
  options.kind = kind;
  return options;
}

// Requests with a value for each of a few goals; one goal gets a request, or none.
class Market final : public RequestSample {
 public:
  Market(size_t goals, size_t requests, uint64_t seed) : goals_(goals) {
    std::mt19937_64 random(seed);
    for (size_t i = 0; i < goals * requests; ++i) values_.push_back(unit(random));
  }
  size_t size() const override { return values_.size() / goals_; }
  // -1: nobody is worth it.
  int best(size_t request, std::span<const double> prices) const {
    int best = -1;
    double most = 0;
    for (size_t j = 0; j < goals_; ++j) {
      // What a goal gives a viewer is below zero: an insertion costs 1 - value.
      const double gain = values_[request * goals_ + j] - 1 + prices[j];
      if (gain <= most) continue;
      most = gain;
      best = static_cast<int>(j);
    }
    return best;
  }
  double replay(std::span<const double> prices, std::span<double> units) const override {
    std::fill(units.begin(), units.end(), 0.0);
    for (size_t request = 0; request < size(); ++request) {
      const int goal = best(request, prices);
      if (goal >= 0) units[goal] += 1.0 / static_cast<double>(size());
    }
    return 0;
  }
  double value(size_t request, size_t goal) const { return values_[request * goals_ + goal]; }

 private:
  const size_t goals_;
  std::vector<double> values_;
};

struct Loop {
  std::vector<GoalState> goals;
  double cost = 0;  // of all insertions, to viewers
};

// A pass over the market's requests, a step each.
Loop run(const PriceLaw& law, const Market& market, const std::vector<double>& targets,
         bool sample) {
  Loop loop;
  loop.goals.resize(targets.size());
  std::vector<GoalState*> all;
  for (size_t j = 0; j < targets.size(); ++j) {
    loop.goals[j].target = targets[j];
    loop.goals[j].missed_value_fen = 1;
    all.push_back(&loop.goals[j]);
  }
  const auto n = static_cast<double>(market.size());
  std::vector<double> prices(targets.size());
  for (size_t request = 0; request < market.size(); ++request) {
    const auto seen = static_cast<double>(request);
    for (GoalState& goal : loop.goals) {
      goal.curve_now = seen / n;
      goal.requests_left = n - seen;
      law.step(goal, std::max(0.0, seen - 1) / n);
    }
    law.settle(all, {.sample = sample ? &market : nullptr, .requests = seen});
    for (size_t j = 0; j < prices.size(); ++j) {
      prices[j] = loop.goals[j].price;
      loop.goals[j].inserted_expected = 0;
    }
    const int chosen = market.best(request, prices);
    if (chosen < 0) continue;
    loop.goals[chosen].delivered += 1;
    loop.goals[chosen].inserted_expected = 1;
    loop.cost += 1 - market.value(request, chosen);
  }
  return loop;
}

TEST(PriceLaw, EveryKindHasItsNameAndKeepsPricesWithinTheirBounds) {
  for (size_t kind = 0; kind < kPriceLawNames.size(); ++kind) {
    PriceLawOptions options = options_of(static_cast<PriceLawKind>(kind));
    options.strength = 40;
    options.shape = 1.05;
    options.credit_share = 0.5;
    const auto law = make_price_law(options);
    EXPECT_EQ(law->name(), kPriceLawNames[kind]);
    EXPECT_EQ(law->may_resolve(), options.kind == PriceLawKind::kRemainingGoal);
    std::mt19937_64 random(kind + 1);
    const Market market(3, 20, 7);
    std::vector<GoalState> goals(3);
    std::vector<GoalState*> all;
    for (GoalState& goal : goals) all.push_back(&goal);
    for (int step = 0; step < 200; ++step) {
      for (GoalState& goal : goals) {
        goal.target = std::floor(3 * unit(random)) * 50;
        goal.missed_value_fen = 2;
        goal.delivered += std::floor(3 * unit(random));
        goal.inserted_expected = 2 * unit(random);
        goal.curve_now = step / 150.0;
        goal.requests_left = std::max(0, 150 - step);
        law->step(goal, (step - 1) / 150.0);
      }
      law->settle(all, {.sample = step % 3 == 0 ? &market : nullptr,
                        .requests = static_cast<double>(step),
                        .loss_share = unit(random),
                        .loss_budget = step % 2 == 0 ? 0.1 : 0});
      if (options.kind == PriceLawKind::kFixedBoost) continue;  // its boost is its bound
      for (const GoalState& goal : goals) {
        ASSERT_GE(goal.price, -1) << law->name() << " step " << step;
        ASSERT_LE(goal.price, 2) << law->name() << " step " << step;
      }
    }
  }
}

TEST(PriceLaw, TheSameStepsGiveTheSamePrices) {
  for (size_t kind = 0; kind < kPriceLawNames.size(); ++kind) {
    const auto law = make_price_law(options_of(static_cast<PriceLawKind>(kind)));
    const Market market(4, 100, 3);
    const std::vector<double> targets = {5, 10, 20, 0};
    const Loop a = run(*law, market, targets, true), b = run(*law, market, targets, true);
    for (size_t j = 0; j < 4; ++j) {
      EXPECT_EQ(a.goals[j].price, b.goals[j].price) << law->name();
      EXPECT_EQ(a.goals[j].delivered, b.goals[j].delivered) << law->name();
    }
  }
}

TEST(PriceLaw, LawsOfGoalsMeetThem) {
  const std::vector<double> targets = {100, 200, 50};
  for (const PriceLawKind kind : {PriceLawKind::kRemainingGoal, PriceLawKind::kPid,
                                  PriceLawKind::kHwm, PriceLawKind::kShale}) {
    for (const bool sample : {true, false}) {
      if (!sample && kind == PriceLawKind::kShale) continue;
      PriceLawOptions options = options_of(kind);
      options.strength = 1;
      const Market market(3, 2'000, 11);
      const Loop loop = run(*make_price_law(options), market, targets, sample);
      for (size_t j = 0; j < targets.size(); ++j) {
        EXPECT_GE(loop.goals[j].delivered, 0.9 * targets[j])
            << kPriceLawNames[static_cast<size_t>(kind)] << " sample " << sample;
      }
    }
  }
}

TEST(PriceLaw, SolvingOnASampleCostsViewersLessThanTheFieldsRules) {
  const std::vector<double> targets = {100, 200, 50};
  const Market market(3, 2'000, 5);
  const auto cost = [&](PriceLawOptions options) {
    const Loop loop = run(*make_price_law(options), market, targets, true);
    for (size_t j = 0; j < targets.size(); ++j) {
      EXPECT_GE(loop.goals[j].delivered, 0.98 * targets[j]);
    }
    return loop.cost;
  };
  PriceLawOptions solved = options_of(PriceLawKind::kRemainingGoal);
  PriceLawOptions boost = options_of(PriceLawKind::kFixedBoost);
  EXPECT_LT(cost(solved), 0.7 * cost(boost));
  // Hindsight: the least cost at which every goal is met, by any prices, bounds it from below.
  double bound = 0;
  std::vector<double> prices(3, 0), units(3);
  for (int round = 0; round < 3'000; ++round) {
    market.replay(prices, units);
    double dual = 0;
    for (size_t j = 0; j < 3; ++j) dual += prices[j] * targets[j];
    for (size_t request = 0; request < market.size(); ++request) {
      const int chosen = market.best(request, prices);
      if (chosen >= 0) dual -= market.value(request, chosen) - 1 + prices[chosen];
    }
    bound = std::max(bound, dual);
    for (size_t j = 0; j < 3; ++j) {
      prices[j] += 0.002 * (targets[j] - 2'000 * units[j]) / targets[j];
    }
  }
  EXPECT_GE(cost(solved), 0.9 * bound);
  EXPECT_LE(cost(solved), 1.15 * bound);
}

TEST(PriceLaw, AGoalThatNothingCanMeetEndsAtItsBoundAndSparesTheOthers) {
  const Market market(2, 500, 9);
  PriceLawOptions options = options_of(PriceLawKind::kRemainingGoal);
  const Loop loop = run(*make_price_law(options), market, {5'000, 20}, true);
  EXPECT_DOUBLE_EQ(loop.goals[0].price, 1);
  EXPECT_GE(loop.goals[1].delivered, 18);
}

TEST(PriceLaw, WelfareOfTheLowestRaisesThePricesOfThoseWhoHaveLeast) {
  PriceLawOptions options = options_of(PriceLawKind::kRemainingGoal);
  options.welfare_share = 0.5;
  options.lowest[0] = {0.5, 1};
  options.smoothing = 1;
  const auto law = make_price_law(options);
  const Market market(4, 50, 2);
  std::vector<GoalState> goals(4);
  std::vector<GoalState*> all;
  for (size_t j = 0; j < 4; ++j) {
    goals[j].missed_value_fen = 1;
    goals[j].delivered = 100.0 * static_cast<double>(j + 1);
    all.push_back(&goals[j]);
  }
  for (int step = 0; step < 20; ++step) law->settle(all, {.sample = &market, .requests = 1e6});
  EXPECT_NEAR(goals[0].price, 0.5, 1e-9);
  EXPECT_NEAR(goals[1].price, 0.5, 1e-9);
  EXPECT_NEAR(goals[2].price, 0, 1e-9);
  EXPECT_NEAR(goals[3].price, 0, 1e-9);
}

// ManifoldRank's published figures: tests/serving_evaluate_test.cc.
TEST(PriceLaw, FairLawsPayMoreToThoseWhoHaveLess) {
  for (const PriceLawKind kind :
       {PriceLawKind::kFairCo, PriceLawKind::kCpFair, PriceLawKind::kElasticRank}) {
    PriceLawOptions options = options_of(kind);
    options.credit_share = options.top_share = 100;
    options.shape = 1.05;
    const auto law = make_price_law(options);
    std::vector<GoalState> goals(8);
    std::vector<GoalState*> all;
    for (size_t j = 0; j < goals.size(); ++j) {
      goals[j].missed_value_fen = 1;
      goals[j].delivered = 10.0 * static_cast<double>(j + 1);
      all.push_back(&goals[j]);
    }
    law->settle(all, {.requests = 60});
    for (size_t j = 1; j < goals.size(); ++j) {
      EXPECT_GT(goals[j - 1].price, goals[j].price) << law->name() << " " << j;
    }
  }
}

TEST(PriceLaw, TheThresholdHoldsTheViewersBudget) {
  const auto law = make_price_law(options_of(PriceLawKind::kThreshold));
  std::vector<GoalState> goals(2);
  std::vector<GoalState*> all;
  for (GoalState& goal : goals) {
    goal.missed_value_fen = 1;
    goal.target = 100;
    all.push_back(&goal);
  }
  for (int step = 0; step < 5; ++step) law->settle(all, {.loss_share = 0, .loss_budget = 0.1});
  EXPECT_GT(goals[0].price, 0);
  EXPECT_EQ(goals[0].price, goals[1].price);
  const double before = goals[0].price;
  law->settle(all, {.loss_share = 0.15, .loss_budget = 0.1});
  EXPECT_LT(goals[0].price, before);
}

TEST(ViewerPrice, RisesAboveWhatIsLeftAndNeverFallsBelowZero) {
  EXPECT_GT(next_viewer_price(1, 0.05, 0.02, 0.02, 0.1), 1);
  EXPECT_LT(next_viewer_price(1, 0.01, 0.02, 0.02, 0.1), 1);
  EXPECT_EQ(next_viewer_price(0, 0.01, 0.02, 0.02, 0.1), 0);
  EXPECT_EQ(next_viewer_price(3, 0.01, 0.02, 0, 0.1), 3);
}

// The twin tries every set of coordinates at 0, between and at the top.
std::vector<double> nearest_by_enumeration(const std::vector<double>& x, double total, double top) {
  std::vector<double> best;
  double least = 1e300;
  const size_t n = x.size();
  const auto cases = static_cast<size_t>(std::pow(3, n));
  for (size_t code = 0; code < cases; ++code) {
    std::vector<double> y(n, 0);
    double fixed = 0, free_sum = 0, free_count = 0;
    for (size_t i = 0, c = code; i < n; ++i, c /= 3) {
      if (c % 3 == 1) fixed += y[i] = top;
      if (c % 3 == 2) {
        free_sum += x[i];
        free_count += 1;
      }
    }
    if (free_count == 0 && std::abs(fixed - total) > 1e-12) continue;
    bool good = true;
    for (size_t i = 0, c = code; i < n; ++i, c /= 3) {
      if (c % 3 == 2) y[i] = x[i] - (free_sum + fixed - total) / free_count;
      good = good && y[i] >= -1e-12 && y[i] <= top + 1e-12;
    }
    double distance = 0;
    for (size_t i = 0; i < n; ++i) distance += (x[i] - y[i]) * (x[i] - y[i]);
    if (!good || distance >= least) continue;
    least = distance;
    best = y;
  }
  return best;
}

TEST(Projection, OfACappedSimplexIsTheNearestPoint) {
  std::mt19937_64 random(17);
  for (int round = 0; round < 300; ++round) {
    std::vector<double> x(1 + random() % 6);
    for (double& value : x) value = 4 * unit(random) - 2;
    const double top = 0.2 + unit(random);
    const double total = top * static_cast<double>(x.size()) * unit(random);
    const std::vector<double> expected = nearest_by_enumeration(x, total, top);
    project_capped_simplex(x, total, top);
    ASSERT_EQ(expected.size(), x.size());
    for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], expected[i], 1e-9) << round;
  }
}

TEST(Projection, OfPositivePartsLeavesTheOthersAndHoldsTheRadius) {
  std::mt19937_64 random(19);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> x(1 + random() % 8);
    for (double& value : x) value = 2 * unit(random) - 1;
    const std::vector<double> before = x;
    project_positive_parts(x, 0.7);
    double sum = 0, sum_before = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      if (before[i] <= 0) {
        ASSERT_EQ(x[i], before[i]);
      }
      sum += std::max(0.0, x[i]);
      sum_before += std::max(0.0, before[i]);
    }
    ASSERT_NEAR(sum, std::min(0.7, sum_before), 1e-9);
  }
}

}  // namespace
}  // namespace shanhuo
