// What the online value model costs: one labelled impression learned (target: 5 us), and the values
// of 200 candidates for one viewer (target: 60 us), with what the viewer shares summed once. Of
// each example 40 features are the viewer's and the request's, 30 the item's and crosses; 6 have
// factors. Weights lie all over their tables, as hashed features do.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "base/hash.h"
#include "models/probability_map.h"
#include "models/value_model.h"

namespace shanhuo {
namespace {

constexpr size_t kShared = 38, kSharedCrossed = 2, kOwn = 26, kOwnCrossed = 4;
constexpr size_t kCandidates = 200, kKeys = 50'000;

struct Example {
  std::vector<ModelFeature> plain, crossed;
  ModelFeatures features() const { return {plain, crossed}; }
};

void add(std::mt19937_64& random, uint64_t field, size_t plain, size_t crossed, Example& to) {
  const auto draw = [&](uint64_t n) {
    return ModelFeature{hash_combine(field + n, random() % kKeys),
                        static_cast<float>(1 + random() % 3)};
  };
  for (size_t n = 0; n < plain; ++n) to.plain.push_back(draw(n));
  for (size_t n = 0; n < crossed; ++n) to.crossed.push_back(draw(100 + n));
}

std::vector<Example> examples(uint64_t seed, size_t count, bool shared, bool own) {
  std::mt19937_64 random(seed);
  std::vector<Example> all(count);
  for (Example& example : all) {
    if (shared) add(random, 1'000, kShared, kSharedCrossed, example);
    if (own) add(random, 2'000, kOwn, kOwnCrossed, example);
  }
  return all;
}

ValueModel& trained() {
  static ValueModel model("m", {});
  static const bool once = [] {
    const std::vector<Example> all = examples(1, 20'000, true, true);
    for (size_t i = 0; i < all.size(); ++i) model.learn(all[i].features(), i % 3 == 0);
    return true;
  }();
  benchmark::DoNotOptimize(once);
  return model;
}

void LearnOneImpression(benchmark::State& state) {
  ValueModel& model = trained();
  ProbabilityMap map("m", {});
  const std::vector<Example> all = examples(2, 4'096, true, true);
  size_t i = 0;
  for (auto _ : state) {
    const float before = model.learn(all[i].features(), i % 3 == 0);
    map.learn(before, i % 3 == 0);
    i = (i + 1) % all.size();
  }
}
BENCHMARK(LearnOneImpression);

void ValueOf200Candidates(benchmark::State& state) {
  const ValueModel& model = trained();
  const ProbabilityMap map("m", {});
  const std::vector<Example> viewers = examples(3, 64, true, false);
  const std::vector<Example> candidates = examples(4, 10 * kCandidates, false, true);
  std::vector<float> values(kCandidates);
  size_t request = 0;
  for (auto _ : state) {
    ValueModel::Sums viewer;
    model.add(viewers[request % viewers.size()].features(), viewer);
    const size_t first = request % 10 * kCandidates;
    for (size_t i = 0; i < kCandidates; ++i) {
      ValueModel::Sums sums = viewer;
      model.add(candidates[first + i].features(), sums);
      values[i] = map.probability(ValueModel::log_odds(sums));
    }
    benchmark::DoNotOptimize(values.data());
    ++request;
  }
}
BENCHMARK(ValueOf200Candidates)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace shanhuo

BENCHMARK_MAIN();
