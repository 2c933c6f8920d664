#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "configs/flag_evaluator.h"
#include "configs/flag_report.h"
#include "tests/counted_new.h"
#include "tests/json_value.h"

namespace shanhuo {
namespace {

using testing::json;

struct Payload {
  explicit Payload(std::string_view features)
      : compiled(
            FlagPayload::compile(json("{\"features\":" + std::string(features) + "}"), &errors)) {}
  FlagResult evaluate(std::string_view flag, std::string_view attributes = R"({"id":"u1"})") {
    seen = json(attributes);
    const ObjectSource source(seen);
    const FlagRequest request{.attributes = source};
    return FlagEvaluator(*compiled, request).evaluate(flag);
  }
  std::vector<std::string> pointers() const {
    std::vector<std::string> all;
    for (const PayloadError& error : errors) all.push_back(error.pointer);
    return all;
  }

  std::vector<PayloadError> errors;
  std::shared_ptr<const FlagPayload> compiled;
  Value seen;
};

TEST(Flags, ABrokenRuleMatchesNobodyAndDisturbsNothingElse) {
  Payload payload(R"({
    "broken": {"defaultValue": 1, "rules": [
      {"force": 2, "condition": {"$or": 7}},
      {"force": 3, "coverage": "half"},
      {"variations": "none"},
      {"variations": [4, 5], "weights": ["x"]},
      "no rule",
      {"force": 6, "filters": [{"seed": "s", "ranges": [[0.5]]}]},
      {"force": 9, "condition": {"id": "u1"}}]},
    "whole": {"defaultValue": 1, "rules": [{"force": 2}]},
    "strange": {"defaultValue": 8, "rules": {}}})");
  EXPECT_EQ(payload.evaluate("broken").value->as_number(), 9);
  EXPECT_EQ(payload.evaluate("broken", R"({"id":"u2"})").value->as_number(), 1);
  EXPECT_EQ(payload.evaluate("whole").value->as_number(), 2);
  EXPECT_EQ(payload.evaluate("strange").value->as_number(), 8);
  EXPECT_EQ(payload.pointers(),
            (std::vector<std::string>{
                "/features/broken/rules/0/condition/$or", "/features/broken/rules/1/coverage",
                "/features/broken/rules/2/variations", "/features/broken/rules/3/weights",
                "/features/broken/rules/4", "/features/broken/rules/5/filters/0/ranges/0",
                "/features/strange/rules"}));
}

TEST(Flags, PrerequisitesInACircleEndAndSaySo) {
  Payload payload(R"({
    "a": {"defaultValue": 1, "rules": [{"parentConditions": [{"id": "b"}], "force": 2}]},
    "b": {"defaultValue": 1, "rules": [{"parentConditions": [{"id": "c"}], "force": 2}]},
    "c": {"defaultValue": 1, "rules": [{"parentConditions": [{"id": "a"}], "force": 2}]}})");
  const FlagResult result = payload.evaluate("a");
  EXPECT_EQ(result.source, FlagSource::kCyclicPrerequisite);
  EXPECT_TRUE(result.value->is_null());
}

// Each flag asks the next one twice: 2^60 evaluations, were they all made.
TEST(Flags, PrerequisitesThatMultiplyAreCutOff) {
  std::string features = "{";
  for (int i = 0; i < 60; ++i) {
    const std::string next = "{\"id\":\"f" + std::to_string(i + 1) + "\"}";
    features += (i == 0 ? "\"f" : ",\"f") + std::to_string(i) +
                "\":{\"rules\":[{\"parentConditions\":[" + next + "," + next + "],\"force\":1}]}";
  }
  Payload payload(features + ",\"f60\":{\"defaultValue\":1}}");
  EXPECT_EQ(payload.evaluate("f0").source, FlagSource::kCyclicPrerequisite);
  EXPECT_EQ(payload.evaluate("f55").source, FlagSource::kForce);
}

TEST(Flags, AnUnknownFlagIsNullAndSaysSo) {
  Payload payload("{}");
  const FlagResult result = payload.evaluate("nowhere");
  EXPECT_EQ(result.source, FlagSource::kUnknownFeature);
  EXPECT_TRUE(result.value->is_null());
}

TEST(Flags, WhoIsKeptInAVariationStaysWhenWeightsChange) {
  const auto evaluate = [](const std::string& weights, StickyMap& kept) {
    const auto payload = FlagPayload::compile(
        json(R"({"features":{"f":{"rules":[{"variations":["a","b"],"weights":)" + weights +
             R"(,"meta":[{"key":"a"},{"key":"b"}]}]}}})"));
    const Value viewer = json(R"({"id":"u1"})");
    const ObjectSource source(viewer);
    FlagRequest request{.attributes = source};
    request.sticky = &kept;
    const auto result = FlagEvaluator(*payload, request).evaluate("f").experiment.value();
    return std::pair(result.key(), result.sticky_used);
  };
  StickyMap kept;
  EXPECT_EQ(evaluate("[1,0]", kept), std::pair(std::string("a"), false));
  EXPECT_EQ(evaluate("[0,1]", kept), std::pair(std::string("a"), true));
  StickyMap nobody;
  EXPECT_EQ(evaluate("[0,1]", nobody), std::pair(std::string("b"), false));
}

TEST(Flags, FiftyExperimentsAreEvaluatedWithoutAllocation) {
  std::string features = "{";
  for (int i = 0; i < 50; ++i) {
    features += (i == 0 ? "\"f" : ",\"f") + std::to_string(i) +
                R"(":{"defaultValue":0,"rules":[{"variations":[1,2],"hashVersion":2,"seed":"s)" +
                std::to_string(i) +
                R"(","coverage":0.9,"condition":{"tier":{"$in":["light","medium"]}},)"
                R"("filters":[{"seed":"layer","ranges":[[0,0.8]]}]}]})";
  }
  Payload payload(features + "}");
  ASSERT_TRUE(payload.errors.empty());
  const Value viewer = json(R"({"id":"u-17","tier":"light"})");
  const ObjectSource source(viewer);
  const FlagRequest request{.attributes = source};
  std::vector<std::string> names;
  for (const auto& [name, flag] : payload.compiled->flags()) names.push_back(name);
  int in = 0;
  const int64_t before = testing::allocations.load();
  for (const std::string& name : names) {
    in += FlagEvaluator(*payload.compiled, request).evaluate(name).experiment.has_value();
  }
  EXPECT_EQ(testing::allocations.load() - before, 0);
  EXPECT_GT(in, 0);
}

}  // namespace
}  // namespace shanhuo
