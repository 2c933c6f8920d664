// How good lists of items are that vectors retrieve for viewers: Recall@k and NDCG@k, averaged over
// the viewers who have something hidden, as LightGCN's evaluation has them.
//
//   Recall@k   hidden items among the first k, as a share of all hidden ones
//   NDCG@k     sum of 1 / log2(place + 2) over them, as a share of the most there could be
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/dense.h"
#include "models/sparse_rows.h"

namespace shanhuo {

struct ListQuality {
  double recall = 0;
  double ndcg = 0;
  size_t viewers = 0;  // averaged over
};

// Adds up viewers; one thread.
class ListJudge {
 public:
  explicit ListJudge(size_t k) : k_(k) {}

  // `list`: best first, the first k count. `hidden`: ascending; a viewer without any is left out.
  void add(std::span<const uint32_t> list, std::span<const uint32_t> hidden);
  void add(const ListJudge& other);
  ListQuality mean() const;

 private:
  size_t k_;
  ListQuality sum_;
};

// The k largest of `scores`, best first, ties by ascending number; replaces `order`.
void best_of(std::span<const float> scores, size_t k, std::vector<uint32_t>& order);

// The quality of the k items with the largest inner product that the viewer has not `seen`, by a
// scan of all, on `threads` threads. `viewers`: a row each; `items`: a row each, as wide.
ListQuality judge_scan(ConstMatrixView viewers, ConstMatrixView items, const SparseRows& seen,
                       const SparseRows& hidden, size_t k, int threads);

}  // namespace shanhuo
