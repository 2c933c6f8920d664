// Events over HTTP, as apps send them: batches of 500 on two connections, durable before they are
// answered, while the same process decodes, writes the log and folds.
//
//   build/release/ingest_bench
//
//   ingest_rate    events answered a second, as fast as the engine takes them (JSON; then protobuf)
//   freshness_*    at a paced 50,000 events a second: durable -> visible to ranking, while
//                  checkpoints run. Upper bounds of the pipeline's buckets
//
// Clients and engine share the machine's cores: a client that is not on them would leave more.
#include <chrono>
#include <thread>

#include "bench/engine_fixture.h"
#include "serving/http_api.h"
#include "serving/http_client.h"
#include "serving/http_server.h"

namespace shanhuo {
namespace {

constexpr size_t kBatch = 500;
constexpr int kConnections = 2;

struct Sizes {
  size_t users, items;
  int batches;        // of each connection, at full speed
  int paced_batches;  // of each connection
};
Sizes sizes() {
  if (bench_smoke()) return {2'000, 1'000, 5, 10};
  return {200'000, 20'000, 800, 500};
}

enum class Form { kJson, kProtobuf };

void append_varint(std::string& out, size_t value) {
  for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
  out += static_cast<char>(value);
}

// The body of batch `n`: events that no other batch has.
std::string body_of(int64_t n, Form form, const Sizes& size) {
  std::string out;
  JsonWriter json(out);
  if (form == Form::kJson) {
    json.begin_object();
    json.key("events");
    json.begin_array();
  }
  for (int64_t i = n * int64_t{kBatch}; i < (n + 1) * int64_t{kBatch}; ++i) {
    const uint64_t draw = mix64(static_cast<uint64_t>(i));
    const std::string event_id = "ev-" + std::to_string(i) + "-7f3a9c21";
    const std::string user_id = BenchEvents::user_of(draw % size.users);
    const std::string item_id = "good-" + std::to_string((draw >> 32) % size.items);
    Interaction event;
    event.type = i % 10 == 0 ? EventType::kClick : EventType::kImpression;
    event.surface = Surface::kFeed;
    event.event_id = event_id;
    event.user_id = user_id;
    event.item_id = item_id;
    event.ts = kBenchStart + Millis(i / 50);
    event.position = static_cast<int32_t>(i % 20);
    event.viewable_ms = i % 10 == 0 ? -1 : 1'500;
    if (form == Form::kJson) {
      write_event_json(json, event);
    } else {  // field 1 of EventBatch
      std::string encoded;
      encode_event(event, encoded);
      out += '\x0a';
      append_varint(out, encoded.size());
      out += encoded;
    }
  }
  if (form == Form::kJson) {
    json.end_array();
    json.end_object();
  }
  return out;
}

// One connection's share; `interval` 0: one batch after the other.
void send_all(uint16_t port, const std::vector<std::string>& bodies, Form form,
              std::chrono::microseconds begin_after, std::chrono::microseconds interval) {
  HttpClient client("127.0.0.1", port);
  const HttpClient::Headers headers = {
      {"content-type", form == Form::kJson ? "application/json" : "application/x-protobuf"}};
  const std::string expected = "{\"accepted\":" + std::to_string(kBatch) + ",";
  const auto begin = std::chrono::steady_clock::now() + begin_after;
  for (size_t i = 0; i < bodies.size(); ++i) {
    if (interval.count() > 0) std::this_thread::sleep_until(begin + interval * i);
    const auto answer = client.request("POST", "/v1/events", headers, bodies[i], 60'000);
    CHECK(answer.ok() && answer.value().status == 202);
    CHECK(answer.value().body.starts_with(expected));
  }
}

class Load {
 public:
  Load(Engine& engine, uint16_t port, const Sizes& size)
      : engine_(engine), port_(port), size_(size) {}

  // Seconds until the last answer.
  double run(int batches, Form form, std::chrono::microseconds interval) {
    std::vector<std::vector<std::string>> bodies(kConnections);
    for (int i = 0; i < batches; ++i) {
      for (auto& own : bodies) own.push_back(body_of(next_++, form, size_));
    }
    const int64_t begin = monotonic_ns();
    std::vector<std::thread> clients;
    for (int c = 0; c < kConnections; ++c) {
      clients.emplace_back([&, c] {
        send_all(port_, bodies[static_cast<size_t>(c)], form, interval * c / kConnections,
                 interval);
      });
    }
    for (std::thread& client : clients) client.join();
    return 1e-9 * static_cast<double>(monotonic_ns() - begin);
  }
  // Seconds until everything accepted is folded.
  double drain() {
    const int64_t begin = monotonic_ns();
    while (engine_.pipeline().stats().lag_records > 0) usleep(500);
    return 1e-9 * static_cast<double>(monotonic_ns() - begin);
  }

 private:
  Engine& engine_;
  const uint16_t port_;
  const Sizes& size_;
  int64_t next_ = 0;
};

double quantile(const PipelineStats& before, const PipelineStats& after, double q) {
  uint64_t all = 0, seen = 0;
  for (size_t i = 0; i < kFreshnessBuckets; ++i) {
    all += after.freshness_ms[i] - before.freshness_ms[i];
  }
  for (size_t i = 0; i < kFreshnessBuckets; ++i) {
    seen += after.freshness_ms[i] - before.freshness_ms[i];
    if (static_cast<double>(seen) >= q * static_cast<double>(all)) return kFreshnessMs[i];
  }
  return 0;
}

void measure_rate(Load& load, const Sizes& size, Form form, const char* name) {
  using std::chrono::microseconds;
  const double seconds = load.run(size.batches, form, microseconds(0));
  const double events = static_cast<double>(size.batches) * kConnections * kBatch;
  print_figure(name, events / seconds, "events/s", ">= 200000");
  std::printf("  folded %.2f s after the last answer\n", load.drain());
}

void measure_freshness(Engine& engine, Load& load, const Sizes& size) {
  using std::chrono::microseconds;
  const PipelineStats before = engine.pipeline().stats();
  const double seconds = load.run(size.paced_batches, Form::kJson, microseconds(20'000));
  load.drain();
  const PipelineStats after = engine.pipeline().stats();
  const double events = static_cast<double>(size.paced_batches) * kConnections * kBatch;
  std::printf("  %.0f events/s for %.1f s, %llu checkpoints\n", events / seconds, seconds,
              static_cast<unsigned long long>(after.checkpoints - before.checkpoints));
  print_figure("freshness_p50", quantile(before, after, 0.5), "ms", "-");
  print_figure("freshness_p99", quantile(before, after, 0.99), "ms", "<= 10");
}

int run() {
  const Sizes size = sizes();
  const TempDir dir;
  const BenchCatalogue catalogue(size.items);
  BenchEngine bench(dir / "engine", [](EngineOptions& options) { options.token_file.clear(); });
  bench.write_programs(catalogue.categories());
  bench.open();
  bench.put(catalogue.items());
  const WallClock clock;
  auto access = Access::open({}, clock);
  CHECK(access.ok());
  HttpApi api(*bench.engine, *access.value());
  HttpServerOptions options;
  options.port = 0;
  HttpServer server(options, [&api](HttpRequest&& request, Responder respond) {
    api.handle(std::move(request), std::move(respond));
  });
  CHECK(server.start().ok());
  Load load(*bench.engine, server.port(), size);
  measure_rate(load, size, Form::kJson, "ingest_rate");
  measure_rate(load, size, Form::kProtobuf, "ingest_rate_proto");
  measure_freshness(*bench.engine, load, size);
  server.stop();
  return 0;
}

}  // namespace
}  // namespace shanhuo

int main() { return shanhuo::run(); }
