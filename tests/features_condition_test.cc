#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "features/condition.h"
#include "tests/json_value.h"

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

// Counted, so that a test can say that an evaluation made none.
[[gnu::noinline]] void* operator new(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* place = std::malloc(bytes == 0 ? 1 : bytes);
  if (place == nullptr) std::abort();
  return place;
}
[[gnu::noinline]] void operator delete(void* place) noexcept { std::free(place); }
[[gnu::noinline]] void operator delete(void* place, size_t) noexcept { std::free(place); }

namespace shanhuo {
namespace {

using testing::json;
using testing::json_file;

ConditionOptions as_the_reference() {
  ConditionOptions options;
  options.strict = false;
  return options;
}

Condition compiled(std::string_view source, const ConditionOptions& options = {}) {
  Result<Condition> condition = Condition::compile(json(source), options);
  if (!condition.ok()) ADD_FAILURE() << source << ": " << condition.error().message;
  return condition.ok() ? std::move(condition).value() : Condition();
}

bool matches(std::string_view source, std::string_view attributes,
             const ConditionOptions& options = {}) {
  const Value object = json(attributes);
  return compiled(source, options).matches(ObjectSource(object));
}

std::vector<std::string> errors_of(std::string_view source, const ConditionOptions& options = {}) {
  std::vector<ConditionError> errors;
  EXPECT_FALSE(Condition::compile(json(source), options, &errors).ok()) << source;
  std::vector<std::string> lines;
  for (const ConditionError& error : errors) lines.push_back(error.pointer + ": " + error.detail);
  return lines;
}

SavedGroups groups_of(const Value& groups) {
  SavedGroups sets;
  for (const auto& [name, members] : groups.as_object()) {
    sets[name] = std::make_shared<const ScalarSet>(members.as_array());
  }
  return sets;
}

// An item as programs see one: fields, no tree.
struct FieldSource final : AttributeSource {
  std::string kind = "farm_good";
  std::string county = "431226";
  std::vector<std::string> tags = {"fruit", "Organic"};
  double price_fen = 4'990;

  AttributeView find(std::string_view path) const override {
    if (path == "kind") return AttributeView::text(kind);
    if (path == "county") return AttributeView::text(county);
    if (path == "tags") return AttributeView::texts(tags);
    if (path == "price_fen") return AttributeView::number(price_fen);
    return {};
  }
};

// ---- against the reference

void replay(const Value& cases, const SavedGroups* groups) {
  ConditionOptions options = as_the_reference();
  options.groups = groups;
  size_t run = 0;
  for (const Value& each : cases.as_array()) {
    const Value::Array& parts = each.as_array();
    const auto condition = Condition::compile(parts[0], options);
    ASSERT_TRUE(condition.ok()) << "case " << run << ": " << condition.error().message;
    EXPECT_EQ(condition.value().matches(ObjectSource(parts[1])), parts[2].as_bool())
        << "case " << run;
    ++run;
  }
}

TEST(Condition, AgreesWithAJavaScriptEngineOnRandomCases) {
  const Value file = json_file("tests/data/condition_cases.json");
  ASSERT_TRUE(file.is_object());
  const SavedGroups groups = groups_of(*file.find("groups"));
  ASSERT_GE(file.find("cases")->as_array().size(), 2000u);
  replay(*file.find("cases"), &groups);
}

TEST(Condition, AgreesWithThePublicCases) {
  const char* folder = std::getenv("SHANHUO_SHARED");
  const std::string shared = folder == nullptr ? "../shared" : folder;
  const Value file = json_file(shared + "/conformance/growthbook/cases_visible.json");
  if (file.is_null()) GTEST_SKIP() << "no GrowthBook cases in " << shared;
  const Value* cases = file.find("evalCondition");
  if (cases == nullptr) GTEST_SKIP() << "these cases have no evalCondition section";
  for (const Value& each : cases->as_array()) {  // [name, condition, attributes, expected, groups?]
    const Value::Array& parts = each.as_array();
    const SavedGroups groups = parts.size() > 4 ? groups_of(parts[4]) : SavedGroups();
    SCOPED_TRACE(parts[0].as_text());
    replay(Value::Array{Value::Array{parts[1], parts[2], parts[3]}}, &groups);
  }
}

// ---- the language, rule by rule

TEST(Condition, WithoutTestsMatchesEverything) {
  EXPECT_TRUE(Condition().matches(ObjectSource(Value())));
  EXPECT_TRUE(matches("{}", "{}"));
  EXPECT_TRUE(matches(R"({"$and": []})", "{}"));
  EXPECT_TRUE(matches(R"({"$or": []})", "{}"));
  EXPECT_FALSE(matches(R"({"$nor": []})", "{}"));
}

TEST(Condition, CombinesWithAndOrNorNot) {
  const char* either = R"({"$or": [{"kind": "article"}, {"price": {"$lt": 10}}]})";
  EXPECT_TRUE(matches(either, R"({"kind": "article", "price": 90})"));
  EXPECT_TRUE(matches(either, R"({"kind": "video", "price": 9})"));
  EXPECT_FALSE(matches(either, R"({"kind": "video", "price": 10})"));
  EXPECT_TRUE(matches(R"({"$nor": [{"a": 1}, {"b": 1}]})", R"({"a": 2})"));
  EXPECT_FALSE(matches(R"({"$nor": [{"a": 1}, {"b": 1}]})", R"({"b": 1})"));
  EXPECT_FALSE(matches(R"({"$and": [{"a": 1}, {"b": 1}]})", R"({"a": 1})"));
  EXPECT_TRUE(matches(R"({"$not": {"a": 1, "b": 1}})", R"({"a": 1})"));
  EXPECT_FALSE(matches(R"({"a": 1, "$not": {"b": 1}})", R"({"a": 1, "b": 1})"));
}

TEST(Condition, WalksDottedPathsThroughObjectsAndArrays) {
  const char* attributes = R"({"place": {"lat": 28.5}, "tags": [{"id": "a"}, {"id": "b"}]})";
  EXPECT_TRUE(matches(R"({"place.lat": {"$gt": 28}})", attributes));
  EXPECT_TRUE(matches(R"({"tags.1.id": "b"})", attributes));
  EXPECT_TRUE(
      matches(R"({"tags.2.id": null, "tags.01.id": null, "place.lat.x": null})", attributes));
}

TEST(Condition, TakesMissingForNullAndCoercesPlainValues) {
  EXPECT_TRUE(matches(R"({"a": null})", "{}"));
  EXPECT_TRUE(matches(R"({"a": "null"})", "{}"));
  EXPECT_TRUE(matches(R"({"a": 0})", R"({"a": ""})"));
  EXPECT_TRUE(matches(R"({"a": "10"})", R"({"a": 10})"));
  EXPECT_TRUE(matches(R"({"a": 10})", R"({"a": " 10 "})"));
  EXPECT_FALSE(matches(R"({"a": false})", "{}"));
  EXPECT_TRUE(matches(R"({"a": true})", R"({"a": []})"));
  EXPECT_FALSE(matches(R"({"a": {"$eq": "10"}})", R"({"a": 10})"));
}

TEST(Condition, ComparesArraysAndObjectsInOrder) {
  EXPECT_TRUE(matches(R"({"a": [1, "x"]})", R"({"a": [1, "x"]})"));
  EXPECT_FALSE(matches(R"({"a": [1, 2]})", R"({"a": [2, 1]})"));
  EXPECT_TRUE(matches(R"({"a": {"x": 1, "y": 2}})", R"({"a": {"x": 1, "y": 2}})"));
  EXPECT_FALSE(matches(R"({"a": {"x": 1, "y": 2}})", R"({"a": {"y": 2, "x": 1}})"));
}

TEST(Condition, OrdersTextsAsTextsAndTheRestAsNumbers) {
  EXPECT_TRUE(matches(R"({"a": {"$gt": "10"}})", R"({"a": "9"})"));
  EXPECT_FALSE(matches(R"({"a": {"$gt": 10}})", R"({"a": "9"})"));
  EXPECT_TRUE(matches(R"({"a": {"$lt": 1}})", "{}"));
  EXPECT_FALSE(matches(R"({"a": {"$lt": 1}})", R"({"a": "cheap"})"));
  EXPECT_FALSE(matches(R"({"a": {"$gte": 1}})", R"({"a": "cheap"})"));
}

TEST(Condition, OrdersReleasesAboveTheirPreReleases) {
  EXPECT_TRUE(matches(R"({"v": {"$vgt": "1.9.0"}})", R"({"v": "1.10.0"})"));
  EXPECT_TRUE(matches(R"({"v": {"$vlt": "1.0.0"}})", R"({"v": "v1.0.0-rc.1"})"));
  EXPECT_TRUE(matches(R"({"v": {"$veq": "1.0.0"}})", R"({"v": "1.0.0+build.5"})"));
  EXPECT_TRUE(matches(R"({"v": {"$vlt": "1.0.0-10"}})", R"({"v": "1.0.0-9"})"));
}

TEST(Condition, FindsAScalarOrOneOfAnArrayInAList) {
  EXPECT_TRUE(matches(R"({"a": {"$in": ["x", 3]}})", R"({"a": 3})"));
  EXPECT_FALSE(matches(R"({"a": {"$in": ["x", 3]}})", R"({"a": "3"})"));
  EXPECT_TRUE(matches(R"({"a": {"$in": ["x", 3]}})", R"({"a": ["y", "x"]})"));
  EXPECT_TRUE(matches(R"({"a": {"$nin": ["x"]}})", "{}"));
  EXPECT_TRUE(matches(R"({"a": {"$ini": ["ÄRGER"]}})", R"({"a": "Ärger"})"));
  EXPECT_FALSE(matches(R"({"a": {"$nini": ["TEA"]}})", R"({"a": ["tea"]})"));
}

TEST(Condition, LooksGroupsUpAndSharesThem) {
  const SavedGroups groups = groups_of(json(R"({"staff": ["u1", "u2"]})"));
  ConditionOptions options;
  options.groups = &groups;
  EXPECT_TRUE(matches(R"({"id": {"$inGroup": "staff"}})", R"({"id": "u2"})", options));
  EXPECT_TRUE(matches(R"({"id": {"$notInGroup": "staff"}})", R"({"id": "u3"})", options));
  EXPECT_EQ(groups.at("staff").use_count(), 1);
  const Condition kept = compiled(R"({"id": {"$inGroup": "staff"}})", options);
  EXPECT_EQ(groups.at("staff").use_count(), 2);
  options = as_the_reference();
  EXPECT_FALSE(matches(R"({"id": {"$inGroup": "staff"}})", R"({"id": "u2"})", options));
  EXPECT_TRUE(matches(R"({"id": {"$notInGroup": "staff"}})", R"({"id": "u2"})", options));
}

TEST(Condition, LooksIntoArrays) {
  EXPECT_TRUE(matches(R"({"a": {"$all": ["x", {"$gt": 3}]}})", R"({"a": ["x", 4]})"));
  EXPECT_FALSE(matches(R"({"a": {"$all": ["x", "y"]}})", R"({"a": ["x"]})"));
  EXPECT_TRUE(matches(R"({"a": {"$alli": ["TEA"]}})", R"({"a": ["tea"]})"));
  EXPECT_TRUE(matches(R"({"a": {"$size": {"$gt": 1}}})", R"({"a": [1, 2]})"));
  EXPECT_FALSE(matches(R"({"a": {"$size": 0}})", "{}"));
  EXPECT_TRUE(matches(R"({"a": {"$elemMatch": {"$gt": 3}}})", R"({"a": [1, 4]})"));
  EXPECT_TRUE(matches(R"({"a": {"$elemMatch": {"id": "b", "n": {"$gte": 2}}}})",
                      R"({"a": [{"id": "a", "n": 5}, {"id": "b", "n": 2}]})"));
  EXPECT_FALSE(matches(R"({"a": {"$elemMatch": {"$lt": 3}}})", R"({"a": [0, null, ""]})"));
}

TEST(Condition, ComparesTextsLongerThanItsBuffer) {
  const std::string small(2'000, 'a'), capital(2'000, 'A');
  EXPECT_TRUE(
      matches(R"({"a": {"$ini": [")" + small + R"("]}})", R"({"a": ")" + capital + R"("})"));
}

TEST(Condition, AsksForPresenceAndKind) {
  EXPECT_TRUE(matches(R"({"a": {"$exists": true}})", R"({"a": 0})"));
  EXPECT_TRUE(matches(R"({"a": {"$exists": false}})", R"({"a": null})"));
  EXPECT_TRUE(matches(R"({"a": {"$type": "null"}})", "{}"));
  EXPECT_TRUE(matches(R"({"a": {"$type": "array"}})", R"({"a": []})"));
  EXPECT_FALSE(matches(R"({"a": {"$type": "object"}})", R"({"a": []})"));
}

TEST(Condition, SpeaksTheRegularExpressionsOfTheReference) {
  EXPECT_TRUE(matches(R"({"a": {"$regex": "^\\d+$"}})", R"({"a": 10})"));
  EXPECT_FALSE(matches(R"({"a": {"$regex": "TEA"}})", R"({"a": "tea"})"));
  EXPECT_TRUE(matches(R"({"a": {"$regexi": "TEA"}})", R"({"a": "tea"})"));
  EXPECT_TRUE(matches(R"({"a": {"$regex": "\\u5341八洞[\\s]"}})", "{\"a\": \"十八洞\u3000\"}"));
  EXPECT_TRUE(matches(R"({"a": {"$not": {"$regex": "^a.b$"}}})", R"({"a": "a\rb"})"));
}

TEST(Condition, TakesWhatCannotWorkForFalseAsTheReferenceDoes) {
  const ConditionOptions options = as_the_reference();
  EXPECT_FALSE(matches(R"({"a": {"$regex": "(?=x)x"}})", R"({"a": "x"})", options));
  EXPECT_TRUE(matches(R"({"a": {"$not": {"$regex": "("}}})", R"({"a": "x"})", options));
  EXPECT_FALSE(matches(R"({"a": {"$or": [1]}})", R"({"a": 1})", options));
  EXPECT_FALSE(matches(R"({"a": {"$nin": "x"}})", R"({"a": "y"})", options));
  EXPECT_FALSE(
      matches(R"({"a": {"$elemMatch": {"$or": [{"$eq": 1}]}}})", R"({"a": [1]})", options));
}

// ---- what operators are told

TEST(Condition, NamesEveryMistakeByItsPointer) {
  const std::vector<std::string> errors = errors_of(R"({
    "a": {"$gte": 1, "$foo": 2}, "b/c~": {"$in": "x"}, "$or": {"a": 1},
    "d": {"$regex": "(?<=x)y"}, "e": {"$elemMatch": {"n": {"$type": "text"}}},
    "f": {"$inGroup": "nobody"}, "$and": [{"g": {"$lt": 1, "x": 2}}, 7], "$xor": []})");
  ASSERT_EQ(errors.size(), 9u);
  EXPECT_TRUE(errors[0].starts_with("/a/$foo: unknown operator; allowed are $eq $ne"));
  EXPECT_EQ(errors[1], "/b~1c~0/$in: must be an array");
  EXPECT_EQ(errors[2], "/$or: must be an array of conditions");
  EXPECT_EQ(errors[3], "/d/$regex: no usable pattern: look-behind (?<= (?<! is not supported");
  EXPECT_EQ(errors[4],
            "/e/$elemMatch/n/$type: must be one of string, number, boolean, array, object, null");
  EXPECT_EQ(errors[5], "/f/$inGroup: unknown saved group");
  EXPECT_EQ(errors[6], "/$and/0/g: mixes operators and plain keys; take one or the other");
  EXPECT_TRUE(errors[7].starts_with("/$and/1: must be an object"));
  EXPECT_EQ(errors[8], "/$xor: unknown here; allowed are $and $or $nor $not and attribute paths");
}

TEST(Condition, SaysAllErrorsInOneMessageAndCountsTheRest) {
  ConditionOptions options;
  options.errors_max = 2;
  const Value source = json(R"({"a": {"$in": 1}, "b": {"$in": 1}, "c": {"$in": 1}})");
  const auto result = Condition::compile(source, options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message,
            "/a/$in: must be an array; /b/$in: must be an array; and 1 more");
}

TEST(Condition, RefusesAttributesNobodyHas) {
  ConditionOptions options;
  options.attribute_known = [](std::string_view path) { return path == "kind"; };
  options.attributes_allowed = "kind";
  EXPECT_TRUE(Condition::compile(json(R"({"kind": {"$elemMatch": {"x": 1}}})"), options).ok());
  EXPECT_EQ(errors_of(R"({"$not": {"knd": 1}})", options),
            std::vector<std::string>{"/$not/knd: unknown attribute; allowed are kind"});
}

TEST(Condition, ListsTheAttributesItReads) {
  const Condition condition = compiled(
      R"({"b": 1, "a": 2,
          "$or": [{"place.lat": {"$gt": 1}}, {"b": {"$elemMatch": {"inner": 1}}}]})");
  EXPECT_EQ(condition.attribute_names(), (std::vector<std::string>{"a", "b", "place.lat"}));
}

TEST(Condition, RefusesDeepNestingAndTooManyTests) {
  std::string nested = R"({"a": 1})";
  for (int i = 0; i < 40; ++i) nested = R"({"$not": )" + nested + "}";
  const auto deep = Condition::compile(json(nested), {});
  ASSERT_FALSE(deep.ok());
  EXPECT_EQ(deep.error().code, ErrorCode::kTooLarge);
  EXPECT_NE(deep.error().message.find("nested too deep, at most 32"), std::string::npos);
  ConditionOptions options;
  options.depth_max = 41;
  EXPECT_TRUE(Condition::compile(json(nested), options).ok());
  options.tests_max = 40;
  const auto many = Condition::compile(json(nested), options);
  ASSERT_FALSE(many.ok());
  EXPECT_EQ(many.error().code, ErrorCode::kTooLarge);
}

TEST(Condition, RefusesPatternsThatNeedTooMuchMemory) {
  ConditionOptions options;
  options.regex_memory_bytes = 10'000;
  EXPECT_EQ(errors_of(R"({"a": {"$regex": "(x{30}){30}"}})", options).size(), 1u);
}

// ---- how it is used

TEST(Condition, ReadsAStructWithoutATree) {
  const FieldSource item;
  EXPECT_TRUE(compiled(R"({"kind": "farm_good", "price_fen": {"$lte": 5000}})").matches(item));
  // A struct answers only the paths it knows.
  EXPECT_FALSE(compiled(R"({"tags.0": "fruit"})").matches(item));
  EXPECT_TRUE(compiled(R"({"tags": {"$alli": ["ORGANIC"]}})").matches(item));
  EXPECT_TRUE(compiled(R"({"tags": {"$elemMatch": {"$regex": "^fru"}}})").matches(item));
}

TEST(Condition, AllocatesNothingWhileMatching) {
  const SavedGroups groups = groups_of(json(R"({"staff": ["u1", "u2"]})"));
  ConditionOptions options;
  options.groups = &groups;
  const Condition condition = compiled(R"({
      "kind": {"$in": ["farm_good", "scenic_video"]}, "price_fen": {"$gt": "100", "$lte": 5000},
      "tags": {"$all": ["fruit"], "$alli": ["organic"], "$size": {"$gt": 1},
               "$elemMatch": {"$regex": "fr.it"}},
      "county": {"$notInGroup": "staff", "$regexi": "^43", "$ini": ["431226"], "$vgt": "1.2.3"},
      "$or": [{"tags": "fruit,Organic"}, {"absent": {"$ne": null}}],
      "$nor": [{"price_fen": "4991"}]})",
                                       options);
  const FieldSource item;
  ASSERT_TRUE(condition.matches(item));  // RE2 builds its states
  const int64_t before = allocations.load();
  bool all = true;
  for (int i = 0; i < 100; ++i) all = condition.matches(item) && all;
  EXPECT_EQ(allocations.load() - before, 0);
  EXPECT_TRUE(all);
}

TEST(Condition, IsReadByManyThreadsAtOnce) {
  const Condition condition =
      compiled(R"({"county": {"$regex": "^4[0-9]+6$"}, "tags": {"$size": 2}})");
  std::atomic<int> matched{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([copy = condition, &matched] {
      const FieldSource item;
      for (int i = 0; i < 500; ++i) matched += copy.matches(item) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(matched.load(), 2'000);
}

}  // namespace
}  // namespace shanhuo
