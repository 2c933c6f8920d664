// What is shown although it is not known to be best: so that something can be said of what is not
// shown, and so that new items are seen at all. Pure; draws are functions of the request's seed.
//
// A page is one of three, drawn in this order:
//   pair   with probability explore_probability: one of the best pairs alone, pair k with
//          probability proportional to exp(gain_k / explore_temperature_fen)
//   new    of the others, a share explore_new_share: the best page with one new item valued at the
//          upper end of its interval: at most one slot each, whatever their number
//   best   else
// What a draw costs the viewer beside the best page is kept apart (Slate::explored_loss_fen, the
// metrics exploration_loss_*). New items have an account of their own (loss_window.h), which takes
// in explore_new_budget of the organic value: a page that it cannot pay for is ranked again without
// (new_items_refused_total), and none is tried until it is half full. What they cost is a part of
// viewers' loss, too, so that all of it stays within user_loss_budget.
// The propensity of an insertion is the sum over the three of their probability to show that item
// at that position: exact, as both pages are made whether drawn or not. A page that is
// ranked again carries the propensities of its second ranking.
//
// New: an item's click rate p (smoothed, scoring.h) is known up to
//   h = explore_z sqrt(p (1 - p) / (impressions + prior_impressions))
// It is new while it has less than explore_new_viewable viewable exposures (decayed like its rates,
// half-life 7 d, so an item that nobody has seen for weeks is new again) and h is more than
// explore_new_width p; then it has graduated and stands on its rate. A new item is retired, and not
// tried on this page, when p + h is below the mean rate of the page's graduated candidates: even
// at its best it would be worse than its neighbours.
//
// Sources: upper confidence bounds, Auer, Cesa-Bianchi, Fischer 2002; elimination by bounds,
// Even-Dar, Mannor, Mansour 2006; the Gumbel draw is a softmax with its probabilities known.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "ranking/allocation.h"
#include "ranking/candidate.h"
#include "ranking/options.h"
#include "ranking/prices.h"

namespace shanhuo {

// Whether pages may try new items now: asked once a page, nothing below is done where they may not.
bool tries_new(const RankingOptions& options, const PriceTable& prices);
// Fills novelty and upper_rate of a candidate whose rate is known.
void judge_novelty(const RankingOptions& options, const ItemRates& rates,
                   BoostCandidate& candidate);
// Retires new candidates against the graduated ones. Returns how many it retired.
int retire(std::span<BoostCandidate> candidates);
// The new candidate that is worth most at its best, to this viewer; -1: none. Items of the organic
// list are seen anyway and are not tried.
int choose_new(std::span<const BoostCandidate> candidates);

// The page's insertions, ascending by position, and the exact probability of each.
struct Choice {
  int count = 0;
  std::array<PlacedItem, kInsertionsMax> placed{};
  std::array<double, kInsertionsMax> propensity{};
  bool drawn_pair = false, drawn_new = false;
};
// `with_new`: the page with the new item; nullptr: there is none to try.
Choice choose(const AllocationResult& best, const AllocationResult* with_new,
              const RankingOptions& options, uint64_t seed);

}  // namespace shanhuo
