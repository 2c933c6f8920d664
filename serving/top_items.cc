#include "serving/top_items.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/parallel.h"

namespace shanhuo {
namespace {

constexpr size_t kViewersABlock = 128;

double gain(size_t place) { return 1 / std::log2(static_cast<double>(place) + 2); }

}  // namespace

void best_of(std::span<const float> scores, size_t k, std::vector<uint32_t>& order) {
  order.resize(scores.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto better = [&](uint32_t a, uint32_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  };
  const size_t kept = std::min(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    better);
  order.resize(kept);
}

void ListJudge::add(std::span<const uint32_t> list, std::span<const uint32_t> hidden) {
  if (hidden.empty()) return;
  double found = 0, gained = 0, most = 0;
  for (size_t place = 0; place < std::min(k_, list.size()); ++place) {
    if (!std::ranges::binary_search(hidden, list[place])) continue;
    ++found;
    gained += gain(place);
  }
  for (size_t place = 0; place < std::min(k_, hidden.size()); ++place) most += gain(place);
  sum_.recall += found / static_cast<double>(hidden.size());
  sum_.ndcg += gained / most;
  ++sum_.viewers;
}

void ListJudge::add(const ListJudge& other) {
  sum_.recall += other.sum_.recall;
  sum_.ndcg += other.sum_.ndcg;
  sum_.viewers += other.sum_.viewers;
}

ListQuality ListJudge::mean() const {
  const auto viewers = static_cast<double>(std::max<size_t>(sum_.viewers, 1));
  return {sum_.recall / viewers, sum_.ndcg / viewers, sum_.viewers};
}

ListQuality judge_scan(ConstMatrixView viewers, ConstMatrixView items, const SparseRows& seen,
                       const SparseRows& hidden, size_t k, int threads) {
  const size_t blocks = (viewers.rows + kViewersABlock - 1) / kViewersABlock;
  std::vector<ListJudge> judges(blocks, ListJudge(k));
  for_each_block(blocks, threads, [&](size_t block, size_t) {
    const size_t first = block * kViewersABlock;
    const size_t count = std::min(kViewersABlock, viewers.rows - first);
    std::vector<float> scores(count * items.rows);
    multiply_transposed({viewers.row(first), count, viewers.columns}, items,
                        {scores.data(), count, items.rows});
    std::vector<uint32_t> order;
    for (size_t v = 0; v < count; ++v) {
      const std::span row = std::span(scores).subspan(v * items.rows, items.rows);
      for (const uint32_t item : seen.row(first + v)) {
        row[item] = -std::numeric_limits<float>::infinity();
      }
      best_of(row, k, order);
      judges[block].add(order, hidden.row(first + v));
    }
  });
  ListJudge all(k);
  for (const ListJudge& judge : judges) all.add(judge);
  return all.mean();
}

}  // namespace shanhuo
