// Subspace iteration: Q, items x (dims + some spare), random at first. A pass is
//
//     Z = N^T (N Q)      Z^T Z = E diag(m) E^T      Q = Z E diag(m)^-1/2
//
// after which Q has orthonormal columns again, and m^1/2 of the next pass are the eigenvalues. The
// error of a direction shrinks by (first eigenvalue left out / its own) a pass; the spare columns
// make that ratio smaller. A pass costs two walks over the entries, each a row of Q an entry, and
// two dense products of items x columns^2, which are where the time goes.
//
// Directions below a thousandth of the first eigenvalue drown in the rounding of Z^T Z in floats;
// they become zeros, and so does what is beyond the rank.
//
// Rows are worked on in blocks of fixed size, and Z^T Z is added up part by part: the number of
// threads changes nothing.
//
// Tested by tests/models_graph_filter_test.cc.
#include "models/graph_filter.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/random.h"
#include "models/dense.h"
#include "models/parallel.h"
#include "models/row_math.h"

namespace shanhuo {
namespace {

constexpr size_t kRowsABlock = 64;
constexpr size_t kTurnedRowsABlock = 1'024;  // of a dense product
constexpr size_t kGramParts = 8;
constexpr size_t kSpare = 64;      // columns beyond dims
constexpr float kWeakest = 1e-6F;  // of the first eigenvalue's square

std::vector<float> powers_of_sizes(const SparseRows& rows, double exponent) {
  std::vector<float> powers(rows.rows());
  for (size_t r = 0; r < rows.rows(); ++r) {
    const auto size = static_cast<double>(rows.row(r).size());
    if (size > 0) powers[r] = static_cast<float>(std::pow(size, exponent));
  }
  return powers;
}

class Spectrum {
 public:
  Spectrum(const SparseRows& seen, const GraphFilterOptions& options)
      : seen_(seen),
        audience_(seen.transposed()),
        threads_(options.threads),
        viewer_scale_(powers_of_sizes(seen, -options.viewer_exponent)),
        item_scale_(powers_of_sizes(audience_, -options.item_exponent)),
        columns_(std::min(static_cast<size_t>(options.dims) + kSpare, seen.columns())),
        basis_(seen.columns() * columns_),
        image_(seen.columns() * columns_),
        viewers_(seen.rows() * columns_),
        values_(columns_) {
    Random random(options.seed);
    for (float& x : basis_) x = static_cast<float>(random.normal());
  }

  void pass() {
    spread(seen_, basis_, item_scale_, viewer_scale_, viewers_);
    spread(audience_, viewers_, viewer_scale_, item_scale_, image_);
    std::vector<float> turn = gram();
    const bool solved = eigenvectors({turn.data(), columns_, columns_}, values_);
    CHECK(solved);  // of finite numbers
    const float weakest = values_.back() * kWeakest;
    for (size_t c = 0; c < columns_; ++c) {
      const bool kept = values_[c] > weakest && values_[c] > 0;
      const float scale = kept ? 1 / std::sqrt(values_[c]) : 0;
      values_[c] = kept ? std::sqrt(values_[c]) : 0;
      for (size_t r = 0; r < columns_; ++r) turn[r * columns_ + c] *= scale;
    }
    rotate(turn);
  }

  size_t columns() const { return columns_; }
  const SparseRows& audience() const { return audience_; }
  // The `nth` largest, and item's number in its direction.
  float value(size_t nth) const { return values_[columns_ - 1 - nth]; }
  float at(size_t item, size_t nth) const { return basis_[(item + 1) * columns_ - 1 - nth]; }

 private:
  // Row r of `to` = to_scale[r] * the sum of from_scale[c] * row c of `from` over c of rows.row(r).
  void spread(const SparseRows& rows, const std::vector<float>& from,
              const std::vector<float>& from_scale, const std::vector<float>& to_scale,
              std::vector<float>& to) const {
    for_each_block(blocks_of(rows.rows(), kRowsABlock), threads_, [&](size_t block, size_t) {
      const size_t first = block * kRowsABlock;
      for (size_t r = first; r < std::min(first + kRowsABlock, rows.rows()); ++r) {
        float* sum = to.data() + r * columns_;
        std::fill_n(sum, columns_, 0.0F);
        for (const uint32_t c : rows.row(r)) {
          add_scaled(from.data() + c * columns_, to_scale[r] * from_scale[c], sum, columns_);
        }
      }
    });
  }

  // Z^T Z, the lower triangle.
  std::vector<float> gram() const {
    std::vector<std::vector<float>> parts(kGramParts);
    const size_t items = seen_.columns();
    for_each_block(kGramParts, threads_, [&](size_t part, size_t) {
      const size_t first = items * part / kGramParts, end = items * (part + 1) / kGramParts;
      parts[part].resize(columns_ * columns_);
      add_gram({image_.data() + first * columns_, end - first, columns_}, 1,
               {parts[part].data(), columns_, columns_});
    });
    for (size_t part = 1; part < kGramParts; ++part) {
      add_scaled(parts[part].data(), 1, parts[0].data(), parts[0].size());
    }
    return std::move(parts[0]);
  }

  void rotate(const std::vector<float>& turn) {
    const size_t items = seen_.columns();
    for_each_block(blocks_of(items, kTurnedRowsABlock), threads_, [&](size_t block, size_t) {
      const size_t first = block * kTurnedRowsABlock;
      const size_t count = std::min(kTurnedRowsABlock, items - first);
      multiply({image_.data() + first * columns_, count, columns_},
               {turn.data(), columns_, columns_},
               {basis_.data() + first * columns_, count, columns_});
    });
  }

  static size_t blocks_of(size_t rows, size_t size) { return (rows + size - 1) / size; }

  const SparseRows& seen_;
  const SparseRows audience_;
  const int threads_;
  const std::vector<float> viewer_scale_, item_scale_;
  const size_t columns_;
  std::vector<float> basis_, image_;  // Q and Z: items x columns
  std::vector<float> viewers_;        // N Q: viewers x columns
  std::vector<float> values_;         // ascending
};

GraphFilter filter_of(const Spectrum& spectrum, const GraphFilterOptions& options) {
  const auto dims = static_cast<size_t>(options.dims);
  const std::vector<float> of_history =
      powers_of_sizes(spectrum.audience(), -options.history_exponent);
  const std::vector<float> of_candidate =
      powers_of_sizes(spectrum.audience(), options.candidate_exponent);
  const size_t items = of_history.size();
  GraphFilter filter;
  filter.histories.resize(items * dims);
  filter.candidates.resize(items * dims);
  filter.gains.resize(dims);
  for (size_t k = 0; k < std::min(dims, spectrum.columns()); ++k) {
    filter.gains[k] = spectrum.value(k);
    if (spectrum.value(k) == 0) break;
    const auto gain = static_cast<float>(std::pow(spectrum.value(k), options.gain_exponent));
    for (size_t i = 0; i < items; ++i) {
      filter.histories[i * dims + k] = of_history[i] * gain * spectrum.at(i, k);
      filter.candidates[i * dims + k] = of_candidate[i] * spectrum.at(i, k);
    }
  }
  return filter;
}

Status check_options(const GraphFilterOptions& options) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  if (options.dims < 1 || options.dims > 1'024) return wrong("dims: allowed are 1 to 1024");
  if (options.passes < 2 || options.passes > 100) return wrong("passes: allowed are 2 to 100");
  if (options.threads < 1 || options.threads > 256) return wrong("threads: allowed are 1 to 256");
  for (const double exponent :
       {options.viewer_exponent, options.item_exponent, options.gain_exponent,
        options.history_exponent, options.candidate_exponent}) {
    if (!(exponent >= 0 && exponent <= 2)) return wrong("exponents: allowed are 0 to 2");
  }
  return {};
}

}  // namespace

Result<GraphFilter> learn_graph_filter(const SparseRows& seen, const GraphFilterOptions& options,
                                       const std::function<void(double share)>& progress) {
  if (const Status checked = check_options(options); !checked.ok()) return checked.error();
  if (seen.entries() == 0) return Error{ErrorCode::kInvalid, "there is nothing to learn from"};
  Spectrum spectrum(seen, options);
  for (int pass = 1; pass <= options.passes; ++pass) {
    spectrum.pass();
    progress(static_cast<double>(pass) / options.passes);
  }
  return filter_of(spectrum, options);
}

void graph_filter_viewer(std::span<const float> histories, std::span<const uint32_t> history,
                         std::span<float> out) {
  std::ranges::fill(out, 0.0F);
  for (const uint32_t item : history) {
    add_scaled(histories.data() + item * out.size(), 1, out.data(), out.size());
  }
  unit_rows(out, out.size());
}

}  // namespace shanhuo
