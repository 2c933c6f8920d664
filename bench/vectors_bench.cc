// What it costs to know where a viewer stands, from 30 recent items in a catalogue far larger than
// the caches: solved by either kind of model (target: 50 us), and all of its interests as a request
// finds them; and the vectors of a new item. Nothing is cached, so nothing can be stale.
#include <benchmark/benchmark.h>

#include <random>

#include "base/check.h"
#include "models/dense.h"
#include "models/text_encoder.h"
#include "ranking/interests.h"

namespace shanhuo {
namespace {

constexpr size_t kItems = 50'000;

Item item_of(size_t n) {
  Item item;
  item.id = ItemId("item-" + std::to_string(n));
  item.title = "十八洞猕猴桃礼盒 " + std::to_string(n % 5'000);
  item.category = "category " + std::to_string(n % 50);
  item.creator_id = CreatorId("creator-" + std::to_string(n % 3'000));
  item.county = "433124";
  return item;
}

std::shared_ptr<const VectorModel> model_of(VectorModelKind kind) {
  const bool als = kind == VectorModelKind::kAls;
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  VectorModelParts parts;
  parts.version = "bench";
  parts.kind = kind;
  parts.als.dims = kDims;
  for (size_t n = 0; n < kItems; ++n) {
    parts.items.push_back("item-" + std::to_string(n));
    parts.evidence.push_back(static_cast<uint32_t>(n % 100));
    Vector vector;
    for (float& x : vector) x = normal(random);
    normalise(vector);
    parts.histories.insert(parts.histories.end(), vector.begin(), vector.end());
  }
  if (!als) parts.candidates = parts.histories;
  std::vector<std::string> texts;
  for (size_t n = 0; n < 2'000; ++n) texts.push_back(item_text(item_of(n)));
  const size_t width = als ? kDims : 2 * kDims;
  std::vector<float> targets(texts.size() * width);
  for (float& x : targets) x = normal(random);
  parts.text =
      std::make_shared<const TextMap>(TextMap::learn(texts, targets, width, {.steps = 3}).value());
  auto made = VectorModel::make(std::move(parts));
  CHECK(made.ok());
  return std::move(made).value();
}

std::shared_ptr<const Catalogue> catalogue() {
  static const std::shared_ptr<const Catalogue> made = [] {
    auto all = std::make_shared<Catalogue>();
    for (size_t n = 0; n < kItems; n += Catalogue::kChunk) {
      auto chunk = std::make_shared<Catalogue::Chunk>();
      for (size_t i = n; i < std::min(kItems, n + Catalogue::kChunk); ++i) {
        auto item = std::make_shared<CatalogueItem>();
        item->index = static_cast<ItemIndex>(i);
        item->item = item_of(i);
        item->vector = encode_item(item->item, {});
        (*chunk)[i - n] = std::move(item);
      }
      all->chunks.push_back(std::move(chunk));
    }
    return all;
  }();
  return made;
}

std::vector<ViewerState> viewers() {
  std::mt19937_64 random(2);
  std::vector<ViewerState> all(2'000);
  for (ViewerState& viewer : all) {
    viewer.known = true;
    viewer.recent_count = kRecentItems;
    for (RecentItem& recent : viewer.recent) {
      recent = {static_cast<ItemIndex>(random() % kItems), EventType::kClick, Millis(0)};
    }
    viewer.interest_short[random() % kDims] = 1;
  }
  return all;
}

void solve_viewer(benchmark::State& state, VectorModelKind kind) {
  use_calling_thread();
  const auto model = model_of(kind);
  std::mt19937_64 random(3);
  std::vector<ItemVectors> items;
  for (size_t n = 0; n < 4'096; ++n) items.push_back(model->of(item_of(n)));
  std::array<Vector, kRecentItems> history;
  for (auto _ : state) {
    for (Vector& row : history) row = items[random() % items.size()].history;
    benchmark::DoNotOptimize(model->viewer(history));
  }
}
BENCHMARK_CAPTURE(solve_viewer, als, VectorModelKind::kAls);
BENCHMARK_CAPTURE(solve_viewer, history_softmax, VectorModelKind::kHistorySoftmax);

void find_interests(benchmark::State& state, bool trained) {
  auto world = build_world(catalogue(), std::make_shared<ProgramSet>());
  if (trained) world = with_model(*world, model_of(VectorModelKind::kHistorySoftmax));
  const std::vector<ViewerState> all = viewers();
  const RankingOptions options;
  size_t n = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Interests(all[n++ % all.size()], *world, options));
  }
}
BENCHMARK_CAPTURE(find_interests, by_text, false);
BENCHMARK_CAPTURE(find_interests, trained, true);

void vectors_of_new_item(benchmark::State& state) {
  const auto model = model_of(VectorModelKind::kHistorySoftmax);
  size_t n = kItems;
  for (auto _ : state) benchmark::DoNotOptimize(model->of(item_of(n++)));
}
BENCHMARK(vectors_of_new_item);

}  // namespace
}  // namespace shanhuo

BENCHMARK_MAIN();
