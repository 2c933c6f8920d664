#include <gtest/gtest.h>

#include "streaming/pipeline.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

constexpr Millis kStart{1'700'000'000'000};

// What a batch of mixed traffic should come to.
struct Expected {
  std::map<std::string, uint64_t> counts;
  uint64_t accepted = 0, applied = 0, duplicate = 0, late = 0, dead = 0;
};

// Appends `n` random records: good ones, duplicates, refused, late, in the future, garbage.
void append_mixed(EventLog& log, std::mt19937_64& random, int n, std::vector<std::string>& ids,
                  Expected& expected) {
  std::vector<std::string> values;
  for (int i = 0; i < n; ++i) {
    ++expected.accepted;
    std::string id = "e" + std::to_string(expected.accepted);
    const std::string item = "i" + std::to_string(random() % 7);
    Interaction event =
        simple_event(id, item, kStart - Millis(static_cast<int64_t>(random() % 1000)));
    const uint64_t kind = random() % 20;
    if (kind == 0 && !ids.empty()) {
      id = ids[random() % ids.size()];
      event.event_id = id;
      ++expected.duplicate;
    } else if (kind == 1) {
      event.item_id = "refused";
      ++expected.dead;
    } else if (kind == 2) {
      event.ts = kStart - Millis(2 * 86'400'000);
      ++expected.late;
      ++expected.counts["late"];
    } else if (kind == 3) {
      event.ts = kStart + Millis(3'650LL * 86'400'000);
      ++expected.dead;
    } else if (kind == 4) {
      values.push_back("\xff garbage");
      ++expected.dead;
      continue;
    } else {
      ids.push_back(id);
      ++expected.applied;
      ++expected.counts[item];
    }
    values.push_back(encoded(event));
  }
  std::vector<AppendRecord> records;
  for (const std::string& value : values) records.push_back({"u1", value, ContentType::kProtobuf});
  ASSERT_TRUE(append_wait(log, Topic::kInteractions, records).ok());
}

void expect_outcome(const SmallEngine& engine, const Expected& expected) {
  const PipelineStats stats = engine.pipeline->stats();
  EXPECT_EQ(stats.failure, "");
  EXPECT_EQ(stats.accepted, expected.accepted);
  EXPECT_EQ(stats.applied, expected.applied);
  EXPECT_EQ(stats.duplicate, expected.duplicate);
  EXPECT_EQ(stats.late, expected.late);
  EXPECT_EQ(stats.dead, expected.dead);
  EXPECT_EQ(stats.accepted, stats.applied + stats.duplicate + stats.late + stats.dead);
  EXPECT_EQ(stats.lag_records, 0);
  EXPECT_EQ(engine.machine.counts, expected.counts);
}

std::vector<std::string> letter_keys(EmbeddedLog& log) {
  std::vector<std::string> keys;
  std::vector<LogRecord> records;
  auto reader = log.read(Topic::kDeadLetters, {{0, 0}});
  while (reader.value()->poll(100, 0, records).ok() && !records.empty()) {
    for (const LogRecord& record : records) {
      keys.emplace_back(record.key);
      const Result<DeadLetter> letter = decode_dead_letter(record.value);
      EXPECT_TRUE(letter.ok());
      EXPECT_FALSE(letter.value().reason.empty());
    }
  }
  return keys;
}

PipelineOptions busy_checkpoints() {
  PipelineOptions options;
  options.poll_records_max = 64;
  options.checkpoint_records = 100;
  options.checkpoint_interval_ms = 5;
  options.checkpoint_step_records = 2;
  return options;
}

TEST(Pipeline, EveryRecordEndsInExactlyOneOutcomeAcrossRestartsAndCrashes) {
  const TempDir dir;
  const ManualClock clock(kStart);
  std::mt19937_64 random(5);
  std::vector<std::string> ids;
  Expected expected;
  for (int run = 0; run < 12; ++run) {
    SmallEngine engine(dir / "data", busy_checkpoints(), &clock);
    ASSERT_TRUE(engine.pipeline->start().ok());
    // The watermark first, so that what is late is late in every order of runs.
    if (run == 0) {
      const std::string first = encoded(simple_event("first", "i0", kStart));
      ASSERT_TRUE(append_wait(*engine.log, Topic::kInteractions, {{"u1", first}}).ok());
      ++expected.accepted, ++expected.applied, ++expected.counts["i0"];
    }
    for (int i = 0; i < 10; ++i) append_mixed(*engine.log, random, 50, ids, expected);
    if (run % 3 == 2) {
      engine.pipeline->halt();  // without a last checkpoint
      continue;
    }
    ASSERT_TRUE(engine.pipeline->stop().ok());
    expect_outcome(engine, expected);
  }
  SmallEngine engine(dir / "data", busy_checkpoints(), &clock);
  ASSERT_TRUE(engine.pipeline->start().ok());
  ASSERT_TRUE(engine.pipeline->stop().ok());
  expect_outcome(engine, expected);
  const std::vector<std::string> keys = letter_keys(*engine.log);
  EXPECT_EQ(keys.size(), expected.dead);
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), expected.dead);
}

TEST(Pipeline, RestartingMidWayEqualsAnUninterruptedRun) {
  const TempDir dir;
  const ManualClock clock(kStart);
  std::mt19937_64 random(9);
  std::vector<std::string> ids;
  Expected expected;
  {
    SmallEngine engine(dir / "data", busy_checkpoints(), &clock);
    ASSERT_TRUE(engine.pipeline->start().ok());
    for (int i = 0; i < 20; ++i) {
      append_mixed(*engine.log, random, 40, ids, expected);
      const std::string change = encode_catalogue_change(ItemDeleted{ItemId(std::to_string(i))});
      ASSERT_TRUE(append_wait(*engine.log, Topic::kItems, {{"i", change}}).ok());
    }
    engine.pipeline->halt();
  }
  std::filesystem::create_directories(dir / "again");
  std::filesystem::copy(dir / "data/log", dir / "again/log");
  uint64_t restarted = 0;
  for (int run = 0; run < 3; ++run) {
    SmallEngine engine(dir / "data", busy_checkpoints(), &clock);
    ASSERT_TRUE(engine.pipeline->start().ok());
    if (run == 2) {
      ASSERT_TRUE(engine.pipeline->stop().ok());
      EXPECT_EQ(engine.pipeline->stats().catalogue_applied, 20u);
      expect_outcome(engine, expected);
    }
    engine.pipeline->halt();
    restarted = engine.machine.digest;
  }
  SmallEngine whole(dir / "again", {}, &clock);
  ASSERT_TRUE(whole.pipeline->start().ok());
  ASSERT_TRUE(whole.pipeline->stop().ok());
  expect_outcome(whole, expected);
  EXPECT_EQ(whole.machine.digest, restarted);  // same calls, in the same order
}

TEST(Pipeline, AFutureEventIsDeadBeforeItMovesTheWatermark) {
  const TempDir dir;
  const ManualClock clock(kStart);
  SmallEngine engine(dir / "data", {}, &clock);
  ASSERT_TRUE(engine.pipeline->start().ok());
  const std::string future = encoded(simple_event("f", "i", kStart + Millis(20 * 60'000)));
  const std::string soon = encoded(simple_event("s", "i", kStart + Millis(9 * 60'000)));
  ASSERT_TRUE(append_wait(*engine.log, Topic::kInteractions, {{"u1", future}, {"u1", soon}}).ok());
  ASSERT_TRUE(engine.pipeline->wait_applied(Topic::kInteractions, 0, 1, 10'000));
  EXPECT_EQ(engine.pipeline->watermark(), kStart + Millis(9 * 60'000));
  EXPECT_EQ(engine.pipeline->stats().dead_by_reason.at("ts_in_future"), 1u);
}

TEST(Pipeline, WithTheCallersClockNothingIsInTheFuture) {
  const TempDir dir;
  const ManualClock clock(kStart);
  PipelineOptions options;
  options.caller_clock = true;
  SmallEngine engine(dir / "data", options, &clock);
  ASSERT_TRUE(engine.pipeline->start().ok());
  const std::string future = encoded(simple_event("f", "i", kStart + kDay + kDay));
  ASSERT_TRUE(append_wait(*engine.log, Topic::kInteractions, {{"u1", future}}).ok());
  ASSERT_TRUE(engine.pipeline->wait_applied(Topic::kInteractions, 0, 0, 10'000));
  EXPECT_EQ(engine.pipeline->stats().applied, 1u);
  EXPECT_EQ(engine.pipeline->watermark(), kStart + kDay + kDay);
}

TEST(Pipeline, ForgetRecordsReachTheMachineAndAreNotCountedAsEvents) {
  const TempDir dir;
  const ManualClock clock(kStart);
  PipelineOptions options = busy_checkpoints();
  options.purge_interval_ms = 1;
  SmallEngine engine(dir / "data", options, &clock);
  ASSERT_TRUE(engine.pipeline->start().ok());
  const AppendRecord forget{"u7", "", ContentType::kForget};
  ASSERT_TRUE(append_wait(*engine.log, Topic::kInteractions, {forget}).ok());
  ASSERT_TRUE(engine.pipeline->wait_applied(Topic::kInteractions, 0, 0, 10'000));
  ASSERT_TRUE(engine.pipeline->checkpoint_now(10'000).ok());
  const PipelineStats stats = engine.pipeline->stats();
  EXPECT_EQ(stats.accepted, 0u);
  EXPECT_EQ(stats.forgotten, 1u);
  ASSERT_TRUE(engine.pipeline->stop().ok());
  EXPECT_EQ(engine.machine.forgotten, std::vector<std::string>{"u7"});
}

TEST(Pipeline, BadCatalogueChangesAreLettersToo) {
  const TempDir dir;
  const ManualClock clock(kStart);
  SmallEngine engine(dir / "data", {}, &clock);
  ASSERT_TRUE(engine.pipeline->start().ok());
  ASSERT_TRUE(append_wait(*engine.log, Topic::kItems, {{"i", "\xff"}}).ok());
  ASSERT_TRUE(engine.pipeline->stop().ok());
  EXPECT_EQ(engine.pipeline->stats().catalogue_refused, 1u);
  EXPECT_EQ(letter_keys(*engine.log), std::vector<std::string>{"shanhuo.items/0/0"});
}

TEST(Pipeline, AnotherLogThanTheCheckpointsIsRefused) {
  const TempDir dir;
  const ManualClock clock(kStart);
  const auto fill = [&](const std::string& name, int records) {
    SmallEngine engine(dir / name, {}, &clock);
    EXPECT_TRUE(engine.pipeline->start().ok());
    for (int i = 0; i < records; ++i) {
      const std::string value = encoded(simple_event(name + std::to_string(i), "i", kStart));
      EXPECT_TRUE(append_wait(*engine.log, Topic::kInteractions, {{"u1", value}}).ok());
    }
    EXPECT_TRUE(engine.pipeline->stop().ok());
  };
  fill("one", 5);
  fill("short", 3);
  fill("other", 9);
  for (const auto& [name, code] :
       {std::pair("short", ErrorCode::kNotFound), std::pair("other", ErrorCode::kCorrupt)}) {
    std::filesystem::remove_all(dir / "one/log");
    std::filesystem::copy(dir / (std::string(name) + "/log"), dir / "one/log");
    SmallEngine engine(dir / "one", {}, &clock);
    const Status started = engine.pipeline->start();
    ASSERT_FALSE(started.ok()) << name;
    EXPECT_EQ(started.error().code, code);
  }
}

// A log across the network: what it has comes a few polls later.
class LateItemsLog final : public EventLog {
 public:
  explicit LateItemsLog(EventLog& log) : log_(log) {}
  uint32_t partitions(Topic topic) const override { return log_.partitions(topic); }
  void append(Topic topic, uint32_t partition, const std::vector<AppendRecord>& records,
              Done done) override {
    log_.append(topic, partition, records, std::move(done));
  }
  Result<std::unique_ptr<LogReader>> read(Topic topic,
                                          const std::vector<LogPosition>& from) override {
    auto reader = log_.read(topic, from);
    if (topic != Topic::kItems || !reader.ok()) return reader;
    return std::unique_ptr<LogReader>(new Reader(std::move(reader).value()));
  }
  int64_t first_offset(Topic topic, uint32_t p) const override {
    return log_.first_offset(topic, p);
  }
  int64_t end_offset(Topic topic, uint32_t p) const override { return log_.end_offset(topic, p); }
  void release(Topic topic, const std::vector<LogPosition>& below) override {
    log_.release(topic, below);
  }

 private:
  class Reader final : public LogReader {
   public:
    explicit Reader(std::unique_ptr<LogReader> reader) : reader_(std::move(reader)) {}
    Status poll(size_t records_max, int timeout_ms, std::vector<LogRecord>& out) override {
      out.clear();
      return polls_++ < 5 ? Status() : reader_->poll(records_max, timeout_ms, out);
    }
    int64_t position(uint32_t partition) const override { return reader_->position(partition); }

   private:
    std::unique_ptr<LogReader> reader_;
    int polls_ = 0;
  };
  EventLog& log_;
};

TEST(Pipeline, ItemsOfBeforeTheStartComeBeforeLaterEventsHoweverLateTheyAreFetched) {
  const TempDir dir;
  const auto digest = [&](const std::string& name, bool late) {
    SmallEngine engine(dir / name);
    const std::string change = encode_catalogue_change(ItemDeleted{ItemId(std::string("i"))});
    const std::string event = encoded(simple_event("e", "i", kStart));
    EXPECT_TRUE(append_wait(*engine.log, Topic::kItems, {{"i", change}}).ok());
    EXPECT_TRUE(append_wait(*engine.log, Topic::kInteractions, {{"u1", event}}).ok());
    LateItemsLog log(*engine.log);
    if (late) engine.parts.log = &log;
    engine.pipeline = std::make_unique<Pipeline>(engine.parts, PipelineOptions{});
    EXPECT_TRUE(engine.pipeline->start().ok());
    EXPECT_TRUE(engine.pipeline->stop().ok());
    EXPECT_EQ(engine.pipeline->stats().accepted, 1u);
    engine.pipeline.reset();
    return engine.machine.digest;
  };
  EXPECT_EQ(digest("late", true), digest("prompt", false));
}

TEST(Pipeline, FreshnessStaysWithinTensOfMillisecondsWhileCheckpointsRun) {
  const TempDir dir;
  PipelineOptions options = busy_checkpoints();
  options.poll_records_max = 512;
  SmallEngine engine(dir / "data", options);
  ASSERT_TRUE(engine.pipeline->start().ok());
  const Millis now = engine.wall.now();
  for (int i = 0; i < 200; ++i) {
    const std::string value = encoded(simple_event("e" + std::to_string(i), "i", now));
    const auto first = append_wait(*engine.log, Topic::kInteractions, {{"u1", value}});
    ASSERT_TRUE(engine.pipeline->wait_applied(Topic::kInteractions, 0, first.value(), 10'000));
  }
  ASSERT_TRUE(engine.pipeline->stop().ok());
  const PipelineStats stats = engine.pipeline->stats();
  uint64_t fresh = 0, all = 0;
  for (size_t i = 0; i < kFreshnessBuckets; ++i) {
    all += stats.freshness_ms[i];
    fresh += kFreshnessMs[i] <= 64 ? stats.freshness_ms[i] : 0;  // machines vary
  }
  EXPECT_EQ(all, 200u);
  EXPECT_GE(fresh, 190u);
  EXPECT_GT(stats.checkpoints, 1u);
}

}  // namespace
}  // namespace shanhuo
