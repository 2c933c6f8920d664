#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "serving/conformance.h"
#include "tests/json_value.h"

namespace shanhuo {
namespace {

using testing::json;
using testing::json_file;

std::map<std::string, ConformanceSection> run(const Value& cases) {
  auto sections = run_conformance(cases);
  EXPECT_TRUE(sections.ok());
  std::map<std::string, ConformanceSection> by_name;
  for (ConformanceSection& section : sections.value()) {
    for (const ConformanceFailure& failure : section.failed) {
      ADD_FAILURE() << section.name << ": " << failure.name << "\n  expected " << failure.expected
                    << "\n  got      " << failure.got;
    }
    by_name[section.name] = std::move(section);
  }
  return by_name;
}

// tests/flag_oracle.mjs made them with GrowthBook's own SDK.
TEST(Conformance, EvaluatesRandomFlagsAndExperimentsAsTheReferenceDoes) {
  const auto sections = run(json_file("tests/data/flag_cases.json"));
  for (const char* name : {"feature", "run", "stickyBucket"}) {
    EXPECT_GE(sections.at(name).passed, 100U) << name;
  }
}

TEST(Conformance, PassesTheVisibleSectionsOfTheSpecification) {
  const char* folder = std::getenv("SHANHUO_CONFORMANCE");
  const std::filesystem::path file =
      std::filesystem::path(folder != nullptr ? folder : "../shared/conformance") / "growthbook" /
      "cases_visible.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no cases at " << file;
  const auto sections = run(json_file(file.string()));
  EXPECT_EQ(sections.size(), 5U);
  EXPECT_EQ(sections.at("hash").passed, 15U);
}

TEST(Conformance, AWrongVerdictIsAFailureThatShowsBothSides) {
  const auto sections = run_conformance(json(
      R"({"chooseVariation": [["odd", 0.2, [[0, 0.5], [0.5, 1]], 1],
                              ["even", 0.7, [[0, 0.5], [0.5, 1]], 1], 7],
          "feature": [["plain", {"features": {"f": {"defaultValue": {"a": [1]}}}}, "f",
                       {"value": {"a": [1]}, "on": true, "off": false, "source": "defaultValue"}],
                      ["other", {"features": {}}, "f", {"value": null}]]})"));
  ASSERT_TRUE(sections.ok());
  const ConformanceSection& choose = sections.value()[0];
  EXPECT_EQ(choose.passed, 1U);
  ASSERT_EQ(choose.failed.size(), 2U);
  EXPECT_EQ(choose.failed[0].name, "odd");
  EXPECT_EQ(choose.failed[0].expected, "1");
  EXPECT_EQ(choose.failed[0].got, "0");
  EXPECT_EQ(choose.failed[1].name, "case 2");
  const ConformanceSection& feature = sections.value()[1];
  EXPECT_EQ(feature.passed, 1U);
  ASSERT_EQ(feature.failed.size(), 1U);
  EXPECT_EQ(feature.failed[0].got,
            R"({"value":null,"on":false,"off":true,"source":"unknownFeature","ruleId":""})");
}

TEST(Conformance, WhatAServerDoesNotDoIsSkippedAndSaid) {
  const auto sections = run_conformance(
      json(R"({"specVersion": "0.8.0", "decrypt": [["a", "b", "c", "d"]], "urlRedirect": [[]]})"));
  ASSERT_TRUE(sections.ok());
  ASSERT_EQ(sections.value().size(), 2U);
  for (const ConformanceSection& section : sections.value()) {
    EXPECT_EQ(section.skipped, 1U);
    EXPECT_EQ(section.passed + section.failed.size(), 0U);
  }
  EXPECT_FALSE(run_conformance(json("[1]")).ok());
}

}  // namespace
}  // namespace shanhuo
