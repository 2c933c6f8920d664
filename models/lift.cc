// Tested by tests/models_lift_test.cc against the figures of gbstats.
#include "models/lift.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "base/check.h"

namespace shanhuo {
namespace {

// Unbiased; 0 of fewer than two.
double sample_variance(int64_t n, double sum, double squares) {
  if (n < 2) return 0;
  const auto count = static_cast<double>(n);
  return std::max(0.0, (squares - sum * sum / count) / (count - 1));
}

double sample_covariance(const PairSums& s) {
  if (s.n < 2) return 0;
  const auto count = static_cast<double>(s.n);
  return (s.products - s.sum_x * s.sum_y / count) / (count - 1);
}

double mean_of(double sum, int64_t n) { return n > 0 ? sum / static_cast<double>(n) : 0; }

struct Difference {
  bool known = false;
  double value = 0, variance = 0;
  double freedom = 0;  // Welch and Satterthwaite's, of the absolute difference, as gbstats has it
};

Difference difference(const ArmEstimate& control, const ArmEstimate& treatment, LiftScale scale) {
  Difference d;
  if (control.n < 2 || treatment.n < 2) return d;
  d.value = treatment.mean - control.mean;
  const double of_control = control.variance / static_cast<double>(control.n);
  const double of_treatment = treatment.variance / static_cast<double>(treatment.n);
  d.variance = of_control + of_treatment;
  d.freedom = d.variance * d.variance /
              (of_control * of_control / static_cast<double>(control.n - 1) +
               of_treatment * of_treatment / static_cast<double>(treatment.n - 1));
  if (scale == LiftScale::kRelative) {
    const double base = control.base;
    if (base == 0) return d;
    // First order in both means: d(b / a - 1) = db / a - b / a^2 da.
    const double slope = (d.value + base) / base;
    d.variance = (of_treatment + slope * slope * of_control) / (base * base);
    d.value /= base;
  }
  d.known = d.variance > 0 && std::isfinite(d.value) && std::isfinite(d.variance);
  return d;
}

}  // namespace

ArmEstimate mean_estimate(const ValueSums& sums) {
  const double mean = mean_of(sums.sum, sums.n);
  return {sums.n, mean, sample_variance(sums.n, sums.sum, sums.squares), mean};
}

ArmEstimate proportion_estimate(int64_t n, int64_t successes) {
  const double share = mean_of(static_cast<double>(successes), n);
  return {n, share, share * (1 - share), share};
}

ArmEstimate ratio_estimate(const PairSums& sums) {
  ArmEstimate estimate{sums.n, 0, 0, 0};
  const double below = mean_of(sums.sum_y, sums.n);
  if (sums.n < 2 || below == 0) return estimate;
  const double ratio = sums.sum_x / sums.sum_y;
  const double x = sample_variance(sums.n, sums.sum_x, sums.squares_x);
  const double y = sample_variance(sums.n, sums.sum_y, sums.squares_y);
  const double both = x - 2 * ratio * sample_covariance(sums) + ratio * ratio * y;
  estimate.mean = estimate.base = ratio;
  estimate.variance = std::max(0.0, both) / (below * below);
  return estimate;
}

ArmEstimate cuped_estimate(const PairSums& sums, double theta) {
  const double before = mean_of(sums.sum_x, sums.n), after = mean_of(sums.sum_y, sums.n);
  const double x = sample_variance(sums.n, sums.sum_x, sums.squares_x);
  const double y = sample_variance(sums.n, sums.sum_y, sums.squares_y);
  const double left = y + theta * theta * x - 2 * theta * sample_covariance(sums);
  return {sums.n, after - theta * before, std::max(0.0, left), after};
}

double cuped_theta(const PairSums& control, const PairSums& treatment) {
  double shared = 0, before = 0;
  for (const PairSums* sums : {&control, &treatment}) {
    if (sums->n < 2) continue;
    const auto freedom = static_cast<double>(sums->n - 1);
    shared += freedom * sample_covariance(*sums);
    before += freedom * sample_variance(sums->n, sums->sum_x, sums->squares_x);
  }
  return before > 0 ? shared / before : 0;
}

Lift lift_of(const ArmEstimate& control, const ArmEstimate& treatment, LiftScale scale,
             double alpha) {
  CHECK(alpha > 0 && alpha < 1);
  const Difference d = difference(control, treatment, scale);
  if (!d.known) return {};
  const boost::math::students_t t(d.freedom);
  const double error = std::sqrt(d.variance);
  const double half = boost::math::quantile(t, 1 - alpha / 2) * error;
  const double p = 2 * boost::math::cdf(boost::math::complement(t, std::abs(d.value) / error));
  return {true, d.value, d.value - half, d.value + half, p};
}

Lift sequential_lift_of(const ArmEstimate& control, const ArmEstimate& treatment, LiftScale scale,
                        double alpha, double tuning) {
  CHECK(alpha > 0 && alpha < 1 && tuning > 0);
  const Difference d = difference(control, treatment, scale);
  if (!d.known) return {};
  const double spent = -2 * std::log(alpha);
  const double rho = std::sqrt((spent + std::log(spent + 1)) / tuning);
  const auto n = static_cast<double>(control.n + treatment.n);
  const double seen = n * rho * rho + 1;
  const double half = std::sqrt(n * d.variance) *
                      std::sqrt(2 * seen * std::log(std::sqrt(seen) / alpha) / (n * rho * n * rho));
  const bool holds_0 = d.value - half <= 0 && 0 <= d.value + half;
  return {true, d.value, d.value - half, d.value + half, holds_0 ? 1 : alpha};
}

double sample_ratio_p(std::span<const int64_t> viewers, std::span<const double> weights) {
  CHECK(viewers.size() == weights.size());
  double all = 0, weight = 0, chi_squared = 0;
  int variations = 0;
  for (size_t i = 0; i < viewers.size(); ++i) {
    if (weights[i] <= 0) continue;
    all += static_cast<double>(viewers[i]);
    weight += weights[i];
    ++variations;
  }
  if (variations < 2 || all == 0) return 1;
  for (size_t i = 0; i < viewers.size(); ++i) {
    if (weights[i] <= 0) continue;
    const double expected = all * weights[i] / weight;
    const double off = static_cast<double>(viewers[i]) - expected;
    chi_squared += off * off / expected;
  }
  const boost::math::chi_squared distribution(variations - 1);
  return boost::math::cdf(boost::math::complement(distribution, chi_squared));
}

}  // namespace shanhuo
