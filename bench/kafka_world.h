// What kafka_bench works with: a broker of scripts/kafka.sh, events of a million viewers as a
// foreign producer would send them, and all that stands between a topic and the state, wired as
// serving/engine.cc does. Everything comes from numbers; run from the project's root.
#pragma once

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "bench/engine_fixture.h"
#include "models/text_encoder.h"
#include "serving/observers.h"
#include "streaming/kafka_client.h"
#include "streaming/kafka_log.h"

namespace shanhuo {

struct KafkaSizes {
  int64_t viewers, events, items, backlog;
  int rounds, paced_s;
};
inline KafkaSizes kafka_sizes() {
  if (bench_smoke()) return {2'000, 20'000, 500, 5'000, 1, 1};
  return {1'000'000, 2'000'000, 100'000, 1'000'000, 3, 20};
}

// Runs `work` in a process of its own: threads and memory of one measurement are not the next's.
// `killed`: it ends by kill -9.
template <typename Result, typename Work>
Result apart(const Work& work, bool killed = false) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  std::fflush(stdout);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    const Result result = work();
    CHECK(write(ends[1], &result, sizeof result) == sizeof result);
    std::fflush(stdout);
    if (killed) raise(SIGKILL);
    _exit(0);
  }
  close(ends[1]);
  Result result;
  CHECK(read(ends[0], &result, sizeof result) == sizeof result);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && (killed ? WIFSIGNALED(status) : status == 0));
  close(ends[0]);
  return result;
}

// A broker on a free port, its data in `folder`; or KAFKA_BOOTSTRAP's. It ends with this process,
// however that ends.
class BenchBroker {
 public:
  explicit BenchBroker(const std::string& folder) {
    setenv("KAFKA_DIR", folder.c_str(), 1);
    setenv("KAFKA_PORT", "0", 1);
    setenv("KAFKA_OWNER", std::to_string(getpid()).c_str(), 1);
    const std::string said = script("start");
    const size_t at = said.rfind("kafka: ");
    CHECK(at != std::string::npos);
    bootstrap_ = said.substr(at + 7, said.find_last_not_of('\n') - at - 6);
  }
  ~BenchBroker() { script("stop"); }
  BenchBroker(const BenchBroker&) = delete;
  BenchBroker& operator=(const BenchBroker&) = delete;

  // New topics; what an engine on them is opened with.
  KafkaOptions topics(const std::string& name) {
    KafkaOptions options;
    options.bootstrap = bootstrap_;
    options.topic_prefix = "bench" + std::to_string(getpid()) + "-" + name + ".";
    options.group = options.topic_prefix + "group";
    setenv("KAFKA_PREFIX", options.topic_prefix.c_str(), 1);
    script("topics");
    return options;
  }

 private:
  static std::string script(const std::string& verb) {
    FILE* out = popen(("scripts/kafka.sh " + verb).c_str(), "r");
    CHECK(out != nullptr);
    std::string said;
    char part[256];
    while (std::fgets(part, sizeof part, out) != nullptr) said += part;
    CHECK(pclose(out) == 0);
    return said;
  }
  std::string bootstrap_;
};

// Event n. The first of each viewer come first, so that `viewers` events make all of them; then
// viewers at random, popular items more often, every twentieth event with a token.
class KafkaEvents {
 public:
  KafkaEvents()
      : size_(kafka_sizes()), keys_(std::vector<TokenKey>{{.id = 1, .secret = {1, 2, 3}}}) {}

  static constexpr int kPrograms = 50;
  static std::string program(uint64_t n) { return "program-" + std::to_string(n % kPrograms); }
  static std::string item_id(int64_t n) { return "item-" + std::to_string(10'000'000 + n); }
  std::string user_id(int64_t n) const {
    const auto draw = static_cast<int64_t>(mix64(static_cast<uint64_t>(n)) >> 1);
    return "viewer-" + std::to_string(10'000'000 + (n < size_.viewers ? n : draw % size_.viewers));
  }
  static std::string request_id(int64_t n) {
    return "request-" + std::to_string(100'000'000 + n / 10);
  }
  std::string item_of(int64_t n) const {
    const uint64_t draw = mix64(static_cast<uint64_t>(n) + (1ULL << 40));
    const double u = static_cast<double>(draw >> 11) * 0x1p-53;
    return item_id(static_cast<int64_t>(static_cast<double>(size_.items) * u * u * u));
  }
  const TokenKeys& keys() const { return keys_; }

  std::string encode(int64_t n, ContentType content) const {
    const uint64_t draw = mix64(static_cast<uint64_t>(n) + (1ULL << 41));
    const std::string event_id = "01J8Z6KQ-7f3a9c21-5be1-4c1d-" + std::to_string(1'000'000'000 + n),
                      user = user_id(n), request = request_id(n), item = item_of(n);
    static constexpr EventType kMix[] = {EventType::kImpression, EventType::kImpression,
                                         EventType::kImpression, EventType::kImpression,
                                         EventType::kImpression, EventType::kClick,
                                         EventType::kPlay,       EventType::kLike};
    Interaction event;
    event.type = kMix[draw % std::size(kMix)];
    event.surface = Surface::kFeed;
    event.event_id = event_id;
    event.user_id = user;
    event.item_id = item;
    event.request_id = request;
    event.ts = kBenchStart + Millis(n / 100);
    event.position = static_cast<int32_t>(n % 20);
    (event.type == EventType::kPlay ? event.watch_ms : event.viewable_ms) =
        static_cast<int64_t>((draw >> 8) % 5'000);
    std::string token;
    if (n % 20 == 0) {
      token = mint(event, n);
      event.token = token;
    }
    std::string out;
    if (content == ContentType::kProtobuf) {
      encode_event(event, out);
    } else {
      JsonWriter json(out);
      write_event_json(json, event);
    }
    return out;
  }

 private:
  std::string mint(const Interaction& event, int64_t n) const {
    ExposureToken token;
    token.request_hash = request_hash(event.user_id, event.request_id);
    token.programs[0] = program_hash(program(static_cast<uint64_t>(n) / 20));
    token.issued_at = event.ts;
    return keys_.mint(token, event.user_id, event.item_id);
  }

  const KafkaSizes size_;
  const TokenKeys keys_;
};

// The ring that signs the events' tokens, as an engine reads it.
inline void write_token_keys(const std::string& path) {
  std::ofstream(path) << "1 010203" << std::string(58, '0') << "\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
}

// A client with librdkafka's defaults.
inline KafkaHandle plain_client(const KafkaOptions& options, const KafkaSettings& settings,
                                KafkaCounters& counters) {
  KafkaOptions plain;
  plain.bootstrap = options.bootstrap;
  auto client = make_client(plain, settings, counters);
  CHECK(client.ok());
  return std::move(client).value();
}

// A producer as anybody would write it: librdkafka's defaults, Java's partitioner.
class ForeignProducer {
 public:
  using Delivered = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void*);
  explicit ForeignProducer(const KafkaOptions& options, Delivered delivered = nullptr) {
    client_ = plain_client(
        options,
        {RD_KAFKA_PRODUCER,
         {{"partitioner", "murmur2_random"}, {"queue.buffering.max.messages", "500000"}},
         delivered},
        counters_);
    topic_ = kafka_topic(options, Topic::kInteractions);
  }
  // A JSON value has no header, a protobuf one names its type.
  void send(const std::string& key, const std::string& value, ContentType content, void* opaque) {
    static constexpr std::string_view kType = "application/x-protobuf";
    while (true) {
      rd_kafka_headers_t* headers = nullptr;
      if (content == ContentType::kProtobuf) {
        headers = rd_kafka_headers_new(1);
        rd_kafka_header_add(headers, kContentHeader.data(), -1, kType.data(), -1);
      }
      const rd_kafka_resp_err_t failed = rd_kafka_producev(
          client_.get(), RD_KAFKA_V_TOPIC(topic_.c_str()), RD_KAFKA_V_KEY(key.data(), key.size()),
          RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
          RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
      if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (headers != nullptr) rd_kafka_headers_destroy(headers);
      CHECK(failed == RD_KAFKA_RESP_ERR__QUEUE_FULL);
      rd_kafka_poll(client_.get(), 10);
    }
    rd_kafka_poll(client_.get(), 0);
  }
  void serve(int timeout_ms) { rd_kafka_poll(client_.get(), timeout_ms); }
  void flush() { CHECK(rd_kafka_flush(client_.get(), 120'000) == RD_KAFKA_RESP_ERR_NO_ERROR); }

 private:
  KafkaCounters counters_;
  std::string topic_;
  KafkaHandle client_;  // dies before the counters
};

// What learns inside the fold, wired as in Engine::start(): prices of fifty programs, and as many
// remembered slates as the default allows, each with the score of one event that comes.
class BenchLearners {
 public:
  BenchLearners(const KafkaEvents& events, int64_t first, FeatureStore& features)
      : prices_({}, remaining_goal_law({})),
        slates_(EngineOptions().api.slates_max, Millis(1'800'000)),
        calibration_(CalibrationOptions{}),
        price_observer_(prices_),
        label_observer_(slates_, calibration_) {
    auto set = std::make_shared<ProgramSet>();
    set->version = "1";
    for (uint64_t i = 0; i < KafkaEvents::kPrograms; ++i) {
      auto program = std::make_shared<Program>();
      program->id = ProgramId(KafkaEvents::program(i));
      program->start = kBenchStart - Millis(1);
      program->end = kBenchStart + Millis(30LL * 86'400'000);
      program->goals = {{.unit = GoalUnit::kViewable, .at_least = 1e8, .missed_value_fen = 3},
                        {.unit = GoalUnit::kClick, .at_least = 1e6, .missed_value_fen = 3}};
      set->programs.push_back(std::move(program));
    }
    const auto none = [](const ProgramId&, GoalUnit, Millis, Millis) { return 0.0; };
    prices_.set_programs(set, none, kBenchStart);
    for (int64_t i = 0; i < EngineOptions().api.slates_max; ++i) {
      const int64_t n = first + i * 8 + 1;
      SlateBook::Slate slate;
      slate.surface = Surface::kFeed;
      slate.organic = {{hash64(events.item_of(n)), 0.05}};
      slates_.put(request_hash(events.user_id(n), KafkaEvents::request_id(n)), std::move(slate),
                  kBenchStart);
    }
    features.add_observer(&price_observer_);
    features.add_observer(&label_observer_);
  }

 private:
  PriceController prices_;
  SlateBook slates_;
  CalibrationLearner calibration_;
  PriceObserver price_observer_;
  LabelObserver label_observer_;
};

// A topic's way into a state in `folder`, with the engine's defaults.
class BenchFold {
 public:
  BenchFold(const KafkaOptions& options, const std::string& folder, const KafkaEvents& events)
      : keys_(std::make_shared<const TokenKeys>(events.keys())) {
    catalogue_.set_codec({encode_catalogue_change, decode_catalogue_change});
    auto log = KafkaLog::open(options);
    CHECK(log.ok());
    log_ = std::move(log).value();
    auto checkpoints = CheckpointStore::open(folder);
    CHECK(checkpoints.ok());
    checkpoints_ = std::move(checkpoints).value();
    const EngineOptions defaults;
    const uint32_t partitions = log_->partitions(Topic::kInteractions);
    FeatureStoreOptions features = defaults.features;
    features.partitions = partitions;
    features_ = std::make_unique<FeatureStore>(features, interner_, catalogue_, keys_);
    features_->keep_cold_in(checkpoints_->store());
    PipelineParts parts;
    parts.log = log_.get();
    parts.checkpoints = checkpoints_.get();
    parts.machine = features_.get();
    parts.apply_catalogue = [this](const CatalogueChange& change) {
      return catalogue_.apply(change);
    };
    parts.publish = [this] { catalogue_.publish(); };
    parts.checkpointed = {&interner_, &catalogue_};
    for (uint32_t p = 0; p < partitions; ++p) {
      dedup_.push_back(std::make_unique<Deduplicator>("ev" + std::to_string(p)));
      parts.dedup.push_back(dedup_.back().get());
      parts.checkpointed.push_back(dedup_.back().get());
    }
    parts.checkpointed.push_back(features_.get());
    parts.clock = &clock_;
    PipelineOptions stream = defaults.stream;
    stream.caller_clock = true;
    stream.partitions = partitions;
    stream.begin_at_first = true;
    pipeline_ = std::make_unique<Pipeline>(parts, stream);
  }
  FeatureStore& features() { return *features_; }
  Pipeline& pipeline() { return *pipeline_; }
  CheckpointStore& checkpoints() { return *checkpoints_; }

 private:
  const WallClock clock_;
  Interner interner_;
  CatalogueState catalogue_{
      interner_, [](const Item& item) { return encode_item(item, TextEncoderOptions{}); }};
  Published<TokenKeys> keys_;
  std::unique_ptr<KafkaLog> log_;
  std::unique_ptr<CheckpointStore> checkpoints_;
  std::vector<std::unique_ptr<Deduplicator>> dedup_;
  std::unique_ptr<FeatureStore> features_;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace shanhuo
