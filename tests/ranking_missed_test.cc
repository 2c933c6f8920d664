// What kept a program off a page, and its twin: the page ranked again without that cause. A cause
// is true if the program, at its whole missed value, then stands on the page.
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

const std::vector<std::string> kList = {"o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8", "o9"};

// One program of fruit that would pay 1000 fen and pays `price` now.
struct OnePage {
  explicit OnePage(double price = 1000) : now(price) {
    w.put({farm_good("kiwi", "x", "fruit")});
    w.options.explore_probability = 0;
    program = &w.add_program("fruit", Value::Object{{"category", Value("fruit")}});
    program->goals[0].missed_value_fen = 1000;
  }
  MissedProgram missed(int count = 10) {
    w.finish(now);
    w.prices.viewer_price = viewer_price;
    RankScratch scratch;
    const Slate slate = rank(request_of(kList, count), w.context(), scratch);
    return slate.missed.empty() ? MissedProgram{} : slate.missed.front();
  }
  void seen_before() {
    Insertion seen;
    seen.at = kTestNow - kHour;
    seen.item = 0;
    w.insertions = {seen};
    program->frequency = {{CapScope::kItem, kDay, 1}};
  }

  TestWorld w;
  Program* program = nullptr;
  double now, viewer_price = 0;
};

TEST(Missed, AProgramOnThePageMissedNothing) { EXPECT_EQ(OnePage().missed().cause, Cause::kNone); }

TEST(Missed, WhatItsOwnPriceHeldBackIsNoShortfall) {
  OnePage page(0);
  page.w.options.value_per_click_fen = 50;  // the list is worth more than a fruit without a price
  EXPECT_EQ(page.missed().cause, Cause::kPaced);
}

TEST(Missed, BelowRelevanceMeansEvenAtItsWholeMissedValue) {
  OnePage page(0);
  page.program->goals[0].missed_value_fen = 0.001;
  page.w.options.value_per_click_fen = 50;
  EXPECT_EQ(page.missed().cause, Cause::kBelowRelevance);
}

TEST(Missed, ACapIsTheCauseOnlyWhenTheItemWouldHaveStoodWithoutIt) {
  OnePage page;
  page.seen_before();
  EXPECT_EQ(page.missed().cause, Cause::kFrequencyCapped);
  OnePage worthless(0);
  worthless.seen_before();
  worthless.program->goals[0].missed_value_fen = 0.001;
  worthless.w.options.value_per_click_fen = 50;
  EXPECT_EQ(worthless.missed().cause, Cause::kBelowRelevance);
  OnePage deep;
  deep.seen_before();
  deep.program->placement.first_slot = 15;
  EXPECT_EQ(deep.missed().cause, Cause::kNoSlot);
}

TEST(Missed, StockAndSeasonAreCausesOfTheirOwn) {
  OnePage gone;
  CatalogueItem kiwi = farm_good("kiwi", "x", "fruit");
  kiwi.item.stock = 0;
  gone.w.put({kiwi});
  EXPECT_EQ(gone.missed().cause, Cause::kOutOfStock);
  kiwi.item.stock.reset();
  kiwi.item.season = Season{1, 1, 1, 31};  // the page is of September
  OnePage early;
  early.w.put({kiwi});
  EXPECT_EQ(early.missed().cause, Cause::kOutOfSeason);
}

TEST(Missed, ThePriceOfViewersLossIsTheCauseWhenOnlyItForbids) {
  OnePage page(1);
  page.program->goals[0].missed_value_fen = 1;
  page.w.options.value_per_click_fen = 1;
  page.viewer_price = 1e6;
  EXPECT_EQ(page.missed().cause, Cause::kUserBudget);
}

TEST(Missed, AnotherProgramsItemInThePlaceIsAConflict) {
  OnePage page(1);
  page.w.put({farm_good("kiwi", "x", "fruit"), farm_good("tea", "x", "tea")});
  page.w.options.insertions_max = 1;
  page.program->goals[0].missed_value_fen = 1;
  Program& tea = page.w.add_program("tea", Value::Object{{"category", Value("tea")}});
  tea.priority = 500;
  EXPECT_EQ(page.missed().cause, Cause::kConflict);
}

TEST(Missed, AWouldBeExposureIsWorthItsFirstSlot) {
  OnePage page;
  page.seen_before();
  page.program->placement.first_slot = 3;
  const double wanted = page.w.options.viewable_first * std::pow(page.w.options.viewable_decay, 3);
  EXPECT_NEAR(page.missed().viewable, wanted, 1e-6);
}

// Lifts the cause in the world and ranks again at full price: the program must stand there.
bool stands_without(OnePage& page, Cause cause) {
  page.now = page.program->goals[0].missed_value_fen;
  CatalogueItem kiwi = farm_good("kiwi", "x", "fruit");
  if (cause == Cause::kFrequencyCapped) page.program->frequency.clear();
  if (cause == Cause::kOutOfStock || cause == Cause::kOutOfSeason) page.w.put({kiwi});
  if (cause == Cause::kUserBudget) page.viewer_price = 0;
  return page.missed().cause == Cause::kNone;
}

TEST(Missed, TakingTheCauseAwayPutsTheProgramOnThePage) {
  std::mt19937 random(11);
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  int checked = 0;
  for (int round = 0; round < 2'000; ++round) {
    OnePage page(0);
    page.w.options.value_per_click_fen = one_in(2) ? 5 : 50;
    page.program->goals[0].missed_value_fen = one_in(3) ? 0.01 : one_in(2) ? 1 : 20;
    page.now = one_in(2) ? 0 : page.program->goals[0].missed_value_fen;
    page.program->placement.first_slot = one_in(4) ? 12 : static_cast<int>(random() % 8);
    if (one_in(3)) page.seen_before();
    CatalogueItem kiwi = farm_good("kiwi", "x", "fruit");
    if (one_in(4)) kiwi.item.stock = 0;
    if (one_in(4)) kiwi.item.season = Season{1, 1, 1, 31};
    page.w.put({kiwi});
    if (one_in(3)) page.viewer_price = 100;
    const Cause cause = page.missed().cause;
    const bool alone = cause == Cause::kPaced || cause == Cause::kOutOfStock ||
                       cause == Cause::kOutOfSeason || cause == Cause::kFrequencyCapped ||
                       cause == Cause::kUserBudget;
    if (!alone) continue;
    if (kiwi.item.stock && kiwi.item.season) continue;  // two reasons: either alone is not enough
    if (cause != Cause::kFrequencyCapped && !page.program->frequency.empty()) continue;
    if (cause == Cause::kUserBudget && (kiwi.item.stock || kiwi.item.season)) continue;  // likewise
    ++checked;
    EXPECT_TRUE(stands_without(page, cause)) << round << " " << cause_name(cause);
  }
  EXPECT_GT(checked, 200);
}

}  // namespace
}  // namespace shanhuo
