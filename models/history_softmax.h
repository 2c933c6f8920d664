// Item and viewer vectors by a softmax over histories: which item belongs to a viewer who has these
// others? An item has two vectors, h when it stands in a history and y when it is a candidate.
// A viewer's vector is the unit vector of the sum of h over the history, so that it needs no
// training of its own and follows each interaction at once; y has unit length, so that an index of
// inner products retrieves. What is minimised, over every item i of every viewer's history H:
//
//     -log( e^(s_i / t) / (e^(s_i / t) + sum over drawn items n of e^(s_n / t)) )
//     s_n = cos(sum of g^|place of j - place of i| h_j over j in H without i, y_n)
//
// With g (`nearness`) below 1 the order of a history counts: what stands near says more, and in
// serving the latest says most. With 1, the default, a history is a set.
//
// Popularity is then added back: as drawn items are of all kinds alike, cosines are of one size,
// and little training says little of how many come to an item at all. So an item's vector that
// serves is y's unit vector and one more number, popularity * t * log(1/2 + its viewers), and a
// viewer's ends in 1: still one inner product, of dims + 1.
//
// A sampled softmax of cosines (Wu et al. 2022, arXiv 2201.02327; the cosine and its temperature
// as in SimpleX, Mao et al. 2021, arXiv 2109.12613) with the viewer of FISM (Kabbur, Ning, Karypis
// 2013): the item asked for is left out of the history that answers.
//
// train_history_softmax() owns its threads and is deterministic: the same bytes for any number of
// them. It goes on from any state that a run gave, as if it had not stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "models/sparse_rows.h"

namespace shanhuo {

struct HistorySoftmaxOptions {
  int dims = 63;  // 1..1,024, without popularity's; memory 16 bytes x dims an item
  double temperature = 0.1;
  double learning_rate = 0.2;  // Adagrad's, one scale a vector (Duchi et al. 2011)
  double nearness = 1;         // g, above 0, at most 1
  double popularity = 0.5;     // 0..2; 0 leaves it out, 1 would be all of it
  int negatives = 1'024;       // drawn a batch, among items that anybody has; time grows with it
  int batch = 4'096;           // items asked for at a time, about
  int history_max = 512;       // items of a viewer's history that take part in one epoch, drawn
  int epochs = 30;             // in all, with those of the state begun with
  int threads = 2;
  uint64_t seed = 1;
};

struct HistorySoftmaxState {
  int epochs = 0;                // done
  std::vector<float> histories;  // h: row-major, items x dims
  std::vector<float>
      candidates;  // y, not of unit length while it is trained: see models/row_math.h
  std::vector<float> histories_scale, candidates_scale;  // Adagrad's sums, an item
};

// Called on the thread that trains after each batch, with the share of all epochs that is done.
// False ends the training after the present epoch.
using HistorySoftmaxProgress = std::function<bool(double share)>;

// `seen`: a row a viewer. Items that nobody has get zeros. kInvalid when an option is out of its
// range, no viewer has two items, or the state has other sizes or a number that is none.
Result<HistorySoftmaxState> train_history_softmax(const SparseRows& seen,
                                                  const HistorySoftmaxOptions& options,
                                                  HistorySoftmaxState state,
                                                  const HistorySoftmaxProgress& progress);

// The items' vectors that serve: row-major, items x (dims + 1); zeros for items that nobody has.
// Requires: a state that train_history_softmax() gave for `seen`.
std::vector<float> serving_items(const HistorySoftmaxState& state, const SparseRows& seen,
                                 const HistorySoftmaxOptions& options);

// The viewer's vector: the unit vector of the sum of nearness^age * h, the last of the history
// being of age 0 (zeros for an empty history), and a 1. `histories`: of the state. Requires:
// numbers below items, out.size() == dims + 1.
void serving_viewer(std::span<const float> histories, std::span<const uint32_t> history,
                    double nearness, std::span<float> out);

}  // namespace shanhuo
