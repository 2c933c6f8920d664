// Features of another system (payload.json): what they set, and that nothing of them can break what
// is live.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/durable_file.h"
#include "configs/imported_flags.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Value tree(const std::string& text) {
  json::Document document;
  return json::to_value(document.parse(text).value()).value();
}

class ImportedFlagsTest : public ::testing::Test {
 protected:
  std::shared_ptr<const ImportedFlags> compile(const std::string& features) {
    errors_.clear();
    return ImportedFlags::compile(tree("{\"features\":{" + features + "}}"), "payload.json", base_,
                                  errors_);
  }
  static RankingOptions of(const ImportedFlags& flags, const Value& viewer,
                           RankingOptions options = {}) {
    flags.apply(ObjectSource(viewer), options);
    return options;
  }
  static Value viewer(const std::string& id) { return Value::Object{{"id", id}}; }

  const RankingOptions base_;
  ConfigErrors errors_;
};

TEST_F(ImportedFlagsTest, AFeatureThatIsAParameterSetsItForItsViewers) {
  const auto flags =
      compile(R"("ranking.insertions_max":{"defaultValue":2,"rules":[)"
              R"({"condition":{"id":"anna"},"force":0}]},"theme":{"defaultValue":"dark"})");
  EXPECT_TRUE(errors_.empty()) << joined(errors_);
  EXPECT_THAT(flags->parameters(), ElementsAre("ranking.insertions_max"));
  EXPECT_EQ(of(*flags, viewer("anna")).insertions_max, 0);
  EXPECT_EQ(of(*flags, viewer("bob")).insertions_max, 2);
}

TEST_F(ImportedFlagsTest, AnExperimentSetsWhatEachOfItsVariationsSays) {
  const auto flags = compile(R"("ranking.insertions_max":{"defaultValue":null,"rules":[)"
                             R"({"key":"more","coverage":1,"hashVersion":1,"variations":[1,2]}]})");
  EXPECT_TRUE(errors_.empty()) << joined(errors_);
  int with_one = 0;
  for (int i = 0; i < 1'000; ++i) {
    const int most = of(*flags, viewer("viewer-" + std::to_string(i))).insertions_max;
    EXPECT_TRUE(most == 1 || most == 2);
    with_one += most == 1;
  }
  EXPECT_NEAR(with_one, 500, 80);
  RankingOptions before;
  before.insertions_max = 3;  // who has no id is in no experiment, and null sets nothing
  EXPECT_EQ(of(*flags, Value::Object{}, before).insertions_max, 3);
}

TEST_F(ImportedFlagsTest, WhatIsWrongIsNamedAndDisturbsNothingElse) {
  const auto flags = compile(
      R"("ranking.insertions_max":{"defaultValue":1000000,"rules":[)"
      R"({"condition":{"id":"anna"},"force":1}]},)"
      R"("ranking.retrieve_k":{"defaultValue":5},)"
      R"("ranking.user_loss_budget":{"defaultValue":"much"},)"
      R"("broken":{"defaultValue":1,"rules":[{"condition":{"id":{"$regex":"("}},"force":2}]})");
  EXPECT_THAT(joined(errors_), HasSubstr("/features/ranking.insertions_max: "));
  EXPECT_THAT(joined(errors_), HasSubstr("/features/ranking.retrieve_k: its bounds hang on"));
  EXPECT_THAT(joined(errors_), HasSubstr("/features/ranking.user_loss_budget: "));
  RankingOptions before;
  before.insertions_max = 3;
  EXPECT_EQ(of(*flags, viewer("bob"), before).insertions_max, 3);
  EXPECT_EQ(of(*flags, viewer("anna"), before).insertions_max, 1);
  EXPECT_THAT(flags->parameters(), ElementsAre("ranking.insertions_max"));
}

TEST(ImportedFlagFile, ABrokenFileLeavesTheLastGoodOneAndNoFileIsNone) {
  const std::string path =
      ::testing::TempDir() + "shanhuo_payload_" + std::to_string(::getpid()) + ".json";
  const auto write = [&](const std::string& text) { ASSERT_TRUE(replace_file(path, text).ok()); };
  ImportedFlagFile file(path, [] { return RankingOptions(); });
  const auto count = [&] { return file.published().get()->payload().flags().size(); };
  EXPECT_FALSE(file.reload());
  EXPECT_EQ(count(), 0u);
  write(R"({"features":{"a":{"defaultValue":1},"b":{"defaultValue":2}}})");
  EXPECT_FALSE(file.reload());  // without errors, as before
  EXPECT_EQ(count(), 2u);
  write(R"({"features":)");
  EXPECT_TRUE(file.reload());
  EXPECT_EQ(count(), 2u);
  EXPECT_THAT(joined(file.errors()), HasSubstr(path));
  write(R"({"features":{"a":{"defaultValue":1}}})");
  EXPECT_TRUE(file.reload());
  EXPECT_EQ(count(), 1u);
  EXPECT_TRUE(file.errors().empty());
  std::filesystem::remove(path);
  file.reload();
  EXPECT_EQ(count(), 0u);
}

}  // namespace
}  // namespace shanhuo
