// What a variation did, against control: the difference of two means with interval and p-value, as
// GrowthBook's statistics engine defines them (gbstats, frequentist tests), so that its users read
// the same numbers here.
//
// A metric of one variation is summed up by an ArmEstimate, which forgets what kind of metric it
// was: a mean per viewer, a proportion, a ratio of two sums (delta method: Deng, Knoblich, Lu,
// "Applying the Delta Method in Metric Analytics", KDD 2018), any of them with what the viewers did
// before taken out (CUPED: Deng et al., WSDM 2013).
//
// Pure; deterministic; doubles. Viewers are independent of each other.
#pragma once

#include <cstdint>
#include <span>

namespace shanhuo {

// Sums over viewers of one value each.
struct ValueSums {
  int64_t n = 0;
  double sum = 0, squares = 0;
};
// Sums over viewers of two values each.
struct PairSums {
  int64_t n = 0;
  double sum_x = 0, squares_x = 0;
  double sum_y = 0, squares_y = 0;
  double products = 0;  // of x * y
};

struct ArmEstimate {
  int64_t n = 0;
  double mean = 0;
  double variance = 0;  // of one viewer's part in it: that of the mean is variance / n
  double base = 0;      // what relative lifts are relative to: the mean without CUPED
};

ArmEstimate mean_estimate(const ValueSums& sums);
// How many of n did it.
ArmEstimate proportion_estimate(int64_t n, int64_t successes);
// sum_x / sum_y: clicks per impression, fen per order.
ArmEstimate ratio_estimate(const PairSums& sums);
// y in the experiment, x of the same viewer before it. `theta` must be that of both variations.
ArmEstimate cuped_estimate(const PairSums& sums, double theta);
// The slope of y on x that takes most variance out: pooled covariance by pooled variance.
double cuped_theta(const PairSums& control, const PairSums& treatment);

enum class LiftScale : uint8_t { kRelative, kAbsolute };

struct Lift {
  bool known = false;  // false: too little to say anything, and the rest is 0
  double value = 0;    // treatment - control; relative: by control's base
  double low = 0, high = 0;
  double p = 1;  // two-sided, of no difference
};

// Welch's t-test: right when it is looked at once, at a time fixed before.
Lift lift_of(const ArmEstimate& control, const ArmEstimate& treatment, LiftScale scale,
             double alpha = 0.05);

// Right however often it is looked at: the asymptotic confidence sequence of Waudby-Smith et al.
// (arXiv 2103.06476, eq. 155), tightest at `tuning` viewers in both variations together. p is of
// the single look and says nothing here: 1 when the interval holds 0, else at most alpha.
Lift sequential_lift_of(const ArmEstimate& control, const ArmEstimate& treatment, LiftScale scale,
                        double alpha = 0.05, double tuning = 5'000);

// Do viewers spread over the variations as their weights say? p of Pearson's chi-squared; below
// 0.001 something lost or doubled viewers and no result means anything. Variations of weight 0 are
// left out; 1 when fewer than two are left, or nobody came. Requires: as many weights as counts.
double sample_ratio_p(std::span<const int64_t> viewers, std::span<const double> weights);

}  // namespace shanhuo
