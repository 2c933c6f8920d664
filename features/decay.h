// Exponential decay by half-life, the only one in the project: 2^(-age / half_life).
//
// Built of IEEE additions and multiplications alone, so that it has the same bits on every machine
// (libm's exp2 has not), within 1e-9 of the exact value. Pure. Ages are event time, passed in.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace shanhuo {

namespace decay_detail {

// 2^-k for k = 0..63, by halving.
constexpr double power_of_half(int64_t k) { return 1.0 / static_cast<double>(uint64_t{1} << k); }

}  // namespace decay_detail

// 1 for an age of 0 or less; 0 once 60 half-lives have passed. Requires: half_life > 0.
constexpr double half_life_decay(Millis age, Millis half_life) {
  if (age.count() <= 0) return 1.0;
  const int64_t whole = age.count() / half_life.count();
  if (whole >= 60) return 0.0;
  const double rest =
      static_cast<double>(age.count() % half_life.count()) / static_cast<double>(half_life.count());
  // 2^-rest = 2^-0.5 exp(x) with x in (-0.35, 0.35]: Taylor to x^8 leaves less than 3e-10.
  const double x = (0.5 - rest) * 0.69314718055994530942;
  double sum = 1.0 + x / 8;
  for (int n = 7; n >= 1; --n) sum = 1.0 + x / n * sum;
  return 0.70710678118654752440 * sum * decay_detail::power_of_half(whole);
}

}  // namespace shanhuo
