// What items are worth to a viewer, in fen: value = P(click) * value_per_click_fen. Pure functions.
//
// P(click) of a boostable item = smoothed rate of the item (its decayed clicks and impressions with
// a prior of its kind), lifted in odds by how well it suits the viewer: cosine with the viewer's
// vector and the viewer's shares of its category, county and creator; of viewers of whom nothing is
// known, by what their segment clicks (popular_lists.h). P(click) of an organic item
// comes calibrated from outside or, before that, from its score.
//
// Where value models have learned enough (models/value_learner.h), P(click) of a boostable item is
// theirs, and a long watch may have a value, too.
//
// What the viewer was shown lately and did not want is worth less each time (options.h, graded
// fatigue): the exponential discount of impressions of Lee et al., "Modeling Impression
// Discounting in Large-scale Recommender Systems", KDD 2014.
#pragma once

#include <span>
#include <vector>

#include "features/viewer.h"
#include "models/value_learner.h"
#include "ranking/candidate.h"
#include "ranking/options.h"
#include "ranking/request.h"

namespace shanhuo {

// e_p = P(viewable | position p): max(floor, first * decay^p); fills `out` for 0..count-1.
void examination(const RankingOptions& options, int count, std::vector<double>& out);
// d_p by options.discount; non-increasing.
void discounts(const RankingOptions& options, int count, std::vector<double>& out);

// (clicks + prior * strength) / (impressions + strength), at most 1.
double smoothed_rate(const RankingOptions& options, ItemKind kind, const ItemRates& rates);

// The viewer's side of scoring, made once per request.
class ViewerTaste {
 public:
  ViewerTaste(const RankingOptions& options, const ViewerState& viewer, const World& world,
              bool personalized);
  std::span<const Vector> interests() const { return interests_.vectors(); }
  // Added to the log-odds of a click, within +-lift_log_odds_max.
  double lift(const Listing& item, const BoostCandidate& candidate) const;

 private:
  const RankingOptions& options_;
  const ViewerState& viewer_;
  bool personalized_;
  Interests interests_;
  float categories_ = 0, counties_ = 0, creators_ = 0;  // sums of weights
};

// `rate` with its odds multiplied by exp(lift).
double lifted(double rate, double lift);

// Fills what a candidate is worth; its similarity and fatigue are known.
void score(const RankingOptions& options, const ViewerTaste& taste, const Listing& item,
           const ItemRates& rates, BoostCandidate& candidate);

// The same of a new item (exploration.h) at its best; score() came before.
void score_new(const RankingOptions& options, const ViewerTaste& taste, const Listing& item,
               const ItemRates& rates, BoostCandidate& candidate);

// What the value models say takes the place of what score() made of rates and lifts.
void take_learned(const RankingOptions& options, const ValueLearner::Values& values,
                  BoostCandidate& candidate);

// Values of the organic list in fen, non-increasing. `p_click` as in RankContext::organic_p_click.
void organic_values(const RankingOptions& options, const RankRequest& request,
                    std::span<const double> p_click, std::vector<double>& out);

}  // namespace shanhuo
