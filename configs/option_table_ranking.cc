// The sections of engine.yaml that say how an engine learns, ranks and prices.
#include "configs/option_table.h"
#include "ranking/interests.h"

namespace shanhuo {
namespace {

// The settings of one learner.
void add_value(ValueLearnerOptions& value, const char* meaning, const SectionOf& add) {
  add("enabled", &value.enabled, 0, 0, "", meaning);
  add("labels_min", &value.labels_min, 1, 1e12, "impressions", "before, they make no values");
  add("slots_log2", &value.slots_log2, 8, 24, "",
      "weights of a model, 12 bytes each; another size, here and below, needs shanhuo rebuild");
  add("factor_slots_log2", &value.factor_slots_log2, 5, 22, "", "rows of factors, 64 bytes each");
  add("impressions_log2", &value.impressions_log2, 6, 26, "",
      "impressions that wait for a click or a watch, 48 bytes each");
  add("clicks_log2", &value.clicks_log2, 6, 26, "", "clicks that wait for an order, 48 bytes");
  add("alpha", &value.alpha, 1e-6, 10, "", "rate at which weights learn");
  add("factor_rate", &value.factor_rate, 0, 10, "", "the same of factors; 0: none change");
}

}  // namespace

void add_models(EngineOptions& o, std::vector<Option>& table) {
  SectionOf add{table, "text"};
  add("category", &o.text.category, 0, 10, "", "weight of the category in an item's vector");
  add("title", &o.text.title, 0, 10, "", "weight of the title's character n-grams");
  add("tags", &o.text.tags, 0, 10, "", "weight of the tags together");
  add("county", &o.text.county, 0, 10, "", "weight of the county, half of it the province's");
  add("kind", &o.text.kind, 0, 10, "", "weight of the kind");
  add("creator", &o.text.creator, 0, 10, "", "weight of the creator");
  add.section = "calibration";
  add("score_kind",
      Option::Enum{reinterpret_cast<uint8_t*>(&o.calibration.score_kind), {"any", "probability"}},
      0, 0, "", "what callers send as score; probability: P(click), 0..1, taken as it is");
  add("labels_min", &o.calibration.labels_min, 1, 1e9, "impressions",
      "before so many a surface's map is not used");
  add("first_click_rate", &o.calibration.first_click_rate, 0, 1, "",
      "P(click) at position 0 of a list whose scores mean nothing yet");
  add("position_decay", &o.calibration.position_decay, 0, 1, "", "its factor per position");
  add.section = "value";
  add_value(o.value, "value models learn; the fold takes twice as long", add);
  add("long_watch_ms", &o.value.long_watch_ms, 1, kDayMs, "ms", "of a play that is a long one");
  add("frozen_every_h", &o.value_frozen_every_h, 0, 8'784, "h",
      "a copy that learns nothing in between is taken so often, event time; 0: none "
      "(ranking.value_model: frozen)");
  add.section = "value_second";
  add_value(o.value_second, "another one learns beside it (ranking.value_model: second)", add);
  add.section = "retrieval";
  add("exact_below", &o.retrieval.index.exact_below, 0, 1e9, "items",
      "a smaller catalogue is scanned whole");
  add("recall_target", &o.retrieval.index.recall_target, 0.5, 1, "",
      "share of the true nearest items that an index must find");
  add("watch_one_in", &o.retrieval.watch.one_in, 0, 1e9, "requests",
      "one of so many is searched again, exactly, for the metric of recall; 0: none");
  add("watch_samples_max", &o.retrieval.watch.samples_max, 0, 1'000, "requests",
      "watched every five seconds at most; each costs a scan of all vectors");
  add("delta_max_share", &o.retrieval.delta_max_share, 0, 1, "",
      "share of changed items that makes the index be built again");
  add("delta_always_allowed", &o.retrieval.delta_always_allowed, 0, 1e6, "items",
      "changed items that never do");
  add("small_program_items", &o.retrieval.small_program_items, 0, 200, "items",
      "programs up to this size are candidates for everybody");
  add("fresh_pool", &o.retrieval.fresh_pool, 0, 1'000, "items", "newest items to choose from");
  add("popular_pool", &o.retrieval.popular_pool, 0, 1'000, "items", "popular items to choose from");
  add("segments_max", &o.segments.segments_max, 0, 1e6, "segments",
      "cities on a surface whose popular items are known, 1.6 kB each");
}

void add_vectors(EngineOptions& o, std::vector<Option>& table) {
  const SectionOf add{table, "models"};
  add("dir", &o.models.dir, 0, 4096, "",
      "folder of trained models, one folder a version; empty: models, in data_dir");
  add("items_max", &o.models.items_max, 1, 1e9, "items", "of a model; a larger one is refused");
  add("swap_wait_ms", &o.models.swap_wait_ms, 0, 3'600'000, "ms",
      "a change of the model answers when it serves, or after that long");
}

void add_ranking(EngineOptions& o, std::vector<Option>& table) {
  RankingOptions& r = o.ranking;
  const SectionOf add{table, "ranking"};
  add("value_per_click_fen", &r.value_per_click_fen, 1e-6, 1e5, "fen",
      "what a click is worth to the viewer; compares with missed_value_fen");
  add("prior_click", std::span<double>(r.prior_click), 0, 1, "",
      "P(click) before anyone saw it: farm_good, scenic_video, live_room, video, article, cause, "
      "notice");
  add("prior_impressions", &r.prior_impressions, 1e-6, 1e9, "impressions",
      "strength of that prior");
  add("prior_order", &r.prior_order, 0, 1, "", "P(order | click) before anyone clicked");
  add("prior_clicks", &r.prior_clicks, 1e-6, 1e9, "clicks", "strength of that prior");
  add("similarity_slope", &r.similarity_slope, 0, 10, "",
      "log-odds of a click per unit of cosine with the viewer");
  add("category_slope", &r.category_slope, 0, 10, "", "log-odds for a category of the viewer's");
  add("county_slope", &r.county_slope, 0, 10, "", "log-odds for a county of the viewer's");
  add("creator_slope", &r.creator_slope, 0, 10, "", "log-odds for a creator of the viewer's");
  add("lift_log_odds_max", &r.lift_log_odds_max, 0, 10, "", "bound of their sum");
  add("short_term_weight", &r.short_term_weight, 0, 1, "",
      "of the last day's interest in the viewer's vector, against the last month's");
  add("interests_max", &r.interests_max, 1, kInterestsMax, "",
      "vectors of a viewer whose recent items fall into groups; they share the cost of a search");
  add("interest_cosine_min", &r.interest_cosine_min, -1, 1, "",
      "cosine of an item with the group that it joins; higher: more, smaller groups");
  add("interest_items_min", &r.interest_items_min, 1, kRecentItems, "items",
      "of a group that is an interest");
  add("learned_values", &r.learned_values, 0, 0, "", "value models, once ready, make the values");
  add("value_model",
      Option::Enum{reinterpret_cast<uint8_t*>(&r.value_model),
                   {kValueModelNames.begin(), kValueModelNames.end()}},
      0, 0, "", "which of them: the live one, the second one, or a frozen copy of the live one");
  add("value_per_long_watch_fen", &r.value_per_long_watch_fen, 0, 1e5, "fen", "by value models");
  add("discount", Option::Enum{reinterpret_cast<uint8_t*>(&r.discount), {"examination", "dcg"}}, 0,
      0, "", "how much a position is worth to the viewer");
  add("fatigue_item_slope", &r.fatigue_item_slope, 0, 10, "",
      "log of P(click) that an item loses each time the viewer was shown it and did not want it");
  add("fatigue_creator_slope", &r.fatigue_creator_slope, 0, 10, "",
      "the same for anything of its creator");
  add("viewable_first", &r.viewable_first, 0, 1, "", "P(viewable) at position 0");
  add("viewable_decay", &r.viewable_decay, 0, 1, "", "its factor per position");
  add("viewable_floor", &r.viewable_floor, 0, 1, "", "never below");
  add("retrieve_k", &r.retrieve_k, 1, 1'000, "items",
      "boost candidates scored per request; about 0.1 us each");
  add("fresh_k", &r.fresh_k, 0, 1'000, "items", "of those, newest ones");
  add("popular_k", &r.popular_k, 0, 1'000, "items", "of those, popular ones");
  add("in_turn_k", &r.in_turn_k, 0, 1'000, "items",
      "of those, any, others for each request, so that each item is met by somebody");
  add("user_loss_budget", &r.user_loss_budget, 0, 0.5, "",
      "share of the organic value that viewers may lose");
  add("insertions_max", &r.insertions_max, 0, 3, "items", "boosted items of a page");
  add("search_nodes_max", &r.search_nodes_max, 100, 1e8, "steps",
      "of the exact slot search; reaching it is counted");
  add("page_county_max", &r.page_county_max, 1, 3, "items", "boosted items of a county on a page");
  add("page_creator_max", &r.page_creator_max, 1, 3, "items", "of a creator");
  add("page_category_max", &r.page_category_max, 1, 3, "items", "of a category");
}

void add_exploration(EngineOptions& o, std::vector<Option>& table) {
  RankingOptions& r = o.ranking;
  const SectionOf add{table, "ranking"};
  add("explore_probability", &r.explore_probability, 0, 0.2, "",
      "of drawing among the best pairs instead of taking the best");
  add("explore_best", &r.explore_best, 2, 8, "pairs", "in that draw");
  add("explore_temperature_fen", &r.explore_temperature_fen, 1e-6, 1e6, "fen", "its Gumbel scale");
  add("explore_new_share", &r.explore_new_share, 0, 0.2, "",
      "share of pages that may try one new item at the upper end of its value");
  add("explore_new_budget", &r.explore_new_budget, 0, 0.5, "",
      "share of the organic value that this may cost viewers, of user_loss_budget");
  add("explore_new_viewable", &r.explore_new_viewable, 1e-6, 1e9, "exposures",
      "viewable ones after which an item is no longer new");
  add("explore_new_width", &r.explore_new_width, 0, 10, "",
      "half-width of its rate's interval, as a share of the rate, at which it is not, either");
  add("explore_z", &r.explore_z, 0, 10, "", "standard errors of that half-width");
}

void add_prices(EngineOptions& o, std::vector<Option>& table) {
  PriceControllerOptions& p = o.prices;
  const SectionOf add{table, "prices"};
  add("law",
      Option::Enum{reinterpret_cast<uint8_t*>(&o.price_law.kind),
                   {kPriceLawNames.begin(), kPriceLawNames.end()}},
      0, 0, "", "how prices move: remaining_goal, or one of its published peers");
  add("law_strength", &o.price_law.strength, 0, 1, "",
      "of peers: boost or gain, as a share of missed_value_fen");
  add("step_ms", &p.step, 100, 3'600'000, "ms", "engine time between two moves of the prices");
  add("reservation_ms", &p.reservation, 1'000, kDayMs, "ms",
      "an insertion that was not seen by then is no longer waited for");
  add("finish_early_ms", &p.finish_early, 0, 30 * kDayMs, "ms",
      "pacing aims to be done so long before the deadline");
  add("finish_early_share", &p.finish_early_share, 0, 0.5, "",
      "but never more than this share of the period");
  add("viewer_price_step", &p.viewer_price_step, 0, 10, "",
      "how fast the price of viewers' loss moves");
  add("viewer_price_max", &p.viewer_price_max, 0, 1e6, "", "its bound");
  add("loss_window_ms", &p.loss_window, 1'000, kDayMs, "ms",
      "over which viewers' loss is held within user_loss_budget");
  add("hourly_traffic", std::span<double>(p.hourly_traffic), 0, 1e9, "",
      "share of a day's traffic by hour, UTC+8, any scale, until it is learned");
  add("festivals", &p.festivals, 0, 4096, "",
      "days with so many times their usual traffic, UTC+8: MM-DD=factor or YYYY-MM-DD=factor, with "
      "spaces between");
  add("resolve_ms", &p.resolve.period, 0, kDayMs, "ms",
      "engine time between two looks for the best prices on recent requests; 0: none");
  add("resolve_memory_ms", &p.resolve.memory, 60'000, kDayMs, "ms", "age of the oldest of those");
  add("resolve_requests", &p.resolve.snapshots_max, 16, 4'096, "requests",
      "of them, about 4 kB each; twice as many take twice as long to solve");
  add("resolve_requests_min", &p.resolve.snapshots_min, 1, 4'096, "requests",
      "fewer are not looked at");
  add("resolve_move", &p.resolve.move_share, 0, 1, "",
      "a price moves at most so much of itself towards the best one");
  add("fairness_alpha", &p.welfare.alpha, 0, 10, "",
      "between counties: 0 treats all alike, 1 is proportional, more cares for the worst");
  add("fairness_lambda_fen", &p.welfare.lambda_fen, 0, 1e5, "fen",
      "worth of an exposure to a county that has its share of them; 0: none");
  add("fairness_share_min", &p.welfare.share_min, 1e-3, 1, "",
      "a county with less of its share is worth no more");
  add("fairness_half_life_ms", &p.welfare.half_life, 60'000, 30 * kDayMs, "ms",
      "memory of what counties were given");
  add("first_price_share", &p.first_price_share, 0, 1, "",
      "where a price starts, as a share of missed_value_fen");
  add("price_step", &o.price_law.step_share, 0, 1, "",
      "how fast a price moves, as a share of missed_value_fen");
  add("floor_share", &o.price_law.floor_share, 0, 1, "", "and at least this share of the goal");
  add("floor_units", &o.price_law.floor_units, 1e-6, 1e6, "units",
      "targets of a step below this count as this");
  add("credit_share", &o.price_law.credit_share, 0, 1, "", "how far below zero a price may fall");
}

}  // namespace shanhuo
