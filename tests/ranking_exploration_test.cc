// New items on pages of their own budget, propensities, repetition that tires, diversity of a page.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "ranking/exploration.h"
#include "ranking/recommender.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

const std::vector<std::string> kList = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};

class SomeRates final : public ItemRatesReader {
 public:
  std::map<ItemIndex, ItemRates> of;
  ItemRates rates(ItemIndex index) const override {
    const auto found = of.find(index);
    return found == of.end() ? ItemRates{} : found->second;
  }
};

// Two items that are known, one that nobody has seen.
struct NewItemWorld {
  TestWorld w;
  SomeRates rates;
  RankScratch scratch;
  static constexpr ItemIndex kKnown = 0, kWorse = 1, kNew = 2;

  NewItemWorld() {
    w.put({farm_good("known", "x", "fruit"), farm_good("worse", "y", "tea"),
           farm_good("new", "z", "rice")});
    Program& program = w.add_program("all", Value::Object{});
    program.placement.first_slot = 2;
    w.finish(0.2);
    w.options.explore_probability = 0;
    w.options.explore_new_share = 0.2;
    rates.of[kKnown] = {10'000, 600, 9'000, 0};
    rates.of[kWorse] = {10'000, 500, 9'000, 0};
  }
  Slate page(uint64_t seed) {
    RankRequest request = request_of(kList, 10);
    for (RankCandidate& candidate : request.candidates) candidate.score *= 0.1;
    request.explain = true;
    const RankContext c = w.context();
    return rank(
        request,
        {c.viewer, c.insertions, c.world, c.prices, rates, c.retriever, c.options, {}, mix64(seed)},
        scratch);
  }
  static bool shows(const Slate& slate, std::string_view id) {
    for (const SlateItem& item : slate.items) {
      if (item.item_id == id) return true;
    }
    return false;
  }
};

TEST(Exploration, ANewItemIsShownOnItsShareOfPagesAndThePropensitySaysSo) {
  NewItemWorld world;
  constexpr int kPages = 20'000;
  std::map<std::pair<std::string, int>, std::pair<int, double>> shown;
  int tried = 0;
  double best_loss = 0;  // of the page that no draw decides
  for (int i = 0; i < kPages; ++i) {
    const Slate slate = world.page(static_cast<uint64_t>(i));
    ASSERT_EQ(slate.new_items, 1);
    ASSERT_EQ(slate.tried_new, NewItemWorld::shows(slate, "new"));
    tried += slate.tried_new;
    ASSERT_EQ(slate.explored, slate.tried_new);
    const double known_loss = slate.loss_fen - slate.explored_loss_fen;
    if (i == 0) best_loss = known_loss;
    ASSERT_NEAR(known_loss, best_loss, 1e-12);
    ASSERT_TRUE(slate.explored || slate.explored_loss_fen == 0);
    for (const SlateItem& item : slate.items) {
      ASSERT_EQ(item.reason_code == "new_item", item.item_id == "new") << item.reason_text;
    }
    for (size_t p = 0; p < slate.items.size(); ++p) {
      if (slate.items[p].source != ItemSource::kBoost) continue;
      auto& [count, propensity] = shown[{slate.items[p].item_id, static_cast<int>(p)}];
      ++count;
      propensity = slate.items[p].propensity;
    }
  }
  EXPECT_NEAR(tried, 0.2 * kPages, 5 * std::sqrt(0.2 * kPages));
  ASSERT_EQ(shown.size(), 2U);
  for (const auto& [where, value] : shown) {
    const double expected = value.second * kPages;
    EXPECT_NEAR(value.first, expected, 5 * std::sqrt(expected)) << where.first << where.second;
  }
}

TEST(Exploration, PropensitiesAddUpOverBothDraws) {
  NewItemWorld world;
  world.w.options.explore_probability = 0.2;
  world.w.options.explore_temperature_fen = 0.05;
  constexpr int kPages = 20'000;
  std::map<std::pair<std::string, int>, std::pair<int, double>> shown;
  for (int i = 0; i < kPages; ++i) {
    const Slate slate = world.page(static_cast<uint64_t>(i));
    for (size_t p = 0; p < slate.items.size(); ++p) {
      if (slate.items[p].source != ItemSource::kBoost) continue;
      auto& [count, propensity] = shown[{slate.items[p].item_id, static_cast<int>(p)}];
      ++count;
      ASSERT_TRUE(count == 1 || propensity == slate.items[p].propensity);
      propensity = slate.items[p].propensity;
    }
  }
  EXPECT_GT(shown.size(), 3U);
  double sum = 0;  // one insertion a page
  for (const auto& [where, value] : shown) {
    const double expected = value.second * kPages;
    EXPECT_NEAR(value.first, expected, 5 * std::sqrt(expected) + 1) << where.first << where.second;
    sum += value.second;
  }
  EXPECT_NEAR(sum, 1, 1e-9);
}

TEST(Exploration, AnItemGraduatesByExposuresOrByANarrowInterval) {
  RankingOptions options;
  options.explore_new_share = 0.1;
  BoostCandidate candidate;
  candidate.rate = 0.04;
  judge_novelty(options, {100, 4, 90, 0}, candidate);
  EXPECT_EQ(candidate.novelty, Novelty::kNew);
  EXPECT_NEAR(candidate.upper_rate, 0.04 + std::sqrt(0.04 * 0.96 / 150), 1e-12);
  judge_novelty(options, {220, 9, 200, 0}, candidate);
  EXPECT_EQ(candidate.novelty, Novelty::kGraduated);
  EXPECT_EQ(candidate.upper_rate, candidate.rate);
  candidate.rate = 0.3;
  judge_novelty(options, {100, 30, 90, 0}, candidate);  // half a width of 0.037 is below 0.075
  EXPECT_EQ(candidate.novelty, Novelty::kGraduated);
}

TEST(Exploration, AnItemThatEvenAtItsBestIsWorseThanItsNeighboursIsRetired) {
  NewItemWorld world;
  world.rates.of[NewItemWorld::kNew] = {140, 0, 130, 0};  // nobody clicked
  const Slate bad = world.page(1);
  EXPECT_EQ(bad.new_items, 0);
  EXPECT_EQ(bad.retired_items, 1);
  for (uint64_t seed = 0; seed < 200; ++seed) EXPECT_FALSE(world.page(seed).tried_new);
  world.rates.of[NewItemWorld::kNew] = {140, 8, 130, 0};
  EXPECT_EQ(world.page(1).new_items, 1);
}

TEST(Exploration, WhileItsAccountIsLowNoNewItemIsTriedAndNoneIsJudgedNew) {
  NewItemWorld world;
  world.w.prices.tries_new = false;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Slate slate = world.page(seed);
    EXPECT_EQ(slate.new_items, 0);
    ASSERT_FALSE(slate.tried_new);
    for (const SlateItem& item : slate.items) {
      if (item.source == ItemSource::kBoost) {
        EXPECT_EQ(item.propensity, 1);
      }
    }
  }
}

TEST(Exploration, WithoutItsBudgetNoNewItemIsTried) {
  NewItemWorld world;
  world.w.options.explore_new_share = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Slate slate = world.page(seed);
    EXPECT_TRUE(NewItemWorld::shows(slate, "known"));
    EXPECT_FALSE(slate.explored);
  }
}

TEST(Fatigue, EachUnwantedRepetitionLowersTheValueAndTimeBringsItBack) {
  NewItemWorld world;
  world.w.options.explore_new_share = 0;
  world.w.options.fatigue_item_slope = 0.3;
  world.w.viewer.known = true;
  const auto value = [&](Millis ago, int times) {
    world.w.insertions.clear();
    for (int i = 0; i < times; ++i) {
      world.w.insertions.push_back({kTestNow - ago, static_cast<uint64_t>(i), 0, {}});
    }
    RankRequest request = request_of({}, 10);
    const RankContext c = world.w.context();
    const Slate slate = rank(
        request,
        {c.viewer, c.insertions, c.world, c.prices, world.rates, c.retriever, c.options, {}, 1},
        world.scratch);
    for (const SlateItem& item : slate.items) {
      if (item.item_id == "known") return item.score;
    }
    return -1.0;
  };
  const double fresh = value(kDay, 0);
  ASSERT_GT(fresh, 0);
  for (int times = 1; times < 6; ++times) {
    EXPECT_NEAR(value(kMinute, times), fresh * std::exp(-0.3 * times), fresh * 0.01);
    EXPECT_NEAR(value(kDay, times), fresh * std::exp(-0.15 * times), fresh * 0.01);
  }
  world.w.options.fatigue_item_slope = 0;
  EXPECT_EQ(value(kMinute, 5), fresh);
}

TEST(Diversity, APageHasAtMostSoManyOfACountyCreatorAndCategory) {
  std::mt19937_64 random(5);
  RankScratch scratch;
  int limited = 0;
  for (int round = 0; round < 300; ++round) {
    TestWorld w;
    std::vector<CatalogueItem> items;
    for (int i = 0; i < 12; ++i) {
      items.push_back(farm_good("good" + std::to_string(i), "c" + std::to_string(random() % 3),
                                "k" + std::to_string(random() % 3)));
      items.back().county_code = 430'000 + static_cast<int32_t>(random() % 3);
    }
    w.put(std::move(items));
    w.add_program("all", Value::Object{}).placement.per_request_max = 3;
    w.options.explore_probability = 0;
    w.finish(5);
    RankRequest request = request_of(kList, 10);
    const auto boosts = [&] {
      std::array<std::map<uint64_t, int>, 3> of;
      int count = 0;
      for (const SlateItem& item : rank(request, w.context(), scratch).items) {
        if (item.source != ItemSource::kBoost) continue;
        const Listing& listing = w.world->listing(item.index);
        ++of[0][static_cast<uint64_t>(listing.county_code)];
        ++of[1][listing.creator_hash];
        ++of[2][listing.category_hash];
        ++count;
      }
      std::array<int, 4> most = {0, 0, 0, count};
      for (size_t k = 0; k < 3; ++k) {
        for (const auto& [key, n] : of[k]) most[k] = std::max(most[k], n);
      }
      return most;
    };
    const auto free = boosts();
    ASSERT_EQ(free[3], 3);
    w.options.page_county_max = 1;
    w.options.page_creator_max = 2;
    w.options.page_category_max = 1;
    const auto held = boosts();
    EXPECT_LE(held[0], 1);
    EXPECT_LE(held[1], 2);
    EXPECT_LE(held[2], 1);
    EXPECT_GE(held[3], 1);
    limited += free[0] > 1 || free[1] > 2 || free[2] > 1;
  }
  EXPECT_GT(limited, 100);
}

}  // namespace
}  // namespace shanhuo
