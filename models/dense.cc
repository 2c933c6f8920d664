#define EIGEN_USE_BLAS
#include "models/dense.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>

#include "base/check.h"

extern "C" void openblas_set_num_threads(int);

namespace shanhuo {
namespace {

using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Doubles = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

auto map(const ConstMatrixView& m) {
  return Eigen::Map<const Floats>(m.data, static_cast<Eigen::Index>(m.rows),
                                  static_cast<Eigen::Index>(m.columns));
}

auto map(const MatrixView& m) {
  return Eigen::Map<Floats>(m.data, static_cast<Eigen::Index>(m.rows),
                            static_cast<Eigen::Index>(m.columns));
}

template <typename T>
auto map(std::span<T> v) {
  return Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, 1>>(v.data(),
                                                         static_cast<Eigen::Index>(v.size()));
}

}  // namespace

void use_calling_thread() { openblas_set_num_threads(1); }

void multiply_transposed(ConstMatrixView a, ConstMatrixView b, MatrixView out) {
  CHECK(a.columns == b.columns && out.rows == a.rows && out.columns == b.rows);
  map(out).noalias() = map(a) * map(b).transpose();
}

void multiply(ConstMatrixView a, ConstMatrixView b, MatrixView out) {
  CHECK(a.columns == b.rows && out.rows == a.rows && out.columns == b.columns);
  map(out).noalias() = map(a) * map(b);
}

void multiply_first_transposed(ConstMatrixView a, ConstMatrixView b, MatrixView out) {
  CHECK(a.rows == b.rows && out.rows == a.columns && out.columns == b.columns);
  map(out).noalias() = map(a).transpose() * map(b);
}

void add_gram(ConstMatrixView a, float scale, MatrixView out) {
  CHECK(out.rows == a.columns && out.columns == a.columns);
  auto target = map(out);
  target.selfadjointView<Eigen::Lower>().rankUpdate(map(a).transpose(), scale);
}

void exponentials(MatrixView values, float scale, std::span<float> sums) {
  CHECK(sums.size() == values.rows);
  for (size_t r = 0; r < values.rows; ++r) {
    auto row = map(std::span(values.row(r), values.columns)).array();
    row = (scale * row).exp();
    sums[r] = row.sum();
  }
}

bool solve_positive(MatrixView a, std::span<float> b) {
  CHECK(a.rows == a.columns && a.columns == b.size());
  Eigen::Map<Floats> matrix = map(a);
  const Eigen::LLT<Eigen::Ref<Floats>> factors(matrix);
  if (factors.info() != Eigen::Success) return false;
  auto x = map(b);
  factors.solveInPlace(x);
  return x.allFinite();
}

bool solve_positive(std::span<double> a, std::span<double> b) {
  CHECK(a.size() == b.size() * b.size());
  const auto size = static_cast<Eigen::Index>(b.size());
  Eigen::Map<Doubles> matrix(a.data(), size, size);
  const Eigen::LLT<Eigen::Ref<Doubles>> factors(matrix);
  if (factors.info() != Eigen::Success) return false;
  auto x = map(b);
  factors.solveInPlace(x);
  return x.allFinite();
}

bool eigenvectors(MatrixView a, std::span<float> values) {
  CHECK(a.rows == a.columns && a.columns == values.size());
  const Eigen::SelfAdjointEigenSolver<Floats> solver(map(a));
  if (solver.info() != Eigen::Success) return false;
  map(a) = solver.eigenvectors();
  map(values) = solver.eigenvalues();
  return map(values).allFinite();
}

}  // namespace shanhuo
