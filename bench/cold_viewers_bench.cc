// What a viewer beyond the memory costs, on a real store.
//
//   build/release/cold_viewers_bench
//
// 1,000,000 viewers, of whom a tenth fit the memory. Update: an event of a viewer at random, nine
// in ten on disk (read, evict another); beside it the same with everybody in memory. Copy: a
// reader's look at a viewer on disk. The pages of the files are in the system's cache, as they are
// on a machine whose memory is not full.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/hash.h"
#include "features/viewer_table.h"
#include "streaming/checkpoint.h"

namespace shanhuo {
namespace {

size_t viewers() { return std::getenv("SHANHUO_BENCH_SMOKE") != nullptr ? 20'000 : 300'000; }

std::string user(uint64_t n) { return "viewer-" + std::to_string(n); }

// A table over a store of its own in a folder that goes with it.
class Table {
 public:
  explicit Table(size_t memory_bytes) : table_({.memory_bytes_max = memory_bytes}) {
    CHECK(mkdtemp(folder_.data()) != nullptr);
    store_ = std::move(CheckpointStore::open(folder_ + "/state")).value();
    table_.keep_cold_in(store_->store());
    for (uint64_t n = 0; n < viewers(); ++n) {
      change(n);
      if (n % 10'000 == 9'999) checkpoint();
    }
    checkpoint();
  }
  ~Table() {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void change(uint64_t n) {
    const bool changed = table_.update(user(n), [&](PackedProfile& profile) {
      profile.version = kProfileVersion;
      profile.events += 1;
    });
    CHECK(changed && table_.make_room().ok());
  }
  void checkpoint() {
    store_->begin({&table_}, {});
    while (!store_->step(10'000)) {
    }
    store_->commit(false);
    store_->wait();
    CHECK(store_->outcome()->ok());
  }
  const ViewerTable& table() const { return table_; }

 private:
  std::string folder_ = (std::filesystem::temp_directory_path() / "shanhuo-bench-XXXXXX").string();
  std::unique_ptr<CheckpointStore> store_;
  ViewerTable table_;
};

// Filled once: with a tenth of the memory, or with more than enough.
Table& table_of(bool tenth) {
  static Table small(viewers() * 600 / 10), whole(viewers() * 1'200);
  return tenth ? small : whole;
}

void update(benchmark::State& state, bool tenth) {
  Table& table = table_of(tenth);
  const uint64_t before = table.table().stats().cold_reads;
  uint64_t n = 0;
  for (auto _ : state) {
    table.change(mix64(++n) % viewers());
    if (n % 10'000 != 0) continue;
    state.PauseTiming();
    table.checkpoint();
    state.ResumeTiming();
  }
  const uint64_t reads = table.table().stats().cold_reads - before;
  state.counters["cold"] = static_cast<double>(reads) / static_cast<double>(n);
  state.counters["MiB"] = static_cast<double>(table.table().bytes()) / (1 << 20);
}
void UpdateWithATenthInMemory(benchmark::State& state) { update(state, true); }
BENCHMARK(UpdateWithATenthInMemory);
void UpdateWithAllInMemory(benchmark::State& state) { update(state, false); }
BENCHMARK(UpdateWithAllInMemory);

void CopyWithATenthInMemory(benchmark::State& state) {
  const ViewerTable& table = table_of(true).table();
  const uint64_t before = table.stats().cold_looks;
  PackedProfile profile;
  uint64_t n = 0;
  for (auto _ : state) benchmark::DoNotOptimize(table.copy(user(mix64(++n) % viewers()), profile));
  const uint64_t looks = table.stats().cold_looks - before;
  state.counters["cold"] = static_cast<double>(looks) / static_cast<double>(n);
}
BENCHMARK(CopyWithATenthInMemory);

}  // namespace
}  // namespace shanhuo

BENCHMARK_MAIN();
