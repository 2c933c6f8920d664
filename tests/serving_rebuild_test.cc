// The state is a function of the log: what `shanhuo rebuild` makes of the log alone equals what a
// live engine had, record by record, byte by byte. From Kafka: serving_rebuild_kafka_test.cc.
#include "tests/rebuild_world.h"

namespace shanhuo {
namespace {

class Rebuild : public testing::Test {
 protected:
  void SetUp() override {
    write_program(dir_ / "configs");
    options_.data_dir = dir_ / "data";
    options_.clock = ClockKind::kCaller;
    options_.ranking.user_loss_budget = 0.5;
    options_.ranking.explore_probability = 0;
    options_.api.rank_timeout_ms = 10'000;
    options_.stream.checkpoint_interval_ms = 30;  // the live run writes many
    options_.value = options_.value_second = small_value_models();
    options_.value_second.alpha = 0.1F;
    options_.value_frozen_every_h = 1;
  }
  std::string config_dir() const { return dir_ / "configs"; }

  TempDir dir_;
  EngineOptions options_;
  const WallClock clock_;
};

TEST_F(Rebuild, TheStateFromTheLogEqualsTheLiveOneToTheByte) {
  {
    LiveEngine live(options_, config_dir());
    Traffic traffic(live);
    traffic.put_items(0, 12, "mountain goods");
    for (int n = 0; n < kRounds; ++n) ASSERT_NO_FATAL_FAILURE(traffic.round(n));
    EXPECT_GT(traffic.boosted(), 20);
    live.engine->stop();
    const PipelineStats stats = live.engine->pipeline().stats();
    EXPECT_EQ(stats.accepted, stats.applied + stats.duplicate + stats.late + stats.dead);
    EXPECT_GT(stats.duplicate, 5U);
    EXPECT_GT(stats.late, 5U);
    EXPECT_GT(stats.dead, 5U);
    EXPECT_GT(stats.checkpoints, 3U);
  }
  const Result<RebuildSummary> rebuilt = rebuild_state(options_, config_dir(), clock_);
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().message;
  const int64_t last_ms = kStart + (kRounds - 1) * kRoundMs;
  const auto before = state_of(rebuilt.value().before, last_ms),
             after = state_of(options_.data_dir + "/state", last_ms);
  ASSERT_NO_FATAL_FAILURE(expect_equal_states(before, after));

  LiveEngine again(options_, config_dir());  // and an engine runs on it
  EXPECT_EQ(again.ask("GET", "/v1/users/viewer-3").status, 200);
}

TEST_F(Rebuild, RefusesWhileAnEngineRunsAndLeavesEverythingAsItWas) {
  LiveEngine live(options_, config_dir());
  const Result<RebuildSummary> refused = rebuild_state(options_, config_dir(), clock_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("stop it first"));
  EXPECT_FALSE(std::filesystem::exists(options_.data_dir + "/state.before"));
}

TEST_F(Rebuild, RefusesALogThatRetentionHasCut) {
  {
    LiveEngine live(options_, config_dir());
    Traffic traffic(live);
    traffic.put_items(0, 12, "mountain goods");
    for (int n = 0; n < 3; ++n) ASSERT_NO_FATAL_FAILURE(traffic.round(n));
  }
  {
    ManualClock later(clock_.now() + Millis(10 * kDayMs));
    const auto log = EmbeddedLog::open(options_.data_dir + "/log", {.retention_h = 1}, later);
    ASSERT_TRUE(log.ok());
    EmbeddedLog& open = *log.value();
    ASSERT_TRUE(append_wait(open, Topic::kInteractions, {{"", "the newest block stays"}}).ok());
    later.set(later.now() + Millis(kDayMs));
    open.release(Topic::kInteractions, {{0, open.end_offset(Topic::kInteractions, 0)}});
    open.retain_now();
    ASSERT_GT(open.first_offset(Topic::kInteractions, 0), 0);
  }
  const Result<RebuildSummary> refused = rebuild_state(options_, config_dir(), clock_);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, testing::HasSubstr("restore a backup"));
  EXPECT_FALSE(std::filesystem::exists(options_.data_dir + "/state.before"));
}

TEST_F(Rebuild, RefusesAFolderThatIsNoDataFolder) {
  std::filesystem::create_directories(options_.data_dir);
  EXPECT_EQ(rebuild_state(options_, config_dir(), clock_).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace shanhuo
