#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "models/probability_map.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

double logistic(double log_odds) { return 1 / (1 + std::exp(-log_odds)); }

// Labels whose true log-odds are another line than what the model says.
void feed(ProbabilityMap& map, uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> said(-1, 1.5F);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (size_t i = 0; i < count; ++i) {
    const float log_odds = said(random);
    map.learn(log_odds, uniform(random) < logistic(0.6 * log_odds - 1));
  }
}

TEST(ProbabilityMap, IsTheIdentityBeforeTheFirstLabel) {
  const ProbabilityMap map("m", {});
  for (const float log_odds : {-5.9F, -1.0F, 0.0F, 0.25F, 5.9F}) {
    EXPECT_NEAR(map.probability(log_odds), logistic(log_odds), 1e-5);
  }
}

TEST(ProbabilityMap, LearnsWhatTheModelGetsWrong) {
  ProbabilityMap map("m", {});
  feed(map, 1, 100'000);
  for (const float log_odds : {-3.0F, -2.0F, -1.0F, 0.0F, 1.0F}) {
    EXPECT_NEAR(map.probability(log_odds), logistic(0.6 * log_odds - 1), 0.03) << log_odds;
  }
}

TEST(ProbabilityMap, NeverTurnsTheOrderAround) {
  ProbabilityMap map("m", {.prior_labels = 1, .memory_labels = 20});
  std::mt19937_64 random(2);
  for (int i = 0; i < 20'000; ++i) {
    const float log_odds = static_cast<float>(random() % 1'000) / 50 - 10;
    map.learn(log_odds, random() % 2 == 0, static_cast<float>(random() % 16));
    const float other = log_odds + static_cast<float>(random() % 100) / 100;
    ASSERT_LE(map.probability(log_odds), map.probability(other) + 1e-6F);
    ASSERT_GE(map.probability(log_odds), 0);
    ASSERT_LE(map.probability(other), 1);
  }
}

TEST(ProbabilityMap, TakesWhatLiesBeyondItsKnotsAsItsEnds) {
  const ProbabilityMap map("m", {});
  EXPECT_NEAR(map.probability(-1e30F), logistic(-6), 1e-5);
  EXPECT_NEAR(map.probability(1e30F), logistic(6), 1e-4);
}

TEST(ProbabilityMap, ARestoredMapGoesOn) {
  ProbabilityMap map("m", {}), restored("m", {});
  MemoryState state;
  feed(map, 3, 2'000);
  checkpoint(map, state);
  ASSERT_TRUE(restored.restore(state).ok());
  feed(map, 4, 500);
  feed(restored, 4, 500);
  MemoryState after, after_restored;
  checkpoint(map, after);
  checkpoint(restored, after_restored);
  EXPECT_EQ(after.records, after_restored.records);
  checkpoint(map, state);  // nothing new: nothing is written
  EXPECT_NE(state.records, after.records);

  state.records.begin()->second[3] ^= 0x7f;
  EXPECT_FALSE(ProbabilityMap("m", {}).restore(state).ok());
  state.records.begin()->second.pop_back();
  EXPECT_FALSE(ProbabilityMap("m", {}).restore(state).ok());
}

}  // namespace
}  // namespace shanhuo
