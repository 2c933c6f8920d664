#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "features/segment_rates.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr Millis kNow{1'789'900'000'000};
constexpr uint64_t kFeed = 7, kChengdu = 8;

const SegmentRates::ItemCounts* find(const SegmentRates& rates, uint64_t key, ItemIndex item) {
  static std::vector<SegmentRates::Segment> all;
  all = rates.top();
  for (const SegmentRates::Segment& segment : all) {
    for (const SegmentRates::ItemCounts& counts : segment.items) {
      if (segment.key == key && counts.item == item) return &counts;
    }
  }
  return nullptr;
}

bool operator==(const SegmentRates::ItemCounts& a, const SegmentRates::ItemCounts& b) {
  return a.item == b.item && a.impressions == b.impressions && a.clicks == b.clicks;
}

TEST(SegmentRates, NameCitiesAndSurfacesApart) {
  EXPECT_EQ(city_hash(""), 0U);
  EXPECT_NE(city_hash("成都"), city_hash("哈尔滨"));
  EXPECT_NE(segment_key(Surface::kFeed, 0), segment_key(Surface::kSearch, 0));
  EXPECT_NE(segment_key(Surface::kFeed, 0), segment_key(Surface::kFeed, city_hash("成都")));
}

// Each event counts 2^(-age / 7 days) at the moment of the newest one, in whatever order they come.
TEST(SegmentRates, DecayAsASlowSumSays) {
  std::mt19937 random(3);
  SegmentRates rates{{}};
  struct Event {
    ItemIndex item;
    bool click;
    Millis ts;
  };
  std::vector<Event> events;
  for (int i = 0; i < 2'000; ++i) {
    const Event event{static_cast<ItemIndex>(random() % 50), i >= 50 && random() % 5 == 0,
                      kNow + Millis(i * 1'000'000 - static_cast<int64_t>(random() % 40'000'000))};
    if (event.click) {
      rates.click(kFeed, event.item, event.ts);
    } else {
      rates.impression(kFeed, i < 50 ? static_cast<ItemIndex>(i) : event.item, event.ts);
    }
    events.push_back(i < 50 ? Event{static_cast<ItemIndex>(i), false, event.ts} : event);
  }
  Millis newest = events.front().ts;
  for (const Event& event : events) newest = std::max(newest, event.ts);
  std::map<ItemIndex, std::pair<double, double>> slow;
  for (const Event& event : events) {
    const double left = std::exp2(-static_cast<double>((newest - event.ts).count()) /
                                  static_cast<double>(kRateHalfLife.count()));
    (event.click ? slow[event.item].second : slow[event.item].first) += left;
  }
  for (const auto& [item, sums] : slow) {
    const SegmentRates::ItemCounts* counts = find(rates, kFeed, item);
    ASSERT_NE(counts, nullptr);
    EXPECT_NEAR(counts->impressions, sums.first, 1e-3 * (1 + sums.first));
    EXPECT_NEAR(counts->clicks, sums.second, 1e-3 * (1 + sums.second));
  }
}

TEST(SegmentRates, ListMostClicksFirst) {
  SegmentRates rates{{}};
  for (ItemIndex item = 0; item < 10; ++item) {
    rates.impression(kFeed, item, kNow);
    for (ItemIndex n = 0; n < item % 5; ++n) rates.click(kFeed, item, kNow);
  }
  const auto all = rates.top();
  ASSERT_EQ(all.size(), 1U);
  for (size_t i = 1; i < all[0].items.size(); ++i) {
    EXPECT_GE(all[0].items[i - 1].clicks, all[0].items[i].clicks);
  }
}

TEST(SegmentRates, AFullSegmentKeepsWhatIsClickedAndCountsOfAnItemBeginTogether) {
  SegmentRates rates{{}};
  rates.impression(kFeed, 5'000, kNow);
  rates.click(kFeed, 5'000, kNow);
  for (int n = 0; n < 10; ++n) rates.impression(kFeed, 3, kNow);
  for (ItemIndex item = 10; item < 1'000; ++item) rates.impression(kFeed, item, kNow);
  EXPECT_EQ(rates.top()[0].items.size(), SegmentRates::kItems);
  ASSERT_NE(find(rates, kFeed, 5'000), nullptr);
  rates.click(kFeed, 3, kNow);  // made room for others long ago
  EXPECT_EQ(find(rates, kFeed, 3), nullptr);
  rates.impression(kFeed, 3, kNow);
  EXPECT_EQ(find(rates, kFeed, 3)->clicks, 0);
}

TEST(SegmentRates, LeaveOutSegmentsBeyondTheBoundAndCountThem) {
  SegmentRates rates{{.segments_max = 1}};
  rates.impression(kFeed, 1, kNow);
  rates.impression(kChengdu, 1, kNow);
  EXPECT_EQ(rates.top().size(), 1U);
  EXPECT_EQ(rates.segments_refused(), 1U);
}

// Checkpoints begin at random moments and are written amid changes; what lands is the state of the
// moment of the beginning.
TEST(SegmentRates, CheckpointTheStateOfOneMoment) {
  std::mt19937 random(7);
  SegmentRates rates{{}};
  MemoryState state;
  Millis now = kNow;
  const auto change = [&] {
    now += Millis(60'000);
    const ItemIndex item = random() % 90;
    rates.impression(random() % 40, item, now);
    rates.click(random() % 40, item, now);
  };
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 300; ++i) change();
    rates.begin_checkpoint(state);
    const auto frozen = rates.top();
    do {
      for (int i = 0; i < 10; ++i) change();
    } while (!rates.checkpoint_step(5));
    SegmentRates restored{{}};
    ASSERT_TRUE(restored.restore(state).ok());
    const auto back = restored.top();
    ASSERT_EQ(back.size(), frozen.size());
    for (size_t i = 0; i < back.size(); ++i) {
      EXPECT_EQ(back[i].key, frozen[i].key);
      EXPECT_TRUE(std::equal(back[i].items.begin(), back[i].items.end(), frozen[i].items.begin(),
                             frozen[i].items.end(),
                             [](const auto& a, const auto& b) { return a == b; }));
    }
  }
}

TEST(SegmentRates, RefuseRecordsThatDoNotHold) {
  using std::string_literals::operator""s;
  for (const auto& [key, value] : {std::pair{"sg1234567"s, "\x02"s},
                                   {"sg12345678"s, ""s},
                                   {"sg12345678"s, "\x02\x01\x01\x01\x01"s},
                                   {"sg12345678"s, "\x02\x01\x01\x01\x01\0\0\x80\xbf\0\0\0\0"s}}) {
    MemoryState state;
    state.put(key, value);
    SegmentRates rates{{}};
    EXPECT_FALSE(rates.restore(state).ok()) << key;
  }
}

}  // namespace
}  // namespace shanhuo
