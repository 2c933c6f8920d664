#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/program_campaign.h"
#include "configs/program_reader.h"
#include "features/attributes.h"

namespace shanhuo {
namespace {

using testing::HasSubstr;

const std::string kLeast =
    "id: p\n"
    "items: {}\n"
    "surfaces: [feed, live_room]\n"
    "schedule: {start: 2026-01-01T00:00:00Z, end: 2028-01-02T00:00:00Z}\n"
    "goals: [{unit: viewable, at_least: 1, at_most: 2, per: day, missed_value_fen: 2}]\n";

Program good(const std::string& keys) {
  ConfigErrors errors;
  std::optional<Program> program = read_program(kLeast + keys, "p.yaml", errors);
  for (const ConfigError& error : errors) ADD_FAILURE() << error.to_string();
  return program.value_or(Program());
}

std::string errors_of(const std::string& keys) {
  ConfigErrors errors;
  EXPECT_FALSE(read_program(kLeast + keys, "f", errors).has_value()) << keys;
  std::string out;
  for (const ConfigError& error : errors) out += error.to_string() + "\n";
  return out;
}

TEST(CampaignKeys, AreAbsentUnlessGiven) {
  const Program program = good("");
  EXPECT_TRUE(program.calendar.empty() && program.pairs.empty());
  EXPECT_FALSE(program.until || program.limits || program.room);
}

TEST(CampaignKeys, ReadACalendarOfDaysOfTheYear) {
  const Program program = good(
      "calendar: [{from: \"11-10\", to: \"11-11\", goals: 3, missed_value: 1.5},\n"
      "           {from: \"12-31\", to: \"01-02\", goals: 2}]\n");
  ASSERT_EQ(program.calendar.size(), 2u);
  EXPECT_EQ(program.calendar[0].days.from_month, 11);
  EXPECT_EQ(program.calendar[0].days.to_day, 11);
  EXPECT_EQ(program.calendar[0].goals, 3);
  EXPECT_EQ(program.calendar[0].missed_value, 1.5);
  EXPECT_EQ(program.calendar[1].missed_value, 1);
}

TEST(CampaignKeys, RefuseACalendarThatIsNone) {
  EXPECT_THAT(errors_of("calendar: [{from: \"13-01\", to: \"02-30\"}]\n"),
              AllOf(HasSubstr("f:6:19: calendar[0].from: must be a day of the year"),
                    HasSubstr("f:6:32: calendar[0].to: must be a day of the year")));
  EXPECT_THAT(errors_of("calendar: [{from: \"11-1\"}]\n"),
              AllOf(HasSubstr("calendar[0].from"), HasSubstr("calendar[0].to: is missing")));
  EXPECT_THAT(errors_of("calendar: [{from: \"11-11\", to: \"11-11\", goals: -1, times: 2}]\n"),
              AllOf(HasSubstr("calendar[0].goals"), HasSubstr("calendar[0].times")));
  EXPECT_THAT(errors_of("calendar: []\n"), HasSubstr("calendar: has 0 entries"));
}

TEST(CampaignKeys, SayThatAFactorOfGoalsNeedsAGoalPerDay) {
  std::string text = kLeast;
  text.replace(text.find("per: day"), 8, "per: total");
  ConfigErrors errors;
  EXPECT_FALSE(
      read_program(text + "calendar: [{from: \"11-11\", to: \"11-11\", goals: 2}]\n", "f", errors));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_THAT(errors[0].to_string(), HasSubstr("raises goals `per: day`"));
  errors.clear();
  EXPECT_TRUE(read_program(text + "calendar: [{from: \"11-11\", to: \"11-11\", missed_value: 2}]\n",
                           "f", errors));
}

TEST(CampaignKeys, ReadWhenAnItemLeaves) {
  const Program program = good("until: {scope: creator, unit: deed, reaches: 300}\n");
  ASSERT_TRUE(program.until);
  EXPECT_EQ(program.until->scope, UntilScope::kCreator);
  EXPECT_EQ(program.until->unit, TotalUnit::kDeed);
  EXPECT_EQ(program.until->reaches, 300);
  EXPECT_THAT(errors_of("until: {scope: county, unit: likes, reaches: 0}\n"),
              AllOf(HasSubstr("until.scope"), HasSubstr("until.unit"), HasSubstr("until.reaches")));
  EXPECT_THAT(errors_of("until: {}\n"), HasSubstr("until.reaches: is missing"));
}

TEST(CampaignKeys, ReadPairsWithBothConditions) {
  const Program program = good(
      "pairs:\n"
      "  - {items: {county: {$regex: \"^15\"}}, audience: {city: 北京}}\n"
      "  - {items: {county: {$regex: \"^53\"}}, audience: {city: 上海}}\n");
  ASSERT_EQ(program.pairs.size(), 2u);
  EXPECT_THAT(errors_of("pairs: [{items: {kidn: x}}]\n"),
              AllOf(HasSubstr("pairs[0].items: "), HasSubstr("pairs[0].audience: is missing")));
}

TEST(CampaignKeys, ReadLimitsAndRooms) {
  const Program program = good(
      "limits: {per_request_max: 1, window_s: 86400, max: 3, p_click_min: 0.05}\n"
      "room: {window_s: 3600, max: 1, hold_ms: 180000, every: true}\n");
  ASSERT_TRUE(program.limits && program.room);
  EXPECT_EQ(program.limits->per_request_max, 1);
  EXPECT_EQ(program.limits->window, kDay);
  EXPECT_EQ(program.limits->max, 3);
  EXPECT_EQ(program.limits->p_click_min, 0.05);
  EXPECT_TRUE(program.room->every);
  EXPECT_THAT(errors_of("limits: {window_s: 60}\n"), HasSubstr("limits.window_s"));
  EXPECT_THAT(errors_of("limits: {per_request_max: 4, p_click_min: 2}\n"),
              AllOf(HasSubstr("limits.per_request_max"), HasSubstr("limits.p_click_min")));
}

}  // namespace
}  // namespace shanhuo
