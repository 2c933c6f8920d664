// One side is solved while the other stays; the rows of a side do not depend on each other. A row's
// problem is quadratic, with Hessian A = sum of h h^T over its history + a0 H^T H + l I. Plain ALS
// solves A w = b at d^3 / 3 + n d^2 for a history of n. iALS++ takes `block` coordinates at a time,
// by one Newton step, which is exact for a quadratic: with the present predictions p_i = w h_i,
//
//     A[block, block] * step = sum of (1 - p_i) h_i[block] - (a0 H^T H w + l w)[block]
//
// at d block^2 / 3 + n d block a pass. The paper keeps p for all of the data; here the blocks of
// one row follow each other, so that p lives as long as the row is worked on.
//
// Rows come in blocks of a fixed size, and sums over all rows are added up block by block: the
// number of threads changes nothing.
//
// Tested by tests/models_als_test.cc.
#include "models/als.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/check.h"
#include "base/random.h"
#include "models/parallel.h"

namespace shanhuo {
namespace {

constexpr size_t kRowsABlock = 64;
constexpr size_t kGramRowsABlock = 4'096;

// Where one thread works on one row.
struct Scratch {
  std::vector<float> history;      // n x dims: the vectors of the row's history
  std::vector<float> part;         // n x block of them
  std::vector<float> predictions;  // n
  std::vector<float> matrix;       // block x block, lower triangle
  std::vector<float> kept_matrix;  // what solving overwrites, for a second try
  std::vector<float> step, kept_step;
};

double regularisation_of(size_t seen, size_t others, const AlsOptions& options) {
  const double weight =
      static_cast<double>(seen) + options.unobserved_weight * static_cast<double>(others);
  return options.regularisation * std::pow(weight, options.frequency_exponent);
}

// `gram`: lower triangle. Row r of the whole symmetric matrix times `vector`.
float gram_times(std::span<const float> gram, size_t r, std::span<const float> vector) {
  const size_t dims = vector.size();
  float sum = 0;
  for (size_t c = 0; c <= r; ++c) sum += gram[r * dims + c] * vector[c];
  for (size_t c = r + 1; c < dims; ++c) sum += gram[c * dims + r] * vector[c];
  return sum;
}

// Floats give up on matrices that doubles can still solve.
void solve_in_doubles(std::span<const float> lower, std::span<float> b) {
  std::vector<double> a(lower.begin(), lower.end());
  std::vector<double> x(b.begin(), b.end());
  if (solve_positive(std::span(a), std::span(x))) {
    std::ranges::transform(x, b.begin(), [](double value) { return static_cast<float>(value); });
  } else {
    std::ranges::fill(b, 0.0F);  // the row stays as it is
  }
}

class RowSolver {
 public:
  RowSolver(ConstMatrixView others, std::span<const float> gram, const AlsOptions& options)
      : others_(others),
        gram_(gram),
        options_(options),
        block_(std::min<size_t>(static_cast<size_t>(options.block), others.columns)) {}

  // One pass over all blocks of one row.
  void improve(std::span<const uint32_t> seen, std::span<float> row, Scratch& scratch) const {
    if (seen.empty()) {
      std::ranges::fill(row, 0.0F);
      return;
    }
    gather(seen, scratch);
    improve_gathered(row, scratch);
  }

  // The same for the history that stands in scratch.history, not empty.
  void improve_gathered(std::span<float> row, Scratch& scratch) const {
    const ConstMatrixView history(scratch.history.data(), scratch.history.size() / dims(), dims());
    scratch.predictions.resize(history.rows);
    multiply_transposed(history, ConstMatrixView(row.data(), 1, dims()),
                        {scratch.predictions.data(), history.rows, 1});
    const auto ridge = static_cast<float>(regularisation_of(history.rows, others_.rows, options_));
    for (size_t first = 0; first < dims(); first += block_) {
      improve_block(first, std::min(block_, dims() - first), ridge, row, history, scratch);
    }
  }

 private:
  size_t dims() const { return others_.columns; }

  void gather(std::span<const uint32_t> seen, Scratch& scratch) const {
    scratch.history.resize(seen.size() * dims());
    float* to = scratch.history.data();
    for (const uint32_t other : seen) to = std::copy_n(others_.row(other), dims(), to);
  }

  void improve_block(size_t first, size_t size, float ridge, std::span<float> row,
                     const ConstMatrixView& history, Scratch& scratch) const {
    scratch.part.resize(history.rows * size);
    scratch.matrix.resize(size * size);
    scratch.step.assign(size, 0.0F);
    for (size_t i = 0; i < history.rows; ++i) {
      const float* from = history.row(i) + first;
      float* to = std::copy_n(from, size, scratch.part.data() + i * size) - size;
      const float missing = 1 - scratch.predictions[i];
      for (size_t k = 0; k < size; ++k) scratch.step[k] += missing * to[k];
    }
    for (size_t k = 0; k < size; ++k) {
      std::copy_n(gram_.data() + (first + k) * dims() + first, k + 1,
                  scratch.matrix.data() + k * size);
      scratch.matrix[k * size + k] += ridge;
      scratch.step[k] -= gram_times(gram_, first + k, row) + ridge * row[first + k];
    }
    const MatrixView part{scratch.part.data(), history.rows, size};
    const MatrixView matrix{scratch.matrix.data(), size, size};
    add_gram(part, 1, matrix);
    take_step(matrix, part, row.subspan(first, size), scratch);
  }

  void take_step(const MatrixView& matrix, const MatrixView& part, std::span<float> target,
                 Scratch& scratch) const {
    scratch.kept_step = scratch.step;
    scratch.kept_matrix = scratch.matrix;
    if (!solve_positive(matrix, scratch.step)) {
      scratch.step = scratch.kept_step;
      solve_in_doubles(scratch.kept_matrix, scratch.step);
    }
    for (size_t k = 0; k < target.size(); ++k) target[k] += scratch.step[k];
    for (size_t i = 0; i < part.rows; ++i) {
      for (size_t k = 0; k < target.size(); ++k) {
        scratch.predictions[i] += part.row(i)[k] * scratch.step[k];
      }
    }
  }

  const ConstMatrixView others_;
  const std::span<const float> gram_;
  const AlsOptions& options_;
  const size_t block_;
};

// a0 * items^T items, added up from parts of a fixed size.
std::vector<float> gram_of(const ConstMatrixView& rows, double weight, int threads) {
  const size_t size = rows.columns * rows.columns;
  const size_t blocks = (rows.rows + kGramRowsABlock - 1) / kGramRowsABlock;
  std::vector<std::vector<float>> parts(blocks);
  for_each_block(blocks, threads, [&](size_t block, size_t) {
    const size_t first = block * kGramRowsABlock;
    const size_t count = std::min(kGramRowsABlock, rows.rows - first);
    parts[block].assign(size, 0.0F);
    add_gram({rows.row(first), count, rows.columns}, static_cast<float>(weight),
             {parts[block].data(), rows.columns, rows.columns});
  });
  std::vector<float> sum(size);
  for (const std::vector<float>& part : parts) {
    for (size_t i = 0; i < size; ++i) sum[i] += part[i];
  }
  return sum;
}

struct Side {
  const SparseRows& seen;
  MatrixView vectors;
};

// Half a sweep: `side` given the other. `done` is told the share of its rows.
void improve_side(const Side& side, const ConstMatrixView& others, const AlsOptions& options,
                  const std::function<void(double share)>& done) {
  const std::vector<float> gram = gram_of(others, options.unobserved_weight, options.threads);
  const RowSolver solver(others, gram, options);
  const size_t blocks = (side.vectors.rows + kRowsABlock - 1) / kRowsABlock;
  std::vector<Scratch> scratch(static_cast<size_t>(options.threads));
  for_each_block(blocks, options.threads, [&](size_t block, size_t thread) {
    const size_t end = std::min(side.vectors.rows, (block + 1) * kRowsABlock);
    for (size_t r = block * kRowsABlock; r < end; ++r) {
      solver.improve(side.seen.row(r), {side.vectors.row(r), side.vectors.columns},
                     scratch[thread]);
    }
    if (thread == 0) done(static_cast<double>(block) / static_cast<double>(blocks));
  });
}

Status check_options(const AlsOptions& options) {
  const auto in = [](double value, double least, double most) {
    return value >= least && value <= most;  // not of what is no number
  };
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  if (!in(options.dims, 1, 1'024)) return wrong("dims: allowed are 1 to 1024");
  if (!in(options.block, 1, 1'024)) return wrong("block: allowed are 1 to 1024");
  if (!in(options.unobserved_weight, 1e-9, 1)) {
    return wrong("unobserved_weight: allowed are 1e-9 to 1");
  }
  if (!in(options.regularisation, 1e-9, 1e6)) {
    return wrong("regularisation: allowed are 1e-9 to 1e6");
  }
  if (!in(options.frequency_exponent, 0, 2)) {
    return wrong("frequency_exponent: allowed are 0 to 2");
  }
  if (!in(options.init_deviation, 1e-6, 10)) {
    return wrong("init_deviation: allowed are 1e-6 to 10");
  }
  if (!in(options.sweeps, 0, 1'000)) return wrong("sweeps: allowed are 0 to 1000");
  if (!in(options.threads, 1, 256)) return wrong("threads: allowed are 1 to 256");
  return {};
}

Status check_state(const AlsState& state, size_t users, size_t items) {
  if (state.users.size() != users || state.items.size() != items) {
    return Error{ErrorCode::kInvalid, "the state begun with was trained on data of another size"};
  }
  const auto finite = [](float x) { return std::isfinite(x); };
  if (std::ranges::all_of(state.users, finite) && std::ranges::all_of(state.items, finite)) {
    return {};
  }
  return Error{ErrorCode::kInvalid, "the state begun with holds what is no number"};
}

}  // namespace

Result<AlsState> train_als(const SparseRows& seen, const AlsOptions& options, AlsState state,
                           const AlsProgress& progress) {
  if (const Status checked = check_options(options); !checked.ok()) return checked.error();
  if (seen.entries() == 0) {
    return Error{ErrorCode::kInvalid, "there is nothing to learn from: no viewer did anything"};
  }
  const auto dims = static_cast<size_t>(options.dims);
  const SparseRows audience = seen.transposed();
  if (state.sweeps == 0 && state.users.empty() && state.items.empty()) {
    Random random(options.seed);
    state.users.assign(seen.rows() * dims, 0);
    state.items.resize(seen.columns() * dims);
    const double deviation = options.init_deviation / std::sqrt(static_cast<double>(dims));
    for (float& x : state.items) x = static_cast<float>(deviation * random.normal());
  }
  const Status fits = check_state(state, seen.rows() * dims, seen.columns() * dims);
  if (!fits.ok()) return fits.error();
  const Side users{seen, {state.users.data(), seen.rows(), dims}};
  const Side items{audience, {state.items.data(), seen.columns(), dims}};
  bool wanted = true;
  while (wanted && state.sweeps < options.sweeps) {
    const auto tell = [&](double sweep) { wanted = progress(sweep / options.sweeps) && wanted; };
    improve_side(users, items.vectors, options,
                 [&](double share) { tell(state.sweeps + 0.5 * share); });
    improve_side(items, users.vectors, options,
                 [&](double share) { tell(state.sweeps + 0.5 + 0.5 * share); });
    tell(++state.sweeps);
  }
  return state;
}

AlsFoldIn::AlsFoldIn(std::span<const float> items, const AlsOptions& options)
    : options_([&options] {
        AlsOptions whole = options;
        whole.block = whole.dims;  // one step is exact
        return whole;
      }()),
      items_(items.data(), items.size() / static_cast<size_t>(options.dims),
             static_cast<size_t>(options.dims)),
      gram_(gram_of(items_, options.unobserved_weight, options.threads)) {}

void AlsFoldIn::solve(std::span<const uint32_t> history, std::span<float> out) const {
  thread_local Scratch scratch;
  std::ranges::fill(out, 0.0F);
  RowSolver(items_, gram_, options_).improve(history, out, scratch);
}

void AlsFoldIn::solve(ConstMatrixView history, std::span<float> out) const {
  thread_local Scratch scratch;
  std::ranges::fill(out, 0.0F);
  if (history.rows == 0) return;
  scratch.history.assign(history.data, history.data + history.rows * history.columns);
  RowSolver(items_, gram_, options_).improve_gathered(out, scratch);
}

}  // namespace shanhuo
