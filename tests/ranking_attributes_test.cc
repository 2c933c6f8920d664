#include <gtest/gtest.h>

#include <utility>

#include "features/condition.h"
#include "ranking/attributes.h"
#include "tests/counted_new.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

Condition condition(const Value& source) {
  const Result<Condition> compiled = Condition::compile(source, {});
  EXPECT_TRUE(compiled.ok());
  return compiled.value();
}

class ViewerAttributesTest : public ::testing::Test {
 protected:
  ViewerAttributesTest() {
    request_ = request_of({"a"}, 10);
    request_.city = "北京";
    request_.place = Place{39.9, 116.4};
    request_.attributes = Value::Object{{"app", "9.1"}, {"tier", "mine"}};
    viewer_.events = 30;
    viewer_.categories[0] = {key_hash("scenic"), 3};
    viewer_.categories[1] = {key_hash("travel"), 1};
    viewer_.categories[2] = {key_hash("tea"), 4};
  }
  bool holds(const Value& source) const {
    return condition(source).matches(ViewerAttributes(request_, viewer_));
  }
  double number(std::string_view path) const {
    return ViewerAttributes(request_, viewer_).find(path).as_number();
  }
  std::string text(std::string_view path) const {
    return std::string(ViewerAttributes(request_, viewer_).find(path).as_text());
  }
  bool missing(std::string_view path) const {
    return ViewerAttributes(request_, viewer_).find(path).is_null();
  }

  RankRequest request_;
  ViewerState viewer_;
};

TEST_F(ViewerAttributesTest, TheTierIsTheEnginesWhateverTheRequestSays) {
  const std::pair<int, const char*> kTiers[] = {
      {0, "light"}, {19, "light"}, {20, "medium"}, {199, "medium"}, {200, "heavy"}};
  for (const auto& [events, tier] : kTiers) {
    viewer_.events = events;
    EXPECT_EQ(text("tier"), tier) << events;
  }
  EXPECT_TRUE(holds(Value::Object{{"app", "9.1"}}));
}

TEST_F(ViewerAttributesTest, InterestInTravelIsThatOfAllKindsOfPlaces) {
  EXPECT_DOUBLE_EQ(number("interests.scenic"), 3.0 / 8);
  EXPECT_DOUBLE_EQ(number("interests.travel"), 4.0 / 8);
  EXPECT_DOUBLE_EQ(number("interests.tea"), 4.0 / 8);
  EXPECT_TRUE(missing("interests.fruit"));
  request_.personalized = false;
  EXPECT_TRUE(missing("interests.travel"));
  EXPECT_TRUE(missing("tier"));
}

TEST_F(ViewerAttributesTest, DistancesAreKilometresFromTheRequestsPlace) {
  EXPECT_NEAR(number("distance_km(39.9, 116.4)"), 0, 1e-9);
  EXPECT_NEAR(number("distance_km(40.9,116.4)"), 111.2, 0.5);
  EXPECT_NEAR(number("distance_km(28.57, 109.48)"),
              distance_km(Place{28.57, 109.48}, *request_.place), 1e-9);
  EXPECT_TRUE(holds(Value::Object{{"distance_km(39, 116)", Value::Object{{"$lte", 200}}}}));
  for (const char* broken :
       {"distance_km()", "distance_km(1)", "distance_km(91, 0)", "distance_km(0, 181)",
        "distance_km(1, 2", "distance_km(1, 2, 3)", "distance_km(a, b)", "distance_km( 1, 2)"}) {
    EXPECT_TRUE(missing(broken)) << broken;
    EXPECT_FALSE(viewer_attribute_possible(broken)) << broken;
  }
  request_.place.reset();
  EXPECT_TRUE(missing("distance_km(39.9, 116.4)"));
}

TEST_F(ViewerAttributesTest, TimeIsThatOfTheRequestInChina) {
  request_.now = Millis(1'767'196'800'000);  // 2026-01-01T00:00+08:00, a Thursday
  EXPECT_EQ(number("hour"), 0);
  EXPECT_EQ(number("day"), 1);
  EXPECT_EQ(number("month"), 1);
  EXPECT_EQ(number("weekday"), 4);
  EXPECT_EQ(text("season"), "winter");
  request_.now = request_.now - Millis(1);
  EXPECT_EQ(number("hour"), 23);
  EXPECT_EQ(number("day"), 31);
  EXPECT_EQ(number("month"), 12);
  EXPECT_EQ(number("weekday"), 3);
  const std::pair<int, const char*> kSeasons[] = {
      {58, "winter"}, {59, "spring"}, {151, "summer"}, {243, "autumn"}, {334, "winter"}};
  for (const auto& [days, season] : kSeasons) {
    request_.now = Millis(1'767'196'800'000 + days * kDay.count());
    EXPECT_EQ(text("season"), season) << days;
  }
}

TEST_F(ViewerAttributesTest, TheEngineKnowsItsOwnAndTakesThoseOfRequests) {
  for (const char* known : {"tier", "city", "place.lat", "interests.anything", "season", "weekday",
                            "distance_km(1, 2)"}) {
    EXPECT_TRUE(viewer_attribute_known(known)) << known;
  }
  EXPECT_FALSE(viewer_attribute_known("app"));
  EXPECT_FALSE(viewer_attribute_known("teir"));
  EXPECT_TRUE(viewer_attribute_possible("app"));
}

TEST_F(ViewerAttributesTest, ConditionsAreEvaluatedWithoutAllocation) {
  const Condition audience = condition(
      Value::Object{{"tier", Value::Object{{"$in", Value::Array{"medium", "heavy"}}}},
                    {"interests.travel", Value::Object{{"$gte", 0.2}}},
                    {"city", Value::Object{{"$ne", "上海"}}},
                    {"distance_km(39, 116)", Value::Object{{"$lt", 500}}},
                    {"$or", Value::Array{Value::Object{{"season", "winter"}},
                                         Value::Object{{"month", Value::Object{{"$gt", 0}}}}}},
                    {"hour", Value::Object{{"$gte", 0}}},
                    {"app", Value::Object{{"$regex", "^9"}}}});
  CatalogueItem entry = farm_good("kiwi", "farmer", "fruit");
  entry.item.season = Season{9, 1, 12, 1};
  entry.item.tags = {"organic"};
  const Condition items =
      condition(Value::Object{{"kind", "farm_good"},
                              {"season.from", Value::Object{{"$lt", "10"}}},
                              {"tags", Value::Object{{"$all", Value::Array{"organic"}}}},
                              {"price_fen", Value::Object{{"$exists", false}}}});
  ASSERT_TRUE(audience.matches(ViewerAttributes(request_, viewer_)));
  ASSERT_TRUE(items.matches(ItemAttributes(entry, nullptr)));  // patterns have built their states
  const int64_t before = testing::allocations.load();
  int held = 0;
  for (int i = 0; i < 1'000; ++i) {
    held += audience.matches(ViewerAttributes(request_, viewer_)) ? 1 : 0;
    held += items.matches(ItemAttributes(entry, nullptr)) ? 1 : 0;
  }
  EXPECT_EQ(testing::allocations.load(), before);
  EXPECT_EQ(held, 2'000);
}

}  // namespace
}  // namespace shanhuo
