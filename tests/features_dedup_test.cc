#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <set>

#include "base/hash.h"
#include "features/dedup.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kBucketMs = Deduplicator::kBucket.count();
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kStart = 1'760'000'000'000;

// The slow twin: the same promise in a map, forgotten by looking at everything.
struct Twin {
  bool insert(uint64_t hash, int64_t ts, int64_t watermark) {
    top = std::max({top, ts, watermark});
    first = std::max(first, (top - kDayMs) / kBucketMs);
    std::erase_if(seen, [&](const auto& entry) { return entry.second < first; });
    if (ts / kBucketMs < first) return true;
    if (!seen.emplace(hash, ts / kBucketMs).second) return false;
    while (seen.size() > entries_max) {
      forgotten += std::erase_if(seen, [&](const auto& entry) { return entry.second == first; });
      ++first;
    }
    return true;
  }
  std::map<uint64_t, int64_t> seen;
  int64_t top = INT64_MIN, first = INT64_MIN;
  size_t entries_max = SIZE_MAX, forgotten = 0;
};

struct Event {
  uint64_t hash;
  int64_t ts, watermark;
};

// Event time moves on, with repetitions, disorder up to 30 h, and now and then a leap.
class Source {
 public:
  Source(uint64_t seed, bool leaps) : random_(seed), leaps_(leaps) {}
  Event next() {
    now_ += static_cast<int64_t>(random_() % 200'000);
    if (leaps_ && random_() % 2'000 == 0)
      now_ += static_cast<int64_t>(random_() % 3) * 1'900 * kDayMs;
    const int64_t behind =
        random_() % 4 == 0 ? static_cast<int64_t>(random_() % (30 * 3'600'000)) : 0;
    watermark_ = std::max(watermark_, now_ - behind);
    return {mix64(random_() % 3'000 + 1), now_ - behind, watermark_};
  }

 private:
  std::mt19937_64 random_;
  bool leaps_;
  int64_t now_ = kStart, watermark_ = kStart;
};

void expect_like_twin(uint64_t seed, size_t entries_max, bool leaps) {
  Deduplicator dedup("ev", {.entries_max = entries_max});
  Twin twin;
  twin.entries_max = entries_max;
  Source source(seed, leaps);
  for (int n = 0; n < 12'000; ++n) {
    const Event e = source.next();
    if (n % 3 != 0) dedup.prefetch(n % 2 == 0 ? e.hash : mix64(e.hash));  // changes nothing
    ASSERT_EQ(dedup.insert(e.hash, Millis(e.ts), Millis(e.watermark)),
              twin.insert(e.hash, e.ts, e.watermark))
        << seed << " " << n;
    ASSERT_EQ(dedup.size(), twin.seen.size());
    ASSERT_EQ(dedup.forgotten(), twin.forgotten);
  }
}

TEST(Deduplicator, EqualsItsSlowTwin) {
  for (uint64_t seed = 1; seed <= 6; ++seed) expect_like_twin(seed, SIZE_MAX, false);
  for (uint64_t seed = 1; seed <= 6; ++seed) expect_like_twin(seed, SIZE_MAX, true);
}

TEST(Deduplicator, OverBudgetForgetsTheOldestBucketsAndCounts) {
  for (uint64_t seed = 1; seed <= 6; ++seed) expect_like_twin(seed, 200, seed % 2 == 0);
}

TEST(Deduplicator, ForgottenSlotsDoNotGrowTheTableOverYears) {
  Deduplicator dedup("ev");
  size_t bytes_first_week = 0;
  for (int64_t hour = 0; hour < 5 * 365 * 24; ++hour) {
    for (uint64_t n = 0; n < 10; ++n) {
      const uint64_t hash = mix64(static_cast<uint64_t>(hour) * 100 + n + 1);
      const Millis ts(kStart + hour * 3'600'000);
      ASSERT_TRUE(dedup.insert(hash, ts, ts));
      ASSERT_FALSE(dedup.insert(hash, ts, ts));
    }
    if (hour == 24 * 7) bytes_first_week = dedup.bytes();
  }
  EXPECT_LE(dedup.size(), 10U * 26);
  EXPECT_LE(dedup.bytes(), bytes_first_week * 2);
}

TEST(Deduplicator, ACheckpointRestoresTheStateOfItsBeginning) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const DedupOptions options{.entries_max = seed % 2 == 0 ? 300U : 1'000'000U};
    Source source(seed, seed % 3 == 0);
    std::vector<Event> events;
    for (int n = 0; n < 9'000; ++n) events.push_back(source.next());
    Deduplicator dedup("ev", options);
    MemoryState disk;
    for (size_t n = 0; n < events.size(); ++n) {
      if (n % 1'000 == 0) dedup.begin_checkpoint(disk);
      dedup.insert(events[n].hash, Millis(events[n].ts), Millis(events[n].watermark));
      if (n % 1'000 != 500) continue;
      while (!dedup.checkpoint_step(50)) {
      }
      // From the checkpoint at n - 500 on, a restored one must answer as a twin of the whole past.
      Deduplicator restored("ev", options);
      ASSERT_TRUE(restored.restore(disk).ok());
      Twin twin;
      twin.entries_max = options.entries_max;
      for (size_t k = 0; k < n - 500; ++k) {
        twin.insert(events[k].hash, events[k].ts, events[k].watermark);
      }
      ASSERT_EQ(restored.size(), twin.seen.size());
      ASSERT_EQ(restored.forgotten(), twin.forgotten);
      for (size_t k = n - 500; k < events.size(); ++k) {
        ASSERT_EQ(
            restored.insert(events[k].hash, Millis(events[k].ts), Millis(events[k].watermark)),
            twin.insert(events[k].hash, events[k].ts, events[k].watermark));
      }
    }
  }
}

TEST(Deduplicator, ChunksOfForgottenBucketsLeaveTheDisk) {
  Deduplicator dedup("ev");
  MemoryState disk;
  size_t records_max = 0;
  for (int64_t hour = 0; hour < 24 * 30; ++hour) {
    const Millis ts(kStart + hour * 3'600'000);
    for (uint64_t n = 0; n < 20; ++n) {
      dedup.insert(mix64(static_cast<uint64_t>(hour) * 100 + n + 1), ts, ts);
    }
    checkpoint(dedup, disk, 3);
    records_max = std::max(records_max, disk.records.size());
  }
  EXPECT_LE(records_max, 28U);  // one chunk an hour, and the head
}

TEST(Deduplicator, TwoNamesShareADiskAndDamageIsRefused) {
  MemoryState disk;
  Deduplicator events("ev"), tokens("tk");
  const Millis now(kStart);
  for (uint64_t n = 1; n <= 20'000; ++n) events.insert(mix64(n), now, now);
  tokens.insert(mix64(1), now, now);
  checkpoint(events, disk, 100'000);
  checkpoint(tokens, disk);
  Deduplicator events_again("ev"), tokens_again("tk");
  ASSERT_TRUE(events_again.restore(disk).ok());
  ASSERT_TRUE(tokens_again.restore(disk).ok());
  EXPECT_EQ(events_again.size(), 20'000U);
  EXPECT_EQ(tokens_again.size(), 1U);
  EXPECT_FALSE(events_again.insert(mix64(20'000), now, now));
  EXPECT_TRUE(tokens_again.insert(mix64(2), now, now));
  disk.records["ddev:"].pop_back();
  Deduplicator damaged("ev");
  EXPECT_EQ(damaged.restore(disk).error().code, ErrorCode::kCorrupt);
}

// 58 of 64 bits decide (dedup.h): hashes that share them are taken for each other, all others not.
TEST(Deduplicator, TellsHashesApartByFiftyEightBits) {
  const Millis now(kStart);
  int taken_for_each_other = 0;
  for (int bit = 0; bit < 64; ++bit) {
    Deduplicator dedup("ev");
    dedup.insert(0x123456789abcdef0ULL, now, now);
    taken_for_each_other += !dedup.insert(0x123456789abcdef0ULL ^ (uint64_t{1} << bit), now, now);
  }
  EXPECT_EQ(taken_for_each_other, 6);
}

TEST(Deduplicator, CostsAboutOneCacheMissAnInsert) {
  Deduplicator dedup("ev");
  constexpr uint64_t kInserts = 2'000'000;
  const auto start = std::chrono::steady_clock::now();
  uint64_t fresh = 0;
  for (uint64_t n = 1; n <= kInserts; ++n) {
    const Millis ts(kStart + static_cast<int64_t>(n / 20));
    fresh += dedup.insert(mix64(n), ts, ts);
  }
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
  std::printf("%.1f ns an insert, growth included; %.1f bytes an entry\n", spent.count() / kInserts,
              static_cast<double>(dedup.bytes()) / kInserts);
  EXPECT_EQ(fresh, kInserts);  // a false duplicate would be one chance in 70,000
}

}  // namespace
}  // namespace shanhuo
