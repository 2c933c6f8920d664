// Adagrad (Duchi, Hazan, Singer 2011) for tables of vectors of which a batch touches a few, with
// one scale for each row instead of each number: 4 bytes a row, and a row keeps its direction. One
// thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "models/row_math.h"

namespace shanhuo {

class AdagradRows {
 public:
  AdagradRows(size_t rows, size_t dims) : dims_(dims), sums_(rows * dims), touched_(rows) {}

  void add(uint32_t row, const float* gradient) {
    if (!touched_[row]) {
      touched_[row] = true;
      list_.push_back(row);
    }
    add_scaled(gradient, 1, sums_.data() + row * dims_, dims_);
  }

  // A step against the sums; forgets them. `values`: rows x dims. `scales`: rows, 0 at first.
  void step(float rate, std::vector<float>& values, std::vector<float>& scales) {
    for (const uint32_t row : list_) {
      float* gradient = sums_.data() + row * dims_;
      scales[row] += inner(gradient, gradient, dims_) / static_cast<float>(dims_);
      if (scales[row] > 0) {
        add_scaled(gradient, -rate / std::sqrt(scales[row]), values.data() + row * dims_, dims_);
      }
      std::fill_n(gradient, dims_, 0.0F);
      touched_[row] = false;
    }
    list_.clear();
  }

 private:
  const size_t dims_;
  std::vector<float> sums_;
  std::vector<bool> touched_;
  std::vector<uint32_t> list_;
};

}  // namespace shanhuo
