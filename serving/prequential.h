// How good predictions are that were each made before their label was known (Dawid 1984): ranking,
// sharpness, calibration. Pure functions over the predictions in the order in which they were made.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace shanhuo {

struct Prediction {
  float probability = 0;
  bool label = false;
};

struct PredictionDecile {
  size_t count = 0;
  double predicted = 0, observed = 0;  // means
};

struct PredictionQuality {
  double auc = 0;      // ties count half; NaN when all labels are the same
  double logloss = 0;  // natural logarithm
  // By ascending prediction; ties keep the order in which they were made.
  std::array<PredictionDecile, 10> deciles;
  double calibration_error = 0;  // the largest |predicted - observed| of a decile
};

// Requires: at least 10 predictions.
PredictionQuality quality_of(std::span<const Prediction> predictions);

}  // namespace shanhuo
