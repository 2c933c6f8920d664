#include "serving/train_judge.h"

#include <algorithm>
#include <array>

#include "base/random.h"
#include "features/viewer.h"
#include "models/dense.h"
#include "models/parallel.h"
#include "serving/top_items.h"

namespace shanhuo {
namespace {

constexpr size_t kListed = 20;
constexpr size_t kShortList = 5;
constexpr size_t kItemsABlock = 256;

// What each item serves with, in rows.
struct ServedItems {
  std::vector<float> histories, candidates;
};

ServedItems served_items(const VectorModel& model, const TrainData& data, int threads) {
  const size_t n = data.items.size();
  ServedItems served{std::vector<float>(n * kDims), std::vector<float>(n * kDims)};
  for_each_block((n + kItemsABlock - 1) / kItemsABlock, threads, [&](size_t block, size_t) {
    for (size_t i = block * kItemsABlock; i < std::min(n, (block + 1) * kItemsABlock); ++i) {
      const ItemVectors vectors = model.of(data.items[i], data.texts[i]);
      std::ranges::copy(vectors.history, served.histories.data() + i * kDims);
      std::ranges::copy(vectors.candidate, served.candidates.data() + i * kDims);
    }
  });
  return served;
}

Vector vector_of(const VectorModel& model, const ServedItems& items,
                 std::span<const uint32_t> history) {
  if (history.size() > kRecentItems) history = history.last(kRecentItems);
  std::vector<Vector> vectors(history.size());
  for (size_t n = 0; n < history.size(); ++n) {
    std::copy_n(items.histories.data() + history[n] * kDims, kDims, vectors[n].begin());
  }
  return model.viewer(vectors);
}

}  // namespace

// Algorithm S (Knuth): each of those who may be drawn is as likely as any other.
HiddenChoices hide_last(const SparseRows& histories, size_t viewers_max, uint64_t seed) {
  size_t left = 0, total = 0;
  for (size_t u = 0; u < histories.rows(); ++u) {
    left += histories.row(u).size() >= 2 ? 1 : 0;
    total += histories.row(u).size();
  }
  size_t wanted = std::min(left, viewers_max);
  Random random(seed);
  HiddenChoices hidden;
  std::vector<SparseRows::Entry> entries;
  entries.reserve(total);
  for (uint32_t u = 0; u < histories.rows(); ++u) {
    std::span<const uint32_t> history = histories.row(u);
    if (history.size() >= 2 && random.below(left--) < wanted) {
      --wanted;
      hidden.viewers.push_back(u);
      hidden.items.push_back(history.back());
      history = history.first(history.size() - 1);
    }
    for (const uint32_t item : history) entries.emplace_back(u, item);
  }
  hidden.rest = SparseRows::in_order(histories.rows(), histories.columns(), entries);
  return hidden;
}

ModelFacts::Numbers judge_lists(const VectorModel& model, const TrainData& data,
                                const HiddenChoices& hidden, const std::vector<uint32_t>& evidence,
                                int threads) {
  const size_t judged = hidden.viewers.size(), n = data.items.size();
  const ServedItems items = served_items(model, data, threads);
  std::vector<float> viewers(judged * kDims);
  std::vector<SparseRows::Entry> seen, wanted;
  for (uint32_t v = 0; v < judged; ++v) {
    const std::span<const uint32_t> history = hidden.rest.row(hidden.viewers[v]);
    std::ranges::copy(vector_of(model, items, history), viewers.data() + v * kDims);
    for (const uint32_t item : history) seen.emplace_back(v, item);
    wanted.emplace_back(v, hidden.items[v]);
  }
  const SparseRows seen_rows(judged, n, std::move(seen)), wanted_rows(judged, n, std::move(wanted));
  const auto judge = [&](ConstMatrixView of_viewers, ConstMatrixView of_items, size_t k) {
    return judge_scan(of_viewers, of_items, seen_rows, wanted_rows, k, threads);
  };
  const ConstMatrixView viewer_rows(viewers.data(), judged, kDims);
  const ConstMatrixView item_rows(items.candidates.data(), n, kDims);
  const ListQuality lists = judge(viewer_rows, item_rows, kListed);
  const ListQuality shorter = judge(viewer_rows, item_rows, kShortList);
  const std::vector<float> ones(judged, 1), popular(evidence.begin(), evidence.end());
  const ListQuality popularity = judge({ones.data(), judged, 1}, {popular.data(), n, 1}, kListed);
  return {{"judged_viewers", static_cast<double>(judged)},
          {"recall@20", lists.recall},
          {"ndcg@20", lists.ndcg},
          {"hr@5", shorter.recall},
          {"popular_recall@20", popularity.recall}};
}

}  // namespace shanhuo
