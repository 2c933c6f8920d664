// Item and viewer vectors by implicit alternating least squares (Hu, Koren, Volinsky 2008), with
// the block solver of iALS++ (Rendle et al. 2021, arXiv 2110.14044) and regularisation scaled by
// frequency (Rendle et al. 2022, arXiv 2110.14037). What is minimised, w_u and h_i being the
// vectors:
//
//     sum over seen (u, i) of (w_u h_i - 1)^2  +  a0 * sum over all (u, i) of (w_u h_i)^2
//     + lambda * sum over u of (seen(u) + a0 * items)^nu |w_u|^2  and the same over i
//
// A viewer that was not there is solved from its history alone (fold_in), which is how serving gets
// a vector. Whoever has no history gets zeros, never a number that is none.
//
// train_als() owns its threads and is deterministic: the same bytes for any number of them. It goes
// on from any state that a run gave, and then gives what one long run would have given.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "models/dense.h"
#include "models/sparse_rows.h"

namespace shanhuo {

struct AlsOptions {
  int dims = 64;   // 1..1,024; memory 4 bytes x dims a viewer and an item
  int block = 64;  // dims solved together: time a row grows with its square, sweeps
                   // needed grow when it shrinks; `dims` and more is plain ALS
  double unobserved_weight = 0.03;  // a0, above 0
  double regularisation = 0.001;    // lambda, above 0
  double frequency_exponent = 1;    // nu, 0..2
  double init_deviation = 0.1;      // of a first vector's length
  int sweeps = 8;                   // in all, with those of the state begun with; 0..1,000
  int threads = 2;
  uint64_t seed = 1;
};

struct AlsState {
  int sweeps = 0;            // done
  std::vector<float> users;  // row-major, users x dims
  std::vector<float> items;  // row-major, items x dims
};

// Called on the thread that trains, now and then and after each sweep, with the share of all sweeps
// that is done, 0..1. False ends the training after the present sweep.
using AlsProgress = std::function<bool(double share)>;

// `seen`: a row a viewer. `state`: empty to begin, or what an earlier call gave. kInvalid when an
// option is out of its range, nothing was seen at all, or the state has other sizes or a number
// that is none.
Result<AlsState> train_als(const SparseRows& seen, const AlsOptions& options, AlsState state,
                           const AlsProgress& progress);

// Solves vectors from histories while the item vectors stay. Immutable; thread-safe.
class AlsFoldIn {
 public:
  // `items`: as AlsState has them; must outlive this.
  AlsFoldIn(std::span<const float> items, const AlsOptions& options);

  // The exact minimum for this history. Requires: distinct numbers of items; out.size() == dims.
  void solve(std::span<const uint32_t> history, std::span<float> out) const;
  // The same of items given by their vectors, among them such as were not trained on. Requires:
  // history.columns == dims.
  void solve(ConstMatrixView history, std::span<float> out) const;

 private:
  const AlsOptions options_;
  const ConstMatrixView items_;
  const std::vector<float> gram_;  // a0 * items^T items, dims x dims, lower triangle
};

}  // namespace shanhuo
