#include "serving/prequential.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace shanhuo {
namespace {

// Mann and Whitney: the share of (positive, negative) pairs in the right order.
double auc_of(std::span<const Prediction> ascending) {
  double positives = 0, negatives = 0, right = 0;
  for (size_t i = 0; i < ascending.size();) {
    double tied_positives = 0, tied = 0;
    for (const float p = ascending[i].probability;
         i < ascending.size() && ascending[i].probability == p; ++i, ++tied) {
      tied_positives += ascending[i].label;
    }
    const double tied_negatives = tied - tied_positives;
    right += tied_positives * (negatives + tied_negatives / 2);
    positives += tied_positives;
    negatives += tied_negatives;
  }
  const double pairs = positives * negatives;
  return pairs > 0 ? right / pairs : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

PredictionQuality quality_of(std::span<const Prediction> predictions) {
  CHECK(predictions.size() >= 10);
  constexpr double kLeast = 1e-7;
  PredictionQuality quality;
  for (const Prediction& one : predictions) {
    const double p = std::clamp<double>(one.probability, kLeast, 1 - kLeast);
    quality.logloss -= std::log(one.label ? p : 1 - p);
  }
  quality.logloss /= static_cast<double>(predictions.size());

  std::vector<Prediction> ascending(predictions.begin(), predictions.end());
  std::ranges::stable_sort(ascending, {}, &Prediction::probability);
  quality.auc = auc_of(ascending);
  for (size_t d = 0; d < quality.deciles.size(); ++d) {
    const size_t begin = ascending.size() * d / 10, end = ascending.size() * (d + 1) / 10;
    PredictionDecile& decile = quality.deciles[d];
    decile.count = end - begin;
    for (size_t i = begin; i < end; ++i) {
      decile.predicted += ascending[i].probability;
      decile.observed += ascending[i].label;
    }
    decile.predicted /= static_cast<double>(decile.count);
    decile.observed /= static_cast<double>(decile.count);
    quality.calibration_error =
        std::max(quality.calibration_error, std::abs(decile.predicted - decile.observed));
  }
  return quality;
}

}  // namespace shanhuo
