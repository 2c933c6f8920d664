#include <gtest/gtest.h>

#include "configs/giving_reader.h"

namespace shanhuo {
namespace {

std::string errors_of(std::string_view text) {
  ConfigErrors errors;
  read_giving_rule(text, "g.yaml", errors);
  return joined(errors);
}

constexpr std::string_view kWhole = R"(id: forest
name: {zh-CN: 小绿花, en: Green}
enabled: false
items: {category: fruit}
donation: {permille_max: 300}
points:
  expire_after_days: 30
  earn:
    - {event: order, unit: fen, points: 5, per: 100, daily_max: 50}
    - {event: deed, deed: walk, points: 1, per: 100, daily_max: 180}
causes:
  - {cause: tree, threshold: 1000, per: viewer}
  - {cause: panel, threshold: 5, repeats: true}
)";

TEST(GivingReaderTest, ReadsEveryKey) {
  ConfigErrors errors;
  const auto rule = read_giving_rule(kWhole, "g.yaml", errors);
  ASSERT_TRUE(rule.has_value()) << joined(errors);
  EXPECT_EQ(rule->id, "forest");
  EXPECT_EQ(rule->name_zh, "小绿花");
  EXPECT_FALSE(rule->enabled);
  EXPECT_TRUE(rule->donates);
  EXPECT_EQ(rule->permille_max, 300);
  EXPECT_EQ(rule->expire_days, 30);
  ASSERT_EQ(rule->earn.size(), 2U);
  EXPECT_TRUE(rule->earn[0].order && rule->earn[0].by_amount);
  EXPECT_EQ(rule->earn[1].deed, "walk");
  EXPECT_EQ(rule->earn[1].per, 100);
  ASSERT_EQ(rule->causes.size(), 2U);
  EXPECT_TRUE(rule->causes[0].each);
  EXPECT_TRUE(rule->causes[1].repeats);
  CatalogueItem fruit, tea;
  fruit.item.category = "fruit";
  EXPECT_TRUE(rule->items(fruit));
  EXPECT_FALSE(rule->items(tea));
}

TEST(GivingReaderTest, SaysWhatIsWrongAndWhere) {
  EXPECT_NE(errors_of("id: a\n").find("neither donation nor points"), std::string::npos);
  EXPECT_NE(errors_of("id: a\ndonation: {permille_max: 1001}\n").find("g.yaml:2:26:"),
            std::string::npos);
  EXPECT_NE(errors_of("id: a\ndonation: {permille_max: 5}\ncolour: red\n").find("g.yaml:3:1:"),
            std::string::npos);
  EXPECT_NE(errors_of("id: a\npoints: {expire_after_days: 1, earn: [{event: deed, points: 1, "
                      "daily_max: 1}]}\n")
                .find("which deed earns"),
            std::string::npos);
  EXPECT_NE(errors_of("id: a\ndonation: {permille_max: 5}\ncauses: [{cause: c, threshold: 1}]\n")
                .find("none are earned"),
            std::string::npos);
}

TEST(GivingReaderTest, ASetGoesThroughTheLogAndComesBackTheSame) {
  std::vector<ConfigFile> files = {
      {"x/forest.yaml", std::string(kWhole), {}},
      {"x/goods.yaml", "id: goods\ndonation: {permille_max: 9}\n", {}}};
  ConfigErrors errors;
  const auto rules = read_giving_files(files, errors);
  ASSERT_TRUE(errors.empty()) << joined(errors);
  const auto back = read_giving_text(rules->text);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back.value()->version, rules->version);
  EXPECT_EQ(back.value()->rules.size(), 2U);
  EXPECT_FALSE(read_giving_text("nonsense").ok());
  files.push_back({"x/again.yaml", std::string(kWhole), {}});
  read_giving_files(files, errors);
  EXPECT_NE(joined(errors).find("forest is in x/forest.yaml too"), std::string::npos);
  EXPECT_NE(joined(errors).find("tree is in x/forest.yaml too"), std::string::npos);
}

}  // namespace
}  // namespace shanhuo
