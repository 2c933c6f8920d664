// The engine core in a deterministic simulation, in the manner of FoundationDB: pipeline, fold,
// deduplication, catalogue, feature store, dead letters and checkpoints run as they are, on one
// thread, over a log, a store and a clock in memory (simulated_disk.h). One seed draws the traffic
// (simulated_traffic.h), the order of all steps, and the faults: the process killed between any two
// steps, power lost with a prefix of what was not synced surviving, appends refused, the disk full
// for a while, checkpoints that cannot be written, polls that fail, blocks that do not hold, a log
// that lost its end, retention that drops everything it may.
//
// In the end every number is compared with an oracle that was written from the contract alone
// (fold_oracle.h), exactly. Same seed, same bytes.
//
//   streaming_simulation_test --gtest_filter='*Equals*'        SHANHUO_SEEDS=0..999 by default
//   SHANHUO_SEEDS=42 streaming_simulation_test                 one seed again
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/simulation_compare.h"

namespace shanhuo {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kSeeds = 50;
#else
constexpr uint64_t kSeeds = 1'000;
#endif
constexpr int kSteps = 800;

// SHANHUO_SEEDS: "n" or "first..last".
std::pair<uint64_t, uint64_t> seeds(uint64_t count) {
  const char* asked = std::getenv("SHANHUO_SEEDS");
  if (asked == nullptr) return {0, count - 1};
  const std::string text(asked);
  const size_t dots = text.find("..");
  const uint64_t first = std::stoull(text);
  return {first, dots == std::string::npos ? first : std::stoull(text.substr(dots + 2))};
}

std::string again(uint64_t seed) {
  return "again: SHANHUO_SEEDS=" + std::to_string(seed) +
         " build/release/streaming_simulation_test";
}

TEST(Simulation, EqualsTheOracleUnderEveryFault) {
  const auto [first, last] = seeds(kSeeds);
  Happened sum;
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(again(seed));
    Simulation simulation(seed);
    simulation.run(kSteps);
    simulation.compare();
    if (HasFailure()) return;
    sum += simulation.happened();
  }
  for (const auto& [name, field] : Happened::kFields) {
    std::printf("%10llu %s\n", static_cast<unsigned long long>(sum.*field), name);
    if (last - first + 1 >= 50) {
      EXPECT_GT(sum.*field, 0u) << name;
    }
  }
}

TEST(Simulation, OneSeedTwiceGivesTheSameBytes) {
  const auto [first, last] = seeds(std::min<uint64_t>(kSeeds, 20));
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(again(seed));
    Simulation one(seed), two(seed);
    one.run(kSteps);
    two.run(kSteps);
    ASSERT_EQ(one.digest(), two.digest());
  }
}

// Of one partition: with several, an item's buckets that are out of every window go when the
// fastest of them passes, and the slowest may still add to them.
TEST(Simulation, TheSameLogFoldedAtOneGoGivesTheSameBytesOfState) {
  const auto [first, last] = seeds(kSeeds / 4);
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(again(seed));
    Simulation simulation(seed);
    if (simulation.drops_records() || simulation.partitions() > 1) continue;
    simulation.run(kSteps);
    const auto lived = simulation.counted_records(), folded = simulation.folded_again();
    for (const auto& [key, value] : lived) {
      const auto found = folded.find(key);
      ASSERT_TRUE(found != folded.end() && found->second == value) << testing::PrintToString(key);
    }
    ASSERT_EQ(lived.size(), folded.size());
  }
}

}  // namespace
}  // namespace shanhuo
