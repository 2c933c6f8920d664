// Arithmetic of rows: plain arrays of `dims` floats. Pure, thread-safe; summed in order, so the
// same on every machine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace shanhuo {

inline float inner(const float* a, const float* b, size_t dims) {
  float sum = 0;
  for (size_t k = 0; k < dims; ++k) sum += a[k] * b[k];
  return sum;
}

inline void add_scaled(const float* from, float scale, float* to, size_t dims) {
  for (size_t k = 0; k < dims; ++k) to[k] += scale * from[k];
}

// At least 1e-6: what is divided by it stays finite.
inline float length_of(const float* row, size_t dims) {
  return std::max(std::sqrt(inner(row, row, dims)), 1e-6F);
}

// The gradient of a vector, in place of that of its unit vector.
inline void through_unit(const float* unit, float length, float* gradient, size_t dims) {
  const float along = inner(gradient, unit, dims);
  for (size_t k = 0; k < dims; ++k) gradient[k] = (gradient[k] - along * unit[k]) / length;
}

// Each row of `dims` to unit length; a row shorter than 1e-6 becomes shorter than 1, zeros stay.
inline void unit_rows(std::span<float> rows, size_t dims) {
  for (size_t first = 0; first < rows.size(); first += dims) {
    const float length = length_of(rows.data() + first, dims);
    for (size_t k = 0; k < dims; ++k) rows[first + k] /= length;
  }
}

}  // namespace shanhuo
