// What experiments cost a request: fifty that are live, each with targeting, a layer and a bucket,
// for one viewer after the other. The limit beside it is the two hashes of each alone. Then the
// engine's own, from files: fifty in five layers of ten, and the worst case of a layer for each.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "configs/experiment.h"
#include "configs/flag_evaluator.h"

namespace shanhuo {
namespace {

constexpr int kExperiments = 50;

std::shared_ptr<const FlagPayload> payload() {
  Value::Object flags;
  for (int i = 0; i < kExperiments; ++i) {
    const Value::Object filter{{"seed", "layer-" + std::to_string(i % 5)},
                               {"ranges", Value::Array{Value::Array{0, 0.8}}}};
    const Value::Object tiers{{"$in", Value::Array{"light", "medium"}}};
    Value::Object rule{{"variations", Value::Array{1, 2}},
                       {"hashVersion", 2},
                       {"seed", "experiment-" + std::to_string(i)},
                       {"coverage", 0.9},
                       {"condition", Value::Object{{"tier", tiers}}},
                       {"filters", Value::Array{filter}}};
    flags.emplace_back(
        "flag-" + std::to_string(i),
        Value::Object{{"defaultValue", 0}, {"rules", Value::Array{std::move(rule)}}});
  }
  return FlagPayload::compile(Value::Object{{"features", std::move(flags)}});
}

std::vector<Value> viewers() {
  std::vector<Value> all;
  for (int i = 0; i < 256; ++i) {
    all.emplace_back(Value::Object{{"id", "viewer-" + std::to_string(i * 7'919)},
                                   {"tier", i % 3 == 0 ? "heavy" : "light"}});
  }
  return all;
}

void FiftyExperiments(benchmark::State& state) {
  const auto compiled = payload();
  const std::vector<Value> all = viewers();
  std::vector<const ExperimentSpec*> experiments;
  for (const auto& [name, flag] : compiled->flags()) {
    experiments.push_back(&*flag.rules[0].experiment);
  }
  size_t n = 0;
  for (auto _ : state) {
    const ObjectSource viewer(all[++n % all.size()]);
    const FlagRequest request{.attributes = viewer};
    FlagEvaluator evaluator(*compiled, request);
    for (const ExperimentSpec* each : experiments) {
      benchmark::DoNotOptimize(evaluator.run(*each));
    }
  }
}
BENCHMARK(FiftyExperiments)->Unit(benchmark::kMicrosecond);

void FiftyTimesTheirHashes(benchmark::State& state) {
  const BucketHash layer("layer-1", 2);
  std::vector<BucketHash> hashes;
  for (int i = 0; i < kExperiments; ++i) {
    hashes.emplace_back("experiment-" + std::to_string(i), 2);
  }
  for (auto _ : state) {
    for (const BucketHash& hash : hashes) {
      benchmark::DoNotOptimize(layer.bucket("viewer-7919"));
      benchmark::DoNotOptimize(hash.bucket("viewer-7919"));
    }
  }
}
BENCHMARK(FiftyTimesTheirHashes)->Unit(benchmark::kMicrosecond);

std::shared_ptr<const ExperimentSet> fifty_in_layers(int layers) {
  std::vector<Experiment> experiments;
  const double width = static_cast<double>(layers) / kExperiments;
  const Value tiers =
      Value::Object{{"tier", Value::Object{{"$in", Value::Array{"light", "medium"}}}}};
  for (int i = 0; i < kExperiments; ++i) {
    Experiment& each = experiments.emplace_back();
    each.id = "experiment-" + std::to_string(i);
    each.layer = "layer-" + std::to_string(i % layers);
    each.range = {width * (i / layers), width * (i / layers + 1)};
    each.attribute = "id";
    each.hash = BucketHash(each.id, 2);
    each.condition = Condition::compile(tiers, {}).value();
    each.ranges = bucket_ranges(2, 0.9, {});
    each.variations.resize(2);
  }
  return std::make_shared<const ExperimentSet>(std::move(experiments));
}

// Argument: layers.
void FiftyOfTheEngine(benchmark::State& state) {
  const auto set = fifty_in_layers(static_cast<int>(state.range(0)));
  const std::vector<Value> all = viewers();
  std::vector<Assignment> out;
  size_t n = 0;
  for (auto _ : state) {
    const ObjectSource viewer(all[++n % all.size()]);
    set->assign(viewer, Millis(0), out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(FiftyOfTheEngine)->Arg(5)->Arg(50)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace shanhuo

BENCHMARK_MAIN();
