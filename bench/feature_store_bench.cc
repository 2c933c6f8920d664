// What one event costs the fold, and one look costs ranking.
//
//   build/release/feature_store_bench
//
// Apply: 1,000,000 viewers and 100,000 items with Zipf-like popularity, a feed's mix (impressions,
// clicks, plays, likes, orders), all viewers known. The argument is the share of events with a
// token, in percent.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "features/feature_store.h"

namespace shanhuo {
namespace {

bool smoke() { return std::getenv("SHANHUO_BENCH_SMOKE") != nullptr; }

struct World {
  World()
      : viewers(smoke() ? 10'000 : 1'000'000),
        items(smoke() ? 1'000 : 100'000),
        catalogue(interner, [](const Item&) { return Vector{}; }),
        keys(std::make_shared<const TokenKeys>(
            TokenKeys(std::vector<TokenKey>{{.id = 1, .secret = {7}}}))) {
    std::mt19937_64 random(1);
    for (size_t i = 0; i < items; ++i) {
      Item item;
      item.id = ItemId("item-" + std::to_string(i));
      item.creator_id = CreatorId("creator-" + std::to_string(i % 5000));
      item.category = "category-" + std::to_string(i % 40);
      for (int d = 0; d < kDims; ++d) item.embedding.push_back(static_cast<float>(random() % 9));
      (void)catalogue.apply(item);
      ids.push_back(item.id.str());
    }
    catalogue.publish();
  }

  size_t viewers, items;
  std::vector<std::string> ids;
  Interner interner;
  CatalogueState catalogue;
  Published<TokenKeys> keys;
};

World& world() {
  static World* const one = new World;
  return *one;
}

struct Texts {
  std::string user, order, token;
};

class Stream {
 public:
  Stream(size_t events, int64_t token_percent) {
    std::mt19937_64 random(2);
    std::uniform_real_distribution<double> uniform(0, 1);
    for (size_t i = 0; i < events; ++i) {
      const double u = uniform(random);
      const auto item = static_cast<size_t>(static_cast<double>(world().items) * u * u * u);
      texts_.push_back(std::make_unique<Texts>());
      Texts& texts = *texts_.back();
      texts.user = "viewer-" + std::to_string(random() % world().viewers);
      Interaction event;
      event.type = type_of(random() % 100);
      event.user_id = texts.user;
      event.item_id = world().ids[item];
      event.surface = Surface::kFeed;
      event.ts = Millis(static_cast<int64_t>(1'790'000'000'000 + i));
      event.viewable_ms = event.watch_ms = static_cast<int64_t>(random() % 5000);
      if (event.type == EventType::kOrder) {
        texts.order = "order-" + std::to_string(i);
        event.order_id = texts.order;
        event.amount_fen = 1990;
      }
      if (static_cast<int64_t>(random() % 100) < token_percent) {
        ExposureToken token;
        token.programs[0] = static_cast<uint32_t>(1 + random() % 20);
        token.variations[0] = 3;
        token.issued_at = event.ts;
        texts.token = world().keys.get()->mint(token, event.user_id, event.item_id);
        event.token = texts.token;
      }
      events_.push_back(event);
    }
  }
  const std::vector<Interaction>& events() const { return events_; }

 private:
  static EventType type_of(uint64_t percent) {
    if (percent < 75) return EventType::kImpression;
    if (percent < 87) return EventType::kPlay;
    if (percent < 96) return EventType::kClick;
    return percent < 99 ? EventType::kLike : EventType::kOrder;
  }

  std::vector<std::unique_ptr<Texts>> texts_;
  std::vector<Interaction> events_;
};

void apply_all(FeatureStore& store, const std::vector<Interaction>& events, int64_t later_ms) {
  for (Interaction event : events) {
    event.ts += Millis(later_ms);
    FoldContext context;
    context.watermark = event.ts;
    benchmark::DoNotOptimize(store.apply(event, context));
  }
}

void fill(FeatureStore& store) {
  for (size_t i = 0; i < world().viewers; ++i) {
    const std::string user = "viewer-" + std::to_string(i);
    Interaction event;
    event.user_id = user;
    event.item_id = world().ids[i % world().items];
    event.ts = Millis(1'789'990'000'000);
    FoldContext context;
    context.watermark = event.ts;
    benchmark::DoNotOptimize(store.apply(event, context));
  }
}

void apply(benchmark::State& state, const FeatureStoreOptions& options) {
  FeatureStore store(options, world().interner, world().catalogue, world().keys);
  fill(store);
  const Stream stream(smoke() ? 10'000 : 1'000'000, state.range(0));
  int64_t later_ms = 0;
  for (auto _ : state) {
    apply_all(store, stream.events(), later_ms);
    later_ms += static_cast<int64_t>(stream.events().size());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * stream.events().size()));
  state.counters["bytes/viewer"] =
      static_cast<double>(store.stats().viewer_bytes) / static_cast<double>(world().viewers);
}
void Apply(benchmark::State& state) { apply(state, {}); }
BENCHMARK(Apply)->Arg(0)->Arg(5)->Unit(benchmark::kMillisecond);

// With the rules of invalid traffic that watch each viewer.
void ApplyWatched(benchmark::State& state) {
  FeatureStoreOptions options;
  options.invalid.events_max = 3'000;
  apply(state, options);
}
BENCHMARK(ApplyWatched)->Arg(0)->Arg(5)->Unit(benchmark::kMillisecond);

void FindId(benchmark::State& state) {
  std::mt19937_64 random(3);
  std::vector<const std::string*> wanted;
  for (int i = 0; i < 4096; ++i) wanted.push_back(&world().ids[random() % world().items]);
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(world().interner.find(*wanted[i++ % wanted.size()]));
  }
}
BENCHMARK(FindId);

void Rates(benchmark::State& state) {
  FeatureStore store({}, world().interner, world().catalogue, world().keys);
  fill(store);
  std::mt19937_64 random(4);
  std::vector<ItemIndex> wanted;
  for (int i = 0; i < 4096; ++i) wanted.push_back(static_cast<ItemIndex>(random() % world().items));
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(store.rates(wanted[i++ % wanted.size()]));
  }
}
BENCHMARK(Rates);

void Popular(benchmark::State& state) {
  FeatureStore store({}, world().interner, world().catalogue, world().keys);
  apply_all(store, Stream(smoke() ? 10'000 : 200'000, 0).events(), 0);
  for (auto _ : state) benchmark::DoNotOptimize(store.popular(200));
}
BENCHMARK(Popular)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shanhuo

BENCHMARK_MAIN();
