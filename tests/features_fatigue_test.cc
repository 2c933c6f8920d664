// Fatigue against its slow twin: for each key all insertions, the reactions and exp2.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "features/fatigue.h"

namespace shanhuo {
namespace {

constexpr int64_t kNow = 1'790'000'000'000;
constexpr int64_t kMinuteMs = 60'000;

class FatigueTest : public testing::Test {
 protected:
  FatigueTest() {
    for (int i = 0; i < 12; ++i) {
      Item item;
      item.id = ItemId("item" + std::to_string(i));
      item.creator_id = CreatorId("creator" + std::to_string(i % 3));
      EXPECT_TRUE(catalogue_.apply(item).ok());
    }
    catalogue_.publish();
  }
  static bool wants(EventType type) {
    return type != EventType::kImpression && type != EventType::kPlay &&
           type != EventType::kRefund && type != EventType::kDislike;
  }

  Interner interner_;
  CatalogueState catalogue_{interner_, [](const Item&) { return Vector{}; }};
};

TEST_F(FatigueTest, EqualsItsTwinOnRandomHistories) {
  std::mt19937_64 random(5);
  const auto catalogue = catalogue_.snapshot();
  for (int round = 0; round < 200; ++round) {
    const auto below = [&](uint64_t n) { return static_cast<uint32_t>(random() % n); };
    ViewerState viewer;
    for (uint32_t i = 0; i < 8; ++i) {
      viewer.recent[i] = {i * 2, static_cast<EventType>(below(kEventTypes)),
                          Millis(kNow / kMinuteMs * kMinuteMs - below(5'000) * kMinuteMs)};
      viewer.recent_count = static_cast<int>(i) + 1;
    }
    Insertions insertions;
    for (uint32_t n = below(60); n > 0; --n) {
      Insertion one;
      one.at = Millis(kNow - below(7 * 86'400'000));
      one.item = below(16);  // 12 and above: not in the catalogue
      one.programs = {below(4), below(3), 0, 0};
      insertions.push_back(one);
    }
    const Fatigue fatigue(viewer, insertions, *catalogue, Millis(kNow));
    const auto expect = [&](const Exposed& got, const auto& is_of) {
      int times = 0;
      double sum = 0;
      for (const Insertion& one : insertions) {
        const int of = is_of(one);
        times += of;
        bool wanted = false;
        for (int i = 0; i < viewer.recent_count; ++i) {
          const RecentItem& recent = viewer.recent[static_cast<size_t>(i)];
          wanted = wanted || (recent.item == one.item && wants(recent.type) &&
                              recent.at.count() + kMinuteMs > one.at.count());
        }
        if (!wanted) sum += of * std::exp2(-static_cast<double>(kNow - one.at.count()) / 86.4e6);
      }
      EXPECT_EQ(got.times, times);
      EXPECT_NEAR(got.fatigue, sum, 1e-4);
    };
    for (uint32_t key = 0; key < 16; ++key) {
      expect(fatigue.item(key), [&](const Insertion& one) { return one.item == key ? 1 : 0; });
    }
    for (uint32_t creator = 0; creator < 3; ++creator) {
      expect(
          fatigue.creator(key_hash("creator" + std::to_string(creator))),
          [&](const Insertion& one) { return one.item < 12 && one.item % 3 == creator ? 1 : 0; });
    }
    for (uint32_t program = 1; program < 4; ++program) {
      expect(fatigue.program(program), [&](const Insertion& one) {
        return static_cast<int>(std::ranges::count(one.programs, program));
      });
    }
    EXPECT_TRUE(std::ranges::is_sorted(fatigue.items(), {}, &Exposed::key));
  }
}

TEST_F(FatigueTest, AReactionEndsItAndALaterRepeatBeginsItAgain) {
  ViewerState viewer;
  const auto catalogue = catalogue_.snapshot();
  Insertions insertions;
  insertions.push_back({.at = Millis(kNow - 86'400'000), .item = 3});
  const auto of_item = [&] {
    return Fatigue(viewer, insertions, *catalogue, Millis(kNow)).item(3);
  };
  EXPECT_NEAR(of_item().fatigue, 0.5, 1e-6);
  viewer.recent[0] = {3, EventType::kClick, Millis(kNow - 40'000'000)};
  viewer.recent_count = 1;
  EXPECT_EQ(of_item().fatigue, 0);
  EXPECT_EQ(of_item().times, 1);
  insertions.push_back({.at = Millis(kNow), .item = 3});
  EXPECT_EQ(of_item().fatigue, 1);
  EXPECT_EQ(of_item().last.count(), kNow);
  viewer.recent[0].type = EventType::kDislike;
  EXPECT_NEAR(of_item().fatigue, 1.5, 1e-6);
}

}  // namespace
}  // namespace shanhuo
