#include <gtest/gtest.h>

#include <thread>

#include "serving/metrics.h"

namespace shanhuo {
namespace {

bool shows(const Metrics& metrics, const std::string& line) {
  return ("\n" + metrics.render()).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, ShowsEveryNameOfTheContract) {
  Metrics metrics;
  metrics.degraded.at("retrieval").add();
  metrics.experiment_exposures.at("stronger-boost", "control").add(3);
  metrics.events_applied.add(7);
  metrics.stream_lag_records.set(12);
  metrics.user_loss_ratio.set(0.015);
  metrics.read_shed = [] { return uint64_t{4}; };
  metrics.read_programs = [] { return std::vector<ProgramMetric>{{"kiwi", 130'000, 2.5}}; };
  EXPECT_TRUE(shows(metrics, R"(shanhuo_events_total{result="applied"} 7)"));
  for (const char* result : {"accepted", "rejected", "duplicate", "late", "dead"}) {
    EXPECT_TRUE(shows(metrics, std::string("shanhuo_events_total{result=\"") + result + "\"} 0"));
  }
  EXPECT_TRUE(shows(metrics, R"(shanhuo_degraded_total{stage="retrieval"} 1)"));
  EXPECT_TRUE(shows(
      metrics,
      R"(shanhuo_experiment_exposures_total{experiment="stronger-boost",variation="control"} 3)"));
  EXPECT_TRUE(shows(metrics, "shanhuo_stream_lag_records 12"));
  EXPECT_TRUE(shows(metrics, "shanhuo_user_loss_ratio 0.015"));
  EXPECT_TRUE(shows(metrics, "shanhuo_shed_total 4"));
  EXPECT_TRUE(shows(metrics, "shanhuo_decisions_lost_total 0"));
  EXPECT_TRUE(shows(metrics, R"(shanhuo_program_delivered_total{program="kiwi"} 130000)"));
  EXPECT_TRUE(shows(metrics, R"(shanhuo_program_price{program="kiwi"} 2.5)"));
  EXPECT_TRUE(shows(metrics, "# TYPE shanhuo_rank_latency_seconds histogram"));
  EXPECT_TRUE(shows(metrics, "# TYPE shanhuo_freshness_seconds histogram"));
}

TEST(Metrics, BucketsAreCumulativeAndBoundsInclusive) {
  Metrics metrics;
  metrics.rank_latency.observe_ns(50'000);
  metrics.rank_latency.observe_ns(50'001);
  metrics.rank_latency.observe_s(2);
  EXPECT_TRUE(shows(metrics, R"(shanhuo_rank_latency_seconds_bucket{le="5e-05"} 1)"));
  EXPECT_TRUE(shows(metrics, R"(shanhuo_rank_latency_seconds_bucket{le="0.0001"} 2)"));
  EXPECT_TRUE(shows(metrics, R"(shanhuo_rank_latency_seconds_bucket{le="1"} 2)"));
  EXPECT_TRUE(shows(metrics, R"(shanhuo_rank_latency_seconds_bucket{le="+Inf"} 3)"));
  EXPECT_TRUE(shows(metrics, "shanhuo_rank_latency_seconds_count 3"));
  EXPECT_DOUBLE_EQ(metrics.rank_latency.quantile_s(0.5), 100e-6);
  EXPECT_EQ(metrics.freshness.quantile_s(0.5), 0);
}

TEST(Metrics, EscapesLabelValues) {
  Metrics metrics;
  metrics.dead_letters.at("a\"b\\c\nd").add();
  EXPECT_TRUE(shows(metrics, R"(shanhuo_dead_letters_total{reason="a\"b\\c\nd"} 1)"));
}

TEST(Metrics, CountsLabelsPastTheBoundUnderOther) {
  CounterFamily family({"field"}, 3);
  for (int i = 0; i < 10; ++i) family.at("f" + std::to_string(i)).add();
  family.at("f1").add();
  const auto series = family.read();
  ASSERT_EQ(series.size(), 4u);
  EXPECT_EQ(series[1].count, 2u);
  EXPECT_EQ(series[3].label_values[0], "other");
  EXPECT_EQ(series[3].count, 7u);
}

TEST(Metrics, LosesNothingUnderManyThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&metrics, t] {
      for (int i = 0; i < 10'000; ++i) {
        metrics.events_applied.add();
        metrics.rank_latency.observe_ns(i * 100);
        metrics.degraded.at("stage" + std::to_string((i + t) % 7)).add();
        if (i % 1'000 == 0) metrics.render();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.events_applied.value(), 40'000u);
  EXPECT_EQ(metrics.rank_latency.count(), 40'000u);
  uint64_t degraded = 0;
  for (const auto& series : metrics.degraded.read()) degraded += series.count;
  EXPECT_EQ(degraded, 40'000u);
}

}  // namespace
}  // namespace shanhuo
