#include "ranking/retrieval.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/hash.h"

namespace shanhuo {
namespace {

// Appends items that are not there yet. A small open-addressing set on the stack: a request sees at
// most a thousand.
class Distinct {
 public:
  Distinct(size_t k, std::vector<Retrieved>& out) : k_(std::min(k, kSlots / 2)), out_(out) {
    slots_.fill(kNoItem);
    out_.clear();
  }
  bool full() const { return out_.size() >= k_; }
  size_t size() const { return out_.size(); }

  // `similarity()` is only asked for when the item is new.
  template <typename Similarity>
  void add(ItemIndex item, Similarity&& similarity) {
    if (full()) return;
    size_t slot = mix64(item) % kSlots;
    while (slots_[slot] != kNoItem) {
      if (slots_[slot] == item) return;
      slot = (slot + 1) % kSlots;
    }
    slots_[slot] = item;
    out_.push_back({item, similarity()});
  }

 private:
  static constexpr size_t kSlots = 4096;
  std::array<ItemIndex, kSlots> slots_;
  const size_t k_;
  std::vector<Retrieved>& out_;
};

// The `pool` boostable items with the largest key, largest first, ties by ascending index.
template <typename Key>
std::vector<ItemIndex> largest(std::span<const ItemIndex> items, int pool, const Key& key) {
  std::vector<std::pair<double, ItemIndex>> keyed;
  keyed.reserve(items.size());
  for (const ItemIndex item : items) keyed.emplace_back(-key(item), item);
  const size_t count = std::min(keyed.size(), static_cast<size_t>(pool));
  std::partial_sort(keyed.begin(), keyed.begin() + static_cast<std::ptrdiff_t>(count), keyed.end());
  std::vector<ItemIndex> out;
  for (size_t i = 0; i < count; ++i) out.push_back(keyed[i].second);
  return out;
}

// Fills up to `most` places. Between several interests lies nothing that anybody wants: the first,
// of the whole, is left out. Each has an equal share of the places, and what it finds is nearest to
// it. Requires: interests is not empty, fewer than `most` items are there.
void add_nearest(const RetrievalIndex& index, std::span<const Vector> interests, size_t most,
                 Distinct& chosen) {
  const auto asked = interests.size() > 1 ? interests.subspan(1) : interests;
  const size_t begin = chosen.size();
  std::vector<VectorHit> hits;
  for (size_t n = 1; n <= asked.size(); ++n) {
    const size_t end = begin + (most - begin) * n / asked.size();
    index.nearest(asked[n - 1], most / asked.size() + 1, hits, static_cast<int>(asked.size()));
    for (size_t i = 0; i < hits.size() && chosen.size() < end; ++i) {
      chosen.add(hits[i].item, [&] { return hits[i].similarity; });
    }
  }
}

std::shared_ptr<const VectorIndex> index_of(const World& world, std::span<const ItemIndex> items,
                                            const VectorIndexOptions& options) {
  std::vector<float> rows;
  rows.reserve(items.size() * kDims);
  for (const ItemIndex item : items) {
    const Vector& vector = world.candidate(item);
    rows.insert(rows.end(), vector.begin(), vector.end());
  }
  return VectorIndex::build({items.begin(), items.end()}, std::move(rows), options);
}

}  // namespace

std::shared_ptr<const RetrievalIndex> RetrievalIndex::build(std::shared_ptr<const World> world,
                                                            const ItemRatesReader& rates,
                                                            const RetrievalOptions& options,
                                                            const RetrievalIndex* previous,
                                                            const SegmentRates* segments) {
  auto index = std::make_shared<RetrievalIndex>();
  index->model_ = world->shared_model();
  index->index_vectors(*world, options, previous);
  index->list_small_programs(*world, options);
  index->fresh_ = largest(world->boostable(), options.fresh_pool, [&](ItemIndex item) {
    const std::optional<Millis>& published = world->item(item)->item.published_at;
    return published ? static_cast<double>(published->count()) : 0.0;
  });
  index->popular_ = largest(world->boostable(), options.popular_pool, [&](ItemIndex item) {
    return static_cast<double>(rates.rates(item).clicks);
  });
  if (segments != nullptr) index->segments_ = PopularLists(*segments, *world, rates);
  return index;
}

void RetrievalIndex::index_vectors(const World& world, const RetrievalOptions& options,
                                   const RetrievalIndex* previous) {
  const std::span<const ItemIndex> items = world.boostable();
  std::vector<ItemIndex> changed;
  if (previous != nullptr) {
    vectors_ = previous->vectors_;
    // Both lists ascend: one walk tells what is new, changed or gone since the vectors were
    // indexed.
    const std::span<const ItemIndex> indexed = vectors_->ids();
    size_t i = 0, j = 0;
    while (i < items.size() || j < indexed.size()) {
      if (j == indexed.size() || (i < items.size() && items[i] < indexed[j])) {
        changed.push_back(items[i++]);
      } else if (i == items.size() || indexed[j] < items[i]) {
        stale_.push_back(indexed[j++]);
      } else {
        const Vector& now = world.candidate(items[i]);
        if (std::memcmp(now.data(), vectors_->row(j), sizeof now) != 0) {
          changed.push_back(items[i]);
          stale_.push_back(items[i]);
        }
        ++i, ++j;
      }
    }
  }
  const auto moved = static_cast<int64_t>(changed.size() + stale_.size());
  const auto tolerated =
      std::max(options.delta_always_allowed,
               static_cast<int64_t>(options.delta_max_share * static_cast<double>(items.size())));
  if (previous == nullptr || moved > tolerated) {
    vectors_ = index_of(world, items, options.index);
    changed.clear();
    stale_.clear();
  }
  changed_ = index_of(world, changed, options.index);
}

void RetrievalIndex::list_small_programs(const World& world, const RetrievalOptions& options) {
  for (size_t p = 0; p < world.programs().programs.size(); ++p) {
    const std::span<const ItemIndex> items = world.items_of(static_cast<ProgramIndex>(p));
    if (items.size() > static_cast<size_t>(options.small_program_items)) continue;
    small_programs_.insert(small_programs_.end(), items.begin(), items.end());
    if (world.program(static_cast<ProgramIndex>(p)).urgent) urgent_ = small_programs_.size();
  }
}

template <typename Search>
void RetrievalIndex::nearest_by(const Search& search, const Vector& query, size_t k,
                                std::vector<VectorHit>& out) const {
  // Asks for more when stale items took the places of live ones (a whole category has gone).
  const size_t most = k + stale_.size();
  for (size_t asked = std::min(most, 2 * k);; asked = std::min(most, 4 * asked)) {
    search(asked, out);
    std::erase_if(out, [&](const VectorHit& hit) {
      return std::binary_search(stale_.begin(), stale_.end(), hit.item);
    });
    if (out.size() >= k || asked == most) break;
  }
  if (changed_->size() > 0) {
    std::vector<VectorHit> recent;
    changed_->search(query, k, recent);
    out.insert(out.end(), recent.begin(), recent.end());
    std::sort(out.begin(), out.end(), [](const VectorHit& a, const VectorHit& b) {
      return a.similarity != b.similarity ? a.similarity > b.similarity : a.item < b.item;
    });
  }
  if (out.size() > k) out.resize(k);
}

void RetrievalIndex::nearest(const Vector& query, size_t k, std::vector<VectorHit>& out,
                             int sharers) const {
  nearest_by([&](size_t n, auto& hits) { vectors_->search(query, n, hits, sharers); }, query, k,
             out);
}

void RetrievalIndex::nearest_exact(const Vector& query, size_t k,
                                   std::vector<VectorHit>& out) const {
  nearest_by([&](size_t n, auto& hits) { vectors_->search_exact(query, n, hits); }, query, k, out);
}

IndexRetriever::IndexRetriever(RetrievalOptions options)
    : options_(options), watch_(options.watch), current_(nullptr) {}

RecallWatch::Recall IndexRetriever::watched_recall() {
  const std::shared_ptr<const RetrievalIndex> index = current_.get();
  if (index == nullptr) return {};
  return watch_.measure(*index, static_cast<size_t>(options_.index.recall_k));
}

void IndexRetriever::refresh(std::shared_ptr<const World> world, const ItemRatesReader& rates,
                             const SegmentRates* segments) {
  const std::shared_ptr<const RetrievalIndex> previous = current_.get();
  current_.set(RetrievalIndex::build(std::move(world), rates, options_, previous.get(), segments));
}

void IndexRetriever::retrieve(std::span<const Vector> interests, const Segments& segments,
                              const World& world, const RankingOptions& options, uint64_t turn,
                              std::vector<Retrieved>& out) {
  const auto k = static_cast<size_t>(options.retrieve_k);
  Distinct chosen(k, out);
  const std::shared_ptr<const RetrievalIndex> index = current_.get();
  if (index == nullptr) return;  // still being built: fewer candidates, the organic list stands
  const auto similarity = [&](ItemIndex item) {
    const bool comparable = !interests.empty() && world.item(item) != nullptr;
    return comparable ? similarity_of(interests, world.candidate(item)) : 0.0F;
  };
  const auto add_one = [&](ItemIndex item) { chosen.add(item, [&] { return similarity(item); }); };
  const auto add_some = [&](const std::vector<ItemIndex>& items, size_t count) {
    for (size_t i = 0; i < std::min(items.size(), count); ++i) add_one(items[i]);
  };
  const std::vector<ItemIndex>& small = index->small_programs();
  const size_t urgent = std::min(index->urgent(), k), rest = small.size() - index->urgent();
  add_some(small, urgent);
  for (size_t i = 0; i < std::min(rest, std::max(k / 2, urgent) - urgent); ++i) {
    add_one(small[index->urgent() + (rest > k / 2 ? turn + i : i) % rest]);
  }
  const std::span<const ItemIndex> all = world.boostable();
  const auto in_turn = static_cast<size_t>(options.in_turn_k);
  for (size_t i = 0; !all.empty() && i < in_turn; ++i) {
    add_one(all[mix64(turn + i) % all.size()]);
  }
  const auto fresh = static_cast<size_t>(options.fresh_k);
  const auto popular = static_cast<size_t>(options.popular_k);
  // While a model is swapped the index may be of the other one, for some milliseconds.
  const bool comparable = !interests.empty() && index->model() == world.model();
  if (comparable) watch_.offer(interests.front(), turn);
  if (comparable && k > fresh + popular + out.size()) {
    add_nearest(*index, interests, k - fresh - popular, chosen);
  }
  add_some(index->fresh(), fresh);
  const PopularLists& lists = index->popular_of_segments();
  const auto add_popular = [&](size_t count) {
    for (const uint64_t segment : segments) {
      const auto list = lists.of(segment);
      for (size_t i = 0; i < std::min(list.size(), count); ++i) add_one(list[i].item);
    }
  };
  add_popular(popular / 2);
  add_some(index->popular(), popular);
  // Places that nobody took (a viewer without a vector) go to more of both.
  add_popular(SegmentRates::kItems);
  add_some(index->popular(), index->popular().size());
  add_some(index->fresh(), index->fresh().size());
  std::erase_if(out, [&](const Retrieved& r) { return world.programs_of(r.item).empty(); });
  if (!interests.empty()) return;
  for (Retrieved& r : out) r.segment_lift = lists.lift(segments, r.item);
}

}  // namespace shanhuo
