// Exponential decay by half-life, the only one in the project: 2^(-age / half_life).
//
// Built of IEEE additions and multiplications alone, so that it has the same bits on every machine
// (libm's exp2 has not), within 1e-12 of the exact value. Pure. Ages are event time, passed in.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "base/ids.h"

namespace shanhuo {

// For each half-life: 1 for an age of 0 or less; 0 once 60 of them have passed. Several together
// cost little more than one. Requires: half-lives > 0.
template <size_t n>
constexpr std::array<double, n> half_life_decays(Millis age,
                                                 const std::array<Millis, n>& half_lives) {
  std::array<double, n> decays;
  decays.fill(1);
  if (age.count() <= 0) return decays;
  std::array<double, n> x, power, sums{};
  for (size_t i = 0; i < n; ++i) {
    const int64_t half_life = half_lives[i].count();
    const int64_t whole = age.count() < half_life ? 0 : age.count() / half_life;
    const double rest =
        static_cast<double>(age.count() - whole * half_life) / static_cast<double>(half_life);
    x[i] = (0.5 - rest) * 0.69314718055994530942;
    // 2^-whole, as IEEE 754 writes it.
    power[i] = whole >= 60 ? 0 : std::bit_cast<double>(static_cast<uint64_t>(1'023 - whole) << 52);
  }
  // 2^-rest = 2^-0.5 exp(x) with x in (-0.35, 0.35]: Taylor to x^10 leaves less than 3e-13.
  constexpr double kInverseFactorials[] = {1.0,          1.0,           1.0 / 2,        1.0 / 6,
                                           1.0 / 24,     1.0 / 120,     1.0 / 720,      1.0 / 5'040,
                                           1.0 / 40'320, 1.0 / 362'880, 1.0 / 3'628'800};
  for (int k = 10; k >= 0; --k) {
    for (size_t i = 0; i < n; ++i) sums[i] = sums[i] * x[i] + kInverseFactorials[k];
  }
  for (size_t i = 0; i < n; ++i) decays[i] = 0.70710678118654752440 * sums[i] * power[i];
  return decays;
}

constexpr double half_life_decay(Millis age, Millis half_life) {
  return half_life_decays<1>(age, {half_life})[0];
}

}  // namespace shanhuo
