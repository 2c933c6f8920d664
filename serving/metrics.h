// Everything the engine counts about itself (contract 2.9). Hot-path members are relaxed atomics of
// our own: an increment is one instruction, no lock, no allocation. render() reads them when
// Prometheus asks; counts read there are each exact, though not all of one instant.
//
// Labels are bounded: a CounterFamily keeps the first `series_max` label sets and counts the rest
// under "other". Thread-safe throughout.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "streaming/kafka_options.h"

namespace shanhuo {

class Counter {
 public:
  void add(uint64_t n = 1) { count_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> count_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Cumulative buckets of seconds. observe() finds its bucket by binary search over at most 24
// bounds.
class Histogram {
 public:
  static constexpr size_t kBoundsMax = 24;
  // Requires: at most kBoundsMax ascending bounds that outlive the histogram.
  explicit Histogram(std::span<const double> upper_bounds_s);
  void observe_ns(int64_t ns);
  // `count` observations at once, each of `seconds`.
  void observe_many(double seconds, uint64_t count);
  void observe_s(double seconds) { observe_ns(static_cast<int64_t>(seconds * 1e9)); }

  std::span<const double> bounds_s() const { return bounds_s_; }
  uint64_t bucket(size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }
  double sum_s() const { return 1e-9 * static_cast<double>(sum_ns_.load()); }
  uint64_t count() const;
  // Upper bound, in seconds, of the bucket that holds the q-quantile (0..1); 0 when empty.
  double quantile_s(double q) const;

 private:
  void add(int64_t ns, uint64_t count);

  std::span<const double> bounds_s_;
  std::array<int64_t, kBoundsMax> bounds_ns_{};
  std::array<std::atomic<uint64_t>, kBoundsMax + 1> buckets_{};  // not cumulative; last is +Inf
  std::atomic<int64_t> sum_ns_{0};
};

// Counters told apart by one or two labels. at() takes a shared lock and looks up; hot callers keep
// the reference, which lives as long as the family.
class CounterFamily {
 public:
  CounterFamily(std::vector<std::string> label_names, size_t series_max);
  // Requires: as many values as label names.
  Counter& at(std::string_view value);
  Counter& at(std::string_view first, std::string_view second);

  struct Series {
    std::vector<std::string> label_values;
    uint64_t count;
  };
  std::vector<Series> read() const;  // in label order
  const std::vector<std::string>& label_names() const { return label_names_; }

 private:
  Counter& at_key(std::vector<std::string> label_values);

  const std::vector<std::string> label_names_;
  const size_t series_max_;
  mutable std::shared_mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<Counter>, std::less<>> series_;  // by mutex_
};

// One program at scrape time, from whoever owns programs.
struct ProgramMetric {
  std::string program;
  uint64_t delivered = 0;
  double price = 0;
};

// Of an engine that shares its data folder (serving/member.h).
struct MemberMetric {
  bool leads = false;
  uint64_t epoch = 0;           // of the state that it leads, or led last
  uint64_t led = 0;             // how often it has begun to lead
  uint64_t fenced = 0;          // how often somebody newer took over from it
  uint64_t writes_refused = 0;  // checkpoints that were not written, since somebody newer had begun
};

class Metrics {
 public:
  static constexpr size_t kProgramsMax = 2000;  // shown at a scrape

  Metrics();

  // Ends of an event's life; each accepted one ends in exactly one of the last four.
  Counter events_accepted, events_rejected;
  Counter events_applied, events_duplicate, events_late, events_dead;
  CounterFamily event_unknown_fields{{"field"}, 100};  // skipped, by name
  CounterFamily dead_letters{{"reason"}, 100};
  Counter token_expired;
  CounterFamily invalid_events{{"reason"}, 20};  // applied, but counted for nothing
  Counter taken_back;                            // events

  Histogram rank_latency;  // receipt of the request to the answer's bytes
  Histogram freshness;     // event durable to visible to ranking
  Counter rank_requests, rank_errors;
  CounterFamily degraded{{"stage"}, 50};
  CounterFamily experiment_exposures{{"experiment", "variation"}, 2000};
  Counter experiment_exposures_lost;  // that the log did not take: results lack them
  Counter experiment_left_out;        // that results had no room for
  Counter token_variations_left;  // pages whose viewer is in more variations than a token carries
  Gauge boosting_off;             // 1: switched off, all pages are organic
  Gauge experiments_refused;      // 1: files on disk are not those that run
  Counter boosts_inserted;        // slots of rank answers
  // New items: pages that tried one, and candidates of pages that wait to be tried or will not be.
  Counter new_items_tried, new_items_waiting, new_items_retired, new_items_refused;
  // What answers cost viewers, in thousandths of a fen: all of it, and of that what draws cost
  // beside the best page, so far as they cost more.
  Counter loss_milli_fen, exploration_loss_milli_fen, exploration_pages;
  Counter retrieval_wanted, retrieval_found;  // items, of sampled requests (ranking/recall_watch.h)
  Gauge user_loss_ratio;
  Counter decisions_lost;
  Gauge decisions_queued;  // not durable yet
  Gauge index_current;     // 1: retrieval knows the whole catalogue and all programs

  Gauge stream_lag_records;
  // As of the last sync: lag by partition of interactions, and what the Kafka clients count (absent
  // on the embedded log).
  void set_lags(const std::vector<int64_t>& lags);
  void set_kafka(const KafkaStats& stats);

  // Read at each render(); set before serving starts. They must be quick and thread-safe.
  std::function<std::vector<ProgramMetric>()> read_programs;
  std::function<MemberMetric()> read_member;           // absent: it runs alone
  std::function<uint64_t()> read_exposures_forgotten;  // ExposureMemory::forgotten()
  std::function<uint64_t()> read_shed;                 // HttpServerStats::shed
  std::function<uint64_t()> read_connections;          // HttpServerStats::connections
  std::function<uint64_t()> read_inflight;             // HttpServerStats::inflight

  // The Prometheus text exposition, content type kMetricsContentType.
  std::string render() const;
  // What a member that stands by has to say.
  static std::string render(const MemberMetric& member);

 private:
  mutable std::mutex stream_mutex_;
  std::vector<int64_t> lags_;        // guarded by stream_mutex_
  std::optional<KafkaStats> kafka_;  // guarded by stream_mutex_
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace shanhuo
