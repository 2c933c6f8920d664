// A seeded stream of numbers: the same on every machine, eight bytes of state, so that each
// simulated viewer can have one. Not for secrets.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/hash.h"

namespace shanhuo {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(mix64(seed + 0x9e3779b97f4a7c15ULL)) {}

  uint64_t bits() { return mix64(state_ += 0x9e3779b97f4a7c15ULL); }
  double uniform() { return unit_interval(bits()); }  // [0, 1)
  bool chance(double probability) { return uniform() < probability; }
  // Requires: n > 0. The bias is below n / 2^64.
  size_t below(size_t n) {
    return static_cast<size_t>(static_cast<Uint128>(bits()) * static_cast<Uint128>(n) >> 64);
  }
  double exponential(double mean) { return -mean * std::log1p(-uniform()); }
  double normal() {  // Box and Muller 1958; one of the pair
    const double radius = std::sqrt(-2 * std::log1p(-uniform()));
    return radius * std::cos(2 * M_PI * uniform());
  }
  double log_normal(double median, double sigma) { return median * std::exp(sigma * normal()); }

  // The upper 53 bits as a number in [0, 1).
  static double unit_interval(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

}  // namespace shanhuo
