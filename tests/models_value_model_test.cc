// The online model against its definitions: FTRL-Proximal as Algorithm 1 prints it and the
// factorisation machine as a double loop over pairs, both in doubles and with maps in place of
// tables.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "models/value_model.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

struct Example {
  std::vector<ModelFeature> plain, crossed;
  bool label = false;
  ModelFeatures features() const { return {plain, crossed}; }
};

ModelFeature feature(uint64_t field, uint64_t key, float value = 1) {
  return {hash_combine(field + 1, key), value};
}

// Clicks depend on a place, on a number, and on whether viewer and item have the same parity: what
// only products can know.
std::vector<Example> examples(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<Example> all(count);
  for (Example& example : all) {
    const uint64_t viewer = random() % 30, item = random() % 40, place = random() % 5;
    const auto number = static_cast<float>(2 * uniform(random) - 1);
    example.plain = {feature(0, 0), feature(1, place), feature(2, 0, number)};
    example.crossed = {feature(3, viewer), feature(4, item)};
    const double log_odds =
        -1 + 0.3 * static_cast<double>(place) + number + (viewer % 2 == item % 2 ? 1.5 : -1.5);
    example.label = uniform(random) < 1 / (1 + std::exp(-log_odds));
  }
  return all;
}

ValueModelOptions small() {
  ValueModelOptions options;
  options.slots_log2 = 12;
  options.factor_slots_log2 = 16;
  return options;
}

// Algorithm 1 and Rendle's model, by definition.
class Reference {
 public:
  explicit Reference(const ValueModelOptions& options) : options_(options) {}

  double learn(const Example& example) {
    std::vector<ModelFeature> all = example.plain;
    all.insert(all.end(), example.crossed.begin(), example.crossed.end());
    double sum = 0;
    for (const ModelFeature& f : all) sum += weight(slot(f)) * f.value;
    const auto& crossed = example.crossed;
    for (size_t a = 0; a < crossed.size(); ++a) {
      for (size_t b = a + 1; b < crossed.size(); ++b) {
        const std::vector<double>&u = row(crossed[a]).v, &v = row(crossed[b]).v;
        for (size_t k = 0; k < u.size(); ++k) {
          sum += u[k] * v[k] * crossed[a].value * crossed[b].value;
        }
      }
    }
    const double p = 1 / (1 + std::exp(-sum)), gradient = p - example.label;
    std::map<uint64_t, Row> before = rows_;
    for (const ModelFeature& f : all) {
      Slot& s = slots_[slot(f)];
      const double w = weight(slot(f)), g = gradient * f.value;
      s.z += g - (std::sqrt(s.n + g * g) - std::sqrt(s.n)) / options_.alpha * w;
      s.n += g * g;
    }
    if (options_.factor_rate > 0) {
      for (const ModelFeature& f : crossed) learn_factors(f, crossed, gradient, before);
    }
    return sum;
  }

 private:
  struct Slot {
    double z = 0, n = 0;
  };
  struct Row {
    std::vector<double> v, n;
  };

  uint64_t slot(const ModelFeature& f) const { return f.hash >> (64 - options_.slots_log2); }
  uint64_t row_number(const ModelFeature& f) const {
    return f.hash % (uint64_t{1} << options_.factor_slots_log2);
  }
  double weight(uint64_t slot) {
    const Slot& s = slots_[slot];
    if (std::abs(s.z) <= options_.l1) return 0;
    return -(s.z - (s.z < 0 ? -1 : 1) * options_.l1) /
           ((options_.beta + std::sqrt(s.n)) / options_.alpha + options_.l2);
  }
  const Row& row(const ModelFeature& f) {
    const uint64_t number = row_number(f);
    Row& row = rows_[number];
    if (row.v.empty()) {
      for (uint64_t k = 0; k < ValueModel::kFactors; ++k) {
        const uint64_t draw = mix64(number * ValueModel::kFactors + k + 1);
        row.v.push_back((static_cast<double>(draw >> 40) / (1 << 24) - 0.5) *
                        options_.factor_start);
        row.n.push_back(0);
      }
    }
    return row;
  }
  // The derivative of the double loop by each factor.
  void learn_factors(const ModelFeature& f, const std::vector<ModelFeature>& crossed,
                     double gradient, const std::map<uint64_t, Row>& before) {
    Row& mine = rows_[row_number(f)];
    for (size_t k = 0; k < mine.v.size(); ++k) {
      double others = 0;
      for (const ModelFeature& other : crossed) {
        if (other.hash != f.hash) others += before.at(row_number(other)).v[k] * other.value;
      }
      const double g = gradient * f.value * others + options_.factor_l2 * mine.v[k];
      mine.n[k] += g * g;
      mine.v[k] -= options_.factor_rate * g / (std::sqrt(mine.n[k]) + options_.factor_beta);
    }
  }

  const ValueModelOptions options_;
  std::map<uint64_t, Slot> slots_;
  std::map<uint64_t, Row> rows_;
};

void expect_like_reference(const ValueModelOptions& options, uint64_t seed) {
  Reference reference(options);
  ValueModel model("m", options);
  for (const Example& example : examples(seed, 3'000)) {
    const double expected = reference.learn(example);
    ASSERT_NEAR(model.learn(example.features(), example.label), expected,
                2e-3 * (1 + std::abs(expected)));
  }
}

TEST(ValueModel, LearnsAsAlgorithmOneIsPrinted) {
  ValueModelOptions options = small();
  options.factor_rate = 0;
  options.factor_start = 0;
  for (const float alpha : {0.01F, 0.1F, 0.5F}) {
    for (const float l1 : {0.0F, 1.0F}) {
      options.alpha = alpha;
      options.l1 = l1;
      expect_like_reference(options, 7);
    }
  }
}

TEST(ValueModel, FactorsLearnDownTheGradientOfTheDoubleLoop) {
  expect_like_reference(small(), 8);
  ValueModelOptions faster = small();
  faster.factor_rate = 0.1F;
  faster.factor_start = 0.5F;
  expect_like_reference(faster, 9);
}

double logloss_of_the_last(const ValueModelOptions& options, size_t last) {
  ValueModel model("m", options);
  const std::vector<Example> all = examples(3, 30'000);
  double loss = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const double p = ValueModel::probability(model.learn(all[i].features(), all[i].label));
    if (i + last >= all.size()) loss -= std::log(all[i].label ? p : 1 - p);
  }
  return loss / static_cast<double>(last);
}

TEST(ValueModel, FactorsKnowWhatNoSumOfWeightsCan) {
  ValueModelOptions weights = small(), both = small();
  weights.alpha = both.alpha = 0.1F;
  weights.factor_rate = weights.factor_start = 0;
  both.factor_rate = 0.1F;
  EXPECT_LT(logloss_of_the_last(both, 5'000), logloss_of_the_last(weights, 5'000) - 0.1);
}

TEST(ValueModel, SumsTakenInPartsAreTheWhole) {
  ValueModel model("m", small());
  for (const Example& example : examples(4, 500)) model.learn(example.features(), example.label);
  for (const Example& example : examples(5, 50)) {
    ValueModel::Sums parts;
    model.add({std::span(example.plain).first(2), {}}, parts);
    model.add({std::span(example.plain).subspan(2), {}}, parts);
    model.add({{}, std::span(example.crossed).first(1)}, parts);
    model.add({{}, std::span(example.crossed).subspan(1)}, parts);
    EXPECT_EQ(ValueModel::log_odds(parts), model.log_odds(example.features()));
  }
}

TEST(ValueModel, SmallEvidenceWeighsNothingWithL1) {
  ValueModelOptions options = small();
  options.l1 = 1;
  options.factor_rate = options.factor_start = 0;
  ValueModel model("m", options);
  const std::vector<ModelFeature> rare{feature(9, 1)};
  for (int i = 0; i < 2; ++i) model.learn({rare, {}}, true);
  EXPECT_EQ(model.log_odds({rare, {}}), 0);
  for (int i = 0; i < 20; ++i) model.learn({rare, {}}, true);
  EXPECT_GT(model.log_odds({rare, {}}), 0);
}

TEST(ValueModel, StaysFiniteWhateverItIsTold) {
  ValueModelOptions options = small();
  options.alpha = 10;
  options.factor_rate = 5;
  options.l2 = 0;
  ValueModel model("m", options);
  std::mt19937_64 random(1);
  constexpr float kHuge = std::numeric_limits<float>::max();
  const float values[] = {kHuge, -kHuge, 1e-30F, 0, std::numeric_limits<float>::infinity(), 16};
  for (int i = 0; i < 20'000; ++i) {
    const std::vector<ModelFeature> plain{feature(0, random() % 3, values[random() % 6])};
    const std::vector<ModelFeature> crossed{feature(1, random() % 2, values[random() % 6]),
                                            feature(2, random() % 2, values[random() % 6])};
    const float log_odds = model.learn({plain, crossed}, random() % 2 == 0, 16);
    ASSERT_TRUE(std::isfinite(log_odds));
    ASSERT_LE(std::abs(log_odds), ValueModel::kLogOddsMax);
  }
}

TEST(ValueModel, EqualLogsGiveEqualBytes) {
  MemoryState first, second;
  for (MemoryState* state : {&first, &second}) {
    ValueModel model("m", small());
    for (const Example& example : examples(6, 2'000)) {
      model.learn(example.features(), example.label);
    }
    checkpoint(model, *state);
  }
  EXPECT_FALSE(first.records.empty());
  EXPECT_EQ(first.records, second.records);
}

TEST(ValueModel, ACheckpointIsOfTheMomentItBeganAndARestoredModelGoesOn) {
  const std::vector<Example> all = examples(10, 4'000);
  ValueModel model("m", small()), stopped("m", small());
  MemoryState kept, reference;
  const auto learn = [&](ValueModel& to, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) to.learn(all[i].features(), all[i].label);
  };
  learn(model, 0, 1'000);
  checkpoint(model, kept);
  learn(model, 1'000, 2'000);
  model.begin_checkpoint(kept);
  for (size_t i = 2'000; i < 4'000; ++i) {  // what is learned meanwhile is not in it
    learn(model, i, i + 1);
    if (i % 3 == 0) model.checkpoint_step(1);
  }
  while (!model.checkpoint_step(1)) {
  }
  learn(stopped, 0, 2'000);
  checkpoint(stopped, reference);
  EXPECT_EQ(kept.records, reference.records);

  ValueModel restored("m", small());
  ASSERT_TRUE(restored.restore(kept).ok());
  learn(restored, 2'000, 4'000);
  for (const Example& example : examples(11, 100)) {
    EXPECT_EQ(restored.log_odds(example.features()), model.log_odds(example.features()));
  }
}

TEST(ValueModel, RecordsThatNoModelOfThisSizeWroteAreRefused) {
  ValueModel model("m", small());
  for (const Example& example : examples(6, 200)) model.learn(example.features(), example.label);
  MemoryState good;
  checkpoint(model, good);
  const auto refused = [&](const std::string& key, const std::string& value) {
    MemoryState state = good;
    state.records[key] = value;
    ValueModel fresh("m", small());
    const Status status = fresh.restore(state);
    return !status.ok() && status.error().code == ErrorCode::kCorrupt;
  };
  const auto& [key, value] = *good.records.begin();
  EXPECT_TRUE(refused(key, value.substr(1)));
  EXPECT_TRUE(refused(key + "x", value));
  EXPECT_TRUE(refused(std::string("vmmw\0\1\0\0", 8), value));
  EXPECT_TRUE(refused(std::string("vmmz\0\0\0\0", 8), value));
  EXPECT_TRUE(refused(key, std::string(value.size(), '\xff')));  // NaN
}

TEST(ValueModel, IsReadWhileItLearns) {
  ValueModel model("m", small());
  const std::vector<Example> all = examples(12, 5'000);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    for (size_t i = 0; !done; i = (i + 1) % all.size()) {
      ASSERT_TRUE(std::isfinite(model.log_odds(all[i].features())));
    }
  });
  for (const Example& example : all) model.learn(example.features(), example.label);
  done = true;
  reader.join();
  EXPECT_EQ(model.examples(), all.size());
}

}  // namespace
}  // namespace shanhuo
