// Pages with value models: rates and lifts until enough was learned, then what was learned; and by
// option.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "ranking/scoring.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

constexpr int kImpressions = 3'000;

struct LearnedValues : testing::Test {
  LearnedValues() : learner(options()) {
    world.options.explore_probability = 0;
    world.put({farm_good("loved", "anna"), farm_good("plain", "anna")});
    world.add_program("all", Value(Value::Object{}));
    world.finish(0);
  }

  static ValueLearnerOptions options() {
    ValueLearnerOptions options;
    options.labels_min = kImpressions;
    options.slots_log2 = options.impressions_log2 = options.clicks_log2 = 12;
    options.factor_slots_log2 = 8;
    options.alpha = 0.1F;
    return options;
  }

  // Viewers click one good of the two.
  void learn(int impressions) {
    const ViewerState nobody;
    const ViewerContext viewer = viewer_context(nobody, 0, Surface::kFeed, kTestNow);
    for (int i = 0; i < impressions; ++i) {
      const Listing& listing = world.world->listing(static_cast<ItemIndex>(i % 2));
      const ItemContext item{.id_hash = listing.id_hash,
                             .creator_hash = listing.creator_hash,
                             .category_hash = listing.category_hash,
                             .county_code = listing.county_code,
                             .kind = listing.kind,
                             .rates = {}};
      const auto key = static_cast<uint64_t>(i) + 1;
      learner.impression(key, impression_context(viewer, item, i % 7));
      if (i % 2 == 0 && i % 5 < 3) learner.click(key);
    }
  }

  // Worth in fen, by id.
  std::map<std::string, double> worth() {
    RankRequest request = request_of({}, 2);
    RankContext context = world.context();
    context.values = values;
    std::map<std::string, double> all;
    for (const SlateItem& item : rank(request, context, scratch).items) {
      all[item.item_id] = item.score;
    }
    return all;
  }

  TestWorld world;
  RankScratch scratch;
  ValueLearner learner;
  ValueModels values{&learner};
};

TEST_F(LearnedValues, TakeTheirPlaceOnceEnoughWasLearned) {
  const auto before = worth();
  ASSERT_EQ(before.size(), 2U);
  EXPECT_EQ(before.at("loved"), before.at("plain"));
  learn(kImpressions - 1);
  EXPECT_EQ(worth(), before);
  learn(1);
  const auto after = worth();
  const double fen = world.options.value_per_click_fen;
  EXPECT_NEAR(after.at("loved"), 0.6 * fen, 0.1 * fen);
  EXPECT_LT(after.at("plain"), 0.1 * fen);
}

TEST_F(LearnedValues, AreLeftAloneByOption) {
  const auto before = worth();
  learn(2 * kImpressions);
  EXPECT_NE(worth(), before);
  world.options.learned_values = false;
  EXPECT_EQ(worth(), before);
}

TEST_F(LearnedValues, AreThoseOfTheModelThatTheOptionNames) {
  const auto before = worth();
  learn(2 * kImpressions);
  const auto live = worth();
  world.options.value_model = ValueModelKind::kFrozen;
  EXPECT_EQ(worth(), before);  // it is off
  values[2] = &learner;
  EXPECT_EQ(worth(), live);
}

TEST_F(LearnedValues, ALongWatchHasAWorthOfItsOwn) {
  BoostCandidate candidate;
  candidate.fatigue = 1;
  candidate.upper_fen = 100;
  world.options.value_per_long_watch_fen = 2;
  take_learned(world.options, {.click = 0.5F, .long_watch = 0.25F, .order = 0.1F}, candidate);
  const double left = std::exp(-1);
  EXPECT_NEAR(candidate.p_click, 0.5 * left, 1e-6);
  EXPECT_NEAR(candidate.p_order, 0.05 * left, 1e-6);
  EXPECT_NEAR(candidate.value_fen, (0.5 * world.options.value_per_click_fen + 0.5) * left, 1e-6);
  EXPECT_EQ(candidate.upper_fen, candidate.value_fen);  // no new item
}

}  // namespace
}  // namespace shanhuo
