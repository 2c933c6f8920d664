// Item and viewer vectors without training: the lowest frequencies of the graph of who has what.
//
// Let R be 1 where viewer u has item i, and N = D_u^-a R D_i^-b, with D_u and D_i how many items a
// viewer has and viewers an item. The eigenvectors of N^T N with the largest eigenvalues l are the
// functions of items that change least along the graph. A history becomes scores of all items by
// keeping those and damping each by its gain l^g (Shen et al. 2021, arXiv 2108.07567, who show that
// LightGCN does this in effect):
//
//     scores = history * D_i^-h V diag(l^g) V^T D_i^c
//
// which is a sum of one vector an item for the history, times one vector an item for candidates:
// rows of D_i^-h V diag(l^g) and of D_i^c V. So a viewer's vector follows each interaction at once
// and an index of inner products retrieves. Candidates are not of unit length: popularity is in it.
//
// It wants many dims where tastes are local: a hundred towns are no less than a hundred directions.
//
// learn_graph_filter() owns its threads and is deterministic: the same bytes for any number of
// them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "models/sparse_rows.h"

namespace shanhuo {

struct GraphFilterOptions {
  int dims = 64;                    // 1..1,024; memory while learning 4 bytes x (dims + 64)
                                    // a viewer and twice that an item
  double viewer_exponent = 0.5;     // a: how much less each item of a long history connects
  double item_exponent = 0.4;       // b: the same of a popular item; exponents are 0..2
  double gain_exponent = 0.5;       // g: 0 keeps all frequencies alike, 1 prefers low ones
  double history_exponent = 0.3;    // h: a popular item says less about who chose it
  double candidate_exponent = 0.4;  // c: and is more often chosen
  int passes = 5;                   // over the graph, 2..100: more tell close eigenvalues apart
  int threads = 2;
  uint64_t seed = 1;
};

// Zeros for items that nobody has, and in dims beyond the rank of the data.
struct GraphFilter {
  std::vector<float> histories;   // row-major, items x dims
  std::vector<float> candidates;  // row-major, items x dims
  std::vector<float> gains;       // eigenvalues l, descending; dims
};

// `seen`: a row a viewer. `progress` is told the share that is done, on the thread that calls.
// kInvalid when an option is out of its range, or nothing was seen at all.
Result<GraphFilter> learn_graph_filter(const SparseRows& seen, const GraphFilterOptions& options,
                                       const std::function<void(double share)>& progress);

// The viewer's vector: the unit vector of the sum over the history; zeros for an empty one.
// Requires: numbers below items; out.size() == dims.
void graph_filter_viewer(std::span<const float> histories, std::span<const uint32_t> history,
                         std::span<float> out);

}  // namespace shanhuo
