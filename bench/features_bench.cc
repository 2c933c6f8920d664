// What one event costs in viewer state: folding it into a profile, the table around it,
// deduplication, a token. The budgets stand in the headers of features/.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/hash.h"
#include "features/dedup.h"
#include "features/exposure_token.h"
#include "features/frequency.h"
#include "features/user_state.h"
#include "features/viewer_table.h"

namespace shanhuo {
namespace {

constexpr int64_t kStart = 1'760'000'000'000;

std::vector<CatalogueItem> catalogue() {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, 0.125F);
  std::vector<CatalogueItem> items(256);
  for (size_t n = 0; n < items.size(); ++n) {
    for (float& x : items[n].vector) x = normal(random);
    items[n].item.category = "fruit";
    items[n].category_hash = 1 + n % 20;
    items[n].creator_hash = 1 + n % 100;
    items[n].county_code = 433124;
  }
  return items;
}

Interaction event_of(size_t n, int64_t step_ms) {
  static constexpr EventType kMix[] = {EventType::kImpression, EventType::kPlay, EventType::kClick,
                                       EventType::kPlay, EventType::kLike};
  Interaction event;
  event.type = kMix[n % 5];
  event.watch_ms = static_cast<int64_t>(n * 7'919 % 40'000);
  event.ts = Millis(kStart + static_cast<int64_t>(n) * step_ms);
  return event;
}

void ApplyToProfile(benchmark::State& state) {
  const std::vector<CatalogueItem> items = catalogue();
  PackedProfile profile{};
  size_t n = 0;
  for (auto _ : state) {
    const CatalogueItem& item = items[n * 31 % items.size()];
    apply_to_profile(profile, event_of(n, 60'000), static_cast<ItemIndex>(n * 31 % items.size()),
                     &item);
    ++n;
  }
  benchmark::DoNotOptimize(profile);
}
BENCHMARK(ApplyToProfile);

void DecodeProfile(benchmark::State& state) {
  const std::vector<CatalogueItem> items = catalogue();
  PackedProfile profile{};
  for (size_t n = 0; n < 500; ++n) {
    apply_to_profile(profile, event_of(n, 60'000), static_cast<ItemIndex>(n), &items[n % 256]);
  }
  for (auto _ : state) benchmark::DoNotOptimize(decode(profile));
}
BENCHMARK(DecodeProfile);

// Viewers at random: each update misses the caches, as in life.
void UpdateInTable(benchmark::State& state) {
  const std::vector<CatalogueItem> items = catalogue();
  const auto viewers = static_cast<uint64_t>(state.range(0));
  ViewerTable table;
  std::vector<std::string> ids;
  for (uint64_t n = 0; n < viewers; ++n) ids.push_back("u" + std::to_string(n));
  size_t n = 0;
  const auto fold = [&](const std::string& user_id) {
    const CatalogueItem& item = items[n * 31 % items.size()];
    table.update(user_id, [&](PackedProfile& profile) {
      apply_to_profile(profile, event_of(n, 10), static_cast<ItemIndex>(n % 1'000), &item);
    });
    ++n;
  };
  for (const std::string& id : ids) fold(id);
  for (auto _ : state) fold(ids[mix64(n) % viewers]);
  state.counters["bytes_per_viewer"] =
      static_cast<double>(table.bytes()) / static_cast<double>(table.size());
}
BENCHMARK(UpdateInTable)->Arg(10'000)->Arg(100'000);

// A checkpoint of n viewers without the disk under it.
class ManyViewers final : public StateReader {
 public:
  explicit ManyViewers(int64_t n) : viewers_(n) {
    const std::vector<CatalogueItem> items = catalogue();
    for (size_t k = 0; k < 50; ++k) {
      apply_to_profile(profile_, event_of(k, 60'000), static_cast<ItemIndex>(k), &items[k]);
    }
  }
  Status scan(std::string_view prefix, const Visit& visit) const override {
    std::string key;
    for (int64_t n = 0; n < viewers_; ++n) {
      key.assign(prefix).append("u").append(std::to_string(n));
      Status status = visit(key, profile_bytes(profile_));
      if (!status.ok()) return status;
    }
    return {};
  }
  Status scan_range(std::string_view, std::string_view, const Visit&) const override { return {}; }
  Result<std::optional<std::string>> get(std::string_view) const override {
    return std::optional<std::string>();
  }

 private:
  const int64_t viewers_;
  PackedProfile profile_{};
};

void RestoreViewers(benchmark::State& state) {
  const ManyViewers disk(state.range(0));
  for (auto _ : state) {
    ViewerTable table;
    if (!table.restore(disk).ok()) state.SkipWithError("not restored");
    state.counters["bytes_per_viewer"] =
        static_cast<double>(table.bytes()) / static_cast<double>(table.size());
  }
}
void restored_viewers(benchmark::internal::Benchmark* bench) {
  bench->Unit(benchmark::kMillisecond)->Iterations(1)->Arg(100'000);
  if (std::getenv("SHANHUO_BENCH_SMOKE") == nullptr) bench->Arg(1'000'000);
}
BENCHMARK(RestoreViewers)->Apply(restored_viewers);

void DedupInsert(benchmark::State& state) {
  Deduplicator dedup("ev");
  uint64_t n = 0;
  for (auto _ : state) {
    ++n;
    const Millis ts(kStart + static_cast<int64_t>(n / 50));
    benchmark::DoNotOptimize(dedup.insert(mix64(n), ts, ts));
  }
}
BENCHMARK(DedupInsert);

ExposureToken sample_token() {
  ExposureToken token;
  token.request_hash = request_hash("u123456", "r1");
  token.surface = Surface::kFeed;
  token.position = 4;
  token.programs = {11, 12, 0, 0};
  token.variations = {21, 0, 0, 0};
  token.issued_at = Millis(kStart);
  return token;
}

TokenKeys one_key() {
  TokenKey key;
  key.id = 1;
  key.secret.fill(7);
  return TokenKeys({key});
}

void MintToken(benchmark::State& state) {
  const TokenKeys keys = one_key();
  const ExposureToken token = sample_token();
  for (auto _ : state) benchmark::DoNotOptimize(keys.mint(token, "u123456", "item-98765"));
}
BENCHMARK(MintToken);

void VerifyToken(benchmark::State& state) {
  const TokenKeys keys = one_key();
  const std::string text = keys.mint(sample_token(), "u123456", "item-98765");
  for (auto _ : state) {
    const VerifiedToken verified =
        keys.verify(text, "u123456", "item-98765", "r1", Millis(kStart), EventType::kClick);
    if (verified.verdict != TokenVerdict::kValid) state.SkipWithError("a valid token was refused");
  }
}
BENCHMARK(VerifyToken);

void RecordInsertion(benchmark::State& state) {
  FrequencyLedger ledger;
  std::vector<std::string> ids;
  for (uint64_t n = 0; n < 10'000; ++n) ids.push_back("u" + std::to_string(n));
  uint64_t n = 0;
  for (auto _ : state) {
    Insertion insertion;
    insertion.at = Millis(kStart + static_cast<int64_t>(n) * 10);
    insertion.request_hash = n;
    insertion.item = static_cast<ItemIndex>(n % 1'000);
    const std::string& user_id = ids[mix64(n) % ids.size()];
    benchmark::DoNotOptimize(ledger.recent(user_id, insertion.at));
    ledger.record(user_id, insertion);
    ++n;
  }
}
BENCHMARK(RecordInsertion);

}  // namespace
}  // namespace shanhuo

BENCHMARK_MAIN();
