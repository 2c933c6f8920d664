#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/durable_file.h"
#include "configs/experiment_store.h"
#include "tests/experiment_files.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

using testing::HasSubstr;

std::string said(const ConfigErrors& errors) {
  std::string out;
  for (const ConfigError& error : errors) out += error.to_string() + "\n";
  return out;
}

struct Broken {
  std::vector<std::string> files;
  std::string error;  // a part of the one that there is
};

std::string with(const std::string& key, const std::string& value) {
  return experiment_text("a", {{key, value}});
}

std::string setting(const std::string& values) {
  return with("variations",
              "[{key: x, weight: 0.5}, {key: y, weight: 0.5, set: {" + values + "}}]");
}

// A file each.
std::vector<Broken> broken_heads() {
  return {
      {{"id: a\nid: b\n"}, "e0.yaml:2:1: the key id stands here twice"},
      {{"id: &here a\n"}, "e0.yaml:1:5: anchors"},
      {{"id: !!str a\n"}, "e0.yaml:1:5: the tag tag:yaml.org,2002:str is not"},
      {{"id: a\nlayer: [\n"}, "e0.yaml:3:1: "},
      {{"- a\n"}, "e0.yaml:1:1: must be a map of keys"},
      {{with("pace", "1")}, "e0.yaml:3:1: pace: unknown key; allowed here: id, name, layer"},
      {{"layer: x\nvariations: [{key: a, weight: 0.5}, {key: b, weight: 0.5}]\n"},
       "e0.yaml:1:1: id: is missing"},
      {{with("layer", "")}, "e0.yaml:1:1: layer: is missing"},
      {{with("variations", "")}, "e0.yaml:1:1: variations: is missing"},
      {{experiment_text("\"\"")}, "e0.yaml:1:5: id: must be 1..128 bytes"},
      {{with("layer", "\"a\\x01\"")}, "e0.yaml:2:8: layer: must be 1..128 bytes"},
      {{with("name", "{de: Kiwi}")}, "e0.yaml:3:8: name.de: unknown key"},
      {{with("range", "[0.2]")}, "e0.yaml:3:8: range: must be [low, high]"},
      {{with("range", "[0.5, 0.5]")}, "e0.yaml:3:8: range: [0.5, 0.5] holds nobody"},
      {{with("hash", "{attribute: interests.tea}")}, "e0.yaml:2:19: hash.attribute: interests.tea"},
      {{with("hash", "{version: 1}")}, "e0.yaml:2:17: hash.version: 1 is for payloads of others"},
      {{with("hash", "{version: 3}")}, "e0.yaml:2:17: hash.version: 3 is too large, at most 2"},
      {{with("hash", "{seed: \"layer:x\"}")}, "e0.yaml:2:14: hash.seed: layer:x is a layer's"},
      {{with("coverage", "1.5")}, "e0.yaml:2:11: coverage: 1.5 is too large, at most 1"},
      {{with("coverage", ".nan")}, "e0.yaml:2:11: coverage: .nan must be a finite number"},
      {{with("condition", "{tier: {$regex: \"(?=x)\"}}")}, "e0.yaml:2:12: condition: /tier/$regex"},
      {{with("condition", "{tier: {$is: x}}")}, "e0.yaml:2:12: condition: /tier/$is"},
      {{with("enabled", "yes")}, "e0.yaml:2:10: enabled: yes must be true or false"},
  };
}

std::string ramp(const std::string& value) {
  return experiment_text("a", {{"coverage", "0.01"}, {"ramp", value}});
}

std::vector<Broken> broken_ramps() {
  return {
      {{ramp("{hold_h: 1}")}, "ramp.steps: is missing"},
      {{ramp("{steps: []}")}, "ramp.steps: are 0, 1 to 20 are allowed"},
      {{ramp("{steps: [0.1, much]}")}, "ramp.steps: must be numbers above 0, at most 1"},
      {{ramp("{steps: [0.1, 0.1]}")}, "ramp.steps: 0.1 must be above the step before it"},
      {{ramp("{steps: [1], hold_h: -1}")}, "ramp.hold_h: -1 is too small"},
      {{ramp("{steps: [1], viewers_min: 0}")}, "ramp.viewers_min: 0 is too small"},
      {{ramp("{steps: [1], approve_at: 2}")}, "ramp.approve_at: 2 is too large"},
      {{ramp("{steps: [1], approve: 0.5}")}, "ramp.approve: unknown key"},
      {{with("ramp", "{steps: [0.1, 1]}")}, "ramp: needs coverage"},
      {{experiment_text("a", {{"coverage", "0.1"}, {"holdout", "true"}, {"ramp", "{steps: [1]}"}})},
       "ramp: is not for a holdout"},
  };
}

std::vector<Broken> broken_variations() {
  return {
      {{with("schedule", "{start: 2026-13-01T00:00:00Z}")},
       "e0.yaml:3:19: schedule.start: 2026-13-01T00:00:00Z must be a time"},
      {{with("schedule", "{start: 2026-02-01T00:00:00Z, end: 2026-01-01T00:00:00Z}")},
       "e0.yaml:3:46: schedule.end: must come after start"},
      {{with("schedule", "{}")}, "e0.yaml:3:11: schedule: needs start, end or both"},
      {{with("variations", "[{key: x, weight: 1}]")}, "variations: are 1, 2 to 20 are allowed"},
      {{with("variations", "[{weight: 0.5}, {key: y, weight: 0.5}]")},
       "e0.yaml:3:14: variations[0].key: is missing"},
      {{with("variations", "[{key: x, weight: 0.5}, {key: x, weight: 0.5}]")},
       "e0.yaml:3:43: variations[1].key: x is the key of a variation before it"},
      {{with("variations", "[{key: x, weight: 0.5}, {key: y, weight: 0.4}]")},
       "e0.yaml:3:13: variations: have weights that add up to 0.9, must be 1"},
      {{with("variations", "[{key: x, weight: -0.5}, {key: y, weight: 0.5}]")},
       "e0.yaml:3:31: variations[0].weight: -0.5 is too small, at least 0"},
      {{setting("ranking.user_loss: 1")}, "variations[1].set.ranking.user_loss: unknown key"},
      {{setting("http.threads: 4")}, "variations[1].set.http.threads: is no parameter"},
      {{setting("ranking.insertions_max: 4")}, "insertions_max: 4 is too large, at most 3"},
      {{setting("ranking.insertions_max: 1.5")}, "insertions_max: 1.5 must be an integer"},
      {{setting("ranking.discount: linear")}, "ranking.discount: linear is not allowed, one of"},
      {{setting("ranking.retrieve_k: 10")}, "retrieve_k must be at least fresh_k + popular_k"},
      {{with("guardrails", "[{metric: revenue, max_drop: 0.1}]")},
       "e0.yaml:2:23: guardrails[0].metric: revenue is not allowed"},
      {{with("guardrails", "[{metric: latency, max_drop: 0.1, max_rise: 0.1}]")},
       "e0.yaml:2:42: guardrails[0].max_drop: is not for latency, use max_rise"},
  };
}

std::vector<Broken> broken_prerequisites_and_sets() {
  return {
      {{with("prerequisites", "[{experiment: a2}]")},
       "e0.yaml:3:17: prerequisites[0].variation: is missing"},
      {{with("prerequisites", "[{experiment: b, variation: {$of: x}}]")},
       "e0.yaml:3:44: prerequisites[0].variation: "},
      {{with("prerequisites", "[{experiment: b, variation: x}]")},
       "e0.yaml:3:30: prerequisites[0].experiment: b is no experiment"},
      {{with("prerequisites", "[{experiment: a, variation: more}]")},
       "e0.yaml:3:17: prerequisites[0]: is a circle: a -> a"},
      {{experiment_text("a"),
        experiment_text("b",
                        {{"layer", "l"}, {"prerequisites", "[{experiment: a, variation: most}]"}})},
       "e1.yaml:3:44: prerequisites[0].variation: most is no variation of a, one of control, more"},
      {{experiment_text("a",
                        {{"layer", "k"}, {"prerequisites", "[{experiment: b, variation: more}]"}}),
        experiment_text("b",
                        {{"layer", "l"}, {"prerequisites", "[{experiment: a, variation: more}]"}})},
       "e1.yaml:3:17: prerequisites[0]: is a circle: b -> a -> b"},
      {{experiment_text("h", {{"holdout", "true"},
                              {"layer", "k"},
                              {"prerequisites", "[{experiment: b, variation: more}]"}}),
        experiment_text("b")},
       "e0.yaml:4:16: prerequisites: are not for a holdout"},
      {{experiment_text("a"), experiment_text("a", {{"layer", "l"}})},
       "e1.yaml:1:5: id: a is the id of e0.yaml already"},
      {{experiment_text("a", {{"range", "[0, 0.5]"}, {"enabled", "false"}}),
        experiment_text("b", {{"range", "[0.4999, 1]"}})},
       "e1.yaml:3:8: range: overlaps with the range of a in layer ranking"},
      {{experiment_text("a", {{"range", "[0, 0.5]"}}),
        experiment_text("b", {{"range", "[0.5, 1]"}, {"hash", "{attribute: city}"}})},
       "e1.yaml:2:19: hash.attribute: city is not user_id as in a"},
      {{experiment_text("a"), experiment_text("b", {{"layer", "l"}, {"hash", "{seed: a}"}})},
       "e1.yaml:2:14: hash.seed: a is the seed of a in another layer"},
      {{setting("ranking.explore_best: 3"),
        experiment_text("b", {{"layer", "l"},
                              {"variations",
                               "[{key: x, weight: 1, set: {ranking.explore_best: 2}},"
                               " {key: y, weight: 0}]"}})},
       "e1.yaml:3:62: variations[0].set.ranking.explore_best: is set by a in layer ranking"},
  };
}

// Every rule once.
std::vector<Broken> broken_files() {
  std::vector<Broken> all = broken_heads();
  for (const auto& more : {broken_ramps(), broken_variations(), broken_prerequisites_and_sets()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

TEST(ExperimentReader, BrokenFilesOneForEachRuleGiveErrorsOfTheirOwnWithTheirPlace) {
  std::set<std::string> different;
  for (const Broken& broken : broken_files()) {
    ConfigErrors errors;
    EXPECT_EQ(experiments_of(broken.files, &errors), nullptr) << broken.error;
    EXPECT_EQ(errors.size(), 1U) << broken.error << "\n" << said(errors);
    if (errors.empty()) continue;
    EXPECT_THAT(errors[0].to_string(), HasSubstr(broken.error));
    EXPECT_GT(errors[0].line, 0) << said(errors);
    EXPECT_GT(errors[0].column, 0) << said(errors);
    different.insert(errors[0].key + errors[0].message);
  }
  EXPECT_GE(broken_files().size(), 40U);
  EXPECT_EQ(different.size(), broken_files().size());
}

TEST(ExperimentReader, SaysAllThatIsWrongAtOnce) {
  ConfigErrors errors;
  EXPECT_EQ(
      experiments_of(
          {experiment_text(
               "a", {{"coverage", "2"}, {"enabled", "1"}, {"range", "[1, 0]"}, {"pace", "1"}}),
           "id: [\n", experiment_text("c", {{"coverage", "2"}})},
          &errors),
      nullptr);
  EXPECT_EQ(errors.size(), 6U) << said(errors);
}

TEST(ExperimentReader, ReadsWhatTheContractShows) {
  const auto set = experiments_of({R"(
id: stronger-boost
layer: ranking
range: [0.0, 0.5]
hash: {attribute: user_id, version: 2, seed: stronger-boost}
coverage: 1.0
condition: {}
enabled: true
variations:
  - {key: control, weight: 0.5}
  - {key: stronger, weight: 0.5, set: {ranking.user_loss_budget: 0.03}}
guardrails: [{metric: organic_ctr, max_drop: 0.02}]
)"});
  ASSERT_NE(set, nullptr);
  const Experiment& experiment = set->experiments()[0];
  EXPECT_EQ(experiment.range, (BucketRange{0, 0.5}));
  EXPECT_EQ(experiment.variations[1].set.names(),
            std::vector<std::string>{"ranking.user_loss_budget"});
  RankingOptions options;
  options.insertions_max = 1;
  experiment.variations[1].set.apply(options);
  EXPECT_EQ(options.user_loss_budget, 0.03);
  EXPECT_EQ(options.insertions_max, 1);
  EXPECT_EQ(experiment.guardrails[0].max_drop, 0.02);
}

TEST(ExperimentReader, AVariationMaySetEveryParameterOfRankingAndNoOtherOption) {
  EngineOptions engine;
  for (const Option& option : option_table(engine)) {
    ConfigErrors errors;
    const std::string value = option.value();
    const auto set = experiments_of({setting(option.name() + ": " + value)}, &errors);
    EXPECT_EQ(set != nullptr, is_parameter(option)) << option.name() << said(errors);
    EXPECT_EQ(is_parameter(option), option.section == "ranking");
  }
}

TEST(ExperimentReader, ValuesOfEveryTypeGetWhereTheyBelong) {
  const auto set = experiments_of({setting(
      "ranking.prior_click: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], ranking.discount: dcg, "
      "ranking.learned_values: false, ranking.insertions_max: 2, ranking.explore_z: 3.5")});
  ASSERT_NE(set, nullptr);
  RankingOptions options, before;
  set->experiments()[0].variations[1].set.apply(options);
  EXPECT_EQ(options.prior_click, (std::array<double, kItemKinds>{.1, .2, .3, .4, .5, .6, .7}));
  EXPECT_EQ(options.discount, DiscountKind::kDcg);
  EXPECT_FALSE(options.learned_values);
  EXPECT_EQ(options.insertions_max, 2);
  EXPECT_EQ(options.explore_z, 3.5);
  EXPECT_EQ(options.retrieve_k, before.retrieve_k);
  EXPECT_EQ(options.user_loss_budget, before.user_loss_budget);
}

TEST(ExperimentReader, WhatBelongsTogetherIsMeasuredOnTheOptionsOfTheEngine) {
  RankingOptions base;
  base.retrieve_k = 500;
  base.fresh_k = 400;
  ConfigErrors errors;
  EXPECT_TRUE(read_experiment(setting("ranking.popular_k: 50"), "e", base, errors)) << said(errors);
  EXPECT_FALSE(read_experiment(setting("ranking.popular_k: 70"), "e", base, errors));
}

TEST(ExperimentReader, ParametersWhoseBoundsDependOnEachOtherShareALayer) {
  const auto other = [](const std::string& layer, const std::string& range) {
    return experiment_text("b", {{"layer", layer},
                                 {"range", range},
                                 {"variations",
                                  "[{key: x, weight: 1}, {key: y, weight: 0, "
                                  "set: {ranking.popular_k: 30}}]"}});
  };
  const std::string mine = experiment_text(
      "a",
      {{"range", "[0, 0.5]"},
       {"variations", "[{key: x, weight: 1}, {key: y, weight: 0, set: {ranking.fresh_k: 30}}]"}});
  EXPECT_EQ(experiments_of({mine, other("l", "[0, 1]")}), nullptr);
  EXPECT_NE(experiments_of({mine, other("ranking", "[0.5, 1]")}), nullptr);
}

class ExperimentStoreTest : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) {
    ASSERT_TRUE(replace_file(folder_ / name, text).ok());
  }
  std::string live() const {
    std::string out;
    for (const Experiment& each : store_.current()->experiments()) out += each.id + " ";
    return out;
  }
  Status write(const std::string& id, const ConfigEdit& edit) {
    wrong_.clear();
    const auto change = store_.write(id, edit, std::nullopt, journal(), wrong_);
    return change.ok() ? Status() : Status(change.error());
  }
  static ConfigJournal journal() {
    return [](const ConfigChange&) { return Status(); };
  }

  TempDir folder_;
  ExperimentStore store_{folder_ / "", [] { return RankingOptions(); }};
  ConfigErrors wrong_;
};

TEST_F(ExperimentStoreTest, ABrokenFileIsRefusedWithTheWholeFolderAndTheLastGoodSetStays) {
  put("a.yaml", experiment_text("a", {{"range", "[0, 0.5]"}}));
  EXPECT_TRUE(store_.reload());
  put("b.yaml", experiment_text("b", {{"range", "[0.4, 1]"}}));
  put("c.yaml", experiment_text("c", {{"layer", "l"}}));
  EXPECT_FALSE(store_.reload());
  EXPECT_EQ(live(), "a ");
  EXPECT_EQ(store_.errors().size(), 1U) << said(store_.errors());
  put("b.yaml", experiment_text("b", {{"range", "[0.5, 1]"}}));
  EXPECT_TRUE(store_.reload());
  EXPECT_EQ(live(), "a b c ");
}

TEST_F(ExperimentStoreTest, AChangeThatDoesNotFitTheOthersIsRefusedAndNotSaved) {
  ASSERT_TRUE(write("b", whole_file(experiment_text("b", {{"range", "[0.5, 1]"}}))).ok());
  const std::string wide = experiment_text("a");
  EXPECT_EQ(write("a", whole_file(wide)).error().code, ErrorCode::kInvalid);
  ASSERT_EQ(wrong_.size(), 1U) << said(wrong_);
  EXPECT_EQ(wrong_[0].key, "range");
  EXPECT_EQ(live(), "b ");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.yaml"));
  ASSERT_TRUE(write("a", whole_file(experiment_text("a", {{"range", "[0, 0.5]"}}))).ok());
  EXPECT_EQ(live(), "a b ");
}

TEST_F(ExperimentStoreTest, AnExperimentThatAnotherNeedsCannotBeDeleted) {
  ASSERT_TRUE(write("a", whole_file(experiment_text("a"))).ok());
  ASSERT_TRUE(write("b", whole_file(experiment_text(
                             "b", {{"layer", "l"},
                                   {"prerequisites", "[{experiment: a, variation: more}]"}})))
                  .ok());
  const auto removed = store_.remove("a", std::nullopt, journal());
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error().code, ErrorCode::kConflict);
  EXPECT_THAT(removed.error().message, HasSubstr("a is no experiment"));
  EXPECT_EQ(live(), "a b ");
  ASSERT_TRUE(store_.remove("b", std::nullopt, journal()).ok());
  ASSERT_TRUE(store_.remove("a", std::nullopt, journal()).ok());
  EXPECT_EQ(live(), "");
}

TEST_F(ExperimentStoreTest, EnablingChangesTheBytesOfThatValueAlone) {
  const std::string text = "# why\n" + experiment_text("a", {{"enabled", "true   # by hand"}});
  ASSERT_TRUE(write("a", whole_file(text)).ok());
  ASSERT_TRUE(write("a", store_.patch(Value::Object{{"enabled", false}})).ok());
  EXPECT_FALSE(store_.current()->experiments()[0].enabled);
  EXPECT_THAT(store_.text("a").value(), HasSubstr("enabled: false   # by hand"));
  ASSERT_TRUE(write("a", store_.patch(Value::Object{{"enabled", true}})).ok());
  EXPECT_EQ(store_.text("a").value(), text);
}

TEST_F(ExperimentStoreTest, OptionsThatMoveAreMeasuredAgain) {
  RankingOptions base;
  ExperimentStore store(folder_ / "", [&] { return base; });
  put("a.yaml", setting("ranking.fresh_k: 100"));
  EXPECT_TRUE(store.reload());
  base.retrieve_k = 100;
  EXPECT_FALSE(store.reload());
  EXPECT_TRUE(store.errors().empty());
  store.read_anew();
  EXPECT_FALSE(store.reload());
  EXPECT_EQ(store.errors().size(), 1U);
}

}  // namespace
}  // namespace shanhuo
