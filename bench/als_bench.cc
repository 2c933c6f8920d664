// How near implicit ALS comes to what the machine's arithmetic gives: a sweep's operations per
// second on one core, beside one large product of matrices and beside the products and
// factorisations of a row alone. `flops` counts what the formulas need: for a history of n and d
// dims n d b + d b^2 / 3 + 8 n d + 4 d^2 with blocks of b, and d^2 a row for the Gram matrix.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "models/als.h"
#include "models/dense.h"

namespace shanhuo {
namespace {

constexpr size_t kViewers = 4'000, kItems = 5'000, kEntries = 120'000;

std::vector<float> drawn(size_t count) {
  Random random(1);
  std::vector<float> values(count);
  for (float& x : values) x = static_cast<float>(random.normal());
  return values;
}

void rate(benchmark::State& state, double flops_each) {
  state.counters["flops"] =
      benchmark::Counter(flops_each, benchmark::Counter::kIsIterationInvariantRate);
}

void LargeProduct(benchmark::State& state) {
  use_calling_thread();
  constexpr size_t kSize = 1'024;
  const std::vector<float> a = drawn(kSize * kSize), b = a;
  std::vector<float> out(kSize * kSize);
  for (auto _ : state) {
    multiply({a.data(), kSize, kSize}, {b.data(), kSize, kSize}, {out.data(), kSize, kSize});
    benchmark::DoNotOptimize(out.data());
  }
  rate(state, 2.0 * kSize * kSize * kSize);
}
BENCHMARK(LargeProduct)->Unit(benchmark::kMillisecond);

// The Gram matrix and the solution of one row with a history of range(0), nothing gathered.
void OneRow(benchmark::State& state) {
  use_calling_thread();
  constexpr size_t kDims = 64;
  const auto history = static_cast<size_t>(state.range(0));
  const std::vector<float> rows = drawn(history * kDims);
  std::vector<float> ridge(kDims * kDims);
  for (size_t k = 0; k < kDims; ++k) ridge[k * kDims + k] = 1;
  for (auto _ : state) {
    std::vector<float> matrix = ridge, right(kDims, 1.0F);
    add_gram({rows.data(), history, kDims}, 1, {matrix.data(), kDims, kDims});
    benchmark::DoNotOptimize(solve_positive({matrix.data(), kDims, kDims}, std::span(right)));
  }
  const double n = static_cast<double>(history), d = kDims;
  rate(state, n * d * d + d * d * d / 3 + 2 * d * d);
}
BENCHMARK(OneRow)->Arg(30)->Arg(300);

void Sweep(benchmark::State& state) {
  use_calling_thread();
  Random random(2);
  std::vector<SparseRows::Entry> entries;
  for (size_t n = 0; n < kEntries; ++n) {
    entries.emplace_back(random.below(kViewers), random.below(kItems));
  }
  const SparseRows seen(kViewers, kItems, std::move(entries));
  AlsOptions options;
  options.dims = static_cast<int>(state.range(0));
  options.sweeps = 1;
  options.threads = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(train_als(seen, options, {}, [](double) { return true; }).ok());
  }
  const auto n = static_cast<double>(seen.entries()), d = static_cast<double>(options.dims);
  const double block = std::min(d, static_cast<double>(options.block)), rows = kViewers + kItems;
  rate(state, 2 * n * d * block + rows * d * block * block / 3 + 16 * n * d + 5 * rows * d * d);
}
BENCHMARK(Sweep)->Arg(64)->Arg(256)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shanhuo

BENCHMARK_MAIN();
