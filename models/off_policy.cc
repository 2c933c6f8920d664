#include "models/off_policy.h"

#include <cmath>
#include <vector>

#include "base/check.h"

namespace shanhuo {
namespace {

constexpr double kStandardErrors = 1.96;

Estimate around(double value, double variance) {
  const double reach = kStandardErrors * std::sqrt(variance);
  return {value, value - reach, value + reach};
}

// The same on the scale of the logarithm; without any reward it says nothing.
Estimate around_log(double value, double variance) {
  if (value <= 0) return {value, value, value};
  const double factor = std::exp(kStandardErrors * std::sqrt(variance) / value);
  return {value, value / factor, value * factor};
}

struct Mean {
  double value = 0, variance = 0;  // of the mean
};

Mean mean_and_variance(std::span<const double> values) {
  CHECK(values.size() >= 2);
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  for (const double value : values) squares += (value - sum / n) * (value - sum / n);
  return {sum / n, squares / (n - 1) / n};
}

}  // namespace

Estimate mean_of(std::span<const double> values) {
  const Mean mean = mean_and_variance(values);
  return around(mean.value, mean.variance);
}

OffPolicyEstimates estimate_off_policy(std::span<const LoggedAction> log) {
  std::vector<double> weighted, robust;
  double weights = 0, squares = 0, rewards = 0;
  for (const LoggedAction& action : log) {
    weights += action.weight;
    squares += action.weight * action.weight;
    rewards += action.weight * action.reward;
    weighted.push_back(action.weight * action.reward);
    robust.push_back(action.expected + action.weight * (action.reward - action.modelled));
  }
  CHECK(weights > 0);
  OffPolicyEstimates estimates;
  estimates.effective_sample = weights * weights / squares;
  const Mean ips = mean_and_variance(weighted);
  estimates.ips = around_log(ips.value, ips.variance);
  estimates.dr = mean_of(robust);
  const double normalised = rewards / weights;
  double variance = 0;
  for (const LoggedAction& action : log) {
    const double share = action.weight * (action.reward - normalised) / weights;
    variance += share * share;
  }
  estimates.snips = around_log(normalised, variance);
  return estimates;
}

}  // namespace shanhuo
