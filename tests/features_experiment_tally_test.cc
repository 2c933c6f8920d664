#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/hash.h"
#include "features/experiment_tally.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kStartMs = 1'790'000'000'000;
constexpr int64_t kDayMs = 86'400'000;

TrialCounts counts_of(TrialCount which, int32_t n) {
  TrialCounts counts{};
  counts[static_cast<size_t>(which)] = n;
  return counts;
}

// A row as people would write it down.
struct Plain {
  std::string variation;
  int64_t first = 0;
  float before = 0;
  bool multiple = false;
  std::map<int, TrialCounts> periods;
  bool operator==(const Plain&) const = default;
};
using Rows = std::map<std::tuple<std::string, uint64_t, uint32_t>, Plain>;

Rows rows_of(const ExperimentTally& tally, const std::vector<std::string>& experiments) {
  Rows rows;
  for (const std::string& id : experiments) {
    const auto summary = tally.summary(id);
    tally.read(id, [&](const TrialRow& row) {
      Plain plain{summary->variations[row.variation],
                  row.first.count(),
                  row.before.clicks,
                  row.multiple,
                  {}};
      for (const TrialPeriod& period : row.periods) plain.periods[period.number] = period.counts;
      EXPECT_TRUE(rows.emplace(std::tuple(id, row.user_hash, row.phase), plain).second);
    });
  }
  return rows;
}

// The same from a list of all that happened, by going through it again for every row.
class Recount {
 public:
  struct Step {
    enum Kind { kExpose, kEvent, kForget } kind = kEvent;
    uint64_t user = 0;
    std::string experiment, variation;
    uint32_t phase = 0;
    int64_t ts = 0;
    float before = 0;
    TrialCounts counts{};
  };
  std::vector<Step> steps;

  Rows rows() const {
    Rows rows;
    for (const Step& step : steps) {
      if (step.kind == Step::kForget) {
        std::erase_if(rows, [&](const auto& row) { return std::get<1>(row.first) == step.user; });
      } else if (step.kind == Step::kExpose) {
        const auto [row, made] = rows.try_emplace({step.experiment, step.user, step.phase});
        if (made) row->second = {step.variation, step.ts, step.before, false, {}};
        row->second.multiple |= row->second.variation != step.variation;
      } else {
        std::map<std::string, std::pair<std::pair<int64_t, uint32_t>, Plain*>> newest;
        for (auto& [key, row] : rows) {
          if (std::get<1>(key) != step.user || row.first > step.ts) continue;
          auto& best = newest[std::get<0>(key)];
          const std::pair<int64_t, uint32_t> age{row.first, std::get<2>(key)};
          if (best.second == nullptr || age > best.first) best = {age, &row};
        }
        for (auto& [id, found] : newest) count(step, *found.second);
      }
    }
    return rows;
  }

 private:
  static void count(const Step& step, Plain& row) {
    const int64_t days = (step.ts - row.first) / kDayMs;
    const int period = days < 1    ? 0
                       : days < 3  ? 1
                       : days < 7  ? 2
                       : days < 14 ? 3
                       : days < 28 ? 4
                                   : 5;
    TrialCounts& sums = row.periods[period];
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += step.counts[i];
  }
};

void play(ExperimentTally& tally, const Recount::Step& step) {
  if (step.kind == Recount::Step::kForget) return tally.forget(step.user);
  if (step.kind == Recount::Step::kEvent) return tally.add(step.user, Millis(step.ts), step.counts);
  tally.expose(step.user,
               {.experiment = step.experiment,
                .variation = step.variation,
                .phase = step.phase,
                .at = Millis(step.ts)},
               [&] {
                 return ViewerRates{1, step.before, 0};
               });
}

Recount::Step random_step(std::mt19937& random, int64_t now) {
  Recount::Step step;
  step.user = mix64(1 + random() % 40);
  step.ts = now - static_cast<int64_t>(random() % kDayMs);
  const uint32_t kind = random() % 100;
  if (kind < 3) {
    step.kind = Recount::Step::kForget;
  } else if (kind < 30) {
    step.kind = Recount::Step::kExpose;
    step.experiment = random() % 2 == 0 ? "a" : "b";
    step.variation = random() % 4 == 0 ? "more" : "control";
    step.phase = random() % 3;
    step.before = static_cast<float>(random() % 100);
  } else {
    for (int32_t& count : step.counts) count = static_cast<int32_t>(random() % 3);
  }
  return step;
}

// Also over restarts from checkpoints that were begun, and written step by step, amid the stream.
TEST(ExperimentTally, EqualsARecountOfEverythingOverRestarts) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    Recount recount;
    MemoryState disk;
    auto tally = std::make_unique<ExperimentTally>(ExperimentTallyOptions{});
    for (int n = 0; n < 1'500; ++n) {
      const int64_t now = kStartMs + n * (40 * kDayMs / 1'500);
      if (n % 100 == 50) tally->begin_checkpoint(disk);
      recount.steps.push_back(random_step(random, now));
      play(*tally, recount.steps.back());
      if (n % 100 >= 50) tally->checkpoint_step(2);
      if (n % 100 != 99) continue;
      while (!tally->checkpoint_step(3)) {
      }
      if (random() % 2 == 0) {
        checkpoint(*tally, disk);
        tally = std::make_unique<ExperimentTally>(ExperimentTallyOptions{});
        ASSERT_TRUE(tally->restore(disk).ok());
      }
    }
    const Rows rows = rows_of(*tally, {"a", "b"});
    ASSERT_EQ(rows, recount.rows()) << seed;
    EXPECT_EQ(tally->rows(), rows.size());
    checkpoint(*tally, disk);
    ExperimentTally again{ExperimentTallyOptions{}};
    ASSERT_TRUE(again.restore(disk).ok());
    EXPECT_EQ(rows_of(again, {"a", "b"}), rows);
  }
}

TEST(ExperimentTally, ACheckpointHoldsTheMomentItBegan) {
  MemoryState disk;
  ExperimentTally tally{ExperimentTallyOptions{}};
  const auto expose = [&](uint64_t user) {
    tally.expose(user, {.experiment = "a", .variation = "x", .phase = 1, .at = Millis(kStartMs)},
                 [] { return ViewerRates{}; });
  };
  expose(1);
  expose(2);
  tally.add(1, Millis(kStartMs), counts_of(TrialCount::kClicks, 1));
  tally.begin_checkpoint(disk);
  tally.add(1, Millis(kStartMs + 1), counts_of(TrialCount::kClicks, 5));
  tally.forget(2);
  expose(3);
  while (!tally.checkpoint_step(1)) {
  }
  ExperimentTally then{ExperimentTallyOptions{}};
  ASSERT_TRUE(then.restore(disk).ok());
  const Rows rows = rows_of(then, {"a"});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows.begin()->second.periods.at(0), counts_of(TrialCount::kClicks, 1));
  checkpoint(tally, disk);
  EXPECT_EQ(std::ranges::count_if(disk.records,
                                  [](const auto& each) { return each.first.starts_with("xrr"); }),
            2);  // 1 and 3
}

TEST(ExperimentTally, WhoFindsNoRoomIsCountedAndARoomThatIsLeftIsTaken) {
  ExperimentTally tally{ExperimentTallyOptions{.viewers_max = 3}};
  const auto expose = [&](uint64_t user) {
    tally.expose(user, {.experiment = "a", .variation = "x", .phase = 1, .at = Millis(kStartMs)},
                 [] { return ViewerRates{}; });
  };
  for (uint64_t user = 1; user <= 5; ++user) expose(user);
  EXPECT_EQ(tally.rows(), 3U);
  EXPECT_EQ(tally.left_out(), 2U);
  EXPECT_EQ(tally.summary("a")->left_out, 2U);
  tally.forget(1);
  expose(4);
  EXPECT_EQ(tally.rows(), 3U);
  EXPECT_FALSE(tally.summary("b").has_value());
}

TEST(ExperimentTally, AnExperimentThatNobodyNewMeetsIsLetGo) {
  ExperimentTally tally{ExperimentTallyOptions{.keep_days = 10}};
  const auto expose = [&](std::string_view id, int day) {
    tally.expose(
        7, {.experiment = id, .variation = "x", .phase = 1, .at = Millis(kStartMs + day * kDayMs)},
        [] { return ViewerRates{}; });
  };
  expose("old", 0);
  expose("new", 10);
  EXPECT_EQ(tally.rows(), 2U);
  expose("new", 11);
  EXPECT_EQ(rows_of(tally, {"old", "new"}).size(), 1U);
}

TEST(ExperimentTally, BrokenRecordsAreAnError) {
  for (const auto& [key, value] : std::map<std::string, std::string>{
           {"xrr12345678phas", ""}, {"xrrx", "abc"}, {"xrea", "\xff"}}) {
    MemoryState disk;
    disk.put(key, value);
    ExperimentTally tally{ExperimentTallyOptions{}};
    EXPECT_EQ(tally.restore(disk).error().code, ErrorCode::kCorrupt) << key;
  }
}

TEST(ExperimentExposure, IsTheSameAfterItsBytesAndNothingElseIsOne) {
  const ExperimentExposure exposure{
      .experiment = "更强", .variation = "b", .phase = 0xfedcba98, .at = Millis(kStartMs)};
  const std::string bytes = encode_exposure(exposure);
  const auto again = decode_exposure(bytes);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->experiment, exposure.experiment);
  EXPECT_EQ(again->variation, exposure.variation);
  EXPECT_EQ(again->phase, exposure.phase);
  EXPECT_EQ(again->at, exposure.at);
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_exposure(bytes.substr(0, n)));
  EXPECT_FALSE(decode_exposure(bytes + "x"));
  EXPECT_FALSE(
      decode_exposure(encode_exposure({.experiment = "", .variation = "b", .at = Millis(1)})));
}

}  // namespace
}  // namespace shanhuo
