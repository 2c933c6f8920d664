// One pass of a price law over a market (adx_market.h), as replicas would run it: prices and open
// contracts are pushed every few requests, what was inserted is seen later, or not at all.
//
// Goals are in units seen. A contract is open while delivered + in flight is below its goal, and
// while its replica's lease of the rest lasts (allocation.md 4).
#pragma once

#include <cstdint>
#include <vector>

#include "ranking/price_law.h"
#include "serving/adx_market.h"

namespace shanhuo {

struct AdxRun {
  PriceLawOptions law;
  size_t step = 100;           // requests between two steps
  size_t sample_max = 10'000;  // requests that a law solves on; 0: none
  int replicas = 1;
  double delay_share = 0;  // of the horizon, until an insertion is seen
  double viewability = 1;  // share of the insertions that is ever seen
  bool reserve = true;     // whether insertions that may still be seen count as in flight
  uint64_t seed = 1;       // of what is seen
};

struct AdxScore {
  double reward = 0;              // quality of what was seen, up to the goals
  double quality = 0;             // of what was inserted
  std::vector<double> delivered;  // seen, at the end
  std::vector<double> goal;
  // Distance of all contracts from their straight lines, as a share of all goals: at a hundred
  // moments, sum over contracts of |y - m t / T| / sum m.
  double pacing_mean = 0, pacing_most = 0;
  double over() const;  // units past their goals, as a share of all goals
};

// A law's p_j is the mean quality that requests so far offered to contract j. Goals are the
// capacities times the viewability.
AdxScore run_adx(const AdxMarket& market, const AdxRun& run);

}  // namespace shanhuo
