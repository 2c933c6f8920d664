// A small day of `shanhuo evaluate allocation-day`: 40 programs, 60 counties, bursts and an outage,
// in front of whole engines. What holds at any size is held to here; a goal of five clicks is a
// matter of chance, so goals are judged together.
#include <gtest/gtest.h>

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

TEST(EvaluateDay, ASmallDayKeepsCapsGoalsAndCounties) {
  SuiteInput input;
  input.laws = {"remaining_goal"};
  input.pages = 6'000;
  input.programs = 40;
  input.counties = 60;
  const Result<SuiteReport> made = evaluate_allocation_day(input, [](double) {});
  ASSERT_TRUE(made.ok()) << made.error().message;
  const SuiteReport& report = made.value();
  const std::string all = text_of(report);
  constexpr size_t kShipped = 1;  // behind the teacher
  EXPECT_EQ(number(report, kShipped, "caps exceeded"), 0) << all;
  EXPECT_LE(number(report, kShipped, "over"), 1) << all;
  EXPECT_LE(number(report, kShipped, "short, units %"), 1) << all;
  EXPECT_GE(number(report, kShipped, "worst county"), 0.7) << all;
  EXPECT_GT(number(report, kShipped, "inserted"), 6'000) << all;
  EXPECT_EQ(number(report, kShipped, "degraded"), 0) << all;
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
