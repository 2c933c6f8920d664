#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "features/item_state.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kStart = 1'790'000'000'000;
constexpr int64_t kFiveMinutes = 300'000;

struct Added {
  ItemIndex item;
  int64_t ts;
  Counts counts;
};

// The obvious way: keep everything, sum when asked.
class Oracle {
 public:
  void add(const Added& added) {
    all_.push_back(added);
    watermark_ = std::max(watermark_, added.ts);
  }
  int64_t watermark() const { return watermark_; }

  ItemWindows windows(ItemIndex item) const {
    ItemWindows windows;
    for (const Added& added : all_) {
      if (added.item != item) continue;
      const auto buckets = [&](int64_t width) { return watermark_ / width - added.ts / width; };
      if (buckets(kFiveMinutes) < 12) windows.hour += added.counts;
      if (buckets(3'600'000) < 24) windows.day += added.counts;
      if (buckets(3'600'000) < 168) windows.week += added.counts;
    }
    return windows;
  }
  double clicks(ItemIndex item) const {
    double sum = 0;
    for (const Added& added : all_) {
      if (added.item != item) continue;
      const double age = static_cast<double>(watermark_ - added.ts);
      sum += static_cast<double>(added.counts.clicks) *
             std::exp2(-age / static_cast<double>(kRateHalfLife.count()));
    }
    return sum;
  }

 private:
  std::vector<Added> all_;
  int64_t watermark_ = INT64_MIN;
};

Counts random_counts(std::mt19937_64& random) {
  return {.served = 1,
          .viewable = static_cast<int64_t>(random() % 2),
          .clicks = static_cast<int64_t>(random() % 3),
          .plays = static_cast<int64_t>(random() % 2),
          .watch_ms = static_cast<int64_t>(random() % 100'000),
          .likes = static_cast<int64_t>(random() % 2),
          .orders = static_cast<int64_t>(random() % 2),
          .amount_fen = static_cast<int64_t>(random() % 2000) - 1000};
}

class ItemStateTest : public testing::Test {
 protected:
  static constexpr ItemIndex kItems = 7;

  ItemStateTest() {
    for (ItemIndex i = 0; i < kItems; ++i) interner_.intern("i" + std::to_string(i));
  }
  void add(ItemState& state, const Added& added) {
    watermark_ = std::max(watermark_, added.ts);
    state.add(added.item, Millis(added.ts), Millis(watermark_), added.counts);
  }
  // Time goes on by up to `step` a call; an event is up to 24 h older.
  Added next(std::mt19937_64& random, int64_t step) {
    now_ += static_cast<int64_t>(random() % static_cast<uint64_t>(step));
    const auto age = random() % 4 == 0 ? static_cast<int64_t>(random() % 86'000'000) : 0;
    return {static_cast<ItemIndex>(random() % kItems), now_ - age, random_counts(random)};
  }

  Interner interner_;
  int64_t now_ = kStart;
  int64_t watermark_ = INT64_MIN;
};

void expect_equal(const ItemWindows& got, const ItemWindows& wanted) {
  EXPECT_EQ(got.hour, wanted.hour);
  EXPECT_EQ(got.day, wanted.day);
  EXPECT_EQ(got.week, wanted.week);
}

TEST_F(ItemStateTest, WindowsAreTheSumsOfTheirBuckets) {
  for (const int64_t step : {20'000, 1'000'000, 20'000'000}) {
    std::mt19937_64 random(step);
    Interner interner;
    ItemState state({}, interner_);
    Oracle oracle;
    now_ = kStart;
    watermark_ = INT64_MIN;
    for (int i = 0; i < 2000; ++i) {
      const Added added = next(random, step);
      add(state, added);
      oracle.add(added);
      if (i % 50 != 0) continue;
      for (ItemIndex item = 0; item < kItems; ++item) {
        expect_equal(state.windows(item), oracle.windows(item));
      }
    }
  }
}

TEST_F(ItemStateTest, WindowsOfAListAreSums) {
  ItemState state({}, interner_);
  add(state, {0, kStart, {.served = 1}});
  add(state, {1, kStart, {.served = 2}});
  const std::vector<ItemIndex> both = {0, 1, 6};
  EXPECT_EQ(state.windows(both).hour.served, 3);
}

TEST_F(ItemStateTest, RatesDecayByHalfInAWeek) {
  std::mt19937_64 random(3);
  ItemState state({}, interner_);
  Oracle oracle;
  for (int i = 0; i < 3000; ++i) {
    const Added added = next(random, 2'000'000);
    add(state, added);
    oracle.add(added);
  }
  for (ItemIndex item = 0; item < kItems; ++item) {
    const double wanted = oracle.clicks(item);
    EXPECT_NEAR(state.rates(item).clicks, wanted, 1e-5 * wanted);
  }
  EXPECT_EQ(state.rates(kItems).clicks, 0);
  EXPECT_EQ(state.rates(kNoItem).clicks, 0);
}

TEST_F(ItemStateTest, PopularItemsComeByDecayedClicks) {
  ItemState state({}, interner_);
  add(state, {3, kStart, {.clicks = 10}});
  add(state, {1, kStart, {.clicks = 8}});
  add(state, {2, kStart, {.served = 99}});
  add(state, {5, kStart + 14 * 86'400'000LL, {.clicks = 5}});
  EXPECT_EQ(state.popular(10), (std::vector<ItemIndex>{5, 3, 1}));
  EXPECT_EQ(state.popular(2), (std::vector<ItemIndex>{5, 3}));
  EXPECT_EQ(state.popular(0), std::vector<ItemIndex>{});
}

TEST_F(ItemStateTest, BucketsStayWithinTheirBudget) {
  std::mt19937_64 random(4);
  ItemState state({.items_max = 1000, .buckets_max = 50}, interner_);
  const size_t empty = state.bytes();
  for (int i = 0; i < 3000; ++i) add(state, next(random, 1'000'000));
  EXPECT_GT(state.buckets_dropped(), 0U);
  const size_t chunk_bytes = 200'000;
  EXPECT_LT(state.bytes(), empty + chunk_bytes + 64 * 60);
}

// Restores and compares windows and rates with what was there at the beginning, each round.
TEST_F(ItemStateTest, ComesBackAsItWasWhenTheCheckpointBegan) {
  for (const int64_t step : {100'000, 10'000'000}) {
    std::mt19937_64 random(step);
    ItemState state({}, interner_);
    MemoryState disk;
    now_ = kStart;
    watermark_ = INT64_MIN;
    for (int round = 0; round < 30; ++round) {
      for (int i = 0; i < 40; ++i) add(state, next(random, step));
      std::vector<ItemWindows> windows;
      std::vector<float> clicks;
      for (ItemIndex item = 0; item < kItems; ++item) {
        windows.push_back(state.windows(item));
        clicks.push_back(state.rates(item).clicks);
      }
      state.begin_checkpoint(disk);
      while (!state.checkpoint_step(2)) add(state, next(random, step));
      ItemState restored({}, interner_);
      ASSERT_TRUE(restored.restore(disk).ok());
      for (ItemIndex item = 0; item < kItems; ++item) {
        expect_equal(restored.windows(item), windows[item]);
        EXPECT_EQ(restored.rates(item).clicks, clicks[item]);
      }
    }
  }
}

// The same events, checkpointed at different times and restarted in between: the same bytes.
TEST_F(ItemStateTest, BytesDependOnTheEventsAlone) {
  const auto run = [&](int every, bool restart) {
    std::mt19937_64 random(9);
    MemoryState disk;
    auto state = std::make_unique<ItemState>(ItemStateOptions{}, interner_);
    now_ = kStart;
    watermark_ = INT64_MIN;
    for (int i = 0; i < 1200; ++i) {
      // Long pauses, so that idle items are swept.
      add(*state, next(random, i % 100 == 0 ? 500'000'000 : 2'000'000));
      if (every == 0 || i % every != 0) continue;
      checkpoint(*state, disk);
      if (!restart) continue;
      state = std::make_unique<ItemState>(ItemStateOptions{}, interner_);
      EXPECT_TRUE(state->restore(disk).ok());
    }
    checkpoint(*state, disk);
    return disk.records;
  };
  const auto once = run(0, false);
  EXPECT_EQ(run(7, false), once);
  EXPECT_EQ(run(150, false), once);
  EXPECT_EQ(run(31, true), once);
}

TEST_F(ItemStateTest, RefusesRecordsThatDoNotHold) {
  ItemState state({}, interner_);
  MemoryState disk;
  add(state, {0, kStart, {.served = 1}});
  checkpoint(state, disk);
  for (const auto& [key, value] : disk.records) {
    MemoryState broken = disk;
    broken.records[key].pop_back();
    ItemState restored({}, interner_);
    EXPECT_FALSE(restored.restore(broken).ok()) << key;
  }
  MemoryState unknown;
  unknown.put("itnobody", disk.records["iti0"]);
  ItemState restored({}, interner_);
  EXPECT_FALSE(restored.restore(unknown).ok());
}

TEST_F(ItemStateTest, ReadersBesideTheWriterSeeWholeRates) {
  ItemState state({}, interner_);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      const ItemRates rates = state.rates(0);  // all four grow and decay together
      ASSERT_EQ(rates.impressions, rates.clicks);
      ASSERT_EQ(rates.impressions, rates.orders);
      ASSERT_EQ(rates.impressions, rates.viewable);
      const ItemWindows windows = state.windows(0);
      for (const Counts& counts : {windows.hour, windows.day, windows.week}) {
        ASSERT_EQ(counts, (Counts{.served = counts.served,
                                  .viewable = counts.served,
                                  .clicks = counts.served,
                                  .orders = counts.served}));
      }
      ASSERT_LE(windows.hour.served, windows.week.served);
    }
  });
  // 17 hours: buckets come and go, and some events belong to older ones.
  for (int i = 0; i < 20'000; ++i) {
    const int64_t late = i % 10 == 0 ? 2 * kFiveMinutes : 0;
    add(state,
        {0, kStart + i * 3'000 - late, {.served = 1, .viewable = 1, .clicks = 1, .orders = 1}});
  }
  done = true;
  reader.join();
}

}  // namespace
}  // namespace shanhuo
