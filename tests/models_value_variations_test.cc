#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "base/hash.h"
#include "features/counts.h"
#include "models/value_variations.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr Millis kNow{1'790'000'000'000};
constexpr size_t kLive = 0, kSecond = 1, kFrozen = 2;

ValueLearnerOptions small(float alpha) {
  ValueLearnerOptions options;
  options.enabled = true;
  options.slots_log2 = 10;
  options.factor_slots_log2 = 6;
  options.impressions_log2 = options.clicks_log2 = 8;
  options.labels_min = 1;
  options.alpha = alpha;
  return options;
}

ItemContext item_of(uint64_t item) {
  return {.id_hash = mix64(item + 1),
          .creator_hash = 1,
          .category_hash = 1,
          .kind = ItemKind::kFarmGood,
          .rates = {}};
}

ViewerContext nobody() {
  static const ViewerState kNobody;
  return viewer_context(kNobody, 0, Surface::kFeed, kNow);
}

float click_of(const ValueLearner& learner, uint64_t item) {
  return ValueLearner::Page(learner, nobody()).values(item_of(item)).click;
}

// Impressions of five goods that are clicked differently; the same for every Learner.
class Traffic {
 public:
  template <typename Learner>
  void feed(Learner& learner, int impressions) {
    for (int i = 0; i < impressions; ++i) {
      const uint64_t item = random_() % 5, key = random_() | 1U;
      learner.impression(key, impression_context(nobody(), item_of(item), 0));
      if (random_() % 8 < item) learner.click(key);
      if (random_() % 16 < item) learner.order(key);
    }
  }

 private:
  std::mt19937_64 random_{11};
};

TEST(ValueVariations, LearnEachAsItWouldAlone) {
  ValueVariations all(small(0.02F), small(0.1F), Millis(0));
  ValueLearner live(small(0.02F)), second(small(0.1F));
  Traffic().feed(all, 2'000);
  Traffic().feed(live, 2'000);
  Traffic().feed(second, 2'000);
  for (uint64_t item = 0; item < 5; ++item) {
    EXPECT_EQ(click_of(*all.models()[kLive], item), click_of(live, item));
    EXPECT_EQ(click_of(*all.models()[kSecond], item), click_of(second, item));
  }
  EXPECT_NE(click_of(live, 4), click_of(second, 4));
  EXPECT_EQ(all.models()[kFrozen], nullptr);
}

TEST(ValueVariations, AreOffTogether) {
  ValueLearnerOptions off = small(0.02F);
  off.enabled = false;
  const ValueVariations none(off, small(0.1F), kHour);
  EXPECT_FALSE(none.enabled());
  EXPECT_EQ(none.models(), ValueModels{});
}

TEST(ValueVariations, TheFrozenCopyIsTheLiveModelOfTheLastFullPeriod) {
  ValueVariations all(small(0.1F), {}, kHour);
  Traffic traffic;
  const Millis hour = start_of_hour(hour_of(kNow));
  all.pass(hour);
  traffic.feed(all, 500);
  all.pass(hour + kHour - Millis(1));
  EXPECT_FALSE(all.models()[kFrozen]->ready());
  all.pass(hour + kHour);
  std::array<float, 5> then;
  for (uint64_t item = 0; item < 5; ++item) then[item] = click_of(*all.models()[kLive], item);
  EXPECT_TRUE(all.models()[kFrozen]->ready());
  traffic.feed(all, 500);
  all.pass(hour + kHour + Millis(1));
  all.pass(hour);  // of another partition
  for (uint64_t item = 0; item < 5; ++item) {
    EXPECT_EQ(click_of(*all.models()[kFrozen], item), then[item]);
  }
  EXPECT_NE(click_of(*all.models()[kLive], 4), then[4]);
  all.pass(hour + kHour + kHour);
  EXPECT_EQ(click_of(*all.models()[kFrozen], 4), click_of(*all.models()[kLive], 4));
}

TEST(ValueVariations, RestoredTheyGoOnAsThoseThatNeverStopped) {
  ValueVariations all(small(0.1F), small(0.02F), kHour), restored(small(0.1F), small(0.02F), kHour);
  Traffic traffic;
  all.pass(kNow);
  traffic.feed(all, 500);
  all.pass(kNow + kHour);
  traffic.feed(all, 500);
  MemoryState state, one, other;
  checkpoint(all, state);
  ASSERT_TRUE(restored.restore(state).ok());
  Traffic rest = traffic;
  for (ValueVariations* each : {&all, &restored}) {
    (each == &all ? traffic : rest).feed(*each, 500);
    each->pass(kNow + kHour + Millis(1));  // renews nothing
  }
  for (const size_t kind : {kLive, kSecond, kFrozen}) {
    EXPECT_EQ(click_of(*all.models()[kind], 4), click_of(*restored.models()[kind], 4));
  }
  EXPECT_NE(click_of(*all.models()[kLive], 4), click_of(*all.models()[kFrozen], 4));
}

TEST(ValueVariations, TheCopyIsReadWhileItIsRenewed) {
  ValueVariations all(small(0.1F), {}, kHour);
  Traffic traffic;
  all.pass(kNow);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      const float click = click_of(*all.models()[kFrozen], 4);
      ASSERT_TRUE(click >= 0 && click <= 1);
    }
  });
  for (int hour = 1; hour < 30; ++hour) {
    traffic.feed(all, 20);
    all.pass(kNow + Millis(hour * kHour.count()));
  }
  done = true;
  reader.join();
}

}  // namespace
}  // namespace shanhuo
