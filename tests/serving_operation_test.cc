#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "serving/operation.h"
#include "tests/experiment_files.h"

namespace shanhuo {
namespace {

constexpr int64_t kMsNs = 1'000'000;

std::string text(const std::string& id, const std::string& guardrails,
                 const std::string& variations = "", const std::string& layer = "ranking") {
  std::map<std::string, std::string> keys = {{"guardrails", guardrails}, {"layer", layer}};
  if (!variations.empty()) keys["variations"] = variations;
  return experiment_text(id, keys);
}

const std::string kBoth = "[{metric: latency, max_rise: 0.1}, {metric: error_rate, max_rise: 1}]";

// One experiment's window, filled by hand.
class OperationTest : public testing::Test {
 protected:
  OperationTest() { begin(kBoth); }
  void begin(const std::string& guardrails) {
    set_ = experiments_of({text("a", guardrails)});
    window_ = {};
    for (int i = 0; i < 2; ++i) window_.meters.push_back(std::make_shared<PageMeter>());
  }
  // Pages of so many viewers, `pages` each.
  void fill(size_t arm, uint64_t viewers, int pages, int64_t ns, int failed = 0) {
    for (uint64_t viewer = 0; viewer < viewers; ++viewer) {
      for (int i = 0; i < pages; ++i) {
        window_.meters[arm]->add(mix64(viewer) + arm, i < failed,
                                 ns + static_cast<int64_t>(viewer % 7) * 10'000);
      }
    }
  }
  std::vector<OperationResult> results() const {
    return operation_results(set_->experiments()[0], window_, 200);
  }
  std::string verdict(size_t metric) const {
    return std::string(verdict_name(results()[metric].arms[1].verdict));
  }
  std::string hold() const {
    return std::string(ramp_state_name(operation_hold(set_->experiments()[0], results()).state));
  }

  std::shared_ptr<const ExperimentSet> set_;
  MeterWindow window_;
};

TEST_F(OperationTest, EqualPagesAreKeptAndSlowerOnesBreached) {
  fill(0, 20'000, 10, kMsNs);
  fill(1, 20'000, 10, kMsNs);
  EXPECT_EQ(verdict(0), "kept");
  EXPECT_EQ(hold(), "ready");
  EXPECT_NEAR(results()[0].arms[1].estimate.mean, 1.03, 0.001);  // ms
  begin(kBoth);
  fill(0, 2'000, 10, kMsNs);
  fill(1, 2'000, 10, 2 * kMsNs);
  EXPECT_EQ(verdict(0), "breached");
  EXPECT_NEAR(results()[0].arms[1].lift.value, 1 / 1.03, 0.001);
  EXPECT_EQ(operation_breach(results())->substr(0, 31), "latency of more: 2.03 ms agains");
  EXPECT_EQ(hold(), "guardrail");
}

TEST_F(OperationTest, ErrorsAreComparedWithTheControlAndAFloor) {
  fill(0, 400, 5, kMsNs);
  fill(1, 400, 5, kMsNs);
  EXPECT_EQ(verdict(1), "open");  // none in 2,000 pages is not none ever
  EXPECT_DOUBLE_EQ(results()[1].allowed, kErrorRateFloor);
  fill(0, 100'000, 5, kMsNs);
  fill(1, 100'000, 5, kMsNs);
  EXPECT_EQ(verdict(1), "kept");
  begin(kBoth);
  fill(0, 400, 5, kMsNs);
  fill(1, 400, 5, kMsNs, 1);
  EXPECT_EQ(verdict(1), "breached");
  begin(kBoth);
  fill(0, 400, 5, kMsNs, 2);
  fill(1, 400, 5, kMsNs, 3);
  EXPECT_DOUBLE_EQ(results()[1].allowed, 0.4);
  EXPECT_NE(verdict(1), "breached");
}

TEST_F(OperationTest, OfFewPagesOrFewViewersNothingIsSaid) {
  fill(0, 199, 1, kMsNs);
  fill(1, 2'000, 1, 9 * kMsNs);
  EXPECT_EQ(verdict(0), "no_data");
  EXPECT_EQ(hold(), "thin");
  fill(0, 2'000, 1, kMsNs);
  EXPECT_EQ(verdict(0), "breached");
  begin(kBoth);
  fill(0, 2'000, 1, kMsNs);
  fill(1, 3, 1'000, 9 * kMsNs);  // as many pages, of three
  EXPECT_EQ(verdict(0), "no_data");
}

// Limits next to nothing, viewers of whom each has a pace of its own, twenty looks a run.
TEST_F(OperationTest, EqualVariationsAreNotToldApartHoweverOftenOneLooks) {
  const int kRuns = 300;
  int alarms = 0, alarms_of_pages = 0;
  std::mt19937 random(7);
  for (int run = 0; run < kRuns; ++run) {
    begin("[{metric: latency, max_rise: 0.000001}]");
    bool alarm = false, alarm_of_pages = false;
    std::array<ValueSums, 2> pages{};
    for (int look = 0; look < 20; ++look) {
      for (int i = 0; i < 40; ++i) {
        const size_t arm = random() % 2;
        const uint64_t viewer = random();
        const auto pace = static_cast<int64_t>(500 + random() % 4'000);
        for (int page = 0; page < 30; ++page) {
          window_.meters[arm]->add(viewer, false, pace * 1'000);
          const double ms = 1e-3 * static_cast<double>(pace);
          pages[arm] = {pages[arm].n + 1, pages[arm].sum + ms, pages[arm].squares + ms * ms};
        }
      }
      alarm |= operation_breach(results()).has_value();
      alarm_of_pages |= sequential_lift_of(mean_estimate(pages[0]), mean_estimate(pages[1]),
                                           LiftScale::kRelative, kOperationAlpha)
                            .low > 0;
    }
    alarms += alarm ? 1 : 0;
    alarms_of_pages += alarm_of_pages ? 1 : 0;
  }
  EXPECT_LE(alarms, 3);            // 1 %
  EXPECT_GT(alarms_of_pages, 60);  // what counting pages as if each were another viewer's gives
}

class MetersTest : public testing::Test {
 protected:
  uint64_t pages(const PageMeter& meter) const {
    uint64_t pages = 0;
    for (const PageMeter::Counts& each : meter.read()) pages += each.pages;
    return pages;
  }
  PageMeters meters_;
};

TEST_F(MetersTest, NothingIsCountedUnlessAGuardrailAsksForIt) {
  meters_.follow(experiments_of({text("a", "[{metric: organic_ctr, max_drop: 0.1}]")}), Millis(5));
  EXPECT_EQ(meters_.table(), nullptr);
  meters_.follow(
      experiments_of({text("a", "[{metric: latency, max_rise: 0.1}]"), text("b", "", "", "other")}),
      Millis(5));
  ASSERT_NE(meters_.table(), nullptr);
  EXPECT_EQ(meters_.table()->windows[0].meters.size(), 2u);
  EXPECT_TRUE(meters_.table()->windows[1].meters.empty());
  meters_.follow(experiments_of({}), Millis(6));
  EXPECT_EQ(meters_.table(), nullptr);
}

TEST_F(MetersTest, AWindowLivesAsLongAsItsPhase) {
  const std::string guardrail = "[{metric: latency, max_rise: 0.1}]";
  meters_.follow(experiments_of({text("b", guardrail)}), Millis(5));
  meters_.table()->windows[0].meters[1]->add(1, true, kMsNs);
  // Another experiment comes, before it by id.
  meters_.follow(experiments_of({text("a", "", "", "other"), text("b", guardrail)}), Millis(6));
  EXPECT_EQ(meters_.table()->windows[1].since, Millis(5));
  EXPECT_EQ(pages(*meters_.table()->windows[1].meters[1]), 1u);
  meters_.follow(
      experiments_of({text("b", guardrail, "[{key: x, weight: 0.4}, {key: y, weight: 0.6}]")}),
      Millis(7));
  EXPECT_EQ(meters_.table()->windows[0].since, Millis(7));
  EXPECT_EQ(pages(*meters_.table()->windows[0].meters[1]), 0u);
  meters_.table()->windows[0].meters[1]->add(1, true, kMsNs);
  meters_.begin_anew("b", Millis(8));
  EXPECT_EQ(meters_.table()->windows[0].since, Millis(8));
  EXPECT_EQ(pages(*meters_.table()->windows[0].meters[1]), 0u);
  meters_.begin_anew("unknown", Millis(9));
}

TEST_F(MetersTest, RequestsCountWhileSetsChange) {
  const auto set = [](const std::string& other) {
    return experiments_of(
        {text("a", "[{metric: latency, max_rise: 0.1}]"), text(other, "", "", "other")});
  };
  meters_.follow(set("b"), Millis(1));
  constexpr int kThreads = 3, kPages = 20'000;
  std::vector<std::thread> requests;
  for (int t = 0; t < kThreads; ++t) {
    requests.emplace_back([&, t] {
      for (uint64_t i = 0; i < kPages; ++i) {
        meters_.table()->windows[0].meters[0]->add(i * kThreads + static_cast<uint64_t>(t),
                                                   i % 2 == 0, 1'000);
      }
    });
  }
  for (int i = 0; i < 50; ++i) meters_.follow(set(i % 2 == 0 ? "c" : "b"), Millis(2));
  for (std::thread& thread : requests) thread.join();
  PageMeter::Counts all;
  for (const PageMeter::Counts& each : meters_.table()->windows[0].meters[0]->read()) {
    all = {all.pages + each.pages, all.degraded + each.degraded, all.us + each.us};
  }
  EXPECT_EQ(all.pages, uint64_t{kThreads} * kPages);
  EXPECT_EQ(all.degraded, uint64_t{kThreads} * kPages / 2);
  EXPECT_EQ(all.us, uint64_t{kThreads} * kPages);
}

}  // namespace
}  // namespace shanhuo
