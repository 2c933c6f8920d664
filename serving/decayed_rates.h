// Rates of anything that has a key: hits per trial, each trial worth 2^(-age / half-life), drawn
// towards a prior. Grows by one entry a key; one thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <unordered_map>

#include "base/ids.h"

namespace shanhuo {

class DecayedRates {
 public:
  // As if `strength` trials had been seen before, with the rate `prior`; > 0. One half-life a key.
  double of(uint64_t key, Millis half_life, Millis now, double prior, double strength) const {
    const auto found = rates_.find(key);
    if (found == rates_.end()) return prior;
    const Rate& rate = found->second;
    const double left = share_left(rate.at, now, half_life);
    return (rate.hits * left + prior * strength) / (rate.trials * left + strength);
  }

  void count(uint64_t key, Millis half_life, Millis now, bool hit) {
    Rate& rate = rates_.try_emplace(key, Rate{.at = now}).first->second;
    const double left = share_left(rate.at, now, half_life);
    rate = {rate.trials * left + 1, rate.hits * left + hit, now};
  }

 private:
  struct Rate {
    double trials = 0, hits = 0;
    Millis at;
  };
  static double share_left(Millis then, Millis now, Millis half_life) {
    return std::exp2(-static_cast<double>((now - then).count()) /
                     static_cast<double>(half_life.count()));
  }

  std::unordered_map<uint64_t, Rate> rates_;
};

}  // namespace shanhuo
