// A table whose memory holds a tenth of its viewers, against a table without a limit: the same
// answers at every moment, the same checkpoints to the byte, through forgetting, checkpoints that
// are slow to become durable, and restarts.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "features/viewer_table.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr size_t kNoLimit = size_t{1} << 40;

std::string user(uint64_t n) {
  // Every fifth id is too long for the record.
  return n % 5 == 0 ? "a-viewer-with-a-long-id-of-more-than-38-bytes-" + std::to_string(n)
                    : "u" + std::to_string(n);
}

// What lies on disk, and a batch that is not durable yet and cannot be read. Thread-safe.
class Disk final : public StateWriter, public StateReader {
 public:
  void put(std::string_view key, std::string_view value) override {
    const std::lock_guard lock(mutex_);
    batch_.emplace_back(key, value);
  }
  void erase(std::string_view key) override {
    const std::lock_guard lock(mutex_);
    batch_.emplace_back(key, std::nullopt);
  }
  void commit() {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, value] : batch_) {
      value ? durable_.put(key, *value) : durable_.erase(key);
    }
    batch_.clear();
  }
  void lose() {
    const std::lock_guard lock(mutex_);
    batch_.clear();
  }
  void break_down(bool broken) { broken_.store(broken); }

  Result<std::optional<std::string>> get(std::string_view key) const override {
    if (broken_.load()) return Error{ErrorCode::kIo, "the disk is gone"};
    const std::lock_guard lock(mutex_);
    return durable_.get(key);
  }
  Status scan(std::string_view prefix, const Visit& visit) const override {
    return durable_.scan(prefix, visit);
  }
  Status scan_range(std::string_view from, std::string_view to, const Visit& visit) const override {
    return durable_.scan_range(from, to, visit);
  }
  const std::map<std::string, std::string>& records() const { return durable_.records; }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<std::string, std::optional<std::string>>> batch_;
  MemoryState durable_;
  std::atomic<bool> broken_{false};
};

// One table, its disk, and where its checkpoint stands, as CheckpointStore and the fold drive them.
class Side {
 public:
  explicit Side(size_t memory_bytes) : options_{.memory_bytes_max = memory_bytes} { open(); }

  ViewerTable& table() { return *table_; }
  Disk& disk() { return disk_; }
  bool gathering() const { return gathering_; }
  bool writing() const { return writing_; }

  void begin() {
    table_->begin_checkpoint(disk_);
    gathering_ = true;
  }
  void step(size_t records) {
    if (!table_->checkpoint_step(records)) return;
    gathering_ = false;
    writing_ = true;
  }
  void commit() {
    disk_.commit();
    table_->checkpoint_committed();
    writing_ = false;
  }
  void checkpoint() {
    if (!gathering_ && !writing_) begin();
    while (gathering_) step(100);
    commit();
  }
  void crash() {
    disk_.lose();
    gathering_ = writing_ = false;
    open();
  }

 private:
  void open() {
    table_ = std::make_unique<ViewerTable>(options_);
    table_->keep_cold_in(disk_);
    if (!disk_.records().empty()) {
      const Status restored = table_->restore(disk_);
      ASSERT_TRUE(restored.ok()) << restored.error().message;
    }
  }

  const ViewerTableOptions options_;
  Disk disk_;
  std::unique_ptr<ViewerTable> table_;
  bool gathering_ = false, writing_ = false;
};

void change(ViewerTable& table, const std::string& user_id, uint32_t by) {
  ASSERT_TRUE(table.update(user_id, [&](PackedProfile& profile) {
    profile.version = kProfileVersion;
    profile.events += 1;
    profile.last_event_ms = (profile.last_event_ms * 31 + by) % 1'000'000'007;
  }));
}

void expect_same(Side& small, Side& whole, const std::string& user_id) {
  PackedProfile left{}, right{};
  ASSERT_EQ(small.table().copy(user_id, left), whole.table().copy(user_id, right)) << user_id;
  ASSERT_EQ(std::memcmp(&left, &right, sizeof left), 0) << user_id;
}

class ColdViewers : public testing::Test {
 protected:
  static constexpr uint64_t kViewers = 20'000;
  // A tenth of 600 bytes each, and of the long ids.
  static constexpr size_t kMemory = kViewers / 10 * 620 + 90'000;
  static constexpr size_t kSlack = kMemory / 4 + (8U << 20);
};

// A tenth of the memory beside all of it, treated alike.
class Pair {
 public:
  Pair(size_t memory_bytes, uint64_t viewers, uint64_t seed)
      : small(memory_bytes), whole(kNoLimit), viewers_(viewers), random_(seed) {}

  // An event, or somebody leaves; then anybody looks the same on both sides.
  void turn(uint32_t n) {
    const std::string user_id = somebody();
    if (random_() % 40 == 0) {
      ASSERT_EQ(small.table().erase(user_id), whole.table().erase(user_id));
    } else {
      both([&](Side& side) { change(side.table(), user_id, n); });
    }
    expect_same(small, whole, somebody());
    ASSERT_EQ(small.table().size(), whole.table().size());
  }
  // As the fold does after each batch.
  void make_room() {
    const Result<StateRoom> room = small.table().make_room();
    ASSERT_TRUE(room.ok());
    if (room.value() != StateRoom::kCheckpointFirst) return;
    both([](Side& side) { side.checkpoint(); });
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(small.table().make_room().ok());
  }
  // Some of a checkpoint.
  void checkpoint() {
    if (small.gathering() || whole.gathering()) {
      both([](Side& side) {
        if (side.gathering()) side.step(7);
      });
    } else if (!small.writing() && random_() % 1'000 == 0) {
      both([](Side& side) { side.begin(); });
    } else if (small.writing() && random_() % 500 == 0) {
      both([](Side& side) { side.commit(); });
    }
  }
  void both(const auto& act) {
    act(small);
    act(whole);
  }

  Side small, whole;

 private:
  std::string somebody() {
    const uint64_t n = random_() % viewers_;
    return user(random_() % 2 == 0 ? n : n % 500);  // some come often
  }

  const uint64_t viewers_;
  std::mt19937_64 random_;
};

TEST_F(ColdViewers, EqualATableWithoutALimitThroughCheckpointsForgettingAndRestarts) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Pair pair(kMemory, kViewers, seed);
    Side &small = pair.small, &whole = pair.whole;
    for (uint32_t n = 1; n <= 60'000; ++n) {
      ASSERT_NO_FATAL_FAILURE(pair.turn(n));
      if (n % 256 == 0) {
        ASSERT_NO_FATAL_FAILURE(pair.make_room());
      }
      pair.checkpoint();
      if (n % 16'000 != 0) continue;
      pair.both([](Side& side) { side.crash(); });
      ASSERT_EQ(small.disk().records(), whole.disk().records());
    }
    for (int i = 0; i < 2; ++i) pair.both([](Side& side) { side.checkpoint(); });
    EXPECT_EQ(small.disk().records(), whole.disk().records());
    for (uint64_t n = 0; n < kViewers; ++n) {
      ASSERT_NO_FATAL_FAILURE(expect_same(small, whole, user(n)));
    }
    const ViewerTableStats stats = small.table().stats();
    EXPECT_GT(stats.cold, kViewers / 2);
    EXPECT_GT(stats.cold_reads, 1'000U);
    EXPECT_LE(small.table().bytes(), kMemory + kSlack);
    EXPECT_EQ(whole.table().stats().cold_reads, 0U);
  }
}

TEST_F(ColdViewers, WhatIsNotDurableStaysAndAtTheSlackNothingIsFoldedAnyMore) {
  Side small(kMemory);
  StateRoom room = StateRoom::kEnough;
  bool asked = false;
  uint64_t folded = 0;
  while (room != StateRoom::kCheckpointFirst && folded < kViewers) {
    change(small.table(), user(folded), 1);
    if (++folded % 256 != 0) continue;
    room = small.table().make_room().value();
    asked = asked || room == StateRoom::kCheckpointSoon;
  }
  EXPECT_TRUE(asked);
  EXPECT_EQ(room, StateRoom::kCheckpointFirst);
  EXPECT_EQ(small.table().stats().evicted, 0U);
  EXPECT_LE(small.table().bytes(), kMemory + kSlack);

  small.begin();
  while (small.gathering()) small.step(100);
  EXPECT_EQ(small.table().make_room().value(), StateRoom::kCheckpointFirst);  // not durable yet
  EXPECT_EQ(small.table().stats().evicted, 0U);
  small.commit();
  for (int turns = 0; small.table().make_room().value() == StateRoom::kCheckpointFirst; ++turns) {
    ASSERT_LT(turns, 100);
  }
  EXPECT_GT(small.table().stats().evicted, 0U);
  for (uint64_t n = 0; n < folded; ++n) {
    PackedProfile profile;
    ASSERT_TRUE(small.table().copy(user(n), profile));
  }
}

TEST_F(ColdViewers, AForgottenOneIsGoneAtOnceAlthoughTheDiskStillHasTheBytes) {
  Side small(kMemory);
  for (uint64_t n = 0; n < kViewers; ++n) {
    change(small.table(), user(n), 1);
    if (n % 500 == 0) small.checkpoint();
  }
  small.checkpoint();
  PackedProfile profile;
  for (uint64_t n = 0; n < kViewers; n += 10) {
    ASSERT_TRUE(small.table().erase(user(n)));
    ASSERT_FALSE(small.table().erase(user(n)));
    ASSERT_FALSE(small.table().copy(user(n), profile));
  }
  change(small.table(), user(0), 1);
  ASSERT_TRUE(small.table().copy(user(0), profile));
  EXPECT_EQ(profile.events, 1U);
  small.checkpoint();
  EXPECT_FALSE(small.disk().records().contains("vp" + user(10)));
  EXPECT_TRUE(small.disk().records().contains("vp" + user(0)));
  EXPECT_EQ(small.table().size(), kViewers - kViewers / 10 + 1);
  small.crash();
  EXPECT_EQ(small.table().size(), kViewers - kViewers / 10 + 1);
  EXPECT_FALSE(small.table().copy(user(10), profile));
}

TEST_F(ColdViewers, ADiskThatDoesNotAnswerStopsTheFoldAndNobodyElse) {
  Side small(kMemory);
  for (uint64_t n = 0; n < kViewers; ++n) {
    change(small.table(), user(n), 1);
    if (n % 500 == 0) small.checkpoint();
  }
  small.checkpoint();
  small.disk().break_down(true);
  uint64_t cold = kViewers;
  PackedProfile profile;
  for (uint64_t n = 0; n < kViewers && cold == kViewers; ++n) {
    if (!small.table().copy(user(n), profile)) cold = n;
  }
  ASSERT_LT(cold, kViewers);
  EXPECT_EQ(small.table().stats().cold_failures, 1U);
  EXPECT_TRUE(small.table().make_room().ok());
  EXPECT_FALSE(small.table().update(user(cold), [](PackedProfile&) { FAIL(); }));
  EXPECT_EQ(small.table().make_room().error().code, ErrorCode::kIo);
}

TEST_F(ColdViewers, ARestartTakesAnOlderCheckpointWithoutTheNumberOfViewers) {
  Side small(kMemory);
  for (uint64_t n = 0; n < kViewers; ++n) {
    change(small.table(), user(n), 1);
    if (n % 500 == 0) small.checkpoint();
  }
  small.checkpoint();
  MemoryState older;
  older.records = small.disk().records();
  older.erase("vp");
  ViewerTable table({.memory_bytes_max = kMemory});
  table.keep_cold_in(older);
  ASSERT_TRUE(table.restore(older).ok());
  EXPECT_EQ(table.size(), kViewers);
  EXPECT_LE(table.bytes(), kMemory + kSlack);
  older.records["vp"] = std::string("\1\0\0\0\0\0\0\0", 8);
  ViewerTable other({.memory_bytes_max = kMemory});
  EXPECT_EQ(other.restore(older).error().code, ErrorCode::kCorrupt);
}

// Each viewer's counter only grows, whoever looks and wherever the profile lies.
TEST_F(ColdViewers, ReadersNeverSeeAViewerGoBack) {
  Side small(kMemory);
  constexpr uint64_t kSome = 8'000;
  for (uint64_t n = 0; n < kSome; ++n) change(small.table(), user(n), 1);
  small.checkpoint();
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    std::mt19937_64 random(5);
    std::vector<uint32_t> seen(kSome, 1);
    PackedProfile profile;
    while (!stop.load()) {
      const uint64_t n = random() % kSome;
      ASSERT_TRUE(small.table().copy(user(n), profile)) << user(n);
      ASSERT_GE(profile.events, seen[n]);
      seen[n] = profile.events;
    }
  });
  std::mt19937_64 random(6);
  for (uint32_t n = 1; n <= 40'000; ++n) {
    change(small.table(), user(random() % kSome), n);
    if (n % 256 == 0) {
      ASSERT_TRUE(small.table().make_room().ok());
    }
    if (n % 1'000 == 0) small.checkpoint();
  }
  stop.store(true);
  reader.join();
  EXPECT_GT(small.table().stats().evicted, 1'000U);
}

}  // namespace
}  // namespace shanhuo
