// The sections of engine.yaml that say where an engine stands and what it keeps; those of models,
// ranking and prices are in option_table_ranking.cc.
#include "configs/option_table.h"

namespace shanhuo {
namespace {

void add_top(EngineOptions& o, std::vector<Option>& table) {
  const SectionOf add{table, ""};
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
  const SectionOf add{table, "http"};
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
  add("tls_certificate", &http.tls_certificate, 0, 4096, "",
      "PEM file with the chain, read again when it changes; empty: plain, loopback alone");
  add("tls_key", &http.tls_key, 0, 4096, "", "PEM file of its private key, without a passphrase");
}

void add_access(EngineOptions& o, std::vector<Option>& table) {
  const SectionOf add{table, "access"};
  add("session_h", &o.access.session_h, 0.01, 8'784, "h", "how long a page stays signed in");
  add("sessions_max", &o.access.sessions_max, 1, 1e7, "",
      "people signed in at once, about 400 bytes each; past it the oldest is signed out");
}

void add_api(EngineOptions& o, std::vector<Option>& table) {
  ApiOptions& api = o.api;
  const SectionOf add{table, "api"};
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

void add_experiments(EngineOptions& o, std::vector<Option>& table) {
  const SectionOf add{table, "experiments"};
  add("stale_ms", &o.experiments.stale_ms, 1'000, kDayMs, "ms",
      "engine time without events after which no ramp goes on by itself");
  add("guardrail_viewers_min", &o.experiments.guardrail_viewers_min, 2, 1e9, "viewers",
      "in a variation; with fewer no guardrail acts");
  add("guardrail_pages_min", &o.experiments.guardrail_pages_min, 2, 1e9, "pages",
      "in a variation; with fewer, error_rate and latency do not act");
  add("guardrail_window_ms", &o.experiments.guardrail_window_ms, 60'000, kDayMs, "ms",
      "engine time of whose pages they speak; longer: surer, slower to see what begins late");
  add("dry_run_ms", &o.experiments.dry_run_ms, 10, 60'000, "ms", "of ranking in a dry run at most");
  add("dry_run_requests_min", &o.experiments.dry_run_requests_min, 1, 1'000, "requests",
      "a dry run that can rank fewer says nothing");
  add("dry_run_items_max", &o.experiments.dry_run_items_max, 1, 1e9, "items",
      "with more of them no program is tried: its index takes too long");
}

void add_stream(EngineOptions& o, std::vector<Option>& table) {
  SectionOf add{table, "log"};
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
  add.section = "stream";
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
  add.section = "dedup";
  add("entries_max", &o.dedup.entries_max, 1'000, 1e11, "",
      "remembered event ids, 11 to 21 bytes each");
  add("window_ms", &o.dedup.window, 3'600'000, 30 * kDayMs, "ms",
      "a repeated event within it is a duplicate");
}

void add_kafka(EngineOptions& o, std::vector<Option>& table) {
  KafkaOptions& kafka = o.kafka;
  const SectionOf add{table, "kafka"};
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
  const SectionOf add{table, "features"};
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
  add("experiment_viewers_max", &f.experiments.viewers_max, 1'000, 1e9, "viewers",
      "whose results are kept, by experiment and phase, about 250 bytes each; beyond: left out");
  add("experiment_keep_days", &f.experiments.keep_days, 1, 3'650, "days",
      "results of an experiment that nobody new has met for so long are let go");
}

void add_invalid_traffic(EngineOptions& o, std::vector<Option>& table) {
  InvalidTrafficOptions& rules = o.features.invalid;
  const SectionOf add{table, "invalid_traffic"};
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

void add_giving(EngineOptions& o, std::vector<Option>& table) {
  GivingOptions& giving = o.giving;
  const SectionOf add{table, "giving"};
  add("accounts_max", &giving.accounts_max, 1, 1e9, "viewers",
      "with points, about 400 bytes each; beyond, deeds of others earn nothing");
  add("orders_max", &giving.orders_max, 1, 1e9, "orders",
      "that gave to causes, remembered for refunds, about 250 bytes each");
  add("requests_max", &giving.requests_max, 1'000, 1e9, "pledges",
      "a repeated one gets the same answer, about 300 bytes each");
  add("block_entries_max", &giving.block_entries_max, 1, 1e6, "entries",
      "of the ledger between two signatures, at most; a proof reads as many");
}

}  // namespace

std::vector<Option> option_table(EngineOptions& options) {
  std::vector<Option> table;
  add_top(options, table);
  add_http(options, table);
  add_access(options, table);
  add_api(options, table);
  add_experiments(options, table);
  add_stream(options, table);
  add_kafka(options, table);
  add_features(options, table);
  add_invalid_traffic(options, table);
  add_giving(options, table);
  add_models(options, table);
  add_vectors(options, table);
  add_ranking(options, table);
  add_exploration(options, table);
  add_prices(options, table);
  return table;
}

}  // namespace shanhuo
