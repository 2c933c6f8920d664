#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

#include "streaming/crc32c.h"
#include "streaming/log_block.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

constexpr Millis kStart{1'700'000'000'000};

std::unique_ptr<EmbeddedLog> open_log(const TempDir& dir, const Clock& clock,
                                      EmbeddedLogOptions options = {}) {
  auto log = EmbeddedLog::open(dir / "log", options, clock);
  EXPECT_TRUE(log.ok()) << (log.ok() ? "" : log.error().message);
  return std::move(log).value();
}

// Everything from `offset` on, "key=value" at its offset.
std::vector<std::string> read_all(EmbeddedLog& log, Topic topic, int64_t offset = 0,
                                  size_t records_max = 3) {
  auto reader = log.read(topic, {{0, offset}});
  std::vector<std::string> all;
  std::vector<LogRecord> records;
  while (true) {
    const Status polled = reader.value()->poll(records_max, 0, records);
    EXPECT_TRUE(polled.ok()) << polled.error().message;
    if (!polled.ok() || records.empty()) return all;
    for (const LogRecord& record : records) {
      EXPECT_EQ(record.offset, offset++);
      all.push_back(std::string(record.key) + "=" + std::string(record.value));
    }
  }
}

TEST(Crc32c, MatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xE3069283u);
}

TEST(EmbeddedLog, KeepsTheOrderOfAppendsAcrossRestarts) {
  const TempDir dir;
  const ManualClock clock(kStart);
  std::vector<std::string> expected;
  for (int run = 0; run < 3; ++run) {
    auto log = open_log(dir, clock);
    EXPECT_EQ(log->end_offset(Topic::kInteractions, 0), static_cast<int64_t>(expected.size()));
    EXPECT_EQ(read_all(*log, Topic::kInteractions), expected);
    for (int i = 0; i < 5; ++i) {
      const std::string value = std::to_string(run * 10 + i);
      const auto first =
          append_wait(*log, Topic::kInteractions, {{"a", value, ContentType::kJson}, {"b", value}});
      ASSERT_TRUE(first.ok());
      EXPECT_EQ(first.value(), static_cast<int64_t>(expected.size()));
      expected.push_back("a=" + value);
      expected.push_back("b=" + value);
    }
    EXPECT_EQ(read_all(*log, Topic::kInteractions), expected);
    EXPECT_TRUE(read_all(*log, Topic::kItems).empty());
  }
}

TEST(EmbeddedLog, StampsGrowStrictlyFromGroupToGroupEvenWhenTheClockStandsOrGoesBack) {
  const TempDir dir;
  ManualClock clock(kStart);
  Millis last;
  for (int run = 0; run < 2; ++run) {
    auto log = open_log(dir, clock);
    for (int i = 0; i < 3; ++i) {
      const auto first = append_wait(*log, Topic::kItems, {{"k", "v"}});
      auto reader = log->read(Topic::kItems, {{0, first.value()}});
      std::vector<LogRecord> records;
      ASSERT_TRUE(reader.value()->poll(10, 0, records).ok());
      ASSERT_EQ(records.size(), 1u);
      EXPECT_GT(records[0].accepted_at, last);
      last = records[0].accepted_at;
    }
    clock.set(kStart - kHour);
  }
}

TEST(EmbeddedLog, ManyAppendsShareOneSyncAndEachIsAnsweredOnce) {
  const TempDir dir;
  const WallClock clock;
  auto log = open_log(dir, clock);
  constexpr int kThreads = 4, kAppends = 500;
  std::atomic<int> answered{0};
  std::mutex mutex;
  std::map<int64_t, std::string> where;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kAppends; ++i) {
        const std::string value = std::to_string(t) + "." + std::to_string(i);
        log->append(Topic::kInteractions, 0, {{"k", value}}, [&, value](Result<Appended> spans) {
          const std::lock_guard lock(mutex);
          EXPECT_TRUE(where.emplace(spans.value().front().first_offset, "k=" + value).second);
          ++answered;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (answered < kThreads * kAppends) std::this_thread::yield();
  EXPECT_LT(log->stats().groups, static_cast<uint64_t>(kThreads * kAppends));
  const auto all = read_all(*log, Topic::kInteractions, 0, 64);
  ASSERT_EQ(all.size(), where.size());
  for (const auto& [offset, value] : where) EXPECT_EQ(all[static_cast<size_t>(offset)], value);
}

TEST(EmbeddedLog, RefusesWhatTheQueueCannotHoldAndRecovers) {
  const TempDir dir;
  const WallClock clock;
  auto log = open_log(dir, clock, {.queue_bytes_max = 10'000});
  const std::string large(20'000, 'x'), fitting(5'000, 'y');
  const auto refused = append_wait(*log, Topic::kItems, {{"k", large}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  std::atomic<int> taken{0}, unavailable{0};
  for (int i = 0; i < 200; ++i) {
    log->append(Topic::kItems, 0, {{"k", fitting}},
                [&](Result<Appended> spans) { ++(spans.ok() ? taken : unavailable); });
  }
  while (taken + unavailable < 200) std::this_thread::yield();
  EXPECT_GT(unavailable, 0);
  EXPECT_EQ(log->end_offset(Topic::kItems, 0), taken);
  EXPECT_EQ(log->stats().queued_bytes, 0u);
  EXPECT_TRUE(append_wait(*log, Topic::kItems, {{"k", fitting}}).ok());
  EXPECT_FALSE(append_wait(*log, Topic::kItems, {{"k", "v"}}, 9).ok());  // no such partition
}

TEST(EmbeddedLog, DecisionsAreDurableWithin50MsThoughNobodyAsks) {
  const TempDir dir;
  const WallClock clock;
  auto log = open_log(dir, clock);
  for (int i = 0; i < 5; ++i) {
    const int64_t before = monotonic_ns();
    ASSERT_TRUE(append_wait(*log, Topic::kDecisions, {{"k", "v"}}).ok());
    EXPECT_LT(monotonic_ns() - before, 500'000'000);  // 50 ms, on a machine that is not overrun
  }
}

TEST(EmbeddedLog, ReadersBehindTheTailReadTheStoreAndMeetTheSameRecords) {
  const TempDir dir;
  const ManualClock clock(kStart);
  auto log = open_log(dir, clock, {.tail_bytes_max = 600});
  std::vector<std::string> expected;
  for (int i = 0; i < 50; ++i) {
    const std::string value(100, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(append_wait(*log, Topic::kInteractions, {{"k", value}, {"l", value}}).ok());
    expected.push_back("k=" + value);
    expected.push_back("l=" + value);
  }
  EXPECT_LE(log->stats().tail_bytes, 600u);
  EXPECT_EQ(read_all(*log, Topic::kInteractions), expected);
  EXPECT_GT(log->stats().store_reads, 0u);
  EXPECT_EQ(read_all(*log, Topic::kInteractions, 7),
            std::vector<std::string>(expected.begin() + 7, expected.end()));
}

TEST(EmbeddedLog, APollWakesUpForNewRecords) {
  const TempDir dir;
  const WallClock clock;
  auto log = open_log(dir, clock);
  auto reader = log->read(Topic::kItems, {{0, 0}});
  std::vector<LogRecord> records;
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    EXPECT_TRUE(append_wait(*log, Topic::kItems, {{"k", "v"}}).ok());
  });
  const int64_t before = monotonic_ns();
  ASSERT_TRUE(reader.value()->poll(10, 10'000, records).ok());
  EXPECT_LT(monotonic_ns() - before, 5'000'000'000);
  EXPECT_EQ(records.size(), 1u);
  writer.join();
}

TEST(EmbeddedLog, PartitionsAreReadInTheOrderInWhichTheyWereAccepted) {
  const TempDir dir;
  const ManualClock clock(kStart);
  auto log = open_log(dir, clock, {.partitions = 3});
  std::mt19937 random(3);
  std::vector<std::string> expected;
  for (int i = 0; i < 60; ++i) {
    const std::string value = std::to_string(i);
    ASSERT_TRUE(append_wait(*log, Topic::kInteractions, {{"k", value}}, random() % 3).ok());
    expected.push_back(value);
  }
  auto reader = log->read(Topic::kInteractions, {{0, 0}, {1, 0}, {2, 0}});
  std::vector<std::string> all;
  std::vector<LogRecord> records;
  while (reader.value()->poll(4, 0, records).ok() && !records.empty()) {
    for (const LogRecord& record : records) all.emplace_back(record.value);
  }
  EXPECT_EQ(all, expected);
}

TEST(EmbeddedLog, OldReleasedBlocksGoAndAPositionInThemIsAGap) {
  const TempDir dir;
  ManualClock clock(kStart);
  {
    auto log = open_log(dir, clock, {.retention_h = 1});
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE(append_wait(*log, Topic::kInteractions, {{"k", std::to_string(i)}}).ok());
      clock.set(clock.now() + Millis(15 * 60'000));
    }
    log->release(Topic::kInteractions, {{0, 5}});
    log->retain_now();
    ASSERT_TRUE(append_wait(*log, Topic::kInteractions, {{"k", "12"}}).ok());
    EXPECT_EQ(log->first_offset(Topic::kInteractions, 0), 5);  // 0..7 are old, 5.. not released
  }
  auto log = open_log(dir, clock, {.retention_h = 1});
  EXPECT_EQ(log->first_offset(Topic::kInteractions, 0), 5);
  EXPECT_EQ(log->end_offset(Topic::kInteractions, 0), 13);
  EXPECT_EQ(read_all(*log, Topic::kInteractions, 5).size(), 8u);
  std::vector<LogRecord> records;
  const Status gap = log->read(Topic::kInteractions, {{0, 4}}).value()->poll(1, 0, records);
  ASSERT_FALSE(gap.ok());
  EXPECT_EQ(gap.error().code, ErrorCode::kNotFound);
  const Status beyond = log->read(Topic::kInteractions, {{0, 14}}).value()->poll(1, 0, records);
  ASSERT_FALSE(beyond.ok());
}

TEST(LogBlock, EveryFlippedBitIsNoticed) {
  std::string frames;
  append_frame(frames, {"key", "value", ContentType::kJson});
  append_frame(frames, {"", "", ContentType::kForget});
  Block block{Topic::kItems, 2, 77, 2, kStart, {}};
  seal_block(block, frames);
  std::string key = block_key(Topic::kItems, 2, 77);
  const auto whole = open_block(key, block.bytes);
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole.value()->first_offset, 77);
  EXPECT_EQ(whole.value()->partition, 2u);
  for (size_t bit = 0; bit < block.bytes.size() * 8; ++bit) {
    std::string torn = block.bytes;
    torn[bit / 8] = static_cast<char>(torn[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(open_block(key, torn).ok()) << bit;
  }
  for (size_t size = 0; size < block.bytes.size(); ++size) {
    EXPECT_FALSE(open_block(key, block.bytes.substr(0, size)).ok());
  }
  key.back() = 78;
  EXPECT_FALSE(open_block(key, block.bytes).ok());  // a block at another place
}

TEST(EmbeddedLog, AFlippedByteOnDiskIsRefusedNeverServed) {
  const ManualClock clock(kStart);
  std::mt19937 random(11);
  int refused = 0;
  for (int round = 0; round < 8; ++round) {
    const TempDir dir;
    std::vector<std::string> expected;
    {
      auto log = open_log(dir, clock);
      for (int i = 0; i < 40; ++i) {
        const std::string value(3000, static_cast<char>('a' + i % 26));
        ASSERT_TRUE(append_wait(*log, Topic::kInteractions, {{"k", value}}).ok());
        expected.push_back("k=" + value);
      }
    }
    for (const auto& entry : std::filesystem::directory_iterator(dir / "log")) {
      const std::string extension = entry.path().extension().string();
      if (entry.file_size() < 50'000 || (extension != ".log" && extension != ".blob")) continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      const auto at = static_cast<std::streamoff>(random() % entry.file_size());
      file.seekg(at);
      const char byte = static_cast<char>(file.get());
      file.seekp(at);
      file.put(static_cast<char>(byte ^ 0x10));
    }
    const auto log = EmbeddedLog::open(dir / "log", {}, clock);
    if (!log.ok()) {
      EXPECT_EQ(log.error().code, ErrorCode::kCorrupt);
      ++refused;
      continue;
    }
    auto reader = log.value()->read(Topic::kInteractions, {{0, 0}});
    std::vector<LogRecord> records;
    size_t read = 0;
    Status polled = reader.value()->poll(1, 0, records);
    for (; polled.ok() && !records.empty(); polled = reader.value()->poll(1, 0, records)) {
      EXPECT_EQ("k=" + std::string(records[0].value), expected[read++]);
    }
    EXPECT_TRUE(!polled.ok() || read == expected.size());
    refused += polled.ok() ? 0 : 1;
  }
  EXPECT_GE(refused, 6);  // a byte of a block's padding or of dead space harms nobody
}

TEST(EmbeddedLog, ABackupIsAWholeLog) {
  const TempDir dir;
  const ManualClock clock(kStart);
  auto log = open_log(dir, clock);
  ASSERT_TRUE(append_wait(*log, Topic::kItems, {{"k", "v"}}).ok());
  ASSERT_TRUE(log->backup(dir / "copy").ok());
  EXPECT_FALSE(EmbeddedLog::open(dir / "log", {}, clock).ok());  // one owner at a time
  auto copy = EmbeddedLog::open(dir / "copy", {}, clock);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(read_all(*copy.value(), Topic::kItems), read_all(*log, Topic::kItems));
}

}  // namespace
}  // namespace shanhuo
