// Whether it lives, what it is, what it counted (contract 2.9), and backups.
#include "serving/http_api.h"
#include "serving/openapi.h"
#include "serving/version.h"

namespace shanhuo {
namespace {

HttpResponse plain(int status, std::string body) {
  HttpResponse response = json_answer(status, std::move(body));
  response.content_type = "text/plain; charset=utf-8";
  return response;
}

void write_events(JsonWriter& json, const PipelineStats& stats, const Metrics& metrics,
                  const FeatureStoreStats& features) {
  json.key("events");
  json.begin_object();
  json.field("accepted", stats.accepted);
  json.field("rejected", metrics.events_rejected.value());
  json.field("applied", stats.applied);
  json.field("duplicate", stats.duplicate);
  json.field("late", stats.late);
  json.field("dead", stats.dead);
  json.key("dead_by_reason");
  json.begin_object();
  for (const auto& [reason, count] : stats.dead_by_reason) json.field(reason, count);
  json.end_object();
  json.field("token_expired", features.token_expired);
  json.end_object();
}

// What counted for nothing, and what has been taken back (features/invalid_traffic.h).
void write_invalid(JsonWriter& json, const FeatureStoreStats& features) {
  json.key("invalid_traffic");
  json.begin_object();
  for (size_t i = 1; i < features.invalid.size(); ++i) {
    json.field(invalid_reason_name(static_cast<InvalidReason>(i)), features.invalid[i]);
  }
  json.field("taken_back", features.taken_back);
  json.field("taken_back_partly", features.taken_back_partly);
  json.field("orders_flagged", features.orders_flagged);
  json.field("unwatched", features.invalid_unwatched);
  json.field("forgotten", features.invalid_forgotten);
  json.end_object();
}

// Upper bound of the bucket that holds the quantile.
double freshness_quantile(const PipelineStats& stats, double q) {
  uint64_t sum = 0, seen = 0;
  for (const uint64_t count : stats.freshness_ms) sum += count;
  for (size_t i = 0; i < stats.freshness_ms.size() && sum > 0; ++i) {
    seen += stats.freshness_ms[i];
    if (static_cast<double>(seen) >= q * static_cast<double>(sum)) return kFreshnessMs[i];
  }
  return 0;
}

void write_quantiles(JsonWriter& json, double p50_ms, double p99_ms) {
  json.field("p50_ms", p50_ms);
  json.field("p99_ms", p99_ms);
}

void write_rank(JsonWriter& json, const Metrics& metrics) {
  json.key("rank");
  json.begin_object();
  json.field("requests", metrics.rank_requests.value());
  json.field("inserted", metrics.boosts_inserted.value());
  write_quantiles(json, 1e3 * metrics.rank_latency.quantile_s(0.5),
                  1e3 * metrics.rank_latency.quantile_s(0.99));
  json.key("degraded");
  json.begin_object();
  for (const auto& series : metrics.degraded.read()) {
    json.field(series.label_values.front(), series.count);
  }
  json.end_object();
  json.end_object();
}

void write_memory(JsonWriter& json, const FeatureStoreStats& features) {
  json.key("bytes");
  json.begin_object();
  json.field("viewers", features.viewer_bytes);
  json.field("items", features.item_bytes);
  json.field("exposure", features.exposure_bytes);
  json.field("ledger", features.ledger_bytes);
  json.field("programs", features.program_bytes);
  json.field("dedup", features.dedup_bytes);
  json.field("interner", features.interner_bytes);
  json.field("invalid_traffic", features.invalid_bytes);
  json.end_object();
}

void write_cold_viewers(JsonWriter& json, const ViewerTableStats& table) {
  json.key("cold_viewers");
  json.begin_object();
  json.field("on_disk", table.cold);
  json.field("reads", table.cold_reads);
  json.field("looks", table.cold_looks);
  json.field("looks_failed", table.cold_failures);
  json.field("evicted", table.evicted);
  json.field("grown", table.grown);
  json.field("stalls", table.stalls);
  json.end_object();
}

void write_map(JsonWriter& json, std::string_view name,
               const std::vector<ProbabilityMap::Point>& map) {
  json.key(name);
  json.begin_array();
  for (const ProbabilityMap::Point& point : map) {
    if (point.labels < 1) continue;
    json.begin_object();
    json.field("from", static_cast<double>(point.before));
    json.field("to", static_cast<double>(point.after));
    json.field("labels", static_cast<double>(point.labels));
    json.end_object();
  }
  json.end_array();
}

void write_values(JsonWriter& json, std::string_view name, const ValueLearner& learner) {
  const ValueLearner::Stats stats = learner.stats();
  json.key(name);
  json.begin_object();
  json.field("ready", learner.ready());
  json.field("impressions", stats.impressions);
  json.field("clicks", stats.clicks);
  json.field("long_watches", stats.long_watches);
  json.field("orders", stats.orders);
  json.field("labels_lost", stats.labels_lost);
  json.field("bytes", stats.bytes);
  write_map(json, "click_map", stats.click_map);
  write_map(json, "order_map", stats.order_map);
  json.end_object();
}

}  // namespace

void HttpApi::healthz(Call& call) { call.respond(plain(200, "ok\n")); }

void HttpApi::readyz(Call& call) {
  std::string why;
  const bool ready = engine_.ready(why);
  call.respond(ready ? plain(200, "ready\n") : plain(503, why + "\n"));
}

void HttpApi::version(Call& call) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("name", "shanhuo");
  json.field("version", kVersion);
  json.field("api", "v1");
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::openapi(Call& call) { call.respond(json_answer(200, std::string(openapi_json()))); }

void HttpApi::metrics(Call& call) {
  engine_.sync_metrics();
  HttpResponse response = json_answer(200, engine_.metrics().render());
  response.content_type = kMetricsContentType;
  call.respond(std::move(response));
}

void HttpApi::stats(Call& call) {
  const PipelineStats stats = engine_.pipeline().stats();
  const FeatureStoreStats features = engine_.features().stats();
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_events(json, stats, engine_.metrics(), features);
  write_invalid(json, features);
  json.field("lag_records", stats.lag_records);
  json.field("watermark_ms", stats.watermark.count());
  json.field("engine_time_ms", engine_.time().now().count());
  json.key("freshness_ms");
  json.begin_object();
  json.field("p50", freshness_quantile(stats, 0.5));
  json.field("p99", freshness_quantile(stats, 0.99));
  json.end_object();
  write_rank(json, engine_.metrics());
  json.field("user_loss_ratio", engine_.prices().user_loss_ratio());
  json.field("viewers", features.viewers);
  json.field("items", engine_.catalogue()->items);
  json.field("boostable", engine_.world()->boostable().size());
  json.field("decisions_lost", engine_.decisions().lost());
  json.field("checkpoints", stats.checkpoints);
  write_memory(json, features);
  write_cold_viewers(json, features.table);
  json.key("value_models");
  json.begin_object();
  for (size_t kind = 0; kind < kValueModelKinds; ++kind) {
    const ValueLearner* const learner = engine_.values()[kind];
    if (learner != nullptr) write_values(json, kValueModelNames[kind], *learner);
  }
  json.end_object();
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

// {"directory": "/path/that/does/not/exist"}
void HttpApi::post_backup(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> body = parse(call, *document);
  if (!body) return;
  static constexpr std::array<std::string_view, 1> kNames = {"directory"};
  std::array<json::Value, 1> fields;
  json::FieldErrors errors;
  const json::Pointer root;
  json::read_fields(*body, kNames, fields, root, errors);
  const auto directory = json::text_of(fields[0], 4096, json::Pointer(root, "directory"), errors);
  if (!errors.empty()) {
    call.respond(unprocessable(errors));
    return;
  }
  const Status status = engine_.backup(std::string(*directory));
  if (!status.ok()) {
    call.respond(problem(status.error()));
    return;
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("directory", *directory);
  json.end_object();
  call.respond(json_answer(201, std::move(out)));
}

}  // namespace shanhuo
