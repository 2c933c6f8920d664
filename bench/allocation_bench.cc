// The request path of allocation.md 3: k = 200 candidates, P = 20 positions, p99 <= 10 us.
//   build/release/allocation_bench
// Each page is another random one; "p99_us" is over single calls, timed one by one.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/clock.h"
#include "ranking/allocation.h"

namespace shanhuo {
namespace {

struct BenchPage {
  std::vector<double> organic, discount, examine;
  std::vector<int> program_max;
  std::vector<AllocationItem> items;
};

// Like the shipped demo: `programs` programs with one insertion a page and slots 3..19, a gap of
// `gap`, values spread like P(click), a tenth of the candidates already in the organic list.
BenchPage make_page(std::mt19937_64& random, int k, int positions, int programs, int gap) {
  std::uniform_real_distribution<double> unit(0, 1);
  BenchPage page;
  double s = 1;
  for (int r = 0; r < 200; ++r) page.organic.push_back(s *= 0.95 + 0.05 * unit(random));
  for (int p = 0; p < positions; ++p) {
    page.discount.push_back(0.9 * std::pow(0.96, p));
    page.examine.push_back(page.discount.back());
  }
  page.program_max.assign(static_cast<size_t>(programs), 1);
  std::vector<double> price(static_cast<size_t>(programs));
  for (double& w : price) w = 2 * unit(random);
  for (int i = 0; i < k; ++i) {
    AllocationItem item;
    const auto program = static_cast<ProgramIndex>(random() % static_cast<unsigned>(programs));
    item.value = std::exp(-3 * unit(random));
    item.bonus = price[program];
    item.programs[0] = program;
    item.program_count = 1;
    item.first_slot = 3;
    item.last_slot = 19;
    item.min_gap = gap;
    if (i % 10 == 0) item.rank = static_cast<int>(random() % 10) + i;
    if (item.rank >= 200) item.rank = -1;
    page.items.push_back(item);
  }
  return page;
}

void BM_Allocate(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::vector<BenchPage> pages;
  for (int i = 0; i < 256; ++i) {
    pages.push_back(make_page(random, static_cast<int>(state.range(0)),
                              static_cast<int>(state.range(1)), static_cast<int>(state.range(2)),
                              static_cast<int>(state.range(3))));
  }
  AllocationScratch scratch;
  std::vector<int64_t> times;
  size_t next = 0, inexact = 0;
  for (auto _ : state) {
    const BenchPage& page = pages[next++ % pages.size()];
    PageTerms terms;
    terms.organic = page.organic;
    terms.discount = page.discount;
    terms.examine = page.examine;
    terms.viewer_price = 0.5;
    terms.program_max = page.program_max;
    terms.pairs = 4;
    const int64_t start = monotonic_ns();
    const AllocationResult result = allocate(terms, page.items, scratch);
    times.push_back(monotonic_ns() - start);
    inexact += result.exact ? 0 : 1;
    benchmark::DoNotOptimize(result);
  }
  std::sort(times.begin(), times.end());
  state.counters["p50_us"] = static_cast<double>(times[times.size() / 2]) / 1e3;
  state.counters["p99_us"] = static_cast<double>(times[times.size() * 99 / 100]) / 1e3;
  state.counters["inexact"] = static_cast<double>(inexact);
}
BENCHMARK(BM_Allocate)
    ->ArgNames({"k", "P", "programs", "gap"})
    ->Args({200, 20, 10, 5})
    ->Args({200, 20, 10, 1})
    ->Args({200, 20, 40, 5})
    ->Args({200, 20, 40, 0})
    ->Args({200, 20, 200, 1})
    ->Args({200, 200, 20, 5});

}  // namespace
}  // namespace shanhuo

BENCHMARK_MAIN();
