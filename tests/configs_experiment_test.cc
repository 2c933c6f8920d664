#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/durable_file.h"
#include "configs/experiment.h"
#include "configs/experiment_payload.h"
#include "configs/flag_evaluator.h"
#include "configs/yaml_edit.h"
#include "tests/counted_new.h"
#include "tests/experiment_files.h"
#include "tests/json_value.h"

namespace shanhuo {
namespace {

constexpr Millis kNow{1'790'000'000'000};

Value viewer(int i) {
  return Value::Object{{"user_id", "viewer-" + std::to_string(i)},
                       {"city", i % 3 == 0 ? "北京" : "上海"},
                       {"device", i % 5 == 0 ? Value() : Value(i / 2)},
                       {"tier", i % 2 == 0 ? "light" : "heavy"}};
}

struct Assigned {
  explicit Assigned(const ExperimentSet& set, const Value& who, Millis now = kNow) {
    set.assign(ObjectSource(who), now, all);
  }
  std::vector<Assignment> all;
};

// A set with everything that there is: layers of several experiments, two hash attributes,
// conditions, coverages, schedules, prerequisites over two steps, a holdout.
std::vector<std::string> wild_files(std::mt19937& random) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto one_of = [&](const std::vector<std::string>& all) {
    return all[static_cast<size_t>(below(static_cast<int>(all.size())))];
  };
  std::vector<std::string> files;
  std::vector<std::string> earlier;
  for (int layer = 0; layer < 5; ++layer) {
    const std::string attribute = layer == 3 ? "device" : "user_id";
    for (int place = 0; place < 1 + below(4); ++place) {
      const std::string id = "e" + std::to_string(below(10)) + "-" + std::to_string(layer) + "-" +
                             std::to_string(place);
      std::map<std::string, std::string> keys = {
          {"layer", "layer-" + std::to_string(layer)},
          {"range", "[" + std::to_string(place * 0.25) + ", " +
                        std::to_string(place * 0.25 + one_of({"x", "y"}).size() * 0.2) + "]"},
          {"hash", "{attribute: " + attribute + "}"},
          {"coverage", one_of({"1", "0.5", "0.1", "0", "0.99"})},
          {"enabled", one_of({"true", "true", "true", "false"})},
          {"condition", one_of({"{}", "{tier: light}", "{city: {$ne: 北京}}", "{age: {$gt: 3}}"})},
          {"variations", one_of({"[{key: a, weight: 0.5}, {key: b, weight: 0.5}]",
                                 "[{key: a, weight: 0.2}, {key: b, weight: 0.3}, {key: c, weight: "
                                 "0.5}]",
                                 "[{key: a, weight: 1}, {key: b, weight: 0}]"})}};
      if (below(4) == 0) {
        keys["schedule"] = one_of({"{start: 2020-01-01T00:00:00Z}", "{end: 2020-01-01T00:00:00Z}",
                                   "{start: 2040-01-01T00:00:00Z}"});
      }
      if (layer == 0 && place == 0) {
        keys["holdout"] = "true";
        keys["range"] = "[0, 0.2]";
      } else if (layer > 1 && !earlier.empty() && below(2) == 0) {
        keys["prerequisites"] = "[{experiment: " + one_of(earlier) + ", variation: " +
                                one_of({"a", "{$ne: a}", "{$in: [a, b]}", "null"}) + "}]";
      }
      if (layer < 3) earlier.push_back(id);
      if (layer == 2 && !earlier.empty()) earlier.pop_back();
      files.push_back(experiment_text(id, keys));
    }
  }
  return files;
}

// The slow twin: every experiment by itself, from the words of experiment.h.
int slow_variation(const ExperimentSet& set, const Experiment& experiment, const Value& who);

bool slow_held_out(const ExperimentSet& set, const Value& who) {
  for (const Experiment& each : set.experiments()) {
    if (each.holdout && slow_variation(set, each, who) == 0) return true;
  }
  return false;
}

int slow_variation(const ExperimentSet& set, const Experiment& experiment, const Value& who) {
  const ObjectSource source(who);
  const Value* unit = who.find(experiment.attribute);
  if (!experiment.runs_at(kNow) || unit->is_null()) return -1;
  const std::string text =
      unit->is_text() ? unit->as_text() : std::to_string(static_cast<int>(unit->as_number()));
  if (text == "0") return -1;
  if (!experiment.range.contains(*BucketHash("layer:" + experiment.layer, 2).bucket(text))) {
    return -1;
  }
  if (!experiment.holdout && slow_held_out(set, who)) return -1;
  if (!experiment.condition.matches(source)) return -1;
  for (const ExperimentPrerequisite& needed : experiment.prerequisites) {
    const auto parent = static_cast<size_t>(set.find(needed.experiment));
    const int variation = slow_variation(set, set.experiments()[parent], who);
    const Value key =
        variation < 0
            ? Value()
            : Value(set.experiments()[parent].variations[static_cast<size_t>(variation)].key);
    const Value object = Value::Object{{"variation", key}};
    if (!needed.condition.matches(ObjectSource(object))) return -1;
  }
  double low = 0;
  const double bucket = *BucketHash(experiment.seed, 2).bucket(text);
  for (size_t v = 0; v < experiment.variations.size(); ++v) {
    const double weight = experiment.variations[v].weight;
    if (bucket >= low && bucket < low + experiment.coverage * weight) return static_cast<int>(v);
    low += weight;
  }
  return -1;
}

TEST(Experiments, AreAssignedAsTheSlowTwinDoesAndAsTheSdkDoesFromThePayload) {
  std::mt19937 random(20260921);
  int in = 0, compared = 0;
  for (int round = 0; round < 60; ++round) {
    ConfigErrors errors;
    const auto set = experiments_of(wild_files(random), &errors);
    ASSERT_NE(set, nullptr) << errors.front().to_string();
    std::vector<PayloadError> broken;
    const auto payload = FlagPayload::compile(payload_of(*set, kNow), &broken);
    EXPECT_TRUE(broken.empty());
    for (int i = 0; i < 100; ++i) {
      const Value who = viewer(round * 100 + i);
      const Assigned assigned(*set, who);
      const ObjectSource source(who);
      const FlagRequest request{.attributes = source};
      for (size_t e = 0; e < set->experiments().size(); ++e) {
        const Experiment& experiment = set->experiments()[e];
        const int variation = assigned.all[e].variation;
        ASSERT_EQ(variation, slow_variation(*set, experiment, who)) << experiment.id;
        ASSERT_EQ(variation >= 0, assigned.all[e].outcome == Outcome::kAssigned);
        const FlagResult flag = FlagEvaluator(*payload, request).evaluate(experiment.id);
        const Value key = variation < 0
                              ? Value()
                              : Value(experiment.variations[static_cast<size_t>(variation)].key);
        ASSERT_EQ(*flag.value, key) << experiment.id;
        in += variation >= 0 ? 1 : 0;
        ++compared;
      }
    }
  }
  EXPECT_GT(in, compared / 40);
}

TEST(Experiments, NobodyIsInTwoOfALayerAndMoreCoverageMovesNobody) {
  std::vector<std::vector<int>> before;
  for (const char* coverage : {"0.05", "0.1", "0.5", "1"}) {
    std::vector<std::string> files;
    for (int i = 0; i < 4; ++i) {
      files.push_back(experiment_text(
          "e" + std::to_string(i),
          {{"range", "[" + std::to_string(i * 0.25) + ", " + std::to_string(i * 0.25 + 0.25) + "]"},
           {"coverage", coverage}}));
    }
    const auto set = experiments_of(files);
    std::vector<std::vector<int>> now;
    for (int i = 0; i < 4'000; ++i) {
      now.emplace_back();
      int in = 0;
      for (const Assignment& each : Assigned(*set, viewer(i)).all) {
        now.back().push_back(each.variation);
        in += each.in() ? 1 : 0;
      }
      ASSERT_LE(in, 1);
      if (std::string(coverage) == "1") {
        ASSERT_EQ(in, 1);
      }
    }
    for (size_t i = 0; i < before.size(); ++i) {
      for (size_t e = 0; e < 4; ++e) {
        if (before[i][e] >= 0) {
          ASSERT_EQ(before[i][e], now[i][e]);
        }
      }
    }
    before = now;
  }
}

Outcome outcome_of(const std::vector<std::string>& files, const Value& who, size_t index = 0) {
  const auto set = experiments_of(files);
  return Assigned(*set, who).all[index].outcome;
}

TEST(Experiments, SayWhySomebodyIsInNone) {
  const Value who = viewer(7);
  const auto is = [&](std::map<std::string, std::string> keys) {
    return outcome_name(outcome_of({experiment_text("a", std::move(keys))}, who));
  };
  EXPECT_EQ(is({}), "assigned");
  EXPECT_EQ(is({{"enabled", "false"}}), "disabled");
  EXPECT_EQ(is({{"schedule", "{start: 2040-01-01T00:00:00Z}"}}), "not_started");
  EXPECT_EQ(is({{"schedule", "{end: 2020-01-01T00:00:00Z}"}}), "ended");
  EXPECT_EQ(is({{"hash", "{attribute: household}"}}), "no_unit");
  EXPECT_EQ(is({{"condition", "{tier: light}"}}), "condition");
  EXPECT_EQ(is({{"coverage", "0"}}), "not_covered");
  const double bucket = *BucketHash("layer:ranking", 2).bucket("viewer-7");
  EXPECT_EQ(is({{"range", bucket < 0.5 ? "[0.5, 1]" : "[0, 0.5]"}}), "out_of_range");
  const std::string all = "[{key: x, weight: 1}, {key: y, weight: 0}]";
  const std::string other = experiment_text("b", {{"layer", "l"}, {"variations", all}});
  const auto with = [&](const std::string& test) {
    return outcome_name(outcome_of(
        {experiment_text("a", {{"prerequisites", "[{experiment: b, variation: " + test + "}]"}}),
         other},
        who));
  };
  EXPECT_EQ(with("y"), "prerequisite");
  EXPECT_EQ(with("x"), "assigned");
  const std::string holdout =
      experiment_text("h", {{"layer", "l"}, {"variations", all}, {"holdout", "true"}});
  EXPECT_EQ(outcome_name(outcome_of({experiment_text("a"), holdout}, who)), "held_out");
  EXPECT_EQ(outcome_name(outcome_of({experiment_text("a"), holdout}, who, 1)), "assigned");
}

TEST(Experiments, ReasonsAreThoseOfOpenFeature) {
  const auto reason = [](std::map<std::string, std::string> keys) {
    const auto set = experiments_of({experiment_text("a", std::move(keys))});
    return reason_of(set->experiments()[0], Assigned(*set, viewer(7)).all[0]);
  };
  EXPECT_EQ(reason({}), "SPLIT");
  EXPECT_EQ(reason({{"enabled", "false"}}), "DISABLED");
  EXPECT_EQ(reason({{"coverage", "0"}}), "DEFAULT");
  EXPECT_EQ(reason({{"condition", "{tier: heavy}"},
                    {"variations", "[{key: x, weight: 1}, {key: y, weight: 0}]"}}),
            "TARGETING_MATCH");
}

TEST(Experiments, OfSeveralLayersLayTheirValuesOverEachOther) {
  const auto set =
      experiments_of({experiment_text("a", {{"variations",
                                             "[{key: x, weight: 1, set: {ranking.insertions_max: "
                                             "1}}, {key: y, weight: 0}]"}}),
                      experiment_text("b", {{"layer", "l"},
                                            {"variations",
                                             "[{key: x, weight: 1, set: {ranking.retrieve_k: "
                                             "150}}, {key: y, weight: 0}]"}})});
  ASSERT_NE(set, nullptr);
  RankingOptions options;
  set->apply(Assigned(*set, viewer(1)).all, options);
  EXPECT_EQ(options.insertions_max, 1);
  EXPECT_EQ(options.retrieve_k, 150);
}

TEST(Experiments, AnEvaluationAllocatesNothing) {
  std::mt19937 random(5);
  const auto set = experiments_of(wild_files(random));
  ASSERT_NE(set, nullptr);
  std::vector<Assignment> out;
  const Value who = viewer(12);
  const ObjectSource source(who);
  set->assign(source, kNow, out);
  const int64_t before = testing::allocations.load();
  RankingOptions options;
  for (int i = 0; i < 100; ++i) {
    set->assign(source, kNow, out);
    set->apply(out, options);
  }
  EXPECT_EQ(testing::allocations.load(), before);
}

// tests/experiment_oracle.mjs gave tests/data/experiments, as the engine publishes them, to
// GrowthBook's own SDK.
TEST(Experiments, TheSdkGivesTheVariationsThatTheEngineGives) {
  std::vector<std::string> texts;
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/experiments")) {
    texts.push_back(read_text_file(entry.path().string()).value());
  }
  ConfigErrors errors;
  const auto set = experiments_of(texts, &errors);
  ASSERT_NE(set, nullptr) << joined(errors);
  std::ifstream file("tests/data/experiment_payload_cases.ndjson");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const Value head = testing::json(line);
  EXPECT_TRUE(same_value(*head.find("features"), *payload_of(*set, kNow).find("features")));
  int compared = 0, in = 0;
  while (std::getline(file, line)) {
    const Value recorded = testing::json(line);
    const Assigned assigned(*set, *recorded.find("attributes"));
    for (const auto& [id, value] : recorded.find("values")->as_object()) {
      const auto index = static_cast<size_t>(set->find(id));
      const int variation = assigned.all[index].variation;
      const auto& variations = set->experiments()[index].variations;
      const Value mine =
          variation < 0 ? Value() : Value(variations[static_cast<size_t>(variation)].key);
      EXPECT_EQ(mine, value) << id << " " << line;
      ++compared;
      in += variation >= 0 ? 1 : 0;
    }
  }
  EXPECT_EQ(compared, 7 * 1'000);
  EXPECT_GT(in, 1'500);
}

// Chi-squared of counts that should be equal, in standard deviations of its distribution.
double deviation(const std::vector<int>& counts, double expected) {
  double sum = 0;
  for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
  const auto freedom = static_cast<double>(counts.size() - 1);
  return (sum - freedom) / std::sqrt(2 * freedom);
}

TEST(Experiments, AMillionSequentialIdsFillTenThousandBucketsEvenly) {
  const BucketHash hash("stronger-boost", 2);
  std::vector<int> counts(10'000);
  for (int i = 0; i < 1'000'000; ++i) {
    ++counts[static_cast<size_t>(std::lround(*hash.bucket(std::to_string(i)) * 10'000))];
  }
  EXPECT_LT(std::abs(deviation(counts, 100)), 4);
}

TEST(Experiments, TwoHundredAdjacentSeedsAreIndependent) {
  constexpr int kViewers = 5'000, kSide = 10;
  const auto buckets_of = [](int seed) {
    const BucketHash hash("experiment-" + std::to_string(seed), 2);
    std::vector<int> buckets;
    for (int i = 0; i < kViewers; ++i) {
      buckets.push_back(static_cast<int>(*hash.bucket("viewer-" + std::to_string(i)) * kSide));
    }
    return buckets;
  };
  std::vector<int> before = buckets_of(0);
  int dependent = 0;
  for (int seed = 1; seed <= 200; ++seed) {
    std::vector<int> now = buckets_of(seed), cells(kSide * kSide);
    for (size_t i = 0; i < now.size(); ++i)
      ++cells[static_cast<size_t>(before[i] * kSide + now[i])];
    // p < 0.001 with 99 degrees of freedom lies some 3.5 deviations out; one in a thousand may.
    dependent += deviation(cells, kViewers / double{kSide * kSide}) > 3.5 ? 1 : 0;
    before = std::move(now);
  }
  EXPECT_LE(dependent, 3);
}

}  // namespace
}  // namespace shanhuo
