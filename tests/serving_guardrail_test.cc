#include <gtest/gtest.h>

#include "serving/guardrail.h"
#include "tests/experiment_files.h"

namespace shanhuo {
namespace {

// Of a rate of which more is good, 5 % less being allowed.
class GuardrailTest : public testing::Test {
 protected:
  GuardrailTest() {
    results_.present = true;
    results_.newest = Millis(1'000'000);
    results_.sample_ratio_p = 0.5;
    results_.variations = {{"control", 0.5, 200}, {"more", 0.5, 200}};
    MetricResult metric;
    metric.metric.id = "organic_ctr";
    metric.guardrail_limit = 0.05;
    metric.arms.resize(2);
    results_.metrics = {metric};
    judge(GuardrailVerdict::kKept, 0);
  }

  void judge(GuardrailVerdict verdict, double value) {
    MetricArm& arm = results_.metrics[0].arms[1];
    arm.guardrail = verdict;
    arm.judged = {true, value, value - 0.1, value + 0.1, 1};
  }
  void take(std::map<std::string, std::string> keys) {
    set_ = experiments_of({experiment_text("a", std::move(keys))});
  }
  const Experiment& experiment() const { return set_->experiments()[0]; }
  std::string hold() const {
    const ResultsHold hold = results_hold(experiment(), results_, terms_);
    return std::string(ramp_state_name(hold.state)) + (hold.why.empty() ? "" : ", " + hold.why);
  }
  bool breached() const { return guardrail_breach(experiment(), results_, terms_).has_value(); }

  const std::map<std::string, std::string> named_{
      {"guardrails", "[{metric: organic_ctr, max_drop: 0.05}]"}};
  std::shared_ptr<const ExperimentSet> set_ = experiments_of({experiment_text("a", named_)});
  ExperimentResults results_;
  GuardrailTerms terms_{100, Millis(1'000'000), Millis(600'000)};
};

TEST_F(GuardrailTest, WhatIsSurelyWorseActsAndHoldsARamp) {
  judge(GuardrailVerdict::kBreached, -0.3);
  EXPECT_TRUE(breached());
  EXPECT_EQ(hold(),
            "guardrail, surely worse: organic_ctr of more: -0.300 (-0.400 .. -0.200), allowed "
            "0.050 worse");
  take({});  // judged all the same, the metric being a guardrail of its own
  EXPECT_FALSE(breached());
  EXPECT_EQ(hold().substr(0, 23), "guardrail, surely worse");
}

TEST_F(GuardrailTest, WhatIsPossiblyWorseHoldsARampWhereTheBestEstimateIs) {
  judge(GuardrailVerdict::kOpen, -0.06);
  EXPECT_FALSE(breached());
  EXPECT_EQ(hold().substr(0, 25), "guardrail, possibly worse");
  judge(GuardrailVerdict::kOpen, -0.04);
  EXPECT_EQ(hold(), "ready");
  judge(GuardrailVerdict::kOpen, 0.06);  // better
  EXPECT_EQ(hold(), "ready");
  results_.metrics[0].metric.up_is_good = false;
  EXPECT_EQ(hold().substr(0, 25), "guardrail, possibly worse");
  take({});  // not named: nothing is sure
  EXPECT_EQ(hold(), "ready");
}

TEST_F(GuardrailTest, OnThinOrStaleResultsNothingActsAndARampHolds) {
  judge(GuardrailVerdict::kBreached, -0.3);
  results_.variations[1].viewers = 99;
  EXPECT_FALSE(breached());
  EXPECT_EQ(hold(), "thin, more has 99 of 100 viewers in this phase");
  results_.variations[1].weight = 0;
  EXPECT_EQ(hold().substr(0, 9), "guardrail");
  results_.variations[1] = {"more", 0.5, 200};
  terms_.now = results_.newest + terms_.stale + Millis(1);
  EXPECT_FALSE(breached());
  EXPECT_EQ(hold().substr(0, 35), "stale, nothing of its viewers since");
  results_.newest = Millis(0);
  EXPECT_EQ(hold(), "stale, none of its viewers yet");
  judge(GuardrailVerdict::kNoData, 0);
  terms_.now = Millis(0);
  EXPECT_EQ(hold(), "thin, organic_ctr of more says nothing yet in this phase");
  take({});
  results_.variations[1].viewers = 0;
  EXPECT_EQ(hold(), "ready");  // it names none
}

TEST_F(GuardrailTest, AnAlarmOfTheSampleRatioHoldsARampWhateverElse) {
  judge(GuardrailVerdict::kBreached, -0.3);
  results_.sample_ratio_p = 0.00002;
  results_.sample_ratio_alarm = true;
  EXPECT_EQ(hold(), "sample_ratio, viewers are not spread as the weights say (p = 2e-05)");
  take({});
  EXPECT_EQ(hold().substr(0, 12), "sample_ratio");
  take({{"hash", "{attribute: city}"}});  // viewers of a city are in one variation
  judge(GuardrailVerdict::kKept, 0);
  EXPECT_EQ(hold(), "ready");
}

}  // namespace
}  // namespace shanhuo
