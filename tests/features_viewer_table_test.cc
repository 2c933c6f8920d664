// The table against a std::map, checkpoints included: what a checkpoint holds must be the state of
// its begin_checkpoint(), whatever happens before its last step.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <random>
#include <thread>

#include "features/viewer_table.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

std::string user(uint64_t n) {
  // Every fifth id is too long for the record.
  return n % 5 == 0 ? "a-viewer-with-a-long-id-of-more-than-38-bytes-" + std::to_string(n)
                    : "u" + std::to_string(n);
}

// A change that is easy to check: the counter of events is the value.
void set(ViewerTable& table, const std::string& user_id, uint32_t value) {
  ASSERT_TRUE(table.update(user_id, [&](PackedProfile& profile) {
    profile.version = kProfileVersion;
    profile.events = value;
  }));
}

using Twin = std::map<std::string, uint32_t>;

void expect_equal(const ViewerTable& table, const Twin& twin) {
  ASSERT_EQ(table.size(), twin.size());
  for (const auto& [user_id, value] : twin) {
    PackedProfile profile;
    ASSERT_TRUE(table.copy(user_id, profile)) << user_id;
    ASSERT_EQ(profile.events, value) << user_id;
  }
}

TEST(RecordIndex, EqualsAMapUnderRandomInsertsAndErases) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    RecordIndex index(std::pmr::new_delete_resource());
    std::map<uint32_t, uint64_t> twin;  // record -> hash
    const auto hash_of = [&](uint32_t record) { return twin.at(record); };
    for (int n = 0; n < 5'000; ++n) {
      const auto record = static_cast<uint32_t>(random() % 1'500);
      if (twin.contains(record)) {
        index.erase(twin[record], record);
        twin.erase(record);
      } else {
        const uint64_t hash = random() % 3 == 0 ? random() % 4 : random();  // some collide
        index.insert(hash, record, hash_of);
        twin[record] = hash;
      }
      ASSERT_EQ(index.size(), twin.size());
      if (n % 97 != 0) continue;
      for (uint32_t r = 0; r < 1'500; ++r) {
        const bool there = twin.contains(r);
        const uint64_t hash = there ? twin[r] : 1;
        const uint32_t found = index.find(hash, [&](uint32_t other) { return other == r; });
        ASSERT_EQ(found, there ? r : RecordIndex::kNone);
      }
    }
  }
}

TEST(ViewerTable, CheckpointsHoldTheStateOfTheirBeginning) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    std::mt19937_64 random(seed);
    ViewerTable table;
    MemoryState disk;
    Twin twin, frozen;
    bool running = false;
    for (int n = 0; n < 20'000; ++n) {
      const std::string user_id = user(random() % 400);
      if (random() % 8 == 0) {
        ASSERT_EQ(table.erase(user_id), twin.erase(user_id) == 1);
      } else {
        set(table, user_id, twin[user_id] = static_cast<uint32_t>(n + 1));
      }
      if (!running && random() % 300 == 0) {
        table.begin_checkpoint(disk);
        frozen = twin;
        running = true;
      }
      if (!running || random() % 4 != 0 || !table.checkpoint_step(random() % 5)) continue;
      running = false;
      ViewerTable restored;
      ASSERT_TRUE(restored.restore(disk).ok());
      expect_equal(restored, frozen);
    }
    expect_equal(table, twin);
  }
}

// Some of those expected are new, some are erased before their turn, some never come.
TEST(ViewerTable, LookingAheadChangesNothing) {
  std::mt19937_64 random(3);
  ViewerTable table;
  Twin twin;
  std::vector<std::string> coming;
  for (int n = 0; n < 30'000; ++n) {
    coming.push_back(user(random() % (1 + static_cast<uint64_t>(n) / 10)));
    if (random() % 10 != 0) table.expect(hash64(coming.back()));
    if (random() % 50 == 0) {
      const std::string gone =
          coming[coming.size() - 1 - random() % std::min<size_t>(20, coming.size())];
      ASSERT_EQ(table.erase(gone), twin.erase(gone) == 1);
    }
    if (coming.size() <= ViewerTable::kExpectedAhead) continue;
    const std::string& now = coming[coming.size() - 1 - ViewerTable::kExpectedAhead];
    set(table, now, twin[now] = static_cast<uint32_t>(n + 1));
  }
  expect_equal(table, twin);
}

TEST(ViewerTable, RefusesBeyondItsLimitAndCounts) {
  ViewerTable table({.viewers_max = 2});
  set(table, "a", 1);
  set(table, "b", 1);
  EXPECT_FALSE(table.update("c", [](PackedProfile&) { FAIL(); }));
  EXPECT_EQ(table.refused(), 1U);
  set(table, "a", 2);
  EXPECT_TRUE(table.erase("a"));
  set(table, "c", 3);
  EXPECT_EQ(table.size(), 2U);
}

TEST(ViewerTable, RefusesADamagedCheckpoint) {
  ViewerTable table;
  MemoryState disk;
  set(table, "a", 1);
  checkpoint(table, disk);
  disk.records.begin()->second.pop_back();
  ViewerTable restored;
  EXPECT_EQ(restored.restore(disk).error().code, ErrorCode::kCorrupt);
}

TEST(ViewerTable, ReadersNeverSeeHalfAnUpdate) {
  ViewerTable table;
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    PackedProfile profile;
    for (uint64_t n = 0; !stop.load(); ++n) {
      if (!table.copy(user(n % 50), profile)) continue;
      for (const uint32_t item_plus_1 : profile.recent_items) {
        ASSERT_EQ(item_plus_1, profile.events);
      }
    }
  });
  MemoryState disk;
  for (uint32_t n = 1; n <= 30'000; ++n) {
    table.update(user(n % 5'000), [&](PackedProfile& profile) {
      profile.version = kProfileVersion;
      profile.events = n;
      for (uint32_t& item_plus_1 : profile.recent_items) item_plus_1 = n;
    });
    if (n % 7 == 0) table.erase(user(n % 50));
    if (n % 3'000 == 0) checkpoint(table, disk, 1'000);
  }
  stop.store(true);
  reader.join();
}

TEST(ViewerTable, AViewerCostsAtMost600Bytes) {
  ViewerTable table;
  constexpr uint32_t kViewers = 300'000;
  for (uint32_t n = 0; n < kViewers; ++n) {
    set(table, "8f14e45f-ceea-467f-a0e6-" + std::to_string(100'000'000'000ULL + n), 1);
  }
  std::printf("%.1f bytes a viewer\n", static_cast<double>(table.bytes()) / kViewers);
  EXPECT_LE(table.bytes(), 600U * kViewers);
}

}  // namespace
}  // namespace shanhuo
