#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/durable_file.h"
#include "configs/program_check.h"
#include "configs/program_store.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

using ::testing::HasSubstr;

constexpr Millis kIn2026{1'780'000'000'000};

class ProgramCheckTest : public testing::Test {
 protected:
  void write(const std::string& id, const std::string& more,
             const std::string& goals = "[{unit: click, at_least: 10, missed_value_fen: 2}]") {
    const std::string text =
        "id: " + id + "\n" + more + "surfaces: [feed]\n" +
        "schedule: {start: 2026-01-01T00:00:00Z, end: 2027-01-01T00:00:00Z}\n" + "goals: " + goals +
        "\n";
    ASSERT_TRUE(replace_file(folder_ / (id + ".yaml"), text).ok());
  }
  std::string warnings(Millis now = kIn2026) {
    ProgramStore store(folder_ / "");
    store.reload();
    EXPECT_TRUE(store.errors().empty()) << store.errors().front().to_string();
    std::string out;
    for (const ConfigError& warning : warnings_of(*store.current(), now)) {
      out += warning.to_string().substr((folder_ / "").size()) + "\n";
    }
    return out;
  }

  TempDir folder_;
};

TEST_F(ProgramCheckTest, AProgramAsItShouldBeWarnsOfNothing) {
  write("a", "items: {}\naudience: {tier: light, \"distance_km(28, 109)\": {$lt: 60}}\n");
  EXPECT_EQ(warnings(), "");
}

TEST_F(ProgramCheckTest, ADeadlineInThePastIsCountedInDays) {
  write("a", "items: {}\n");
  EXPECT_EQ(warnings(kIn2026 + Millis(400 * kDay.count())),
            "a.yaml:4:46: schedule.end: is past since " +
                std::to_string((kIn2026.count() + 400 * kDay.count() - 1'798'761'600'000) /
                               kDay.count()) +
                " days: it is enabled and will never run\n");
  write("a", "items: {}\nenabled: false\n");
  EXPECT_EQ(warnings(kIn2026 + Millis(400 * kDay.count())), "");
}

TEST_F(ProgramCheckTest, AnAttributeThatTheEngineDoesNotKnowIsNamedWithTheOneThatIsMeant) {
  write("a", "items: {}\naudience: {teir: light}\n");
  EXPECT_THAT(warnings(), HasSubstr("a.yaml:3:11: audience: teir is none of the engine's "
                                    "attributes (tier?)"));
  write("a", "items: {}\naudience: {app_version: \"9\"}\n");
  EXPECT_THAT(warnings(), HasSubstr("app_version is none of the engine's attributes: "));
}

TEST_F(ProgramCheckTest, WhatIsPaidNothingForAndWhatPromisesNothing) {
  write("a", "items: {}\n",
        "[{unit: click, at_least: 10, missed_value_fen: 0}, "
        "{unit: order, at_least: 0, missed_value_fen: 1}]");
  EXPECT_THAT(warnings(), HasSubstr("5:55: goals[0].missed_value_fen: 0 fen are paid"));
  EXPECT_THAT(warnings(), HasSubstr("goals[1].at_least: 0, and no at_most"));
}

TEST_F(ProgramCheckTest, SlotsThatNeverFit) {
  write("a",
        "items: {}\nplacement: {first_slot: 3, last_slot: 6, per_request_max: 2, min_gap: 5}\n");
  EXPECT_THAT(warnings(), HasSubstr("3:59: placement.per_request_max: 2 never fit: slots 3 to 6 "
                                    "with a gap of 5 have room for 1"));
}

TEST_F(ProgramCheckTest, SharesOfASurfaceThatComeToMoreThanAll) {
  const auto share = [](const char* of) {
    return "[{unit: viewable, at_least: " + std::string(of) +
           ", share_of: feed, missed_value_fen: 1}]";
  };
  write("a", "items: {}\n", share("0.6"));
  write("b", "items: {}\n", share("0.3"));
  EXPECT_EQ(warnings(), "");
  write("b", "items: {}\n", share("0.5"));
  EXPECT_THAT(warnings(), HasSubstr("a.yaml:5:36: goals[0].at_least: 0.6 of a + 0.5 of b = 1.1 of "
                                    "what is inserted on feed"));
}

TEST_F(ProgramCheckTest, ACapOfOneBelowThePromiseOfTheOtherForTheSameItems) {
  write("a", "items: {kind: farm_good}\n",
        "[{unit: click, at_least: 10, at_most: 20, missed_value_fen: 1}]");
  write("b", "items: {kind: farm_good}\n", "[{unit: click, at_least: 50, missed_value_fen: 1}]");
  EXPECT_THAT(warnings(), HasSubstr("b.yaml:5:33: goals[0].at_least: 50 is asked of the same items "
                                    "that a caps at 20"));
  write("b", "items: {kind: cause}\n", "[{unit: click, at_least: 50, missed_value_fen: 1}]");
  EXPECT_EQ(warnings(), "");
}

}  // namespace
}  // namespace shanhuo
