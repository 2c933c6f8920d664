// render() copies our numbers into prometheus-cpp's plain structs and lets its serializer write and
// escape the text: its own Histogram takes a lock for every observation, ours does not.
#include "serving/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <utility>

#include "base/check.h"

namespace shanhuo {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Families = std::vector<MetricFamily>;

constexpr double kRankBounds[] = {50e-6, 100e-6, 150e-6, 200e-6, 300e-6, 400e-6, 500e-6, 750e-6,
                                  1e-3,  1.5e-3, 2e-3,   3e-3,   4e-3,   5e-3,   7.5e-3, 10e-3,
                                  15e-3, 20e-3,  30e-3,  50e-3,  100e-3, 1.0};
constexpr double kFreshnessBounds[] = {1e-3,   2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3,
                                       500e-3, 1.0,  2.0,  5.0,   10.0,  30.0,  60.0,   300.0};

MetricFamily& family(Families& out, std::string name, std::string help, MetricType type) {
  MetricFamily& added = out.emplace_back();
  added.name = "shanhuo_" + std::move(name);
  added.help = std::move(help);
  added.type = type;
  return added;
}

ClientMetric& labelled(MetricFamily& out, const std::vector<std::string>& names,
                       const std::vector<std::string>& values) {
  ClientMetric& metric = out.metric.emplace_back();
  for (size_t i = 0; i < names.size(); ++i) metric.label.push_back({names[i], values[i]});
  return metric;
}

void add_counter(Families& out, std::string name, std::string help, uint64_t count) {
  family(out, std::move(name), std::move(help), MetricType::Counter)
      .metric.emplace_back()
      .counter.value = static_cast<double>(count);
}

void add_gauge(Families& out, std::string name, std::string help, double value) {
  family(out, std::move(name), std::move(help), MetricType::Gauge)
      .metric.emplace_back()
      .gauge.value = value;
}

void add_counters(Families& out, std::string name, std::string help,
                  const CounterFamily& counters) {
  MetricFamily& added = family(out, std::move(name), std::move(help), MetricType::Counter);
  for (const CounterFamily::Series& series : counters.read()) {
    labelled(added, counters.label_names(), series.label_values).counter.value =
        static_cast<double>(series.count);
  }
}

void add_histogram(Families& out, std::string name, std::string help, const Histogram& histogram) {
  auto& shown = family(out, std::move(name), std::move(help), MetricType::Histogram)
                    .metric.emplace_back()
                    .histogram;
  uint64_t cumulative = 0;
  const auto bounds = histogram.bounds_s();
  for (size_t i = 0; i <= bounds.size(); ++i) {
    cumulative += histogram.bucket(i);
    const double bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    shown.bucket.push_back({cumulative, bound});
  }
  shown.sample_count = cumulative;
  shown.sample_sum = histogram.sum_s();
}

void add_events(Families& out, const Metrics& m) {
  MetricFamily& events =
      family(out, "events_total",
             "Events by what became of them; applied, duplicate, late and dead end "
             "the accepted ones.",
             MetricType::Counter);
  const std::pair<const char*, const Counter&> results[] = {
      {"accepted", m.events_accepted}, {"rejected", m.events_rejected},
      {"applied", m.events_applied},   {"duplicate", m.events_duplicate},
      {"late", m.events_late},         {"dead", m.events_dead}};
  for (const auto& [result, counter] : results) {
    labelled(events, {"result"}, {result}).counter.value = static_cast<double>(counter.value());
  }
  add_counters(out, "event_unknown_fields_total", "Fields of events that were skipped, by name.",
               m.event_unknown_fields);
  add_counters(out, "dead_letters_total", "Dead events by reason.", m.dead_letters);
  add_counter(out, "token_expired_total", "Events whose token had expired; applied as organic.",
              m.token_expired.value());
  add_counters(out, "invalid_events_total",
               "Invalid traffic by rule: events that count for nothing.", m.invalid_events);
  add_counter(out, "taken_back_total",
              "Events that had counted until their viewer was found invalid.",
              m.taken_back.value());
}

void add_programs(Families& out, std::vector<ProgramMetric> programs) {
  if (programs.size() > Metrics::kProgramsMax) programs.resize(Metrics::kProgramsMax);
  MetricFamily delivered, price;
  delivered.name = "shanhuo_program_delivered_total";
  delivered.help = "Units delivered towards the program's goals.";
  delivered.type = MetricType::Counter;
  price.name = "shanhuo_program_price";
  price.help = "Shadow price of the program, fen a unit.";
  price.type = MetricType::Gauge;
  for (const ProgramMetric& program : programs) {
    labelled(delivered, {"program"}, {program.program}).counter.value =
        static_cast<double>(program.delivered);
    labelled(price, {"program"}, {program.program}).gauge.value = program.price;
  }
  out.push_back(std::move(delivered));
  out.push_back(std::move(price));
}

void add_lags(Families& out, const std::vector<int64_t>& lags) {
  prometheus::MetricFamily family;
  family.name = "shanhuo_stream_partition_lag_records";
  family.help = "Interactions on the log that are not yet applied, by partition.";
  family.type = prometheus::MetricType::Gauge;
  for (size_t partition = 0; partition < lags.size(); ++partition) {
    prometheus::ClientMetric metric;
    metric.label = {{"partition", std::to_string(partition)}};
    metric.gauge.value = static_cast<double>(lags[partition]);
    family.metric.push_back(std::move(metric));
  }
  out.push_back(std::move(family));
}

void add_kafka(Families& out, const KafkaStats& stats) {
  add_counter(out, "kafka_delivered_total", "Records appended to Kafka.", stats.delivered);
  add_counter(out, "kafka_refused_total", "Records that Kafka did not take.", stats.refused);
  add_counter(out, "kafka_errors_total", "Errors of brokers and connections.", stats.errors);
  add_counter(out, "kafka_reconnects_total", "Connections made again.", stats.reconnects);
  add_counter(out, "kafka_producers_renewed_total", "Producers replaced after a fatal error.",
              stats.producers_renewed);
  add_counter(out, "kafka_foreign_stamps_total",
              "Records read without the broker's stamp: a topic lacks LogAppendTime.",
              stats.foreign_stamps);
  add_gauge(out, "kafka_queued_bytes", "Appended and not yet delivered.",
            static_cast<double>(stats.queued_bytes));
}

void add_member(Families& out, const MemberMetric& member) {
  add_gauge(out, "leader", "1: this engine leads; 0: it stands by.", member.leads ? 1 : 0);
  add_gauge(out, "leader_epoch", "Number of the state that it leads, or led last.",
            static_cast<double>(member.epoch));
  add_counter(out, "leader_led_total", "Times that it has begun to lead.", member.led);
  add_counter(out, "leader_fenced_total", "Times that somebody newer took over from it.",
              member.fenced);
  add_counter(out, "leader_writes_refused_total",
              "Checkpoints not written, since somebody newer had taken over.",
              member.writes_refused);
}

void add_experiments(Families& out, const Metrics& metrics) {
  add_counters(out, "experiment_exposures_total", "Units that met a variation, each once.",
               metrics.experiment_exposures);
  add_gauge(out, "boosting_off", "1 when all boosting is switched off.",
            metrics.boosting_off.value());
  add_gauge(out, "experiments_refused", "1 when experiment files on disk are refused.",
            metrics.experiments_refused.value());
  add_counter(out, "experiment_exposures_lost_total",
              "Exposures of viewers that the log did not take: results lack them.",
              metrics.experiment_exposures_lost.value());
  add_counter(out, "experiment_left_out_total",
              "Exposures of viewers that results had no room for.",
              metrics.experiment_left_out.value());
  add_counter(out, "token_variations_left_total",
              "Pages whose viewer is in more variations than tokens carry.",
              metrics.token_variations_left.value());
  if (metrics.read_exposures_forgotten) {
    add_counter(out, "exposures_forgotten_total",
                "Exposures that would be counted again (api.exposures_max).",
                metrics.read_exposures_forgotten());
  }
}

}  // namespace

Histogram::Histogram(std::span<const double> upper_bounds_s) : bounds_s_(upper_bounds_s) {
  CHECK(bounds_s_.size() <= kBoundsMax);
  CHECK(std::is_sorted(bounds_s_.begin(), bounds_s_.end()));
  for (size_t i = 0; i < bounds_s_.size(); ++i) bounds_ns_[i] = std::llround(bounds_s_[i] * 1e9);
}

void Histogram::observe_ns(int64_t ns) { add(ns, 1); }

void Histogram::observe_many(double seconds, uint64_t count) {
  add(static_cast<int64_t>(seconds * 1e9), count);
}

void Histogram::add(int64_t ns, uint64_t count) {
  const auto end = bounds_ns_.begin() + static_cast<ptrdiff_t>(bounds_s_.size());
  const auto at = std::lower_bound(bounds_ns_.begin(), end, ns) - bounds_ns_.begin();
  buckets_[static_cast<size_t>(at)].fetch_add(count, std::memory_order_relaxed);
  sum_ns_.fetch_add(ns * static_cast<int64_t>(count), std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
  uint64_t total = 0;
  for (size_t i = 0; i <= bounds_s_.size(); ++i) total += bucket(i);
  return total;
}

double Histogram::quantile_s(double q) const {
  const uint64_t total = count();
  if (total == 0) return 0;
  const double wanted = q * static_cast<double>(total);
  uint64_t cumulative = 0;
  for (size_t i = 0; i < bounds_s_.size(); ++i) {
    cumulative += bucket(i);
    if (static_cast<double>(cumulative) >= wanted) return bounds_s_[i];
  }
  return std::numeric_limits<double>::infinity();
}

CounterFamily::CounterFamily(std::vector<std::string> label_names, size_t series_max)
    : label_names_(std::move(label_names)), series_max_(series_max) {}

Counter& CounterFamily::at(std::string_view value) { return at_key({std::string(value)}); }

Counter& CounterFamily::at(std::string_view first, std::string_view second) {
  return at_key({std::string(first), std::string(second)});
}

Counter& CounterFamily::at_key(std::vector<std::string> key) {
  CHECK(key.size() == label_names_.size());
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = series_.find(key); found != series_.end()) return *found->second;
  }
  const std::lock_guard lock(mutex_);
  if (!series_.contains(key) && series_.size() >= series_max_) {
    key.assign(label_names_.size(), "other");
  }
  std::unique_ptr<Counter>& counter = series_[std::move(key)];
  if (counter == nullptr) counter = std::make_unique<Counter>();
  return *counter;
}

std::vector<CounterFamily::Series> CounterFamily::read() const {
  const std::shared_lock lock(mutex_);
  std::vector<Series> all;
  all.reserve(series_.size());
  for (const auto& [values, counter] : series_) all.push_back({values, counter->value()});
  return all;
}

Metrics::Metrics() : rank_latency(kRankBounds), freshness(kFreshnessBounds) {}

void Metrics::set_lags(const std::vector<int64_t>& lags) {
  const std::lock_guard lock(stream_mutex_);
  lags_ = lags;
}

void Metrics::set_kafka(const KafkaStats& stats) {
  const std::lock_guard lock(stream_mutex_);
  kafka_ = stats;
}

std::string Metrics::render() const {
  Families out;
  add_events(out, *this);
  add_histogram(out, "rank_latency_seconds", "Receipt of a rank request to its answer.",
                rank_latency);
  add_histogram(out, "freshness_seconds", "Event durable to visible to ranking.", freshness);
  add_counter(out, "rank_requests_total", "Rank requests answered.", rank_requests.value());
  add_counter(out, "rank_errors_total", "Rank requests refused.", rank_errors.value());
  add_counter(out, "boosts_inserted_total", "Items inserted into rank answers.",
              boosts_inserted.value());
  add_counter(out, "new_items_tried_total", "Pages that show a new item by a draw.",
              new_items_tried.value());
  add_counter(out, "new_items_waiting_total", "New candidates of pages that asked for one.",
              new_items_waiting.value());
  add_counter(out, "new_items_retired_total", "New candidates that are not tried any more.",
              new_items_retired.value());
  add_counter(out, "new_items_refused_total", "Pages that could not pay for their new item.",
              new_items_refused.value());
  add_counter(out, "exploration_pages_total", "Pages that a draw decided.",
              exploration_pages.value());
  add_counter(out, "user_loss_milli_fen_total", "What inserted items cost viewers.",
              loss_milli_fen.value());
  add_counter(out, "exploration_loss_milli_fen_total",
              "Of that, what draws cost beside the best page.", exploration_loss_milli_fen.value());
  add_counter(out, "retrieval_wanted_total", "Nearest items by an exact scan, sampled requests.",
              retrieval_wanted.value());
  add_counter(out, "retrieval_found_total", "Of those, the ones that the index finds.",
              retrieval_found.value());
  add_counters(out, "degraded_total", "Answers that did without a stage.", degraded);
  add_experiments(out, *this);
  add_gauge(out, "user_loss_ratio", "Organic value given up for inserted items.",
            user_loss_ratio.value());
  add_counter(out, "decisions_lost_total", "Decisions that a crash has forgotten.",
              decisions_lost.value());
  add_gauge(out, "decisions_queued", "Decisions that are not durable yet.",
            decisions_queued.value());
  add_gauge(out, "index_current", "1 when retrieval knows the whole catalogue and all programs.",
            index_current.value());
  add_gauge(out, "stream_lag_records", "Records on the log that are not yet applied.",
            stream_lag_records.value());
  {
    const std::lock_guard lock(stream_mutex_);
    add_lags(out, lags_);
    if (kafka_) add_kafka(out, *kafka_);
  }
  if (read_member) add_member(out, read_member());
  if (read_programs) add_programs(out, read_programs());
  if (read_shed) add_counter(out, "shed_total", "Requests refused under load.", read_shed());
  if (read_connections) {
    add_gauge(out, "http_connections", "Open connections.",
              static_cast<double>(read_connections()));
  }
  if (read_inflight) {
    add_gauge(out, "http_inflight", "Requests in a handler.", static_cast<double>(read_inflight()));
  }
  return prometheus::TextSerializer().Serialize(out);
}

std::string Metrics::render(const MemberMetric& member) {
  Families out;
  add_member(out, member);
  return prometheus::TextSerializer().Serialize(out);
}

}  // namespace shanhuo
