#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "features/frequency.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kStart = 1'760'000'000'000;

Insertion insertion(int64_t at, uint64_t request, ItemIndex item) {
  Insertion made;
  made.at = Millis(at);
  made.request_hash = request;
  made.item = item;
  made.programs = {7, item | 1, 0, 0};
  return made;
}

using Key = std::tuple<int64_t, uint64_t, ItemIndex>;
std::vector<Key> keys(const Insertions& insertions) {
  std::vector<Key> out;
  for (const Insertion& i : insertions) {
    out.emplace_back(i.at.count(), i.request_hash, i.item);
    EXPECT_EQ(i.programs[1], i.item | 1);
  }
  return out;
}

TEST(FrequencyLedger, GivesWhatTheWindowHoldsLikeItsSlowTwin) {
  constexpr int64_t kWindow = 50'000;
  std::mt19937_64 random(1);
  FrequencyLedger ledger({.window_max_ms = kWindow, .insertions_max = 100'000});
  std::map<std::string, std::map<std::pair<uint64_t, ItemIndex>, int64_t>> twin;
  int64_t now = kStart;
  for (int n = 0; n < 20'000; ++n) {
    now += static_cast<int64_t>(random() % 200);
    const std::string user = "u" + std::to_string(random() % 30);
    const Insertion made =
        insertion(now - static_cast<int64_t>(random() % 100), static_cast<uint64_t>(n),
                  static_cast<ItemIndex>(random() % 9));
    ledger.record(user, made);
    ledger.record(user, made);  // again: nothing
    twin[user].emplace(std::pair(made.request_hash, made.item), made.at.count());
    if (n % 50 == 0) ledger.sweep(Millis(now));
    if (n % 10 != 0) continue;
    std::vector<Key> expected;
    for (const auto& [key, at] : twin[user]) {
      if (at > now - kWindow) expected.emplace_back(at, key.first, key.second);
    }
    std::sort(expected.begin(), expected.end());
    std::vector<Key> got = keys(ledger.recent(user, Millis(now)));
    EXPECT_TRUE(std::is_sorted(got.begin(), got.end(), [](const Key& a, const Key& b) {
      return std::get<0>(a) < std::get<0>(b);
    }));
    std::sort(got.begin(), got.end());
    ASSERT_EQ(got, expected) << n;
  }
  EXPECT_EQ(ledger.dropped(), 0U);
}

TEST(FrequencyLedger, DropsTheOldestBeyondItsLimitsAndCounts) {
  FrequencyLedger ledger({.insertions_max = 3, .viewers_max = 1});
  for (int n = 0; n < 5; ++n)
    ledger.record("u", insertion(kStart + n, 1, static_cast<ItemIndex>(n)));
  const Insertions recent = ledger.recent("u", Millis(kStart + 5));
  ASSERT_EQ(recent.size(), 3U);
  EXPECT_EQ(recent.front().item, 2U);
  EXPECT_EQ(ledger.dropped(), 2U);
  ledger.record("v", insertion(kStart, 1, 1));
  EXPECT_EQ(ledger.dropped(), 3U);
  EXPECT_TRUE(ledger.recent("v", Millis(kStart)).empty());
}

TEST(FrequencyLedger, SweepsViewersWithoutRecentInsertionsFromMemoryAndDisk) {
  FrequencyLedger ledger({.window_max_ms = 1'000});
  MemoryState disk;
  for (int n = 0; n < 3'000; ++n) ledger.record("u" + std::to_string(n), insertion(kStart, 1, 1));
  checkpoint(ledger, disk, 100);
  EXPECT_EQ(disk.records.size(), 3'000U);
  ledger.record("u5", insertion(kStart + 2'000, 2, 1));
  for (int n = 0; n < 1'024; ++n) ledger.sweep(Millis(kStart + 2'000));
  EXPECT_EQ(ledger.size(), 1U);
  checkpoint(ledger, disk, 100);
  ASSERT_EQ(disk.records.size(), 1U);
  EXPECT_EQ(disk.records.begin()->first, "fru5");
}

TEST(FrequencyLedger, RestoresAndForgetsOnDiskToo) {
  FrequencyLedger ledger;
  MemoryState disk;
  for (int n = 0; n < 500; ++n) {
    ledger.record("u" + std::to_string(n % 40),
                  insertion(kStart + n, 5, static_cast<ItemIndex>(n)));
  }
  ledger.begin_checkpoint(disk);
  ledger.forget("u1");
  ledger.forget("u2");
  ledger.record("u2", insertion(kStart + 1'000, 6, 1));
  while (!ledger.checkpoint_step(3)) {
  }
  checkpoint(ledger, disk);
  FrequencyLedger restored;
  ASSERT_TRUE(restored.restore(disk).ok());
  EXPECT_EQ(restored.size(), 39U);
  const Millis now(kStart + 2'000);
  for (int n = 0; n < 40; ++n) {
    const std::string user = "u" + std::to_string(n);
    EXPECT_EQ(keys(restored.recent(user, now)), keys(ledger.recent(user, now))) << user;
  }
  EXPECT_TRUE(restored.recent("u1", now).empty());
  EXPECT_EQ(restored.recent("u2", now).size(), 1U);
  disk.records["fru3"].pop_back();
  FrequencyLedger damaged;
  EXPECT_EQ(damaged.restore(disk).error().code, ErrorCode::kCorrupt);
}

TEST(FrequencyLedger, RankThreadsRecordWhileTheFoldCheckpoints) {
  FrequencyLedger ledger;
  MemoryState disk;
  std::vector<std::thread> ranks;
  for (uint64_t t = 0; t < 3; ++t) {
    ranks.emplace_back([&, t] {
      for (uint64_t n = 0; n < 5'000; ++n) {
        const std::string user = "u" + std::to_string(n % 200);
        ledger.recent(user, Millis(kStart));
        ledger.record(user, insertion(kStart, n / 200 * 10 + t, static_cast<ItemIndex>(t)));
      }
    });
  }
  for (int n = 0; n < 30; ++n) checkpoint(ledger, disk, 20);
  for (std::thread& rank : ranks) rank.join();
  checkpoint(ledger, disk);
  FrequencyLedger restored;
  ASSERT_TRUE(restored.restore(disk).ok());
  for (int n = 0; n < 200; ++n) {
    EXPECT_EQ(restored.recent("u" + std::to_string(n), Millis(kStart)).size(), 75U);
  }
}

}  // namespace
}  // namespace shanhuo
