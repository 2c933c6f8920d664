// A simulated day (tests/allocation_day.h): 40 programs, 100 counties, three bursts, half an hour
// without requests.
#include <gtest/gtest.h>

#include "ranking/price_law.h"
#include "tests/allocation_day.h"

namespace shanhuo {
namespace {

// Prices may fall below zero: what the welfare of counties inserts beyond a program's pace is
// pushed back, so that its cap is not reached before the day is over.
std::unique_ptr<PriceLaw> shipped_law() {
  PriceLawOptions options;
  options.credit_share = 0.1;
  return remaining_goal_law(options);
}

int goals_met(const DayResult& result) {
  return static_cast<int>(std::count_if(
      result.programs.begin(), result.programs.end(),
      [](const ProgramStatus& p) { return p.goals[0].delivered >= p.goals[0].target; }));
}

double worst_share(const AllocationDay& day, const DayResult& result) {
  return *std::min_element(result.county_exposures.begin(), result.county_exposures.end()) /
         day.fair_share(result);
}

TEST(AllocationDay, MeetsEveryFeasibleGoalWithinTheBudgetAndLeavesNoCountyBehind) {
  for (const uint64_t seed : {1, 2}) {
    DayPlan plan;
    plan.seed = seed;
    plan.requests = 25'000;
    AllocationDay day(plan);
    const DayResult result = day.run(shipped_law());
    for (const ProgramStatus& program : result.programs) {
      const GoalStatus& goal = program.goals[0];
      EXPECT_GE(goal.delivered, goal.target) << program.id << " seed " << seed;
      EXPECT_LE(goal.delivered, goal.target + std::max(3.0, 0.005 * goal.target)) << program.id;
    }
    EXPECT_LE(result.worst_run, plan.budget) << "seed " << seed;
    EXPECT_GE(worst_share(day, result), 0.8) << "seed " << seed;

    const DayResult fixed = day.run(fixed_price_law(0.3));
    EXPECT_GE(goals_met(result), goals_met(fixed));
    EXPECT_LT(result.loss_share, fixed.loss_share);
    EXPECT_GT(worst_share(day, result), worst_share(day, fixed));
  }
}

TEST(AllocationDay, TheWorstCountyRisesWithAlpha) {
  double before = -1;
  for (const double alpha : {0.0, 1.0, 4.0}) {
    DayPlan plan;
    plan.requests = 12'000;
    plan.alpha = alpha;
    plan.lambda_fen = 0.05;
    AllocationDay day(plan);
    const double worst = worst_share(day, day.run(shipped_law()));
    EXPECT_GT(worst, before + 0.05) << alpha;
    before = worst;
  }
}

TEST(AllocationDay, TheSameSeedGivesTheSameDay) {
  DayPlan plan;
  plan.requests = 3'000;
  AllocationDay day(plan);
  const DayResult first = day.run(shipped_law()), second = AllocationDay(plan).run(shipped_law());
  EXPECT_EQ(first.county_exposures, second.county_exposures);
  EXPECT_EQ(first.inserted, second.inserted);
}

}  // namespace
}  // namespace shanhuo
