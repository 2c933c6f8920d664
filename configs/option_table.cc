// The table of engine.yaml: one row a key, in the order of the file.
#include "configs/engine_options.h"

namespace shanhuo {
namespace {

constexpr double kMaxInt = 2'000'000'000;
constexpr double kDayMs = 86'400'000;

void add_top(EngineOptions& o, std::vector<Option>& table) {
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({"", key, std::move(target), min, max, unit, about});
  };
  add("listen", &o.listen, 0, 64, "host:port",
      "address of the HTTP face; off loopback it needs token_file");
  add("data_dir", &o.data_dir, 0, 4096, "", "folder of the log, the state and the keys");
  add("clock", Option::Enum{reinterpret_cast<uint8_t*>(&o.clock), {"wall", "caller"}}, 0, 0, "",
      "engine time: wall, or caller (each rank request carries now_ms)");
  add("token_file", &o.token_file, 0, 4096, "",
      "SHA-256 of access tokens; empty: no tokens, loopback alone");
  add("web_dir", &o.web_dir, 0, 4096, "", "folder of the static pages");
  add("checkpoint_cache_mib", &o.checkpoint_cache_mib, 1, 65'536, "MiB",
      "block cache of the state on disk");
}

void add_http(EngineOptions& o, std::vector<Option>& table) {
  HttpOptions& http = o.http;
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({"http", key, std::move(target), min, max, unit, about});
  };
  add("threads", &http.threads, 1, 256, "", "threads that serve requests");
  add("connections_max", &http.connections_max, 1, 1'000'000, "",
      "open connections; each costs a socket and about 2 kB");
  add("header_bytes_max", &http.header_bytes_max, 1'024, 1 << 20, "bytes",
      "request line and headers; past it 431");
  add("body_bytes_max", &http.body_bytes_max, 1'024, 1 << 28, "bytes", "past it 413");
  add("inflight_max", &http.inflight_max, 1, 1'000'000, "",
      "requests being answered; past it 503 with retry-after");
  add("header_timeout_ms", &http.header_timeout_ms, 10, kMaxInt, "ms", "a slower client is closed");
  add("body_timeout_ms", &http.body_timeout_ms, 10, kMaxInt, "ms", "a slower client is closed");
  add("idle_timeout_ms", &http.idle_timeout_ms, 10, kMaxInt, "ms",
      "between two requests of a connection");
  add("shutdown_grace_ms", &http.shutdown_grace_ms, 0, kMaxInt, "ms",
      "how long a stop waits for answers");
}

void add_api(EngineOptions& o, std::vector<Option>& table) {
  ApiOptions& api = o.api;
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({"api", key, std::move(target), min, max, unit, about});
  };
  add("candidates_max", &api.candidates_max, 1, 10'000, "", "candidates of a rank request");
  add("items_max", &api.items_max, 1, 100'000, "", "items or creators of a call");
  add("events_max", &api.events_max, 1, 100'000, "", "events of a call");
  add("rank_timeout_ms", &api.rank_timeout_ms, 1, 60'000, "ms",
      "from receipt, where the request names none; then the organic list goes back");
  add("wait_applied_ms", &api.wait_applied_ms, 10, 600'000, "ms",
      "a write of items answers when it is visible, or 503 after that long");
  add("slate_memory_ms", &api.slate_memory_ms, 1'000, kDayMs, "ms",
      "a repeated request within it gets the same slate");
  add("slates_max", &api.slates_max, 1, 100'000'000, "", "remembered slates, about 2 kB each");
  add("exposures_max", &api.exposures_max, 8, 1e10, "", "remembered exposures, 8 bytes each");
}

void add_stream(EngineOptions& o, std::vector<Option>& table) {
  std::string_view section = "log";
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({section, key, std::move(target), min, max, unit, about});
  };
  add("queue_bytes_max", &o.log.queue_bytes_max, 1 << 16, 1e12, "bytes",
      "appended and not yet durable; past it 503");
  add("group_bytes_max", &o.log.group_bytes_max, 1 << 12, 1 << 28, "bytes",
      "of one synced write; higher: fewer syncs, longer waits");
  add("tail_bytes_max", &o.log.tail_bytes_max, 1 << 16, 1e12, "bytes",
      "newest records kept in memory for readers");
  add("lazy_linger_ms", &o.log.lazy_linger_ms, 0, 50, "ms",
      "decisions wait at most so long to be written together");
  add("retention_h", &o.log.retention_h, 1, 100'000, "h",
      "records that no checkpoint needs are kept so long");
  section = "stream";
  add("kind", Option::Enum{reinterpret_cast<uint8_t*>(&o.stream_kind), {"embedded", "kafka"}}, 0, 0,
      "", "the log: embedded (section log, in data_dir), or kafka (section kafka)");
  add("poll_records_max", &o.stream.poll_records_max, 1, 100'000, "records",
      "folded between two looks at the clock");
  add("poll_timeout_ms", &o.stream.poll_timeout_ms, 1, 10'000, "ms",
      "an idle fold looks at the clock so often");
  add("checkpoint_records", &o.stream.checkpoint_records, 1, 1e12, "records",
      "a checkpoint begins after so many records");
  add("checkpoint_interval_ms", &o.stream.checkpoint_interval_ms, 10, kDayMs, "ms",
      "or after that long; longer: less writing, longer restart");
  add("checkpoint_step_records", &o.stream.checkpoint_step_records, 1, 1e6, "records",
      "written between two polls; higher: shorter checkpoints, coarser freshness");
  add("future_max_ms", &o.stream.future_max, 0, kDayMs, "ms",
      "an event so far past its acceptance is dead (ts_in_future)");
  add("late_after_ms", &o.stream.late_after, 60'000, 30 * kDayMs, "ms",
      "an event so far behind the watermark is late");
  section = "dedup";
  add("entries_max", &o.dedup.entries_max, 1'000, 1e11, "",
      "remembered event ids, 11 to 21 bytes each");
  add("window_ms", &o.dedup.window, 3'600'000, 30 * kDayMs, "ms",
      "a repeated event within it is a duplicate");
}

void add_kafka(EngineOptions& o, std::vector<Option>& table) {
  KafkaOptions& kafka = o.kafka;
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({"kafka", key, std::move(target), min, max, unit, about});
  };
  add("bootstrap", &kafka.bootstrap, 1, 4096, "host:port", "of the cluster, several with commas");
  add("group", &kafka.group, 1, 249, "",
      "consumer group under which tools show the lag; one engine's or its members'");
  add("topic_prefix", &kafka.topic_prefix, 0, 200, "",
      "before items, interactions, decisions, dead-letters");
  add("members", &kafka.members, 0, 0, "",
      "several engines on one data folder: one leads, the others stand by");
  add("session_timeout_ms", &kafka.session_timeout_ms, 1'000, 3'600'000, "ms",
      "a member silent for so long is replaced; brokers allow 6 s and more");
  add("security_protocol", &kafka.security_protocol, 0, 32, "",
      "plaintext, ssl, sasl_plaintext or sasl_ssl; empty: plaintext");
  add("sasl_mechanism", &kafka.sasl_mechanism, 0, 32, "", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
  add("sasl_username", &kafka.sasl_username, 0, 256, "", "empty: no SASL");
  add("sasl_password_file", &kafka.sasl_password_file, 0, 4096, "",
      "its first line; empty: environment SHANHUO_KAFKA_PASSWORD");
  add("ssl_ca_location", &kafka.ssl_ca_location, 0, 4096, "", "empty: the system's");
  add("ssl_certificate_location", &kafka.ssl_certificate_location, 0, 4096, "",
      "of the engine, where brokers ask for one");
  add("ssl_key_location", &kafka.ssl_key_location, 0, 4096, "", "its private key");
  add("queue_bytes_max", &kafka.queue_bytes_max, 1 << 16, 1e9, "bytes",
      "appended and not yet delivered; past it 503");
  add("fetch_bytes_max", &kafka.fetch_bytes_max, 1 << 20, 2e9, "bytes",
      "fetched ahead of the fold, of each partition; lower: slower catch-up");
  add("linger_ms", &kafka.linger_ms, 0, 1'000, "ms", "an append waits so long for others");
  add("append_timeout_ms", &kafka.append_timeout_ms, 100, 600'000, "ms",
      "events and items not delivered by then: 503");
  add("lazy_timeout_ms", &kafka.lazy_timeout_ms, 1'000, kDayMs, "ms",
      "decisions wait so long for a broker");
  add("open_timeout_ms", &kafka.open_timeout_ms, 100, 600'000, "ms",
      "a start waits so long for the cluster and its topics");
}

void add_features(EngineOptions& o, std::vector<Option>& table) {
  FeatureStoreOptions& f = o.features;
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({"features", key, std::move(target), min, max, unit, about});
  };
  add("viewers_max", &f.viewers.viewers_max, 1, 1e10, "viewers",
      "profiles in memory and on disk, at most 600 bytes each");
  add("viewers_bytes_max", &f.viewers.memory_bytes_max, 4 << 20, 1e12, "bytes",
      "of profiles in memory; the coldest live on disk, a look costs some 10 us");
  add("half_life_short_ms", &f.profile.half_life_short, 60'000, 365 * kDayMs, "ms",
      "of the interest of the day");
  add("half_life_long_ms", &f.profile.half_life_long, 60'000, 3'650 * kDayMs, "ms",
      "of the steady interest");
  add("half_life_affinity_ms", &f.profile.half_life_affinity, 60'000, 3'650 * kDayMs, "ms",
      "of categories, counties and creators");
  add("session_gap_ms", &f.profile.session_gap, 60'000, kDayMs, "ms",
      "a longer pause ends a viewer's session");
  add("insertions_max", &f.frequency.insertions_max, 1, 1e5, "insertions",
      "remembered per viewer for frequency caps, 40 bytes each");
  add("exposure_bytes_max", &f.exposure.bytes_max, 1 << 20, 1e12, "bytes",
      "of the last 25 hours' rollups in memory");
  add("exposure_query_records_max", &f.exposure.query_records_max, 1'000, 1e9, "records",
      "of one exposure report, about 1 us each");
  add("orders_max", &f.ledger.orders_max, 1'000, 1e9, "orders",
      "remembered for refunds, about 250 bytes each");
  add("viewable_entries_max", &f.viewable_entries_max, 1'000, 1e11, "",
      "remembered viewable exposures, 11 to 21 bytes each");
  add("token_entries_max", &f.token_entries_max, 1'000, 1e11, "",
      "remembered tokens, 11 to 21 bytes each");
}

void add_invalid_traffic(EngineOptions& o, std::vector<Option>& table) {
  InvalidTrafficOptions& rules = o.features.invalid;
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({"invalid_traffic", key, std::move(target), min, max, unit, about});
  };
  add("self_events", &rules.self_events, 0, 1, "",
      "rule: what a creator does on its own items (user_id = creator_id) counts for nothing");
  add("watch_duration_factor", &rules.watch_duration_factor, 0, 1e6, "",
      "rule: nobody watches an item longer than this times its duration, ...; 0: off");
  add("watch_grace_ms", &rules.watch_grace, 0, 7 * kDayMs, "ms",
      "... plus this; where the duration is unknown, longer than a day");
  add("watch_max_ms", &rules.watch_max, 0, 1e12, "ms",
      "rule: nor more than this in one window, all items together; 0: off");
  add("events_max", &rules.events_max, 0, 1e9, "events",
      "rule: a viewer with more of them in one window is invalid for that window; 0: off");
  add("window_ms", &rules.window, 60'000, kDayMs / 4, "ms", "of the two rules above, event time");
  add("take_back_ms", &rules.take_back, 0, kDayMs / 4 * 3, "ms",
      "a window is watched so long after its end; longer: more memory");
  add("viewers_max", &rules.viewers_max, 1, 1e9, "viewers",
      "watched, by window, about 130 bytes each");
  add("remembered_bytes_max", &rules.remembered_bytes_max, 0, 1e12, "bytes",
      "of what they counted in windows that are watched, about 15 an event");
}

void add_models(EngineOptions& o, std::vector<Option>& table) {
  std::string_view section = "text";
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({section, key, std::move(target), min, max, unit, about});
  };
  add("category", &o.text.category, 0, 10, "", "weight of the category in an item's vector");
  add("title", &o.text.title, 0, 10, "", "weight of the title's character n-grams");
  add("tags", &o.text.tags, 0, 10, "", "weight of the tags together");
  add("county", &o.text.county, 0, 10, "", "weight of the county, half of it the province's");
  add("kind", &o.text.kind, 0, 10, "", "weight of the kind");
  add("creator", &o.text.creator, 0, 10, "", "weight of the creator");
  section = "calibration";
  add("score_kind",
      Option::Enum{reinterpret_cast<uint8_t*>(&o.calibration.score_kind), {"any", "probability"}},
      0, 0, "", "what callers send as score; probability: P(click), 0..1, taken as it is");
  add("labels_min", &o.calibration.labels_min, 1, 1e9, "impressions",
      "before so many a surface's map is not used");
  add("first_click_rate", &o.calibration.first_click_rate, 0, 1, "",
      "P(click) at position 0 of a list whose scores mean nothing yet");
  add("position_decay", &o.calibration.position_decay, 0, 1, "", "its factor per position");
  section = "value";
  add("enabled", &o.value.enabled, 0, 0, "", "value models learn; the fold is half as fast");
  add("labels_min", &o.value.labels_min, 1, 1e12, "impressions", "before, they make no values");
  add("long_watch_ms", &o.value.long_watch_ms, 1, kDayMs, "ms", "of a play that is a long one");
  add("slots_log2", &o.value.slots_log2, 8, 24, "",
      "weights of a model, 12 bytes each; another size, here and below, needs shanhuo rebuild");
  add("factor_slots_log2", &o.value.factor_slots_log2, 5, 22, "", "rows of factors, 64 bytes each");
  add("impressions_log2", &o.value.impressions_log2, 6, 26, "",
      "impressions that wait for a click or a watch, 48 bytes each");
  add("clicks_log2", &o.value.clicks_log2, 6, 26, "", "clicks that wait for an order, 48 bytes");
  add("alpha", &o.value.alpha, 1e-6, 10, "", "rate at which weights learn");
  add("factor_rate", &o.value.factor_rate, 0, 10, "", "the same of factors; 0: none change");
  section = "retrieval";
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
}

void add_ranking(EngineOptions& o, std::vector<Option>& table) {
  RankingOptions& r = o.ranking;
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({"ranking", key, std::move(target), min, max, unit, about});
  };
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
  add("learned_values", &r.learned_values, 0, 0, "", "value models, once ready, make the values");
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
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({"ranking", key, std::move(target), min, max, unit, about});
  };
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
  const auto add = [&](std::string_view key, Option::Target target, double min, double max,
                       std::string_view unit, std::string_view about) {
    table.push_back({"prices", key, std::move(target), min, max, unit, about});
  };
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

}  // namespace

std::vector<Option> option_table(EngineOptions& options) {
  std::vector<Option> table;
  add_top(options, table);
  add_http(options, table);
  add_api(options, table);
  add_stream(options, table);
  add_kafka(options, table);
  add_features(options, table);
  add_invalid_traffic(options, table);
  add_models(options, table);
  add_ranking(options, table);
  add_exploration(options, table);
  add_prices(options, table);
  return table;
}

}  // namespace shanhuo
