// Exponential decay by half-life, the only one in the project: 2^(-age / half_life).
//
// Built of IEEE additions and multiplications alone, so that it has the same bits on every machine
// (libm's exp2 has not), within 1e-12 of the exact value. Pure. Ages are event time, passed in.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace shanhuo {

// 1 for an age of 0 or less; 0 once 60 half-lives have passed. Requires: half_life > 0.
constexpr double half_life_decay(Millis age, Millis half_life) {
  if (age.count() <= 0) return 1.0;
  const int64_t whole = age.count() / half_life.count();
  if (whole >= 60) return 0.0;
  const double rest = static_cast<double>(age.count() - whole * half_life.count()) /
                      static_cast<double>(half_life.count());
  // 2^-rest = 2^-0.5 exp(x) with x in (-0.35, 0.35]: Taylor to x^10 leaves less than 3e-13.
  constexpr double kInverseFactorials[] = {1.0,          1.0,           1.0 / 2,        1.0 / 6,
                                           1.0 / 24,     1.0 / 120,     1.0 / 720,      1.0 / 5'040,
                                           1.0 / 40'320, 1.0 / 362'880, 1.0 / 3'628'800};
  const double x = (0.5 - rest) * 0.69314718055994530942;
  double sum = 0;
  for (int n = 10; n >= 0; --n) sum = sum * x + kInverseFactorials[n];
  return 0.70710678118654752440 * sum / static_cast<double>(uint64_t{1} << whole);
}

}  // namespace shanhuo
