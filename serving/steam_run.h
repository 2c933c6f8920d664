// One pass of a price law over the re-ranking data (steam_pages.h), and what hindsight could reach.
//
// Each request is one step: the law moves the prices by what pages so far gave, the page is chosen
// at them, its scores count for its groups. A law never sees a request before its page is fixed.
// Deterministic; no state outlives a call.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ranking/price_law.h"
#include "serving/steam_pages.h"

namespace shanhuo {

struct SteamRun {
  PriceLawOptions law;  // p_j is 1: prices are in units of the score
  SteamRule rule = SteamRule::kPerItem;
  bool count_items = false;  // goals count items and not scores
  // m_j of every group over all requests of the data, scaled to the part that is run; 0: none.
  double floor = 0;
  bool equal_shares = false;  // instead: all of what pages hold, shared equally, for P-MMF
  double loss_budget = 0;     // eps: 1 - NDCG that the pass may cost; 0: unbounded
  double viewer_price_step = 0.005;
  size_t sample_max = 400;  // requests that a law solves on; 0: none
};

// Requests [begin, end).
SteamScore run_steam(const SteamPages& pages, size_t begin, size_t end, const SteamRun& run);

// Upper bounds by weak duality: for any prices w >= 0, NDCG of pages that give every group at least
// m is at most  mean over requests of max over pages (NDCG + w . V) - m sum w / requests.  Descent
// on w tightens it; every value on the way is certified.
struct SteamBound {
  double ndcg = 0;     // with every V_g >= floor
  double reached = 0;  // NDCG of the pages at the best prices; where its worst group is at least
  double reached_worst = 0;  // this: what a primal solution shows
};
SteamBound bound_ndcg(const SteamPages& pages, double floor, int rounds);
// The largest worst group that any pages with a mean NDCG of at least `ndcg` can have.
double bound_worst(const SteamPages& pages, double ndcg, double start, int rounds);

}  // namespace shanhuo
