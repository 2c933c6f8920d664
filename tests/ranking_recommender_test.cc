// The page beyond its promises: programs' conditions, areas, exploration, causes, rooms, worlds.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "ranking/eligibility.h"
#include "ranking/recommender.h"
#include "ranking/room_book.h"
#include "ranking/scoring.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

const std::vector<std::string> kList = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};

std::unique_ptr<TestWorld> kiwi_world(double price = 1) {
  auto w = std::make_unique<TestWorld>();
  w->put({farm_good("kiwi", "coop", "fruit"), farm_good("plum", "coop", "fruit")});
  w->add_program("fruit", Value::Object{{"category", Value("fruit")}});
  w->options.explore_probability = 0;
  w->finish(price);
  return w;
}

const SlateItem* boost_of(const Slate& slate) {
  for (const SlateItem& item : slate.items) {
    if (item.source == ItemSource::kBoost) return &item;
  }
  return nullptr;
}

TEST(Recommender, InsertsAProgramsItemAndSaysWhatItCosts) {
  const auto w = kiwi_world();
  RankScratch scratch;
  RankRequest request = request_of(kList, 10);
  request.explain = true;
  const Slate slate = rank(request, w->context(), scratch);
  const SlateItem* boost = boost_of(slate);
  ASSERT_NE(boost, nullptr);
  EXPECT_EQ(boost->programs, std::vector<int>{0});
  EXPECT_EQ(boost->reason_code, "program_goal");
  EXPECT_GT(boost->p_viewable, 0);
  EXPECT_EQ(boost->propensity, 1);
  EXPECT_GT(slate.organic_value_fen, 0);
  EXPECT_GT(slate.loss_fen, 0);
  EXPECT_LT(slate.loss_fen, slate.organic_value_fen);
  EXPECT_EQ(slate.price_version, 7U);
}

// One slot, three programs with a good each: the order of the set (program.h) is urgent, priority,
// id; of those with equal priority the page takes whose good it gains most with.
TEST(Recommender, AnUrgentProgramTakesTheOnlySlotThenPriorityThenWhatThePageGains) {
  TestWorld w;
  w.put({farm_good("apple", "coop", "a"), farm_good("berry", "coop", "b"),
         farm_good("corn", "coop", "c")});
  std::vector<Program*> programs;
  for (const char* name : {"a", "b", "c"}) {
    programs.push_back(&w.add_program(name, Value::Object{{"category", Value(name)}}));
    programs.back()->placement.first_slot = programs.back()->placement.last_slot = 2;
    programs.back()->placement.per_request_max = 1;
  }
  w.options.explore_probability = 0;
  w.finish(20);
  w.prices.programs[0].fen_per_unit = 60;  // the dearest, and the lowest priority
  w.prices.programs[1].fen_per_unit = 40;
  RankScratch scratch;
  const auto winner = [&] {
    const Slate slate = rank(request_of(kList, 10), w.context(), scratch);
    const SlateItem* boost = boost_of(slate);
    return boost == nullptr ? std::string() : boost->item_id;
  };
  programs[1]->priority = 500;
  programs[2]->priority = 100;
  programs[2]->urgent = true;
  EXPECT_EQ(winner(), "corn");
  programs[2]->urgent = false;
  EXPECT_EQ(winner(), "berry");
  programs[1]->priority = programs[2]->priority = 0;
  EXPECT_EQ(winner(), "apple");
  w.prices.programs[0].fen_per_unit = w.prices.programs[1].fen_per_unit = 20;
  EXPECT_EQ(winner(), "apple");  // alike in all: the first
}

TEST(Recommender, ATasteForTheCategoryPutsItsItemFirst) {
  auto w = std::make_unique<TestWorld>();
  w->put({farm_good("tea", "x", "tea"), farm_good("rice", "x", "rice")});
  w->add_program("all", Value::Object{});
  w->finish();
  w->options.explore_probability = 0;
  w->viewer.known = true;
  w->viewer.categories[0] = {key_hash("rice"), 3};
  RankScratch scratch;
  const Slate slate = rank(request_of(kList, 10), w->context(), scratch);
  EXPECT_EQ(boost_of(slate)->item_id, "rice");
}

TEST(Recommender, NamesTheCauseOfEachProgramThatIsNotOnThePage) {
  auto w = std::make_unique<TestWorld>();
  CatalogueItem gone = farm_good("gone", "x", "gone");
  gone.item.stock = 0;
  w->put({farm_good("kiwi", "x", "fruit"), gone, farm_good("tea", "x", "tea"),
          farm_good("rice", "x", "rice")});
  w->add_program("p-fruit", Value::Object{{"category", Value("fruit")}});
  w->add_program("p-gone", Value::Object{{"category", Value("gone")}});
  w->add_program("p-slot", Value::Object{{"category", Value("tea")}}).placement.first_slot = 15;
  w->add_program("p-none", Value::Object{{"category", Value("nothing")}});
  w->add_program("p-seen", Value::Object{{"category", Value("rice")}}).frequency = {
      {CapScope::kItem, kDay, 1}};
  w->add_program("p-off", Value::Object{}).enabled = false;
  w->finish();
  w->options.explore_probability = 0;
  Insertion seen;
  seen.at = kTestNow - kHour;
  seen.item = 3;
  w->insertions = {seen};
  RankScratch scratch;
  const Slate slate = rank(request_of(kList, 10), w->context(), scratch);
  ASSERT_EQ(slate.missed.size(), 4U);
  EXPECT_EQ(slate.missed[0].cause, Cause::kOutOfStock);
  EXPECT_EQ(slate.missed[1].cause, Cause::kNoSlot);
  EXPECT_EQ(slate.missed[2].cause, Cause::kNoInventory);
  EXPECT_EQ(slate.missed[3].cause, Cause::kFrequencyCapped);
}

TEST(Recommender, ACapForgetsWhatLeavesItsSlidingWindow) {
  const auto w = kiwi_world();
  const_cast<Program&>(*w->programs->programs[0]).frequency = {{CapScope::kProgram, kHour, 1}};
  Insertion seen;
  seen.programs[0] = program_hash("fruit");
  RankScratch scratch;
  seen.at = kTestNow - kHour + Millis(1);
  w->insertions = {seen};
  EXPECT_EQ(boost_of(rank(request_of(kList, 10), w->context(), scratch)), nullptr);
  seen.at = kTestNow - kHour;
  w->insertions = {seen};
  const Slate slate = rank(request_of(kList, 10), w->context(), scratch);
  EXPECT_NE(boost_of(slate), nullptr);
}

TEST(Recommender, AnAreaGrowsWithTimeAndNeedsAPlace) {
  const auto w = kiwi_world();
  Program& program = const_cast<Program&>(*w->programs->programs[0]);
  program.area = Area{{28.58, 109.48}, {{0, 5}, {60, 20}, {360, 100}}};
  program.start = kTestNow - Millis(30 * kMinute.count());
  EXPECT_NEAR(area_radius_km(*program.area, program.start, kTestNow), 12.5, 1e-9);
  RankScratch scratch;
  RankRequest request = request_of(kList, 10);
  EXPECT_EQ(boost_of(rank(request, w->context(), scratch)), nullptr);
  request.place = Place{28.58, 109.48 + 10.0 / 97.8};  // about 10 km east
  Slate slate = rank(request, w->context(), scratch);
  EXPECT_NE(boost_of(slate), nullptr);
  request.place = Place{28.58, 109.48 + 15.0 / 97.8};
  slate = rank(request, w->context(), scratch);
  EXPECT_EQ(boost_of(slate), nullptr);
}

TEST(Recommender, AnAudienceIsAskedForEachViewer) {
  const auto w = kiwi_world();
  Program& program = const_cast<Program&>(*w->programs->programs[0]);
  program.audience =
      Condition::compile(Value::Object{{"city", Value("Changsha")}, {"tier", Value("medium")}}, {})
          .value();
  w->viewer.known = true;
  w->viewer.events = kMediumEvents;
  RankScratch scratch;
  RankRequest request = request_of(kList, 10);
  Slate slate = rank(request, w->context(), scratch);
  EXPECT_EQ(boost_of(slate), nullptr);
  request.city = "Changsha";
  slate = rank(request, w->context(), scratch);
  EXPECT_NE(boost_of(slate), nullptr);
}

TEST(Recommender, PropensitiesAreTheSharesOfManyDraws) {
  const auto w = kiwi_world();
  w->options.explore_probability = 0.2;
  w->options.explore_temperature_fen = 0.2;
  RankScratch scratch;
  const RankRequest request = request_of(kList, 10);
  std::map<std::pair<std::string, int>, std::pair<int, double>> shown;  // count, propensity
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    w->seed = mix64(static_cast<uint64_t>(i) + 1);
    const Slate slate = rank(request, w->context(), scratch);
    for (size_t p = 0; p < slate.items.size(); ++p) {
      if (slate.items[p].source != ItemSource::kBoost) continue;
      auto& [count, propensity] = shown[{slate.items[p].item_id, static_cast<int>(p)}];
      ++count;
      EXPECT_TRUE(count == 1 || propensity == slate.items[p].propensity);
      propensity = slate.items[p].propensity;
    }
  }
  EXPECT_GT(shown.size(), 2U);
  for (const auto& [where, value] : shown) {
    const double expected = value.second * kDraws;
    EXPECT_NEAR(value.first, expected, 5 * std::sqrt(expected) + 1) << where.first << where.second;
  }
}

TEST(Recommender, ABoostableItemOfTheListNeedsNoRetrieval) {
  const auto w = kiwi_world();
  w->options.retrieve_k = 0;
  RankScratch scratch;
  std::vector<std::string> ids = kList;
  ids[8] = "kiwi";
  RankRequest request = request_of(ids, 10);
  Slate slate = rank(request, w->context(), scratch);
  EXPECT_EQ(boost_of(slate), nullptr);
  request.candidates[8].index = 0;
  slate = rank(request, w->context(), scratch);
  ASSERT_NE(boost_of(slate), nullptr);
  EXPECT_EQ(boost_of(slate)->item_id, "kiwi");
}

TEST(Recommender, ALargerLossBudgetPaysLessOfTheViewersPrice) {
  const auto w = kiwi_world();
  w->prices.viewer_price = 3;
  w->prices.user_loss_budget = 0.02;
  RankScratch scratch;
  w->options.user_loss_budget = 0;
  Slate slate = rank(request_of(kList, 10), w->context(), scratch);
  EXPECT_EQ(boost_of(slate), nullptr);
  w->options.user_loss_budget = 0.5;
  slate = rank(request_of(kList, 10), w->context(), scratch);
  EXPECT_NE(boost_of(slate), nullptr);
}

TEST(Scoring, ScoresOutsideZeroToOneCountByPositionAndValuesNeverRise) {
  const std::vector<std::string> ids = {"a", "b", "c"};
  RankRequest request = request_of(ids, 3);
  request.candidates[0].score = 17;
  request.candidates[1].score = 0.5;
  request.candidates[2].score = -3;
  std::vector<double> values;
  organic_values({}, request, {}, values);
  EXPECT_NEAR(values[0], 0.1 * 5, 1e-12);
  EXPECT_NEAR(values[1], 0.1 * 5, 1e-12);
  EXPECT_NEAR(values[2], 0.1 * 0.95 * 0.95 * 5, 1e-12);
}

// --- rooms ---

std::unique_ptr<TestWorld> room_world() {
  auto w = kiwi_world();
  const_cast<Program&>(*w->programs->programs[0]).room = RoomPolicy{kHour, 1, Millis(180'000)};
  return w;
}

TEST(Rooms, EveryViewerOfAWindowSeesTheSameGoodAtTheSamePlace) {
  const auto w = room_world();
  RankScratch scratch;
  RoomBook book;
  RankRequest request = request_of(kList, 10);
  request.room_id = "room";
  const RoomDecision first = book.put("room", rank_room(request, w->context(), scratch), kTestNow);
  ASSERT_NE(first.item, kNoItem);
  const Slate before = room_slate(request, w->context(), first);
  EXPECT_EQ(before.items[static_cast<size_t>(first.position)].hold, Millis(180'000));
  // Another viewer, other tastes, a minute later.
  w->viewer.known = true;
  w->viewer.interest_short.fill(1);
  request.user_id = "somebody-else";
  request.now = kTestNow + kMinute;
  EXPECT_EQ(rank_room(request, w->context(), scratch).item, first.item);
  const auto held = book.find("room", request.now);
  ASSERT_TRUE(held.has_value());
  const Slate after = room_slate(request, w->context(), *held);
  ASSERT_EQ(after.items.size(), before.items.size());
  for (size_t i = 0; i < after.items.size(); ++i) {
    EXPECT_EQ(after.items[i].item_id, before.items[i].item_id);
  }
  EXPECT_EQ(after.items[static_cast<size_t>(first.position)].hold, Millis(120'000));
  EXPECT_FALSE(book.find("room", first.window_end).has_value());
}

TEST(Rooms, TheFirstDecisionOfAWindowWins) {
  RoomBook book;
  RoomDecision one, two;
  one.item = 1;
  two.item = 2;
  one.window_end = two.window_end = kTestNow + kHour;
  EXPECT_EQ(book.put("room", one, kTestNow).item, 1U);
  EXPECT_EQ(book.put("room", two, kTestNow).item, 1U);
  EXPECT_EQ(book.put("room", two, kTestNow + kHour).item, 2U);
}

TEST(Rooms, AFullBookDropsWhatEndsFirstAndCountsIt) {
  RoomBook book(16);  // one room a shard
  RoomDecision decision;
  decision.window_end = kTestNow + kHour;
  for (int i = 0; i < 200; ++i) book.put("room" + std::to_string(i), decision, kTestNow);
  EXPECT_LE(book.size(), 16U);
  EXPECT_EQ(book.dropped() + book.size(), 200U);
}

TEST(Rooms, AGoodThatSoldOutMeanwhileIsNotShown) {
  const auto w = room_world();
  RankScratch scratch;
  RankRequest request = request_of(kList, 10);
  request.room_id = "room";
  const RoomDecision decision = rank_room(request, w->context(), scratch);
  CatalogueItem kiwi = farm_good("kiwi", "coop", "fruit"),
                plum = farm_good("plum", "coop", "fruit");
  kiwi.item.stock = plum.item.stock = 0;
  w->put({kiwi, plum});
  w->world = build_world(w->catalogue, w->programs);
  const Slate slate = room_slate(request, w->context(), decision);
  EXPECT_EQ(boost_of(slate), nullptr);
  EXPECT_EQ(slate.items.size(), kList.size());
}

// --- worlds ---

TEST(World, TakesOverWhatDidNotChangeAndEvaluatesTheRest) {
  const auto w = kiwi_world();
  EXPECT_EQ(w->world->items_evaluated(), 2U);
  auto next = std::make_shared<Catalogue>(*w->catalogue);
  auto chunk = std::make_shared<Catalogue::Chunk>(*next->chunks[0]);
  CatalogueItem tea = farm_good("plum", "coop", "tea");
  tea.index = 1;
  (*chunk)[1] = std::make_shared<CatalogueItem>(tea);
  next->chunks[0] = chunk;
  const auto world = build_world(next, w->programs, w->world.get());
  EXPECT_EQ(world->items_evaluated(), 1U);
  EXPECT_EQ(world->boostable().size(), 1U);
  EXPECT_EQ(world->items_of(0).size(), 1U);
  const auto same = build_world(next, w->programs, world.get());
  EXPECT_EQ(same->items_evaluated(), 0U);
  EXPECT_EQ(same->boostable().data(), world->boostable().data());
}

TEST(World, ACreatorsNewGroupChangesTheProgramsOfItsItems) {
  auto w = std::make_unique<TestWorld>();
  w->put({farm_good("kiwi", "coop"), farm_good("tea", "other")});
  w->add_program("p", Value::Object{{"creator_groups", Value("trained")}});
  w->finish();
  EXPECT_TRUE(w->world->boostable().empty());
  auto next = std::make_shared<Catalogue>(*w->catalogue);
  auto shard = std::make_shared<Catalogue::CreatorShard>();
  auto entry = std::make_shared<Catalogue::CreatorEntry>();
  Creator creator;
  creator.id = CreatorId(std::string("coop"));
  creator.groups = {"trained"};
  entry->creator = std::make_shared<Creator>(creator);
  shard->emplace("coop", entry);
  for (auto& slot : next->creators) slot = shard;  // whichever shard its id belongs to
  auto program = std::make_shared<Program>(*w->programs->programs[0]);
  program->items =
      Condition::compile(
          Value::Object{{"creator_groups",
                         Value(Value::Object{
                             {"$elemMatch", Value(Value::Object{{"$eq", Value("trained")}})}})}},
          {})
          .value();
  w->programs->programs[0] = program;
  const auto fresh = build_world(w->catalogue, w->programs);
  const auto world = build_world(next, w->programs, fresh.get());
  EXPECT_EQ(world->items_evaluated(), 1U);
  ASSERT_EQ(world->boostable().size(), 1U);
  EXPECT_EQ(world->boostable()[0], 0U);
}

TEST(Attributes, AnItemAnswersByTheContractsNames) {
  CatalogueItem item = farm_good("kiwi", "coop", "fruit");
  item.item.tags = {"organic", "gift"};
  item.item.price = Fen(1'990);
  item.item.season = Season{11, 15, 2, 10};
  item.item.place = Place{28.5, 109.4};
  const ItemAttributes attributes(item, nullptr);
  EXPECT_EQ(attributes.find("kind").as_text(), "farm_good");
  EXPECT_EQ(attributes.find("price_fen").as_number(), 1'990);
  EXPECT_EQ(attributes.find("tags.1").as_text(), "gift");
  EXPECT_EQ(attributes.find("season.from").as_text(), "11-15");
  EXPECT_EQ(attributes.find("season.to").as_text(), "02-10");
  EXPECT_EQ(attributes.find("place.lat").as_number(), 28.5);
  EXPECT_TRUE(attributes.find("stock").is_null());
  EXPECT_TRUE(attributes.find("county").is_null());
  EXPECT_TRUE(item_attribute_known("creator_groups"));
  EXPECT_FALSE(item_attribute_known("colour"));
}

}  // namespace
}  // namespace shanhuo
