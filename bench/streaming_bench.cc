// The write walk piece by piece: decoding an event, appending to the log, folding, and how fresh
// what is ranked is while events arrive at 50,000 a second and checkpoints run.
#include <benchmark/benchmark.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <thread>

#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

constexpr int kBatch = 500;
constexpr Millis kStart{1'700'000'000'000};

bool smoke() { return std::getenv("SHANHUO_BENCH_SMOKE") != nullptr; }

// Event n of a plausible feed, about 120 bytes as protobuf.
struct Texts {
  explicit Texts(int64_t n)
      : event_id("ev-" + std::to_string(n) + "-7f3a9c21"),
        user_id("viewer-" + std::to_string(n * 7919 % 1'000'000)),
        item_id("item-" + std::to_string(n * 104'729 % 100'000)),
        request_id("req-" + std::to_string(n / 10) + "-5be1") {}
  std::string event_id, user_id, item_id, request_id;

  Interaction event(int64_t n, Millis ts) const {
    Interaction event;
    event.type = n % 10 == 0 ? EventType::kClick : EventType::kImpression;
    event.surface = Surface::kFeed;
    event.event_id = event_id;
    event.user_id = user_id;
    event.item_id = item_id;
    event.request_id = request_id;
    event.ts = ts;
    event.position = static_cast<int32_t>(n % 20);
    event.viewable_ms = 1500;
    return event;
  }
};

std::string body(BodyFormat format) {
  std::string text;
  JsonWriter list(text);
  if (format == BodyFormat::kJson) {
    list.begin_object();
    list.key("events");
    list.begin_array();
  }
  for (int64_t n = 0; n < kBatch; ++n) {
    const Texts texts(n);
    const Interaction event = texts.event(n, kStart + Millis(n));
    if (format == BodyFormat::kJson) {
      write_event_json(list, event);
    } else if (format == BodyFormat::kNdjson) {
      JsonWriter line(text);
      write_event_json(line, event);
      text += "\n";
    } else {  // field 1 of EventBatch, length-delimited
      const std::string bytes = encoded(event);
      text += '\x0a';
      if (bytes.size() >= 128) text += static_cast<char>(bytes.size() | 0x80);
      text += static_cast<char>(bytes.size() >= 128 ? bytes.size() >> 7 : bytes.size());
      text += bytes;
    }
  }
  if (format == BodyFormat::kJson) {
    list.end_array();
    list.end_object();
  }
  return text;
}

void decode_body(benchmark::State& state, BodyFormat format) {
  const std::string text = body(format);
  EventDecoder decoder;
  json::FieldErrors errors;
  int64_t taken = 0;
  for (auto _ : state) {
    const Status status = decoder.decode_body(
        format, text, errors,
        [&](size_t, Reason reason, const Interaction&) { taken += reason.empty() ? 1 : 0; });
    CHECK(status.ok());
  }
  CHECK(taken == static_cast<int64_t>(state.iterations()) * kBatch);
  state.SetItemsProcessed(taken);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK_CAPTURE(decode_body, json, BodyFormat::kJson);
BENCHMARK_CAPTURE(decode_body, ndjson, BodyFormat::kNdjson);
BENCHMARK_CAPTURE(decode_body, protobuf, BodyFormat::kProtobuf);

void encode_one(benchmark::State& state) {
  const Texts texts(12'345);
  const Interaction event = texts.event(12'345, kStart);
  std::string out;
  for (auto _ : state) {
    encode_event(event, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(encode_one);

void decode_record(benchmark::State& state) {
  const Texts texts(12'345);
  const std::string bytes = encoded(texts.event(12'345, kStart));
  LogRecord record;
  record.value = bytes;
  EventDecoder decoder;
  Interaction event;
  for (auto _ : state) CHECK(decoder.decode_record(record, event).empty());
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(decode_record);

// So that the figures are the walk's own.
class Counter final : public StateMachine {
 public:
  DeadReason apply(const Interaction&, const FoldContext&) override {
    ++events;
    return {};
  }
  void forget(std::string_view) override {}
  uint64_t events = 0;
};

// Lets at most `most` appends be unanswered.
class Window {
 public:
  explicit Window(int most) : most_(most) {}
  void enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_ < most_; });
    ++open_;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    --open_;
    changed_.notify_all();
  }
  void drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_ == 0; });
  }

 private:
  const int most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int open_ = 0;
};

struct Batches {
  std::vector<std::string> values;
  std::vector<AppendRecord> records;

  Batches(int64_t first, Millis ts, int count = kBatch) {
    for (int64_t n = first; n < first + count; ++n) {
      values.push_back(encoded(Texts(n).event(n, ts)));
    }
    for (const std::string& value : values) records.push_back({"viewer-123456", value});
  }
};

// Durable appends, 500 records each, at most 8 unanswered.
void append_batches(benchmark::State& state) {
  const TempDir dir;
  const WallClock clock;
  auto log = std::move(EmbeddedLog::open(dir / "log", {}, clock)).value();
  const Batches batch(0, kStart);
  Window window(8);
  size_t bytes = 0;
  for (const std::string& value : batch.values) bytes += value.size();
  for (auto _ : state) {
    window.enter();
    log->append(Topic::kInteractions, 0, batch.records, [&](const Result<Appended>& spans) {
      CHECK(spans.ok());
      window.leave();
    });
  }
  window.drain();
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * kBatch);
  state.counters["record_bytes"] = static_cast<double>(bytes) / kBatch;
  state.counters["appends_per_sync"] =
      static_cast<double>(state.iterations()) / static_cast<double>(log->stats().groups);
}
BENCHMARK(append_batches)->MeasureProcessCPUTime()->UseRealTime();

// Poll, decode, deduplicate, apply to a machine that only counts.
void fold_from_the_log(benchmark::State& state) {
  const TempDir dir;
  const int records = smoke() ? 5'000 : 500'000;
  Counter counter;
  SmallEngine engine(dir / "data", {}, nullptr, &counter);
  for (int64_t first = 0; first < records; first += 5'000) {
    CHECK(
        append_wait(*engine.log, Topic::kInteractions, Batches(first, kStart, 5'000).records).ok());
  }
  for (auto _ : state) {
    CHECK(engine.pipeline->start().ok());
    CHECK(engine.pipeline->wait_applied(Topic::kInteractions, 0, records - 1, 600'000));
  }
  state.SetItemsProcessed(records);
}
BENCHMARK(fold_from_the_log)->Iterations(1)->MeasureProcessCPUTime()->UseRealTime();

// 50,000 events a second in batches of 500 for some seconds; share of them by age when visible.
void freshness_at_50k(benchmark::State& state) {
  const TempDir dir;
  PipelineOptions options;
  options.checkpoint_interval_ms = 1'000;
  Counter counter;
  SmallEngine engine(dir / "data", options, nullptr, &counter);
  CHECK(engine.pipeline->start().ok());
  const int batches = smoke() ? 20 : 1'000;
  std::vector<Batches> made;
  for (int i = 0; i < batches; ++i) made.emplace_back(int64_t{i} * kBatch, engine.wall.now());
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < batches; ++i) {
      std::this_thread::sleep_until(begin + std::chrono::milliseconds(10) * i);
      engine.log->append(Topic::kInteractions, 0, made[static_cast<size_t>(i)].records,
                         [](const Result<Appended>& spans) { CHECK(spans.ok()); });
    }
    CHECK(engine.pipeline->stop().ok());
  }
  const PipelineStats stats = engine.pipeline->stats();
  const auto share_within = [&](double ms) {
    uint64_t below = 0;
    for (size_t i = 0; i < kFreshnessBuckets; ++i) {
      below += kFreshnessMs[i] <= ms ? stats.freshness_ms[i] : 0;
    }
    return static_cast<double>(below) / static_cast<double>(stats.accepted);
  };
  state.counters["within_4ms"] = share_within(4);
  state.counters["within_10ms"] = share_within(10);
  state.counters["within_16ms"] = share_within(16);
  state.counters["checkpoints"] = static_cast<double>(stats.checkpoints);
  state.SetItemsProcessed(static_cast<int64_t>(stats.accepted));
}
BENCHMARK(freshness_at_50k)->Iterations(1)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace shanhuo

BENCHMARK_MAIN();
