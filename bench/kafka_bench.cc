// The engine on a real Kafka broker of its own (scripts/kafka.sh), which shares the machine's
// cores.
//
//   build/release/kafka_bench          everything
//   build/release/kafka_bench rates    reading and folding alone
//   build/release/kafka_bench engine   freshness and recovery alone
//
//   read_*        events/s of a bare librdkafka consumer with its defaults, that only reads
//   fold_*        events/s of the same topic from Kafka into a state of a million viewers, with
//                 checkpoints at the default interval; learners off, then on
//   ratio_*       fold / read: the median over rounds in which each runs once
//   freshness_*   produced by a foreign client -> visible to ranking, at 20,000 events a second;
//                 of that, until the broker's answer is back (acknowledged) and from then on
//                 (visible_after). A machine that others keep busy shows in the first.
//   longest_turn  of the fold's loop meanwhile, checkpoints included
//   ready, caught up   after kill -9, without and with a backlog
//
// JSON events of about 250 bytes, and the same events as protobuf; four partitions.
#include <time.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/kafka_world.h"

namespace shanhuo {
namespace {

constexpr int kPacedPerMs = 20;
constexpr uint32_t kPartitions = 4;

struct Topics {
  KafkaOptions options;
  ContentType content;
  const char* name;
};

double seconds_since(int64_t begin_ns) {
  return 1e-9 * static_cast<double>(monotonic_ns() - begin_ns);
}

// Processor seconds of this thread, and of all.
double cpu_seconds(clockid_t clock) {
  timespec now{};
  CHECK(clock_gettime(clock, &now) == 0);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// ---- What stands on the topics ----

bool put_items(const KafkaOptions& options) {
  auto opened = KafkaLog::open(options);
  CHECK(opened.ok());
  EventLog& log = *opened.value();
  std::vector<std::string> ids, values;
  for (int64_t i = 0; i < kafka_sizes().items; ++i) {
    Item item;
    item.id = ItemId(ids.emplace_back(KafkaEvents::item_id(i)));
    item.kind = i % 3 == 0 ? ItemKind::kVideo : ItemKind::kFarmGood;
    item.title = "item " + std::to_string(i);
    item.creator_id = CreatorId("creator-" + std::to_string(i % 5'000));
    item.county = "433124";
    item.category = "category-" + std::to_string(i % 40);
    item.price = Fen(1'000);
    values.push_back(encode_catalogue_change(item));
  }
  constexpr size_t kCall = 1'000;
  for (size_t first = 0; first < ids.size(); first += kCall) {
    std::vector<AppendRecord> records;
    for (size_t i = first; i < std::min(first + kCall, ids.size()); ++i) {
      records.push_back({ids[i], values[i]});
    }
    CHECK(append_wait(log, Topic::kItems, records, kByKey).ok());
  }
  return true;
}

void produce(const Topics& topics, int64_t first, int64_t last) {
  apart<bool>([&] {
    const KafkaEvents events;
    ForeignProducer producer(topics.options);
    for (int64_t n = first; n < last; ++n) {
      producer.send(events.user_id(n), events.encode(n, topics.content), topics.content, nullptr);
    }
    producer.flush();
    return true;
  });
}

// ---- Reading alone, and folding ----

using Offsets = std::array<int64_t, kPartitions>;

Offsets ends_of(const KafkaOptions& options) {
  auto log = KafkaLog::open(options);
  CHECK(log.ok() && log.value()->partitions(Topic::kInteractions) == kPartitions);
  Offsets ends{};
  for (uint32_t p = 0; p < kPartitions; ++p) {
    ends[p] = log.value()->end_offset(Topic::kInteractions, p);
  }
  return ends;
}

// Seconds that a bare consumer takes for all events from the offsets on.
double read_alone(const KafkaOptions& options, const Offsets& from) {
  KafkaCounters counters;
  const KafkaHandle client = plain_client(
      options,
      {RD_KAFKA_CONSUMER, {{"group.id", "bare"}, {"enable.auto.commit", "false"}}, nullptr},
      counters);
  rd_kafka_poll_set_consumer(client.get());
  const KafkaPartitions list(rd_kafka_topic_partition_list_new(1));
  const std::string topic = kafka_topic(options, Topic::kInteractions);
  for (uint32_t p = 0; p < kPartitions; ++p) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), static_cast<int32_t>(p))->offset =
        from[p];
  }
  const int64_t begin = monotonic_ns();
  CHECK(rd_kafka_assign(client.get(), list.get()) == RD_KAFKA_RESP_ERR_NO_ERROR);
  for (int64_t seen = 0; seen < kafka_sizes().events;) {
    const KafkaMessage message(rd_kafka_consumer_poll(client.get(), 1'000));
    if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++seen;
  }
  return seconds_since(begin);
}

int64_t folded(Pipeline& pipeline) {
  const PipelineStats stats = pipeline.stats();
  CHECK(stats.failure.empty() && stats.dead == 0 && stats.duplicate == 0 && stats.late == 0);
  return static_cast<int64_t>(stats.applied);
}

struct Folded {
  double seconds = 0;
  uint64_t checkpoints = 0;
};

// A state of all viewers in `state`, made from what is on the topic.
void fill(const KafkaOptions& options, const std::string& state) {
  apart<bool>([&] {
    BenchFold world(options, state, KafkaEvents());
    CHECK(world.pipeline().start().ok());
    while (folded(world.pipeline()) < kafka_sizes().viewers) usleep(1'000);
    CHECK(world.pipeline().stop().ok());
    CHECK(world.features().stats().viewers == static_cast<uint64_t>(kafka_sizes().viewers));
    return true;
  });
}

// The state in `state` again, in `copy`.
void copy_state(const std::string& state, const std::string& copy) {
  std::filesystem::remove_all(copy);
  apart<bool>([&] {  // RocksDB's threads do not outlive a fork
    auto store = CheckpointStore::open(state);
    return store.ok() && store.value()->backup(copy).ok();
  });
}

// Seconds until the topic's rest is folded over `state`; its restore is not counted.
double fold(const KafkaOptions& options, const std::string& state, bool learners) {
  const KafkaEvents events;
  BenchFold world(options, state, events);
  std::optional<BenchLearners> learning;
  if (learners) learning.emplace(events, kafka_sizes().viewers, world.features());
  Pipeline& pipeline = world.pipeline();
  CHECK(pipeline.open().ok());
  const int64_t begin = monotonic_ns();
  const double own = cpu_seconds(CLOCK_THREAD_CPUTIME_ID),
               all = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  while (folded(pipeline) < kafka_sizes().viewers + kafka_sizes().events) {
    for (int i = 0; i < 16; ++i) pipeline.turn();
  }
  const double seconds = seconds_since(begin);
  std::printf(
      "  learners %-4s %.2f s, %.2f s of the fold's thread, %.2f s of all, %llu checkpoints\n",
      learners ? "on" : "off", seconds, cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - own,
      cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - all,
      static_cast<unsigned long long>(pipeline.stats().checkpoints));
  return seconds;
}

void measure_rates(const Topics& topics, const std::string& dir, const char* target) {
  const auto events = static_cast<double>(kafka_sizes().events);
  const Offsets from = apart<Offsets>([&] { return ends_of(topics.options); });
  produce(topics, kafka_sizes().viewers, kafka_sizes().viewers + kafka_sizes().events);
  std::vector<double> reads, folds[2], ratios[2];
  for (int round = 0; round < kafka_sizes().rounds; ++round) {
    reads.push_back(apart<double>([&] { return read_alone(topics.options, from); }));
    std::printf("  read alone    %.2f s\n", reads.back());
    for (const bool learners : {false, true}) {
      copy_state(dir + "/state", dir + "/round");
      folds[learners].push_back(
          apart<double>([&] { return fold(topics.options, dir + "/round", learners); }));
      ratios[learners].push_back(reads.back() / folds[learners].back());
    }
  }
  const auto print = [&](const std::string& what, double value, const char* unit,
                         const char* wanted) {
    print_figure((what + "_" + topics.name).c_str(), value, unit, wanted);
  };
  print("read", events / median(reads), "events/s", "-");
  print("fold", events / median(folds[0]), "events/s", "-");
  print("fold_learners", events / median(folds[1]), "events/s", "-");
  print("ratio", median(ratios[0]), "", target);
  print("ratio_learners", median(ratios[1]), "", target);
}

// ---- The whole engine: freshness, recovery ----

// An engine on the topics whose state is in `dir`/data.
std::unique_ptr<BenchEngine> engine_on(const KafkaOptions& options, const std::string& dir) {
  auto bench = std::make_unique<BenchEngine>(dir, [&](EngineOptions& all) {
    all.stream_kind = StreamKind::kKafka;
    all.kafka = options;
  });
  bench->open();
  bench->wait_ready();
  return bench;
}

// Where each event went and when it was produced; filled by the producer's answers.
struct Produced {
  int64_t at_ns = 0, answered_ns = 0, offset = 0;
};
std::mutex answered_mutex;
std::vector<std::deque<Produced>> answered(kPartitions);  // guarded by answered_mutex; by partition

void on_answered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  CHECK(message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
  const std::lock_guard lock(answered_mutex);
  answered[static_cast<size_t>(message->partition)].push_back(
      {static_cast<int64_t>(reinterpret_cast<intptr_t>(message->_private)), monotonic_ns(),
       message->offset});
}

// Milliseconds of each event.
struct Ages {
  std::vector<double> all, acknowledged, visible_after;
};

// Looks once a millisecond which of the answered ones are visible.
void watch(Pipeline& pipeline, const std::atomic<bool>& stop, Ages& ages_ms) {
  for (bool last = false; !last;) {
    last = stop.load();
    const PipelineStats stats = pipeline.stats();
    const int64_t now_ns = monotonic_ns();
    {
      const std::lock_guard lock(answered_mutex);
      for (const SourcePosition& position : stats.positions) {
        if (position.topic != Topic::kInteractions) continue;
        auto& waiting = answered[position.partition];
        while (!waiting.empty() && waiting.front().offset < position.next_offset) {
          const Produced& seen = waiting.front();
          ages_ms.all.push_back(1e-6 * static_cast<double>(now_ns - seen.at_ns));
          ages_ms.acknowledged.push_back(1e-6 * static_cast<double>(seen.answered_ns - seen.at_ns));
          ages_ms.visible_after.push_back(1e-6 * static_cast<double>(now_ns - seen.answered_ns));
          waiting.pop_front();
        }
      }
      for (const auto& waiting : answered) last = last && waiting.empty();
    }
    usleep(1'000);
  }
}

struct Freshness {
  double p50_ms = 0, p99_ms = 0, acknowledged_p99_ms = 0, visible_after_p99_ms = 0, rate = 0;
  double longest_turn_ms = 0;
  uint64_t checkpoints = 0;
};

double p99(std::vector<double>& values) {
  std::sort(values.begin(), values.end());
  return values[values.size() * 99 / 100];
}

Freshness measure_freshness(const Topics& topics, const std::string& dir, int64_t first) {
  const auto bench = engine_on(topics.options, dir);
  Pipeline& pipeline = bench->engine->pipeline();
  const uint64_t before = pipeline.stats().checkpoints;
  const KafkaEvents events;
  Ages ages_ms;
  std::atomic<bool> stop{false};
  std::thread watcher([&] { watch(pipeline, stop, ages_ms); });
  const int64_t begin = monotonic_ns();
  const int64_t ms = 1'000LL * kafka_sizes().paced_s;
  {
    ForeignProducer producer(topics.options, on_answered);
    for (int64_t i = 0; i < ms; ++i) {
      for (int64_t n = first + i * kPacedPerMs; n < first + (i + 1) * kPacedPerMs; ++n) {
        producer.send(events.user_id(n), events.encode(n, topics.content), topics.content,
                      reinterpret_cast<void*>(static_cast<intptr_t>(monotonic_ns())));
      }
      while (monotonic_ns() < begin + (i + 1) * 1'000'000) producer.serve(1);
    }
    producer.flush();
  }
  Freshness result;
  result.rate = static_cast<double>(ms * kPacedPerMs) / seconds_since(begin);
  stop.store(true);
  watcher.join();
  result.p99_ms = p99(ages_ms.all);
  result.p50_ms = ages_ms.all[ages_ms.all.size() / 2];
  result.acknowledged_p99_ms = p99(ages_ms.acknowledged);
  result.visible_after_p99_ms = p99(ages_ms.visible_after);
  const PipelineStats stats = pipeline.stats();
  result.checkpoints = stats.checkpoints - before;
  result.longest_turn_ms = 1e-3 * static_cast<double>(stats.longest_turn_us);
  bench->engine->stop();
  return result;
}

// Seconds until an engine of a folder that kill -9 has left is ready; it is killed again.
double restart(const Topics& topics, const std::string& dir) {
  std::unique_ptr<BenchEngine> bench;  // not destroyed by the child
  return apart<double>(
      [&] {
        const int64_t begin = monotonic_ns();
        bench = engine_on(topics.options, dir);
        while (bench->engine->pipeline().stats().lag_records > 0) usleep(500);
        const double seconds = seconds_since(begin);
        CHECK(bench->engine->features().stats().viewers ==
              static_cast<uint64_t>(kafka_sizes().viewers));
        return seconds;
      },
      true);
}

// `state`: a store with a state of the topic; `first`: the number of the next event.
void measure_engine(const Topics& topics, const std::string& dir, const std::string& state,
                    int64_t first) {
  const std::string own = dir + "/engine";
  std::filesystem::create_directories(own + "/data");
  copy_state(state, own + "/data/state");
  write_token_keys(own + "/data/token.keys");
  const Freshness fresh = apart<Freshness>([&] { return measure_freshness(topics, own, first); });
  std::printf("  %.0f events/s for %d s, %llu checkpoints\n", fresh.rate, kafka_sizes().paced_s,
              static_cast<unsigned long long>(fresh.checkpoints));
  print_figure("freshness_p50", fresh.p50_ms, "ms", "-");
  print_figure("freshness_p99", fresh.p99_ms, "ms", "<= 100");
  print_figure("acknowledged_p99", fresh.acknowledged_p99_ms, "ms", "-");
  print_figure("visible_after_p99", fresh.visible_after_p99_ms, "ms", "-");
  print_figure("longest_turn", fresh.longest_turn_ms, "ms", "-");
  first += 1'000LL * kafka_sizes().paced_s * kPacedPerMs;

  const int64_t backlog = kafka_sizes().backlog;
  produce(topics, first, first + backlog / 5);
  restart(topics, own);  // folds some, and is killed before its next checkpoint
  const double ready = restart(topics, own);
  first += backlog / 5;
  produce(topics, first, first + backlog);
  const double with_backlog = restart(topics, own);
  print_figure("ready_killed", ready, "s", "<= 10");
  print_figure("caught_up", std::max(with_backlog - ready, 0.0), "s more", "<= 20");
}

int run(const std::string& only) {
  const KafkaSizes size = kafka_sizes();
  const TempDir dir;
  BenchBroker broker(dir / "kafka");
  const EngineOptions defaults;
  std::printf("%lld viewers, %lld events, checkpoints every %lld events or %lld s\n",
              static_cast<long long>(size.viewers), static_cast<long long>(size.events),
              static_cast<long long>(defaults.stream.checkpoint_records),
              static_cast<long long>(defaults.stream.checkpoint_interval_ms / 1'000));
  for (const ContentType content : {ContentType::kProtobuf, ContentType::kJson}) {
    const bool json = content == ContentType::kJson;
    if (only == "engine" && !json) continue;
    const Topics topics{broker.topics(json ? "json" : "protobuf"), content,
                        json ? "json" : "protobuf"};
    const std::string own = dir / topics.name;
    std::filesystem::create_directories(own);
    apart<bool>([&] { return put_items(topics.options); });
    produce(topics, 0, size.viewers);
    fill(topics.options, own + "/state");
    const bool rates = only != "engine";
    if (rates) measure_rates(topics, own, json ? ">= 0.5" : ">= 0.7");
    if (!json || only == "rates") continue;
    measure_engine(topics, own, own + (rates ? "/round" : "/state"),
                   size.viewers + (rates ? size.events : 0));
  }
  return 0;
}

}  // namespace
}  // namespace shanhuo

int main(int argc, char** argv) { return shanhuo::run(argc > 1 ? argv[1] : ""); }
