#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/hash.h"
#include "serving/experiment_results.h"
#include "tests/experiment_files.h"

namespace shanhuo {
namespace {

constexpr int64_t kStartMs = 1'790'000'000'000;
constexpr int64_t kDayMs = 86'400'000;

TrialCounts clicks_of(int32_t impressions, int32_t clicks) {
  TrialCounts counts{};
  counts[static_cast<size_t>(TrialCount::kImpressions)] = impressions;
  counts[static_cast<size_t>(TrialCount::kClicks)] = clicks;
  return counts;
}

Metric metric(const std::string& id, MetricKind kind, TrialCount numerator = TrialCount::kClicks) {
  Metric made;
  made.id = id;
  made.kind = kind;
  made.numerator = numerator;
  return made;
}

const MetricSet& the_metrics() {
  static const MetricSet kSet = [] {
    MetricSet set;
    set.metrics = {metric("clickers", MetricKind::kProportion), metric("clicks", MetricKind::kMean),
                   metric("ctr", MetricKind::kRatio)};
    set.metrics[2].guardrail = true;
    return set;
  }();
  return kSet;
}

// An experiment of two halves whose viewers' click probability is known.
class World {
 public:
  using Keys = std::map<std::string, std::string>;
  explicit World(Keys keys = {}) : set_(experiments_of({experiment_text("a", std::move(keys))})) {}

  const Experiment& experiment() const { return set_->experiments()[0]; }

  void expose(uint64_t user, const std::string& key, ViewerRates before = {}, int64_t at = kStartMs,
              std::optional<uint32_t> phase = std::nullopt) {
    tally.expose(mix64(user),
                 {.experiment = "a",
                  .variation = key,
                  .phase = phase.value_or(experiment().phase),
                  .at = Millis(at)},
                 [&] { return before; });
  }
  // `n` viewers an arm, of whom each has a taste of its own that shows before, too.
  void simulate(uint32_t seed, int n, double lift) {
    std::mt19937 random(seed);
    const auto draw = [&](int impressions, double p) {
      return std::binomial_distribution<int>(impressions, p)(random);
    };
    for (int i = 0; i < 2 * n; ++i) {
      const bool more = mix64(uint64_t{seed} << 32 | static_cast<uint32_t>(i)) % 2 == 1;
      const double taste = 0.02 + 0.2 * (static_cast<double>(random() % 1'000) / 1'000);
      const int before = static_cast<int>(random() % 80),
                seen = 1 + static_cast<int>(random() % 40);
      const auto user = static_cast<uint64_t>(i);
      expose(user, more ? "more" : "control",
             {static_cast<float>(before), static_cast<float>(draw(before, taste)), 0});
      tally.add(mix64(user), Millis(kStartMs + 1),
                clicks_of(seen, draw(seen, taste * (more ? 1 + lift : 1))));
    }
  }
  ExperimentResults results(const MetricSet& metrics = the_metrics()) const {
    return experiment_results(experiment(), metrics, tally);
  }

  ExperimentTally tally{ExperimentTallyOptions{}};

 private:
  std::shared_ptr<const ExperimentSet> set_;
};

bool covers(const Lift& lift, double truth) {
  return lift.known && lift.low <= truth && truth <= lift.high;
}
double width(const Lift& lift) { return lift.high - lift.low; }

TEST(ExperimentResults, IntervalsCoverTheTruthAsOftenAsTheySay) {
  int fixed = 0, sequential = 0, cuped = 0, narrower = 0;
  constexpr int kRuns = 100;
  for (uint32_t seed = 1; seed <= kRuns; ++seed) {
    World world;
    world.simulate(seed, 400, 0.2);
    const MetricArm ctr = world.results().metrics[2].arms[1];
    fixed += covers(ctr.plain.relative.fixed, 0.2) ? 1 : 0;
    sequential += covers(ctr.plain.relative.sequential, 0.2) ? 1 : 0;
    cuped += covers(ctr.cuped.relative.fixed, 0.2) ? 1 : 0;
    narrower += width(ctr.cuped.relative.fixed) < width(ctr.plain.relative.fixed) ? 1 : 0;
  }
  // Of 100 runs at 95 %, fewer than 88 have a chance below 1 in 500.
  EXPECT_GE(fixed, 88);
  EXPECT_GE(cuped, 88);
  EXPECT_GE(sequential, 98);
  EXPECT_GE(narrower, 95);
}

TEST(ExperimentResults, AnAATestHasNoSampleRatioAlarmAndAPlantedBugHasOne) {
  World world;
  world.simulate(3, 2'000, 0);
  const ExperimentResults fine = world.results();
  EXPECT_GT(*fine.sample_ratio_p, 0.01);
  EXPECT_FALSE(fine.sample_ratio_alarm);
  EXPECT_TRUE(covers(fine.metrics[2].arms[1].plain.relative.sequential, 0));

  World broken;  // a tenth of one variation's exposures never reach the log
  for (uint64_t user = 0; user < 8'000; ++user) {
    if (user % 2 == 1 && user % 20 == 1) continue;
    broken.expose(user, user % 2 == 1 ? "more" : "control");
  }
  EXPECT_LT(*broken.results().sample_ratio_p, kSampleRatioAlarm);
  EXPECT_TRUE(broken.results().sample_ratio_alarm);
}

TEST(ExperimentResults, VariationsOfNoWeightAreNotInTheSampleRatio) {
  const World::Keys keys = {
      {"variations",
       "[{key: control, weight: 0.5}, {key: off, weight: 0}, {key: more, weight: 0.5}]"}};
  World world(keys);
  for (uint64_t user = 0; user < 1'000; ++user) world.expose(user, user % 2 ? "more" : "control");
  EXPECT_EQ(*world.results().sample_ratio_p, 1);
}

TEST(ExperimentResults, EqualARecountViewerByViewer) {
  World world;
  std::mt19937 random(11);
  std::vector<double> x[2], y[2], before[2];
  for (uint64_t user = 0; user < 500; ++user) {
    const size_t arm = user % 2;
    const auto seen = static_cast<int32_t>(1 + random() % 9),
               clicks = static_cast<int32_t>(random() % static_cast<uint32_t>(seen + 1));
    const auto past = static_cast<float>(random() % 7);
    world.expose(user, arm == 1 ? "more" : "control", {past * 3, past, 0});
    world.tally.add(mix64(user), Millis(kStartMs + 5), clicks_of(seen, clicks));
    x[arm].push_back(clicks);
    y[arm].push_back(seen);
    before[arm].push_back(past);
  }
  PairSums ratio[2], cuped[2];
  ValueSums mean[2];
  int64_t positive[2] = {0, 0};
  for (size_t arm = 0; arm < 2; ++arm) {
    for (size_t i = 0; i < x[arm].size(); ++i) {
      const double a = x[arm][i], b = y[arm][i], c = before[arm][i];
      ++mean[arm].n, mean[arm].sum += a, mean[arm].squares += a * a, positive[arm] += a > 0;
      ++ratio[arm].n, ratio[arm].sum_x += a, ratio[arm].squares_x += a * a, ratio[arm].sum_y += b,
          ratio[arm].squares_y += b * b, ratio[arm].products += a * b;
      ++cuped[arm].n, cuped[arm].sum_x += c, cuped[arm].squares_x += c * c, cuped[arm].sum_y += a,
          cuped[arm].squares_y += a * a, cuped[arm].products += a * c;
    }
  }
  const ExperimentResults results = world.results();
  const auto same = [](const Lift& got, const Lift& wanted) {
    EXPECT_TRUE(got.known);
    EXPECT_NEAR(got.value, wanted.value, 1e-9);
    EXPECT_NEAR(got.low, wanted.low, 1e-9);
    EXPECT_NEAR(got.high, wanted.high, 1e-9);
    EXPECT_NEAR(got.p, wanted.p, 1e-9);
  };
  const auto relative = LiftScale::kRelative;
  same(results.metrics[0].arms[1].plain.relative.fixed,
       lift_of(proportion_estimate(mean[0].n, positive[0]),
               proportion_estimate(mean[1].n, positive[1]), relative));
  same(results.metrics[1].arms[1].plain.relative.sequential,
       sequential_lift_of(mean_estimate(mean[0]), mean_estimate(mean[1]), relative));
  same(results.metrics[2].arms[1].plain.absolute.fixed,
       lift_of(ratio_estimate(ratio[0]), ratio_estimate(ratio[1]), LiftScale::kAbsolute));
  const double theta = cuped_theta(cuped[0], cuped[1]);
  same(results.metrics[1].arms[1].cuped.relative.fixed,
       lift_of(cuped_estimate(cuped[0], theta), cuped_estimate(cuped[1], theta), relative));
}

TEST(ExperimentResults, AViewerInTwoVariationsIsInNone) {
  World world;
  for (uint64_t user = 0; user < 10; ++user) world.expose(user, user % 2 ? "more" : "control");
  world.expose(4, "more");
  const ExperimentResults results = world.results();
  EXPECT_EQ(results.multiple, 1);
  EXPECT_EQ(results.variations[0].viewers, 4);
  EXPECT_EQ(results.variations[1].viewers, 5);
}

TEST(ExperimentResults, PhasesAreApartAndTheEarlierOneCanBeAskedFor) {
  World world;
  const uint32_t past = world.experiment().phase + 1;
  for (uint64_t user = 0; user < 20; ++user) {
    world.expose(user, user < 15 ? "gone" : "control", {}, kStartMs, past);
  }
  for (uint64_t user = 0; user < 4; ++user) {
    world.expose(user, user % 2 ? "more" : "control", {}, kStartMs + kDayMs);
  }
  world.tally.add(mix64(0), Millis(kStartMs + 1), clicks_of(1, 1));           // in the earlier one
  world.tally.add(mix64(0), Millis(kStartMs + kDayMs + 1), clicks_of(1, 1));  // in the present one
  const ExperimentResults now = world.results();
  ASSERT_EQ(now.variations.size(), 2U);
  EXPECT_EQ(now.variations[0].viewers, 2);
  EXPECT_EQ(now.metrics[1].arms[0].estimate.mean, 0.5);
  ASSERT_EQ(now.phases.size(), 2U);
  EXPECT_EQ(now.phases[0].phase, past);
  EXPECT_EQ(now.phases[0].viewers, 20);
  const ExperimentResults then =
      experiment_results(world.experiment(), the_metrics(), world.tally, past);
  EXPECT_FALSE(then.present);
  EXPECT_FALSE(then.sample_ratio_p.has_value());
  ASSERT_EQ(then.variations.size(), 3U);
  EXPECT_EQ(then.variations[2].key, "gone");
  EXPECT_EQ(then.variations[2].viewers, 15);
  EXPECT_NEAR(then.metrics[1].arms[2].estimate.mean, 1.0 / 15, 1e-12);
}

TEST(ExperimentResults, AWindowEndsAndACapHolds) {
  World world;
  for (uint64_t user = 0; user < 200; ++user) {
    world.expose(user, user % 2 ? "more" : "control");
    world.tally.add(mix64(user), Millis(kStartMs), clicks_of(1, user == 0 ? 1'000 : 2));
    world.tally.add(mix64(user), Millis(kStartMs + 3 * kDayMs - 1), clicks_of(1, 1));
    world.tally.add(mix64(user), Millis(kStartMs + 3 * kDayMs), clicks_of(1, 7));
  }
  MetricSet metrics;
  metrics.metrics.assign(4, metric("clicks", MetricKind::kMean));
  metrics.metrics[1].window_days = 3;
  metrics.metrics[1].cap_percentile = 0.99;
  metrics.metrics[2].window_days = 1;
  metrics.metrics[2].cap = 5;
  metrics.metrics[3].window_days = 3;
  const ExperimentResults results = world.results(metrics);
  EXPECT_EQ(results.metrics[0].arms[1].estimate.mean, 10);
  EXPECT_EQ(results.metrics[1].cap, 3);
  EXPECT_EQ(results.metrics[1].arms[0].estimate.mean, 3);
  EXPECT_EQ(results.metrics[2].arms[0].estimate.mean, (99 * 2 + 5) / 100.0);
  EXPECT_EQ(results.metrics[3].arms[1].estimate.mean, 3);
}

TEST(ExperimentResults, GuardrailsAreJudgedBySequentialIntervals) {
  const auto verdict = [](double lift, const std::string& limit) {
    World world(World::Keys{{"guardrails", limit}});
    world.simulate(5, 4'000, lift);
    MetricSet metrics = the_metrics();
    metrics.metrics[2].id = "organic_ctr";
    return world.results(metrics).metrics[2].arms[1].guardrail;
  };
  const std::string wide = "[{metric: organic_ctr, max_drop: 0.3}]";
  EXPECT_EQ(verdict(-0.6, wide), GuardrailVerdict::kBreached);
  EXPECT_EQ(verdict(0, wide), GuardrailVerdict::kKept);
  EXPECT_EQ(verdict(0, "[{metric: organic_ctr, max_drop: 0.001}]"), GuardrailVerdict::kOpen);
  EXPECT_EQ(verdict(-0.6, ""), GuardrailVerdict::kBreached);  // the metric is one by itself
  EXPECT_EQ(World().results().metrics[2].arms[1].guardrail, GuardrailVerdict::kNoData);
  EXPECT_EQ(World().results().metrics[1].arms[1].guardrail, GuardrailVerdict::kNone);
}

TEST(ExperimentResults, AVariationInWhichNobodyDoesAnythingIsJudgedToo) {
  World world(World::Keys{{"guardrails", "[{metric: delivery, max_drop: 0.3}]"}});
  TrialCounts seen{};
  seen[static_cast<size_t>(TrialCount::kBoostedViewable)] = 1;
  for (uint64_t i = 0; i < 1'000; ++i) {
    world.expose(i, i % 2 == 0 ? "control" : "more");
    if (i % 2 == 0 && i % 10 < 7) world.tally.add(mix64(i), Millis(kStartMs + 1), seen);
  }
  const ExperimentResults results = world.results();
  const MetricResult& delivery = results.metrics.back();  // the engine's own, since it is named
  EXPECT_EQ(delivery.metric.id, "delivery");
  EXPECT_FALSE(delivery.arms[1].plain.relative.sequential.known);
  EXPECT_NEAR(delivery.arms[1].judged.value, -1, 1e-9);
  EXPECT_EQ(delivery.arms[1].guardrail, GuardrailVerdict::kBreached);
}

TEST(ExperimentResults, PhasesHaveNamesThatReadBack) {
  EXPECT_EQ(phase_name(0x0012abcd), "0012abcd");
  EXPECT_EQ(parse_phase("0012abcd"), 0x0012abcdU);
  for (const char* wrong : {"", "12abcd", "0012abcg", "0012abcd0"}) {
    EXPECT_FALSE(parse_phase(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace shanhuo
