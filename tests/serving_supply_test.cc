// The arithmetic of forecasts, against traffic whose numbers are counted by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "features/counts.h"
#include "serving/forecast.h"
#include "tests/feature_store_fixture.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

using ::testing::HasSubstr;

const std::array<double, 24> kFlat = [] {
  std::array<double, 24> hours{};
  hours.fill(1);
  return hours;
}();

class SupplyTest : public testing::Test {
 protected:
  SupplyTest() {
    world_.put({farm_good("kiwi", "a", "fruit"), farm_good("tea", "b", "tea")});
    world_.options.viewable_first = 0.5;
    world_.options.viewable_decay = 1;
  }

  // `pages` of each of `viewers`, spread evenly over one day that ends at kTestNow.
  void add_traffic(int viewers, int pages, const std::string& city = "") {
    for (int v = 0; v < viewers; ++v) {
      for (int p = 0; p < pages; ++p) {
        SampledRequest request;
        request.at = kTestNow - kDay + Millis(1 + kDay.count() / pages * p);
        request.user_id = city + std::to_string(v);
        request.surface = Surface::kFeed;
        request.count = request.listed = 10;
        request.city = city;
        book_.add(std::move(request));
      }
    }
    SampledRequest last;
    last.at = kTestNow;
    last.surface = Surface::kDetail;
    book_.add(last);
  }
  Program& program(const std::string& id, const char* category = "fruit", double at_least = 100) {
    Program& added = world_.add_program(id, Value::Object{{"category", category}});
    added.start = kTestNow;
    added.end = kTestNow + kDay;
    added.goals[0] = {GoalUnit::kViewable, at_least, 0, GoalPeriod::kTotal, Surface::kNone, 3};
    added.surfaces.fill(false);
    added.surfaces[static_cast<size_t>(Surface::kFeed)] = true;
    return added;
  }
  ProgramForecast forecast_of(const Program& program) {
    world_.finish();
    return forecast(program, {book_.take(1'000'000), *world_.world, features_, world_.options,
                              kFlat, status_, kTestNow});
  }

  TestWorld world_;
  TrafficBook book_{{}};
  Interner interner_;
  CatalogueState catalogue_{interner_, [](const Item&) { return Vector{}; }};
  Published<TokenKeys> keys_{std::make_shared<const TokenKeys>(test_keys())};
  FeatureStore features_{FeatureStoreOptions{}, interner_, catalogue_, keys_};
  std::vector<ProgramStatus> status_;
};

TEST_F(SupplyTest, CountsWhatIsAskedWhatSlotsAllowAndWhatCapsLeave) {
  add_traffic(20, 12, "北京");
  add_traffic(30, 4, "上海");
  Program& kiwi = program("kiwi");
  kiwi.audience = Condition::compile(Value::Object{{"city", "北京"}}, {}).value();
  kiwi.placement = {2, 9, 2, 3};
  kiwi.frequency = {{CapScope::kProgram, kDay, 5}};
  const Supply supply = forecast_of(kiwi).supply;
  EXPECT_NEAR(supply.days_seen, 1, 1e-4);
  EXPECT_NEAR(supply.requests_day, 20 * 12 + 30 * 4 + 2, 0.1);
  EXPECT_NEAR(supply.asked_day, 20 * 12, 0.1);
  EXPECT_NEAR(supply.viewers_day, 20, 0.1);
  EXPECT_NEAR(supply.slots_day, 2 * 20 * 12, 0.1);
  EXPECT_NEAR(supply.capped_day, 20 * 5, 0.1);
  EXPECT_NEAR(supply.left_day, 20 * 5, 0.1);
  EXPECT_NEAR(supply.units_day(GoalUnit::kViewable), 20 * 5 * 0.5, 0.1);
}

TEST_F(SupplyTest, AGoalPastTheSupplyIsSaidToBeWithItsArithmetic) {
  add_traffic(10, 10);
  const ProgramForecast can = forecast_of(program("can", "fruit", 40));
  EXPECT_TRUE(can.goals[0].attainable.value());
  EXPECT_TRUE(can.warnings.empty());
  const ProgramForecast cannot = forecast_of(program("cannot", "tea", 60));
  EXPECT_FALSE(cannot.goals[0].attainable.value());
  EXPECT_NEAR(cannot.goals[0].available_day, 50, 0.1);
  EXPECT_NEAR(cannot.goals[0].value, 50, 0.1);
  EXPECT_LT(cannot.goals[0].low, 45);
  EXPECT_GT(cannot.goals[0].high, 55);
  ASSERT_EQ(cannot.warnings.size(), 1U);
  for (const char* part : {"60 viewable a day are still needed", "asks for 100", "50 % of those",
                           "50 a day: cannot be met"}) {
    EXPECT_THAT(cannot.warnings[0], HasSubstr(part));
  }
}

TEST_F(SupplyTest, WithoutTrafficNothingIsClaimed) {
  const ProgramForecast made = forecast_of(program("new"));
  EXPECT_FALSE(made.goals[0].attainable.has_value());
  EXPECT_THAT(made.goals[0].message, HasSubstr("no traffic has been recorded"));
}

TEST_F(SupplyTest, ItemsThatAreNotThereOrOutOfSeasonSupplyNothing) {
  add_traffic(10, 10);
  EXPECT_THAT(forecast_of(program("nothing", "meat")).goals[0].message,
              HasSubstr("0 items belong to it"));
  CatalogueItem kiwi = farm_good("kiwi", "a", "fruit");
  kiwi.item.season = Season{1, 1, 1, 31};
  world_.put({kiwi});
  const ProgramForecast early = forecast_of(program("early"));
  EXPECT_EQ(early.supply.season_share, 0);
  EXPECT_FALSE(early.goals[0].attainable.value());
}

TEST_F(SupplyTest, ProgramsThatComeBeforeTakeTheirShareAndAreNamed) {
  add_traffic(10, 10);
  world_.options.insertions_max = 1;
  Program& first = program("first", "tea", 25);  // half of the 50 that there are
  first.priority = 900;
  first.name_zh = "茶";
  Program& second = program("second", "fruit", 40);
  const ProgramForecast made = forecast_of(second);
  EXPECT_NEAR(made.supply.left_day, 50, 0.5);
  EXPECT_FALSE(made.goals[0].attainable.value());
  ASSERT_EQ(made.conflicts.size(), 1U);
  EXPECT_EQ(made.conflicts[0].program, "first");
  EXPECT_TRUE(made.conflicts[0].before);
  EXPECT_NEAR(made.conflicts[0].shares.pages, 1, 1e-9);
  EXPECT_NEAR(made.conflicts[0].shares.taken, 0.5, 0.01);
  EXPECT_THAT(made.conflicts[0].message, HasSubstr("first 茶 asks for 100 % of the same pages"));
  const ProgramForecast other = forecast_of(first);
  EXPECT_FALSE(other.conflicts[0].before);
  EXPECT_NEAR(other.supply.left_day, 100, 0.1);
}

TEST_F(SupplyTest, OneInsertionOfASharedItemCountsForBothAndIsNoRivalry) {
  add_traffic(10, 10);
  world_.options.insertions_max = 1;
  program("first", "fruit", 25).priority = 900;
  const ProgramForecast made = forecast_of(program("second", "fruit", 40));
  EXPECT_NEAR(made.supply.left_day, 100, 0.1);
  EXPECT_NEAR(made.conflicts[0].shares.items, 1, 1e-9);
  EXPECT_EQ(made.conflicts[0].shares.taken, 0);
}

TEST_F(SupplyTest, AGoalUnderWayGoesOnAsItsStatusSays) {
  add_traffic(10, 10);
  Program& kiwi = program("kiwi", "fruit", 100);
  ProgramStatus status;
  status.id = "kiwi";
  GoalStatus goal;
  goal.target = 100;
  goal.delivered = 30;
  goal.curve = 0.4;
  goal.forecast = 75;
  goal.forecast_low = 64;
  goal.forecast_high = 86;
  status.goals = {goal};
  status_ = {status};
  const GoalForecast made = forecast_of(kiwi).goals[0];
  EXPECT_EQ(made.value, 75);
  EXPECT_EQ(made.low, 64);
  EXPECT_EQ(made.high, 86);
  EXPECT_NEAR(made.needed_day, 70, 1e-6);
}

TEST_F(SupplyTest, TheHoursOfADayCountByTheirTraffic) {
  std::array<double, 24> evening{};
  evening[20] = 1;
  const Millis midnight = start_of_day(day_of(kTestNow));
  EXPECT_DOUBLE_EQ(traffic_days(evening, midnight, midnight + kHour), 0);
  EXPECT_DOUBLE_EQ(traffic_days(evening, midnight + Millis(20 * kHour.count()),
                                midnight + Millis(21 * kHour.count())),
                   1);
  EXPECT_DOUBLE_EQ(traffic_days(kFlat, midnight, midnight + Millis(kHour.count() / 2)), 0.5 / 24);
  EXPECT_DOUBLE_EQ(traffic_days(kFlat, midnight, midnight + Millis(3 * kDay.count())), 3);
}

TEST(TrafficBook, IsASampleOfViewersWithAllTheirRequestsOfADay) {
  TrafficBook book({.requests_max = 1'000, .span = kDay});
  for (int i = 0; i < 100'000; ++i) {
    SampledRequest request;
    request.at = kTestNow + Millis(i * 1'000);
    request.user_id = "u" + std::to_string(i % 2'000);
    book.add(std::move(request));
  }
  const TrafficSample sample = book.take(1'000'000);
  EXPECT_LE(sample.requests.size(), 1'000U);
  EXPECT_GT(sample.requests.size(), 200U);
  std::map<std::string, int> per_viewer;
  for (const auto& request : sample.requests) {
    ++per_viewer[request->user_id];
    EXPECT_GT(request->at + kDay, sample.to);
  }
  // Of each sampled viewer all 43 requests of the last day, and of all a fair share of the viewers.
  for (const auto& [user, count] : per_viewer) EXPECT_NEAR(count, 43, 1) << user;
  EXPECT_NEAR(static_cast<double>(per_viewer.size()) / 2'000, sample.share, sample.share);
  EXPECT_EQ(sample.to - sample.from, kDay);
  EXPECT_LE(book.take(100).requests.size(), 100U);
  const std::string someone = per_viewer.begin()->first;
  book.forget(someone);
  for (const auto& request : book.take(1'000'000).requests) EXPECT_NE(request->user_id, someone);
}

}  // namespace
}  // namespace shanhuo
