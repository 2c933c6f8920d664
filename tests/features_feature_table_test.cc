#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "features/feature_table.h"
#include "features/user_state.h"

namespace shanhuo {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(FeatureTable, NamesEachFeatureOnceAndWhereItIsDefined) {
  std::set<std::pair<std::string_view, FeatureScope>> seen;
  for (const Feature& feature : feature_table()) {
    EXPECT_TRUE(seen.emplace(feature.name, feature.scope).second) << feature.name;
    EXPECT_FALSE(text_of(std::string(feature.defined_in)).empty()) << feature.defined_in;
    for (const std::string_view text : {feature.window, feature.missing, feature.zh, feature.en}) {
      EXPECT_FALSE(text.empty()) << feature.name;
    }
  }
}

TEST(FeatureTable, AccountsForEachByteOfAProfile) {
  size_t bytes = 1;  // the version
  for (const Feature& feature : feature_table()) {
    if (feature.scope == FeatureScope::kViewer && !feature.engine_time) bytes += feature.bytes;
  }
  EXPECT_EQ(bytes, sizeof(PackedProfile));
}

TEST(FeatureTable, StandsInTheOperatorsPageRowByRow) {
  const std::string page = text_of("docs/operators.md");
  std::string rows;
  for (const Feature& feature : feature_table()) rows += feature_row(feature) + "\n";
  EXPECT_NE(page.find(rows), std::string::npos) << "docs/operators.md should have\n" << rows;
}

TEST(FeatureTable, OptionsThatItNamesAreInEngineYaml) {
  const std::string yaml = text_of("configs/engine.yaml");
  for (const Feature& feature : feature_table()) {
    if (!feature.window.starts_with("features.")) continue;
    const std::string key(feature.window.substr(9));
    EXPECT_NE(yaml.find("#   " + key + ": "), std::string::npos) << key;
  }
}

}  // namespace
}  // namespace shanhuo
