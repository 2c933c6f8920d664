// Nearest rows by inner product for vectors of any width, by FAISS's inverted file as it comes:
// what evaluation measures widths with that serving's VectorIndex, of kDims, does not hold.
//
// Immutable after it is built. search() is for the thread that built it: FAISS would bring threads
// of its own to another one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "models/dense.h"

namespace shanhuo {

struct WideIndexOptions {
  double probed_share = 0.125;  // of the lists, above 0, at most 1: all, which is exact
  int seed = 1;
};

class WideIndex {
 public:
  // Copies `rows`: finite, at least one.
  WideIndex(ConstMatrixView rows, const WideIndexOptions& options);
  ~WideIndex();

  // Numbers of the `k` best rows that were found, best first; replaces `out`. Requires:
  // query.size() is the rows' width, k > 0.
  void search(std::span<const float> query, size_t k, std::vector<uint32_t>& out) const;

 private:
  struct Lists;
  std::unique_ptr<Lists> lists_;
};

}  // namespace shanhuo
