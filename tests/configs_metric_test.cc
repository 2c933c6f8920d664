#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "configs/metric.h"
#include "tests/experiment_files.h"

namespace shanhuo {
namespace {

constexpr const char* kGood = "id: m\nnumerator: clicks\n";

std::string error_of(const std::string& text) {
  ConfigErrors errors;
  EXPECT_FALSE(read_metric(text, "m.yaml", errors)) << text;
  EXPECT_EQ(errors.size(), 1U) << joined(errors);
  return errors.empty() ? "" : errors[0].to_string();
}

TEST(Metric, ReadsEveryKey) {
  ConfigErrors errors;
  const auto metric = read_metric(
      "id: watch\nname: {zh-CN: 时长, en: Watch}\nkind: mean\nnumerator: watch_ms\n"
      "window_days: 7\ncap: 5000\nbetter: down\nguardrail: true\n",
      "m.yaml", errors);
  ASSERT_TRUE(metric.has_value()) << joined(errors);
  EXPECT_EQ(metric->name_zh, "时长");
  EXPECT_EQ(metric->numerator, TrialCount::kWatchMs);
  EXPECT_EQ(metric->window_days, 7);
  EXPECT_EQ(metric->cap, 5'000);
  EXPECT_FALSE(metric->up_is_good);
  EXPECT_TRUE(metric->guardrail);
  const auto ratio = read_metric(
      "id: r\nkind: ratio\nnumerator: clicks\ndenominator: impressions\n", "m.yaml", errors);
  ASSERT_TRUE(ratio.has_value());
  EXPECT_EQ(ratio->denominator, TrialCount::kImpressions);
}

TEST(Metric, EveryMistakeHasItsPlace) {
  const std::string good = kGood;
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"id: m\n", "m.yaml:1:1: numerator: is missing"},
      {"id: latency\nnumerator: clicks\n", "m.yaml:1:5: id: latency is the engine's own"},
      {"id: m\nnumerator: clics\n", "m.yaml:2:12: numerator: clics is not allowed"},
      {good + "color: red\n", "m.yaml:3:1: color: unknown key"},
      {good + "kind: ratio\n", "m.yaml:1:1: denominator: is missing"},
      {good + "denominator: plays\n", "m.yaml:3:14: denominator: is for kind: ratio alone"},
      {good + "window_days: 5\n", "m.yaml:3:14: window_days: 5 is not allowed, one of 1, 3, 7"},
      {good + "cap: 0\n", "m.yaml:3:6: cap: 0 is too small"},
      {good + "kind: proportion\ncap: 3\n", "m.yaml:4:6: cap: is for kind: mean alone"},
      {good + "cap: 3\ncap_percentile: 0.9\n", "m.yaml:4:17: cap_percentile: does not go with cap"},
      {good + "better: sideways\n", "m.yaml:3:9: better: sideways is not allowed"},
      {good + "guardrail: maybe\n", "m.yaml:3:12: guardrail: "},
      {"[1]\n", "m.yaml:1:1: "},
  };
  for (const auto& [text, said] : wrong) {
    EXPECT_EQ(error_of(text).substr(0, said.size()), said) << text;
  }
}

TEST(Metric, TwoFilesOfOneIdAreAnError) {
  std::vector<ConfigFile> files = {{"a.yaml", kGood, ""}, {"b.yaml", kGood, ""}};
  ConfigErrors errors;
  EXPECT_EQ(read_metrics(files, errors), nullptr);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].file, "b.yaml");
}

TEST(Metric, TheShippedOnesAreAllThere) {
  MetricStore store("configs/metrics");
  store.reload();
  ASSERT_TRUE(store.errors().empty()) << joined(store.errors());
  for (const char* id : {"organic_ctr", "ctr", "watch_time", "orders", "amount", "buyers",
                         "dislike_rate", "boosted_viewable"}) {
    const Metric* metric = store.current()->find(id);
    ASSERT_NE(metric, nullptr) << id;
    EXPECT_FALSE(metric->name_zh.empty() || metric->name_en.empty()) << id;
  }
  EXPECT_FALSE(store.current()->find("dislike_rate")->up_is_good);
}

TEST(Metric, GuardrailsNameDeclaredMetricsInTheirDirection) {
  MetricSet metrics;
  metrics.metrics.resize(2);
  metrics.metrics[0].id = "likes";
  metrics.metrics[1].id = "waits";
  metrics.metrics[1].up_is_good = false;
  const auto said = [&](const std::string& guardrails) {
    ConfigErrors errors;
    read_experiment(experiment_text("a", {{"guardrails", guardrails}}), "e.yaml", RankingOptions(),
                    errors, &metrics);
    return errors.empty() ? "" : errors[0].to_string();
  };
  EXPECT_EQ(said("[{metric: likes, max_drop: 0.1}, {metric: waits, max_rise: 0.1}]"), "");
  EXPECT_EQ(said("[{metric: latency, max_rise: 0.1}]"), "");
  EXPECT_EQ(said("[{metric: organic_ctr, max_drop: 0.1}]").substr(0, 59),
            "e.yaml:2:23: guardrails[0].metric: organic_ctr is not allow");
  EXPECT_NE(said("[{metric: waits, max_drop: 0.1}]"), "");
}

TEST(Metric, APhaseIsAnotherOneWhenWhoGetsWhatChangesAndOnlyThen) {
  const auto phase = [](std::map<std::string, std::string> keys) {
    return experiments_of({experiment_text("a", std::move(keys))})->experiments()[0].phase;
  };
  const uint32_t base = phase({});
  EXPECT_EQ(phase({{"enabled", "false"}}), base);
  EXPECT_EQ(phase({{"name", "{en: x}"}}), base);
  EXPECT_EQ(phase({{"guardrails", "[{metric: organic_ctr, max_drop: 0.1}]"}}), base);
  for (const auto& [key, value] : std::map<std::string, std::string>{
           {"coverage", "0.5"},
           {"range", "[0, 0.5]"},
           {"layer", "other"},
           {"hash", "{seed: s}"},
           {"condition", "{city: x}"},
           {"variations", "[{key: control, weight: 0.4}, {key: more, weight: 0.6}]"}}) {
    EXPECT_NE(phase({{key, value}}), base) << key;
  }
}

}  // namespace
}  // namespace shanhuo
