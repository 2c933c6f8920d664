// Small days of `shanhuo evaluate allocation-day`, with bursts and an outage, in front of whole
// engines. What holds at any size is held to here; a goal of a few clicks is a matter of chance, so
// goals are judged together.
#include <gtest/gtest.h>

#include "base/check.h"
#include "serving/evaluate.h"

namespace shanhuo {
namespace {

double number(const SuiteReport& report, size_t row, std::string_view column) {
  const SuiteTable& table = report.tables.front();
  for (size_t c = 0; c < table.columns.size(); ++c) {
    if (table.columns[c] == column) return table.rows[row][c].number.value();
  }
  ADD_FAILURE() << column;
  return 0;
}

constexpr size_t kShipped = 1;  // the row behind the teacher's

SuiteReport day_of(const SuiteInput& input) {
  const Result<SuiteReport> made = evaluate_allocation_day(input, [](double) {});
  CHECK(made.ok());
  return made.value();
}

TEST(EvaluateDay, FeasibleGoalsAreMetWithinTheBudgetAndNoCountyIsLeftBehind) {
  SuiteInput input;
  input.laws = {"remaining_goal"};
  input.pages = 14'000;
  input.programs = 40;
  input.counties = 100;
  const SuiteReport report = day_of(input);
  const std::string all = text_of(report);
  EXPECT_GE(number(report, kShipped, "goals met"), 39) << all;
  EXPECT_LE(number(report, kShipped, "short, units %"), 0.1) << all;
  EXPECT_LE(number(report, kShipped, "over"), 1) << all;
  EXPECT_EQ(number(report, kShipped, "caps exceeded"), 0) << all;
  EXPECT_GT(number(report, kShipped, "windows"), 0) << all;
  EXPECT_LE(number(report, kShipped, "loss, worst 10 min %"), 2) << all;
  EXPECT_GE(number(report, kShipped, "worst county"), 0.8) << all;
  EXPECT_GT(number(report, kShipped, "inserted"), 14'000) << all;
  EXPECT_EQ(number(report, kShipped, "degraded"), 0) << all;
}

TEST(EvaluateDay, TheWorstCountyRisesWithAlpha) {
  SuiteInput input;
  input.laws = {"remaining_goal"};
  input.pages = 4'000;
  input.programs = 20;
  input.counties = 40;
  const double fair = number(day_of(input), kShipped, "worst county");
  input.settings = {"prices.fairness_lambda_fen=0"};
  const SuiteReport without = day_of(input);
  EXPECT_GT(fair, number(without, kShipped, "worst county") + 0.05) << text_of(without);
}

TEST(EvaluateDay, ALawThatIsNoneIsRefusedByName) {
  SuiteInput input;
  input.laws = {"luck"};
  input.pages = 2'000;
  input.programs = 10;
  input.counties = 20;
  const Result<SuiteReport> made = evaluate_allocation_day(input, [](double) {});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("luck"), std::string::npos) << made.error().message;
}

}  // namespace
}  // namespace shanhuo
