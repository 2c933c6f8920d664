// Learning from impressions whose labels come late, against what was true, and as one that never
// stopped.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <deque>
#include <random>
#include <thread>

#include "base/hash.h"
#include "models/value_learner.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr Millis kNow{1'790'000'000'000};

ValueLearnerOptions small() {
  ValueLearnerOptions options;
  options.slots_log2 = 14;
  options.factor_slots_log2 = 8;
  options.impressions_log2 = options.clicks_log2 = 12;
  options.labels_min = 100;
  options.alpha = 0.1F;
  return options;
}

struct Shown {
  ImpressionContext context;
  uint64_t key = 0;
  int item = 0, position = 0;
};

// Viewers who are not known, items of ids 0.., and how often each is clicked where: P(click | seen)
// of the item times P(seen | position).
class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {}

  static double appeal(int item) { return 0.05 + 0.1 * item; }
  static double examined(int position) { return position == 0 ? 1 : 0.4; }
  static ItemContext item_of(int item) {
    return {.id_hash = mix64(static_cast<uint64_t>(item) + 1),
            .creator_hash = static_cast<uint32_t>(item % 3) + 1,
            .category_hash = 7,
            .kind = ItemKind::kScenicVideo,
            .rates = {}};
  }
  ViewerContext viewer(uint32_t city = 0) const {
    return viewer_context(state_, 0, Surface::kFeed, kNow, city);
  }

  // Better items are shown at the top more often: what is clicked there is not all position's.
  Shown show() {
    Shown shown;
    shown.item = static_cast<int>(random_() % 5);
    shown.position = static_cast<int>(random_() % 10) < 2 + shown.item ? 0 : 5;
    shown.key = ++keys_ * 0x9e3779b97f4a7c15ULL | 1U;
    shown.context = impression_context(viewer(), item_of(shown.item), shown.position);
    return shown;
  }
  bool draw(double p) { return static_cast<double>(random_() >> 11) * 0x1p-53 < p; }
  uint64_t bits() { return random_(); }

 private:
  std::mt19937_64 random_;
  ViewerState state_;
  uint64_t keys_ = 0;
};

// Impressions; each click comes after `delay` more impressions, each order of one click in four
// after as many again.
void feed(ValueLearner& learner, World& world, int impressions, size_t delay) {
  std::deque<Shown> waiting, clicked;
  for (int i = 0; i < impressions; ++i) {
    const Shown shown = world.show();
    learner.impression(shown.key, shown.context);
    waiting.push_back(shown);
    if (waiting.size() > delay) {
      const Shown late = waiting.front();
      waiting.pop_front();
      if (world.draw(World::appeal(late.item) * World::examined(late.position))) {
        learner.click(late.key);
        clicked.push_back(late);
      }
      if (world.draw(0.3)) learner.long_watch(late.key);
    }
    if (clicked.size() > delay) {
      if (world.draw(0.25)) learner.order(clicked.front().key);
      clicked.pop_front();
    }
  }
}

TEST(ValueLearner, LearnsRatesFromLabelsThatComeLate) {
  for (const size_t delay : {0, 1, 1'000}) {
    ValueLearner learner(small());
    World world(1);
    feed(learner, world, 100'000, delay);
    ValueLearner::Page page(learner, world.viewer());
    for (int item = 0; item < 5; ++item) {
      const ValueLearner::Values values = page.values(World::item_of(item));
      EXPECT_NEAR(values.click, World::appeal(item), 0.06) << item << " after " << delay;
      EXPECT_NEAR(values.order, 0.25, 0.06) << item << " after " << delay;
      EXPECT_NEAR(values.long_watch, 0.3, 0.06) << item << " after " << delay;
    }
    EXPECT_LT(learner.stats().labels_lost, 2'000U);
    EXPECT_EQ(learner.stats().impressions, 100'000U);
  }
}

// An item that was shown at the top more often is not taken to be better for it.
TEST(ValueLearner, ScoresAsIfEveryItemStoodAtThePositionOfReference) {
  ValueLearner learner(small());
  World world(2);
  const auto same = [](uint64_t id) {
    ItemContext item = World::item_of(3);
    item.id_hash = mix64(1'000 + id);
    return item;
  };
  for (uint64_t i = 0; i < 60'000; ++i) {
    const uint64_t id = world.bits() % 2;
    const int position = world.bits() % 10 < (id == 0 ? 9 : 1) ? 0 : 5;
    const uint64_t key = 2 * i + 1;
    learner.impression(key, impression_context(world.viewer(), same(id), position));
    if (world.draw(0.4 * World::examined(position))) learner.click(key);
  }
  ValueLearner::Page page(learner, world.viewer());
  EXPECT_NEAR(page.values(same(0)).click, page.values(same(1)).click, 0.05);
  EXPECT_NEAR(page.values(same(0)).click, 0.4, 0.05);
}

TEST(ValueLearner, LearnsWhatACityClicksOfViewersOfWhomNothingElseIsKnown) {
  ValueLearner learner(small());
  World world(4);
  const auto appeal = [](uint32_t city, int item) {
    return static_cast<int>(city % 2) == item % 2 ? 0.4 : 0.1;
  };
  for (uint64_t i = 0; i < 60'000; ++i) {
    const auto city = static_cast<uint32_t>(1 + world.bits() % 2);
    const int item = static_cast<int>(world.bits() % 4);
    learner.impression(2 * i + 1, impression_context(world.viewer(city), World::item_of(item), 0));
    if (world.draw(appeal(city, item))) learner.click(2 * i + 1);
  }
  for (const uint32_t city : {1U, 2U}) {
    ValueLearner::Page page(learner, world.viewer(city));
    for (int item = 0; item < 4; ++item) {
      EXPECT_NEAR(page.values(World::item_of(item)).click, appeal(city, item), 0.06);
    }
  }
}

TEST(ValueLearner, AnImpressionIsLabelledOnceAndAForgottenOneNever) {
  ValueLearner learner(small());
  World world(3);
  const Shown shown = world.show();
  learner.click(shown.key);  // never shown
  learner.impression(shown.key, shown.context);
  for (int i = 0; i < 3; ++i) learner.click(shown.key);
  for (int i = 0; i < 3; ++i) learner.order(shown.key);
  for (int i = 0; i < 3; ++i) learner.long_watch(shown.key);
  Shown other = world.show();
  other.key = shown.key + 2;  // the same slot
  learner.impression(other.key, other.context);
  learner.click(shown.key);
  const ValueLearner::Stats stats = learner.stats();
  EXPECT_EQ(stats.clicks, 1U);
  EXPECT_EQ(stats.orders, 1U);
  EXPECT_EQ(stats.long_watches, 1U);
  EXPECT_EQ(stats.labels_lost, 2U);
}

TEST(ValueLearner, IsReadyAfterSoManyImpressions) {
  ValueLearner learner(small());
  World world(4);
  feed(learner, world, 99, 0);
  EXPECT_FALSE(learner.ready());
  feed(learner, world, 1, 0);
  EXPECT_TRUE(learner.ready());
}

TEST(ValueLearner, ARestoredLearnerGoesOnAsTheOneThatNeverStopped) {
  ValueLearner learner(small()), restored(small());
  MemoryState state, whole, again;
  World world(5), copy(5);
  feed(learner, world, 3'000, 20);
  checkpoint(learner, state);
  feed(learner, world, 500, 20);
  learner.begin_checkpoint(state);  // what is learned meanwhile is not in it
  ValueLearner other(small());
  World same(5);
  feed(other, same, 3'000, 20);
  feed(other, same, 500, 20);
  World rest = same;
  while (!learner.checkpoint_step(1)) feed(learner, world, 3, 0);
  ASSERT_TRUE(restored.restore(state).ok());
  feed(restored, rest, 1'000, 20);
  feed(other, same, 1'000, 20);
  checkpoint(other, whole);
  restored.begin_checkpoint(again);
  while (!restored.checkpoint_step(100)) {
  }
  for (const auto& [key, value] : again.records) EXPECT_EQ(whole.records[key], value) << key;
  EXPECT_EQ(restored.stats().impressions, 4'500U);
}

TEST(ValueLearner, StateOfAnotherSizeIsRefused) {
  ValueLearner learner(small());
  World world(6);
  feed(learner, world, 200, 0);
  MemoryState state;
  checkpoint(learner, state);
  ValueLearnerOptions other = small();
  other.impressions_log2 = 6;
  EXPECT_FALSE(ValueLearner(other).restore(state).ok());
  other = small();
  other.slots_log2 = 8;
  EXPECT_FALSE(ValueLearner(other).restore(state).ok());
}

TEST(ValueLearner, IsReadWhileItLearns) {
  ValueLearner learner(small());
  World world(7);
  const ViewerContext viewer = world.viewer();
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      ValueLearner::Page page(learner, viewer);
      for (int item = 0; item < 5; ++item) {
        const float click = page.values(World::item_of(item)).click;
        ASSERT_TRUE(click >= 0 && click <= 1);
      }
      ASSERT_EQ(learner.stats().labels_lost, 0U);
    }
  });
  feed(learner, world, 5'000, 10);
  done = true;
  reader.join();
}

TEST(ImpressionContext, BytesHoldEveryNumberThatCanCome) {
  ViewerState viewer;
  viewer.known = true;
  viewer.rates = {.impressions = 1e9F, .clicks = 1e9F, .orders = 0};
  viewer.categories[0] = {5, 2};
  viewer.categories[1] = {6, 2};
  const ViewerContext context = viewer_context(viewer, ~uint64_t{0}, Surface::kFeed, kNow);
  ItemContext item = World::item_of(0);
  item.category_hash = 6;
  for (const float extreme : {0.0F, 1e-30F, 1e30F}) {
    for (const int position : {-1, 0, 29, 30, 31, 100'000}) {
      item.rates = {.impressions = extreme, .clicks = extreme, .viewable = 0, .orders = extreme};
      item.similarity = extreme;
      const ImpressionContext seen = impression_context(context, item, position);
      EXPECT_EQ(seen.position, position < 0 ? kUnknownPosition : std::min(position, 30));
      EXPECT_EQ(seen.category_share, 191);  // a half
      EXPECT_EQ(seen.county_share, 127);    // nothing
      ImpressionFeatures features;
      features.set_shared(seen);
      features.set_own(seen);
      for (const ModelFeatures& part : {features.shared(), features.own()}) {
        for (const ModelFeature& feature : part.plain) {
          ASSERT_TRUE(std::isfinite(feature.value));
        }
      }
    }
  }
}

}  // namespace
}  // namespace shanhuo
