// The state is a function of the topics: what `shanhuo rebuild` makes of them alone equals what a
// live engine had, byte by byte. One partition of interactions, and no item changes amid the
// events: across partitions and topics Kafka keeps no order, so an event may meet its item as it
// was before a change in one fold and after it in another.
#include "tests/kafka_mock_cluster.h"
#include "tests/rebuild_world.h"

namespace shanhuo {
namespace {

TEST(RebuildOnKafka, TheStateFromTheTopicsEqualsTheLiveOneToTheByte) {
  const TempDir dir;
  const MockCluster cluster(/*partitions=*/1);
  const WallClock clock;
  write_program(dir / "configs");
  EngineOptions options;
  options.data_dir = dir / "data";
  options.clock = ClockKind::kCaller;
  options.stream_kind = StreamKind::kKafka;
  options.kafka = cluster.options;
  options.ranking.user_loss_budget = 0.5;
  options.ranking.explore_probability = 0;
  options.api.rank_timeout_ms = 10'000;
  options.stream.checkpoint_interval_ms = 30;
  options.value = small_value_models();
  constexpr int kKafkaRounds = 90;  // beyond a day, each waits for the cluster
  {
    LiveEngine live(options, dir / "configs");
    Traffic traffic(live);
    traffic.items_change = false;
    traffic.put_items(0, 12, "mountain goods");
    for (int n = 0; n < kKafkaRounds; ++n) ASSERT_NO_FATAL_FAILURE(traffic.round(n));
    live.engine->stop();
    const PipelineStats stats = live.engine->pipeline().stats();
    EXPECT_EQ(stats.failure, "");
    EXPECT_GT(stats.duplicate, 5U);
    EXPECT_GT(stats.dead, 5U);
    EXPECT_GT(stats.checkpoints, 3U);
  }
  const Result<RebuildSummary> rebuilt = rebuild_state(options, dir / "configs", clock);
  ASSERT_TRUE(rebuilt.ok()) << rebuilt.error().message;
  const int64_t last_ms = kStart + (kKafkaRounds - 1) * kRoundMs;
  ASSERT_NO_FATAL_FAILURE(expect_equal_states(state_of(rebuilt.value().before, last_ms),
                                              state_of(options.data_dir + "/state", last_ms)));
}

}  // namespace
}  // namespace shanhuo
