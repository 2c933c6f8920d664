// Every number of the read walk that an operator or an experiment may set, with unit and bounds.
// Plain data; configs/ fills it and checks the bounds, ranking only reads it. An experiment's arm
// is another RankingOptions, so two arms run in one process.
#pragma once

#include <array>
#include <cstdint>

#include "features/item.h"
#include "models/value_variations.h"

namespace shanhuo {

// How much a position is worth to the viewer: d_p of allocation.md.
enum class DiscountKind : uint8_t {
  kExamination,  // P(viewable | p), the same curve that deliveries are counted with
  kDcg,          // 1 / log2(2 + p)
};

struct RankingOptions {
  // --- value, in fen ---
  double value_per_click_fen = 5.0;  // what a click is worth to the viewer; > 0, <= 100,000
  // P(click) of an item before anyone saw it, by kind (farm_good, scenic_video, live_room, video,
  // article, cause, notice); each 0..1.
  std::array<double, kItemKinds> prior_click = {0.04, 0.06, 0.05, 0.05, 0.04, 0.03, 0.02};
  double prior_impressions = 50;  // strength of that prior, in impressions; > 0
  double prior_order = 0.03;      // P(order | click) before anyone clicked; 0..1
  double prior_clicks = 30;       // strength of that prior, in clicks; > 0
  // Lift of P(click) for this viewer: odds x exp(clamp(slope * cosine + affinities, -lift, lift)).
  double similarity_slope = 2.0;   // per unit of cosine; 0..10
  double category_slope = 0.5;     // for a category of the viewer's, per unit of its share; 0..10
  double county_slope = 0.3;       // same for the county
  double creator_slope = 0.5;      // same for the creator
  double lift_log_odds_max = 2.5;  // bound of the sum; 0..10
  double short_term_weight = 0.6;  // 0..1: encode_viewer()'s short_share
  // Several interests (interests.h): groups of items that the viewer wanted lately.
  int interests_max = 3;             // vectors of a viewer, the whole one among them; 1..4
  double interest_cosine_min = 0.3;  // of an item with the group that it joins; -1..1
  int interest_items_min = 2;        // of a group that is an interest; 1..30
  // Graded fatigue: P(click) x exp(-(item_slope * f(item) + creator_slope * f(creator))), f the
  // insertions that the viewer was shown lately without wanting them, half-life 1 d
  // (features/fatigue.h).
  double fatigue_item_slope = 0;     // per insertion of the item; 0..10
  double fatigue_creator_slope = 0;  // per insertion of anything of its creator; 0..10
  // What the value models have learned takes the place of rates and lifts, once they are ready
  // (models/value_learner.h).
  bool learned_values = true;
  // Which of them; one that is off or not ready counts as none.
  ValueModelKind value_model = ValueModelKind::kLive;
  double value_per_long_watch_fen = 0;  // beside the click's; learned values alone; 0..100,000
  // --- positions ---
  DiscountKind discount = DiscountKind::kExamination;
  double viewable_first = 0.9;   // P(viewable | position 0); 0..1
  double viewable_decay = 0.96;  // factor per position; 0..1
  double viewable_floor = 0.05;  // never below; 0..1
  // --- candidates ---
  int retrieve_k = 200;  // boost candidates scored per request; 1..1,000; costs about 0.1 us each
  int fresh_k = 20;      // of those, newest items; 0..retrieve_k
  int popular_k = 20;    // of those, popular items; 0..retrieve_k
  int in_turn_k = 40;    // of those, any items, others for each request; 0..retrieve_k
  // --- allocation ---
  double user_loss_budget = 0.02;  // eps: share of the organic value viewers may lose; 0..0.5
  int insertions_max = 3;          // boosted items per page; 0..3
  int search_nodes_max = 50'000;   // steps of the exact search; reaching it is counted
  // Diversity: boosted items of the same county, creator and category on one page; each 1..3.
  int page_county_max = 3;
  int page_creator_max = 3;
  int page_category_max = 3;
  // --- exploration ---
  double explore_probability = 0.01;     // of drawing among the best pairs; 0..0.2
  int explore_best = 4;                  // pairs in the draw; 2..8
  double explore_temperature_fen = 0.5;  // Gumbel scale; > 0
  // New items (exploration.h).
  double explore_new_share = 0;       // of pages that may try one; 0..0.2
  double explore_new_budget = 0.002;  // share of the organic value that this may cost; 0..0.5
  double explore_new_viewable = 200;  // viewable exposures that end it; > 0
  double explore_new_width = 0.25;    // half-width of the rate's interval, as a share of the rate,
                                      // that ends it, too; 0..10
  double explore_z = 1.0;             // standard errors of that half-width; 0..10
};

}  // namespace shanhuo
