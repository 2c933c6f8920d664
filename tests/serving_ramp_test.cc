#include <gtest/gtest.h>

#include <fstream>

#include "serving/ramp.h"
#include "tests/experiment_files.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

class RampTest : public testing::Test {
 protected:
  void take(std::map<std::string, std::string> keys = {}) {
    std::map<std::string, std::string> all = {
        {"coverage", "0.05"},
        {"ramp",
         "{steps: [0.01, 0.05, 0.1, 0.5, 1], hold_h: 2, viewers_min: 100, approve_at: 0.5}"}};
    for (const auto& [key, value] : keys) all[key] = value;
    ConfigErrors errors;
    set_ = experiments_of({experiment_text("a", all)}, &errors);
    ASSERT_TRUE(set_) << errors.front().to_string();
  }
  RampView view() const { return ramp_view(set_->experiments()[0], memory_, facts_); }
  std::string state() const { return std::string(ramp_state_name(view().state)); }

  std::shared_ptr<const ExperimentSet> set_;
  RampMemory memory_{"d", 0.05, Millis(1'000'000'000), "", ""};
  RampFacts facts_{memory_.since + Millis(2 * 3'600'000),
                   memory_.since + Millis(2 * 3'600'000),
                   Millis(600'000),
                   true,
                   {100, 100},
                   ResultsHold()};
};

TEST_F(RampTest, TheNextStepIsReadyWhenNothingStandsInItsWay) {
  take();
  EXPECT_EQ(state(), "ready");
  EXPECT_EQ(view().next, 0.1);
  EXPECT_EQ(view().due, memory_.since + Millis(2 * 3'600'000));
}

TEST_F(RampTest, ItHoldsForItsHours) {
  take();
  facts_.now = facts_.now - Millis(1);
  EXPECT_EQ(state(), "waits");
  take({{"schedule", "{start: 1970-01-12T14:46:40Z}"}});  // an hour after `since`
  facts_.now = facts_.last_event = memory_.since + Millis(2 * 3'600'000);
  EXPECT_EQ(state(), "waits");
  facts_.now = facts_.last_event = memory_.since + Millis(3 * 3'600'000);
  EXPECT_EQ(state(), "ready");
}

TEST_F(RampTest, ThinOrStaleDataHoldIt) {
  take();
  facts_.viewers = {100, 99};
  EXPECT_EQ(state(), "thin");
  EXPECT_EQ(view().why, "more has 99 of 100 viewers since the engine started");
  facts_.last_event = facts_.now - facts_.stale - Millis(1);
  EXPECT_EQ(state(), "stale");
  facts_.last_event = Millis(0);
  EXPECT_EQ(view().why, "no events yet");
}

TEST_F(RampTest, WhatItsResultsHaveAgainstItHoldsIt) {
  take();
  facts_.results = ResultsHold{RampState::kSampleRatio, "too many of more"};
  EXPECT_EQ(state(), "sample_ratio");
  facts_.results = ResultsHold{RampState::kGuardrail, "possibly worse"};
  EXPECT_EQ(state(), "guardrail");
  EXPECT_EQ(view().why, "possibly worse");
  facts_.results.reset();  // not looked at
  EXPECT_EQ(state(), "waits");
  facts_.viewers = {0, 0};
  EXPECT_EQ(state(), "thin");
}

TEST_F(RampTest, AVariationThatNobodyGetsNeedsNoViewers) {
  take({{"variations", "[{key: control, weight: 1}, {key: more, weight: 0}]"}});
  facts_.viewers = {100, 0};
  EXPECT_EQ(state(), "ready");
}

TEST_F(RampTest, FromApproveAtOnItWantsAnApproval) {
  take({{"coverage", "0.1"}});
  memory_.coverage = 0.1;
  EXPECT_EQ(view().next, 0.5);
  EXPECT_EQ(state(), "approval");
  memory_.approved_by = "bob";
  EXPECT_EQ(state(), "ready");
}

TEST_F(RampTest, OperatorsAndSwitchesHoldIt) {
  take({{"ramp", "{steps: [0.1], hold_h: 0, held: true}"}});
  EXPECT_EQ(state(), "held");
  take({{"enabled", "false"}});
  EXPECT_EQ(state(), "not_running");
  take();
  facts_.boosting = false;
  EXPECT_EQ(state(), "boosting_off");
}

TEST_F(RampTest, AtTheLastStepItIsDoneAndBetweenStepsItTakesTheOneAbove) {
  take({{"coverage", "1"}});
  EXPECT_EQ(state(), "done");
  EXPECT_FALSE(view().next.has_value());
  take({{"coverage", "0.3"}});
  EXPECT_EQ(view().next, 0.5);
}

TEST_F(RampTest, ADefinitionIsTheSameUntilMoreThanCoverageAndHoldChange) {
  const auto definition = [this](std::map<std::string, std::string> keys) {
    take(std::move(keys));
    return set_->experiments()[0].ramp->definition;
  };
  const std::string ramp = "{steps: [0.1, 1]";
  const std::string first = definition({{"ramp", ramp + "}"}});
  EXPECT_EQ(definition({{"ramp", ramp + ", held: true}"}, {"coverage", "0.5"}}), first);
  EXPECT_NE(definition({{"ramp", ramp + ", hold_h: 1}"}}), first);
  EXPECT_NE(definition({{"ramp", ramp + "}"}, {"enabled", "false"}}), first);
}

TEST_F(RampTest, TheBookRemembersOverRestartsAndRefusesWhatIsNone) {
  TempDir folder;
  const std::string path = folder / "ramps.json";
  {
    RampBook book = std::move(RampBook::open(path)).value();
    book.set("a", {"d", 0.25, Millis(7), "bob", "thin stale"});
    book.set("b", {"e", 0.5, Millis(8), "", ""});
    book.keep({"a"});
    ASSERT_TRUE(book.save().ok());
  }
  const RampBook book = std::move(RampBook::open(path)).value();
  ASSERT_NE(book.find("a"), nullptr);
  EXPECT_EQ(book.find("a")->coverage, 0.25);
  EXPECT_EQ(book.find("a")->since, Millis(7));
  EXPECT_EQ(book.find("a")->approved_by, "bob");
  EXPECT_EQ(book.find("a")->noted, "thin stale");
  EXPECT_EQ(book.find("b"), nullptr);
  std::ofstream(path) << "{\"a\":{}}";
  EXPECT_FALSE(RampBook::open(path).ok());
}

}  // namespace
}  // namespace shanhuo
