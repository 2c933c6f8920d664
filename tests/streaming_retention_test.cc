// Retention takes from the log only what a durable checkpoint holds, however slow checkpoints are
// and however often the disk refuses them: whatever is dropped, a restart finds what it needs and
// ends in the state of a fold that saw every record once.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <utility>

#include "streaming/pipeline.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

class ToldClock final : public Clock {
 public:
  Millis now() const override { return Millis(now_ms_.load()); }
  int64_t monotonic_ns() const override { return now_ms_.load() * 1'000'000; }
  void advance(Millis by) { now_ms_ += by.count(); }

 private:
  std::atomic<int64_t> now_ms_{1'790'000'000'000};
};

// A store that may refuse writes, which several of these may look into.
class StubbornStore final : public StateStore {
 public:
  StubbornStore(std::shared_ptr<Store> store, const bool& refuses)
      : store_(std::move(store)), refuses_(refuses) {}
  Result<std::optional<std::string>> get(std::string_view key) const override {
    return store_->get(key);
  }
  Status write(Batch& batch, bool sync) override {
    return refuses_ ? Status(Error{ErrorCode::kIo, "no"}) : store_->write(batch, sync);
  }
  Status scan(std::string_view prefix, const Visit& visit) const override {
    return store_->scan(prefix, visit);
  }
  Status scan_range(std::string_view from, std::string_view to, const Visit& visit) const override {
    return store_->scan_range(from, to, visit);
  }
  Status backup(const std::string& directory) override { return store_->backup(directory); }
  Status purge(std::string_view from, std::string_view to) override {
    return store_->purge(from, to);
  }

 private:
  const std::shared_ptr<Store> store_;
  const bool& refuses_;
};

// One process: log, state and fold; it ends as a crash does.
class Life {
 public:
  Life(const std::string& directory, const ToldClock& clock) {
    EmbeddedLogOptions log_options;
    log_options.retention_h = 1;
    log = std::move(EmbeddedLog::open(directory + "/log", log_options, clock)).value();
    store_ = std::move(Store::open(directory + "/state", {})).value();
    checkpoints = CheckpointStore::on_this_thread(stubborn());
    PipelineParts parts;
    parts.log = log.get();
    parts.checkpoints = checkpoints.get();
    parts.dedup = {&dedup_};
    parts.machine = &machine;
    parts.apply_catalogue = [this](const CatalogueChange& change) {
      return machine.catalogue(change);
    };
    parts.checkpointed = {&dedup_, &machine};
    parts.clock = &clock;
    PipelineOptions options;
    options.poll_records_max = 7;
    options.poll_timeout_ms = 0;
    options.checkpoint_records = 20;
    options.checkpoint_step_records = 2;
    pipeline = std::make_unique<Pipeline>(parts, options);
    const Status opened = pipeline->open();
    EXPECT_TRUE(opened.ok()) << opened.error().message;
  }

  // Of the interactions, as a restart would read it from the disk now.
  int64_t durable_position() const {
    const auto position = CheckpointStore::on_this_thread(stubborn())->restore({});
    EXPECT_TRUE(position.ok());
    for (const SourcePosition& source : position.value().sources) {
      if (source.topic == Topic::kInteractions) return source.next_offset;
    }
    return 0;
  }

  bool refuses = false;
  std::unique_ptr<EmbeddedLog> log;
  std::unique_ptr<CheckpointStore> checkpoints;
  CountingMachine machine;
  std::unique_ptr<Pipeline> pipeline;  // dies first

 private:
  std::unique_ptr<StubbornStore> stubborn() const {
    return std::make_unique<StubbornStore>(store_, refuses);
  }
  std::shared_ptr<Store> store_;
  Deduplicator dedup_{"e0"};
};

TEST(Retention, NeverDropsWhatNoCheckpointHolds) {
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    std::mt19937_64 random(seed);
    const TempDir directory;
    ToldClock clock;
    int64_t sent = 0, dropped_under_trouble = 0;
    uint64_t digest = 0;
    for (int life = 0; life < 4; ++life) {
      Life now(directory / "data", clock);
      if (HasFailure()) return;
      for (int round = 0; round < 80; ++round) {
        clock.advance(Millis(static_cast<int64_t>(random() % 600'000)));
        std::vector<std::string> events(1 + random() % 8);
        std::vector<AppendRecord> records;
        for (std::string& event : events) {
          const std::string id = "e" + std::to_string(sent);
          event = encoded(simple_event(id, "item", clock.now()));
          records.push_back({"", event});
          digest = hash_combine(digest, hash64(id) + static_cast<uint64_t>(sent++));
        }
        ASSERT_TRUE(append_wait(*now.log, Topic::kInteractions, records).ok());
        for (auto turns = random() % 4; turns > 0; --turns) {
          ASSERT_NE(now.pipeline->turn(), Pipeline::Turn::kEnd);
        }
        if (random() % 20 == 0) now.refuses = !now.refuses;
        if (random() % 5 == 0) now.checkpoints->write_pending();
        const int64_t first = now.log->first_offset(Topic::kInteractions, 0);
        now.log->retain_now();
        const int64_t left = now.log->first_offset(Topic::kInteractions, 0);
        ASSERT_LE(left, now.durable_position());
        dropped_under_trouble += now.refuses ? left - first : 0;
      }
    }
    Life last(directory / "data", clock);
    while (last.pipeline->stats().lag_records > 0) {
      ASSERT_NE(last.pipeline->turn(), Pipeline::Turn::kEnd);
    }
    EXPECT_EQ(last.machine.counts["item"], static_cast<uint64_t>(sent));
    EXPECT_EQ(last.machine.digest, digest);
    EXPECT_GT(last.log->first_offset(Topic::kInteractions, 0), sent / 2);
    EXPECT_GT(dropped_under_trouble, 0);  // what older checkpoints had released
  }
}

}  // namespace
}  // namespace shanhuo
