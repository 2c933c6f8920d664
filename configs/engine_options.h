// engine.yaml: every number and name that an operator may set, gathered from the modules that use
// them. The table in engine_options.cc is the only place that knows the keys: it reads the file,
// writes the commented default, takes
// `--set key=value`, and lists the parameters with their bounds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "configs/yaml.h"
#include "features/feature_store.h"
#include "features/segment_rates.h"
#include "models/calibration.h"
#include "models/text_encoder.h"
#include "models/value_learner.h"
#include "ranking/options.h"
#include "ranking/price_controller.h"
#include "ranking/price_law.h"
#include "ranking/retrieval.h"
#include "streaming/embedded_log.h"
#include "streaming/kafka_options.h"
#include "streaming/pipeline.h"

namespace shanhuo {

class MapReader;

enum class ClockKind : uint8_t { kWall, kCaller };
enum class StreamKind : uint8_t { kEmbedded, kKafka };

// The HTTP face; serving/ copies it into its server's options.
struct HttpOptions {
  int threads = 2;
  int64_t connections_max = 4096;
  int64_t header_bytes_max = 16 << 10;
  int64_t body_bytes_max = 8 << 20;
  int64_t inflight_max = 1024;
  int header_timeout_ms = 10'000;
  int body_timeout_ms = 30'000;
  int idle_timeout_ms = 60'000;
  int shutdown_grace_ms = 5'000;
  std::string tls_certificate, tls_key;  // PEM files; empty: plain, loopback alone
};

struct AccessSection {
  double session_h = 12;
  int64_t sessions_max = 10'000;
};

struct ApiOptions {
  int64_t candidates_max = 1'000;
  int64_t items_max = 10'000;   // items or creators a call
  int64_t events_max = 10'000;  // events a call
  int rank_timeout_ms =
      50;  // from receipt, when the request names none; then the organic list goes back
  int wait_applied_ms = 10'000;       // a PUT answers when it is visible; 503 after that long
  int64_t slate_memory_ms = 600'000;  // how long a repeated request gets the same slate
  int64_t slates_max = 200'000;       // remembered slates, about 2 kB each
  int64_t exposures_max = 1'000'000;  // remembered exposures to variations, 8 bytes each
};

struct ExperimentOptions {
  int64_t stale_ms = 600'000;               // without events for longer nothing goes on by itself
  int64_t guardrail_viewers_min = 100;      // in a variation; with fewer no guardrail acts
  int64_t guardrail_pages_min = 200;        // the same, for error_rate and latency
  int64_t guardrail_window_ms = 3'600'000;  // of their pages
  int64_t dry_run_ms = 2'000;               // of ranking at most
  int64_t dry_run_requests_min = 20;
  int64_t dry_run_items_max = 300'000;  // in the catalogue, where an index of it has to be made
};

struct ModelOptions {
  std::string dir;  // of trained models; empty: "models" in data_dir
  int64_t items_max = 10'000'000;
  int swap_wait_ms = 10'000;  // a change answers when the model serves, or says that it will
};

struct EngineOptions {
  // Counties of programs with `fairness` are nearly max-min, worth 0.2 fen a view at their share,
  // and a program's price may fall a tenth below zero where that runs ahead of its pace: with these
  // the worst county keeps 0.8 of its share (docs/allocation.md). The day before it is learned is
  // that of a short-video feed, from 0:00 UTC+8, in tenths, as counted in KuaiRand's public logs: a
  // flat one takes a quiet night for a lost day.
  EngineOptions() {
    prices.hourly_traffic = {0.8, 0.5, 0.3, 0.2, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2,
                             1.4, 1.3, 1.2, 1.2, 1.3, 1.4, 1.4, 1.4, 1.5, 1.6, 1.6, 1.4};
    prices.welfare.alpha = 4;
    prices.welfare.lambda_fen = 0.2;
    price_law.credit_share = 0.1;
  }

  std::string listen = "127.0.0.1:8080";
  std::string data_dir = "var/data";
  ClockKind clock = ClockKind::kWall;
  std::string token_file;  // access tokens; empty: loopback only, no tokens
  std::string web_dir = "web/dist";
  int64_t checkpoint_cache_mib = 32;
  // In data_dir; no keys of engine.yaml: see serving/rebuild.h and serving/member.h.
  std::string state_folder = "state";
  std::string counter_file = "decisions.counter";

  HttpOptions http;
  AccessSection access;
  ApiOptions api;
  StreamKind stream_kind = StreamKind::kEmbedded;
  EmbeddedLogOptions log;  // kEmbedded
  KafkaOptions kafka;      // kKafka
  PipelineOptions stream;
  DedupOptions dedup;
  FeatureStoreOptions features;
  GivingOptions giving;
  TextEncoderOptions text;
  CalibrationOptions calibration;
  ValueLearnerOptions value, value_second;
  int value_frozen_every_h = 0;
  ModelOptions models;
  ExperimentOptions experiments;
  SegmentRatesOptions segments;
  RetrievalOptions retrieval;
  RankingOptions ranking;
  PriceControllerOptions prices;
  PriceLawOptions price_law;
};

// One key. `target` points into the EngineOptions that the table was made for.
struct Option {
  using Enum = std::pair<uint8_t*, std::vector<std::string_view>>;
  using Target = std::variant<bool*, int*, int64_t*, size_t*, uint32_t*, float*, double*,
                              std::string*, Millis*, Enum, std::span<double>>;

  std::string_view section;  // "" for the top level
  std::string_view key;
  Target target;
  double min, max;         // of numbers; texts: length in bytes
  std::string_view unit;   // "", "ms", "fen", ...
  std::string_view about;  // what it is, and what raising it costs

  std::string name() const;       // "ranking.retrieve_k"
  std::string_view type() const;  // boolean, integer, number, numbers, text, word
  std::string value() const;      // as YAML
};

std::vector<Option> option_table(EngineOptions& options);

// One key of a map, into the option's target.
void read_option(MapReader& map, const Option& option);
// What is wrong with values that are right one by one, of ranking.retrieve_k; empty: nothing.
std::string wrong_together(const RankingOptions& ranking);

// Reads the file's text over `options`; errors are appended.
void read_engine_options(std::string_view text, const std::string& file, EngineOptions& options,
                         ConfigErrors& errors);
// One `--set name=value`.
void set_engine_option(std::string_view assignment, EngineOptions& options, ConfigErrors& errors);

// configs/engine.yaml as it ships: every key, commented, at its default.
std::string default_engine_yaml();

}  // namespace shanhuo
