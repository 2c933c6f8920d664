// Dense linear algebra for the learners: plain arrays in, plain arrays out. dense.cc alone includes
// Eigen and calls BLAS (OpenBLAS, which chooses its kernels for the processor at run time).
//
// All matrices are row-major floats. Functions are pure and thread-safe, and give the same bytes
// each time on one machine provided that BLAS itself runs on the calling thread: see
// use_calling_thread().
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace shanhuo {

// A view of rows x columns floats, one row after another. Does not own them.
template <typename T>
struct MatrixOf {
  T* data = nullptr;
  size_t rows = 0, columns = 0;

  T* row(size_t r) const { return data + r * columns; }
  std::span<T> all() const { return {data, rows * columns}; }
};
using MatrixView = MatrixOf<float>;
struct ConstMatrixView : MatrixOf<const float> {
  ConstMatrixView(const float* from, size_t height, size_t width) : MatrixOf{from, height, width} {}
  ConstMatrixView(const MatrixView& other)  // NOLINT(google-explicit-constructor)
      : MatrixOf{other.data, other.rows, other.columns} {}
};

// Makes BLAS work on the thread that calls it, for the whole process. Learners bring their own
// threads; whoever runs them says so once, before.
void use_calling_thread();

// out = a * b^T. Requires: a.columns == b.columns, out is a.rows x b.rows.
void multiply_transposed(ConstMatrixView a, ConstMatrixView b, MatrixView out);
// out = a * b. Requires: a.columns == b.rows, out is a.rows x b.columns.
void multiply(ConstMatrixView a, ConstMatrixView b, MatrixView out);
// out = a^T * b. Requires: a.rows == b.rows, out is a.columns x b.columns.
void multiply_first_transposed(ConstMatrixView a, ConstMatrixView b, MatrixView out);
// The lower triangle of out = scale * a^T * a + out. Requires: out is a.columns x a.columns.
void add_gram(ConstMatrixView a, float scale, MatrixView out);

// Each value v becomes exp(scale * v), to about 1e-6 of itself; the sum of each row goes to `sums`.
// Requires: sums.size() == values.rows.
void exponentials(MatrixView values, float scale, std::span<float> sums);

// Solves a * x = b in place of b, by Cholesky. Reads the lower triangle of `a` and overwrites it.
// False, with `b` undefined, when `a` is not positive definite to the precision of floats.
bool solve_positive(MatrixView a, std::span<float> b);
// The same in doubles, slower; for what floats cannot. Requires: `a` positive definite.
bool solve_positive(std::span<double> a, std::span<double> b);

// The eigenvalues of a symmetric matrix, ascending, and in its place the eigenvectors, of unit
// length, one a column. Reads the lower triangle of `a`. False, with both undefined, for what is no
// number. Requires: values.size() == a.rows == a.columns.
bool eigenvectors(MatrixView a, std::span<float> values);

}  // namespace shanhuo
