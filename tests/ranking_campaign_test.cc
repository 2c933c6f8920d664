// Keys that single campaigns have (ranking/program.h), on whole pages: until, pairs, limits and
// rooms that all get a good.
#include <gtest/gtest.h>

#include <algorithm>

#include "ranking/calendar.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

Value map(std::initializer_list<std::pair<const char*, Value>> fields) {
  Value::Object object;
  for (const auto& [key, value] : fields) object.emplace_back(key, value);
  return Value(std::move(object));
}
Condition condition(const Value& value) { return Condition::compile(value, {}).value(); }

const std::vector<std::string> kOrganic = {"o0", "o1", "o2", "o3", "o4", "o5"};

std::vector<std::string> inserted(const Slate& slate) {
  std::vector<std::string> ids;
  for (const SlateItem& item : slate.items) {
    if (item.source != ItemSource::kOrganic) ids.push_back(item.item_id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

struct Campaign : testing::Test {
  TestWorld world;
  RankScratch scratch;
  Interner interner;
  ItemTotals totals{100, interner};
  std::shared_ptr<const Graduates> graduates;

  Slate page(const std::string& city = "", int count = 6) {
    RankRequest request = request_of(kOrganic, count);
    request.city = city;
    RankContext context = world.context();
    graduates = find_graduates(*world.world, totals);
    context.graduates = graduates.get();
    return rank(request, context, scratch);
  }
};

TEST_F(Campaign, AnItemLeavesItsProgramOnceItHasBroughtEnoughAndNoOther) {
  world.options.explore_probability = 0;
  world.put({farm_good("a1", "anna"), farm_good("a2", "anna"), farm_good("b1", "bo")});
  for (int i = 0; i < 3; ++i) interner.intern("i" + std::to_string(i));
  world.add_program("first", map({})).until = Until{UntilScope::kItem, TotalUnit::kViewable, 10};
  world.add_program("any", map({}));
  for (const auto& program : world.programs->programs) {
    std::const_pointer_cast<Program>(program)->placement.per_request_max = 3;
  }
  world.finish(50);
  totals.add(0, TotalUnit::kViewable, 9);
  totals.add(2, TotalUnit::kViewable, 10);
  const Slate slate = page();
  EXPECT_EQ(inserted(slate).size(), 3u);
  for (const SlateItem& item : slate.items) {
    if (item.source == ItemSource::kOrganic) continue;
    const auto wanted = item.item_id == "b1" ? std::vector<int>{1} : std::vector<int>{0, 1};
    EXPECT_EQ(item.programs, wanted) << item.item_id;
  }
  totals.add(0, TotalUnit::kViewable, 1);
  EXPECT_EQ(graduates->count(*world.world, 0), 1u);
  page();
  EXPECT_EQ(graduates->count(*world.world, 0), 2u);
  EXPECT_EQ(graduates->count(*world.world, 1), 0u);
}

TEST_F(Campaign, ACreatorLeavesWithAllItemsOfTheProgram) {
  world.put({farm_good("a1", "anna"), farm_good("a2", "anna"), farm_good("b1", "bo")});
  world.add_program("first", map({})).until = Until{UntilScope::kCreator, TotalUnit::kClick, 4};
  world.finish(50);
  totals.add(0, TotalUnit::kClick, 2);
  totals.add(2, TotalUnit::kClick, 3);
  EXPECT_EQ(page().missed.size(), 0u);
  EXPECT_EQ(graduates->count(*world.world, 0), 0u);
  totals.add(1, TotalUnit::kClick, 2);
  EXPECT_EQ(inserted(page()), std::vector<std::string>{"b1"});
  totals.add(2, TotalUnit::kClick, 1);
  EXPECT_TRUE(inserted(page()).empty());
}

TEST_F(Campaign, GraduatesOfAnotherSetOfProgramsAreNone) {
  world.put({farm_good("a1")});
  world.add_program("first", map({})).until = Until{UntilScope::kItem, TotalUnit::kClick, 1};
  world.finish(50);
  totals.add(0, TotalUnit::kClick, 1);
  const auto before = find_graduates(*world.world, totals);
  EXPECT_TRUE(before->contains(*world.world, 0, 0));
  world.programs = std::make_shared<ProgramSet>(*world.programs);
  world.finish(50);
  EXPECT_FALSE(before->contains(*world.world, 0, 0));
  EXPECT_EQ(before->count(*world.world, 0), 0u);
}

// Every viewer of every city sees the goods of their pairs and no other, whatever the order.
TEST_F(Campaign, PairsBringTogetherTheirOwnAlone) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"beijing", "wool"}, {"shanghai", "coffee"}, {"beijing", "milk"}, {"ningbo", "coffee"}};
  std::vector<CatalogueItem> items;
  for (const char* what : {"coffee", "milk", "tea", "wool"}) {
    items.push_back(farm_good(what, std::string("of-") + what, what));
  }
  world.put(std::move(items));
  Program& program = world.add_program("paired", map({}));
  program.placement.per_request_max = 3;
  for (const auto& [city, what] : table) {
    program.pairs.push_back(
        {condition(map({{"category", Value(what)}})), condition(map({{"city", Value(city)}}))});
  }
  world.options.explore_probability = 0;
  world.finish(50);
  EXPECT_EQ(world.world->items_of(0).size(), 3u);  // tea is of no pair
  for (const char* city : {"beijing", "shanghai", "ningbo", "lhasa", ""}) {
    std::vector<std::string> wanted;
    for (const auto& [of, what] : table) {
      if (of == city) wanted.push_back(what);
    }
    std::sort(wanted.begin(), wanted.end());
    EXPECT_EQ(inserted(page(city)), wanted) << city;
  }
}

TEST_F(Campaign, LimitsHoldForEveryProgramThatIsNotUrgent) {
  world.options.explore_probability = 0;
  world.put({farm_good("a", "a", "x"), farm_good("b", "b", "x"), farm_good("c", "c", "x"),
             farm_good("n", "n", "urgent")});
  world.add_program("notice", map({{"category", Value("urgent")}})).urgent = true;
  world.add_program("goods", map({{"category", Value("x")}})).placement.per_request_max = 3;
  Program& light = world.add_program("light", map({{"category", Value("none")}}));
  light.audience = condition(map({{"city", Value("small")}}));
  light.limits = Limits{1, kDay, 2, 0};
  world.finish(50);
  EXPECT_EQ(inserted(page("large")).size(), 3u);
  const std::vector<std::string> limited = inserted(page("small"));
  EXPECT_EQ(std::count(limited.begin(), limited.end(), "n"), 1);
  EXPECT_LE(limited.size(), 2u);
  // Two in a day, of any program: then none but what is urgent.
  for (int i = 0; i < 2; ++i) world.insertions.push_back({kTestNow - kHour, 1, 9, {}});
  EXPECT_EQ(inserted(page("small")), std::vector<std::string>{"n"});
  EXPECT_EQ(inserted(page("large")).size(), 3u);
  for (Insertion& insertion : world.insertions) insertion.at = kTestNow - kDay;
  EXPECT_FALSE(inserted(page("small")).empty());
}

TEST_F(Campaign, LimitsKeepOutWhatTheViewerWouldHardlyClick) {
  world.options.explore_probability = 0;
  world.put({farm_good("a")});
  world.add_program("goods", map({}));
  Program& light = world.add_program("light", map({{"category", Value("none")}}));
  const double prior = world.options.prior_click[static_cast<size_t>(ItemKind::kFarmGood)];
  light.limits = Limits{3, kDay, {}, prior * 0.9};
  world.finish(50);
  EXPECT_EQ(inserted(page()).size(), 1u);
  light.limits->p_click_min = prior * 1.1;
  const Slate slate = page();
  EXPECT_TRUE(inserted(slate).empty());
  ASSERT_FALSE(slate.missed.empty());
  EXPECT_EQ(slate.missed[0].cause, Cause::kBelowRelevance);
}

TEST_F(Campaign, ACalendarRaisesTheGoalsOfItsDaysAlone) {
  constexpr Millis kEleventh{1'794'326'400'000};  // 2026-11-11T00:00:00+08:00
  Program& program = world.add_program("shop", map({}));
  program.start = kEleventh - kDay - kDay - kDay;
  program.end = kEleventh + kDay + kDay + kDay;
  program.goals = {{GoalUnit::kViewable, 10, 20, GoalPeriod::kDay, Surface::kNone, 3},
                   {GoalUnit::kOrder, 100, 0, GoalPeriod::kTotal, Surface::kNone, 30},
                   {GoalUnit::kViewable, 0.1, 0.2, GoalPeriod::kDay, Surface::kFeed, 4}};
  world.add_program("plain", map({}));
  EXPECT_EQ(programs_on_day(world.programs, kEleventh), world.programs);
  program.calendar = {{{11, 10, 11, 11}, 3, 2}, {{11, 11, 11, 11}, 2, 1}};
  const auto on = [&](Millis now) { return programs_on_day(world.programs, now)->programs[0]; };
  EXPECT_EQ(on(kEleventh - kDay - Millis(1))->goals[0].at_least, 10);
  EXPECT_EQ(on(kEleventh - Millis(1))->goals[0].at_least, 30);
  const auto peak = on(kEleventh + kDay - Millis(1));
  EXPECT_EQ(peak->goals[0].at_least, 60);
  EXPECT_EQ(peak->goals[0].at_most, 120);
  EXPECT_EQ(peak->goals[0].missed_value_fen, 6);
  EXPECT_EQ(peak->goals[1].at_least, 100);
  EXPECT_EQ(peak->goals[1].missed_value_fen, 60);
  EXPECT_EQ(peak->goals[2].at_most, 0.2);
  EXPECT_EQ(on(kEleventh + kDay)->goals[0].at_least, 10);
  EXPECT_EQ(programs_on_day(world.programs, kEleventh)->programs[1], world.programs->programs[1]);
}

TEST_F(Campaign, ProgramsThatWantEveryRoomGetOneWhateverPricesSay) {
  world.put({farm_good("g"), farm_good("h", "else", "other")});
  Program& program = world.add_program("rooms", map({{"category", Value("other")}}));
  program.room = RoomPolicy{};
  world.add_program("priced", map({})).room = RoomPolicy{};
  world.finish(0);
  for (const double viewer_price : {0.0, 1e6}) {
    world.prices.viewer_price = viewer_price;
    RankRequest request = request_of(kOrganic, 6);
    request.room_id = "room";
    program.room->every = false;
    EXPECT_EQ(rank_room(request, world.context(), scratch).item, kNoItem);
    program.room->every = true;
    const RoomDecision decision = rank_room(request, world.context(), scratch);
    EXPECT_EQ(decision.item_id, "h");
    EXPECT_EQ(decision.position, program.placement.first_slot);
  }
}

}  // namespace
}  // namespace shanhuo
