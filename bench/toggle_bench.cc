// How fast a switch of an experiment is in every answer, while connections ask for pages as fast as
// they are answered; and what a thousand revisions of it leave in memory.
//
//   build/release/toggle_bench
//
//   toggle_api, toggle_file   from the change (the call; the file's new name) to the last answer of
//                             a request that came after it and still had the state before
//   revisions                 what another so many revisions add to a process that has had as many:
//                             the books keep a bounded number in memory, so the first ones fill
//                             them
//
// A request that fails, or memory that grows, aborts. Clients and engine share the machine's cores.
#include <algorithm>
#include <atomic>
#include <thread>

#include "bench/engine_fixture.h"
#include "serving/http_api.h"
#include "serving/http_client.h"
#include "serving/http_server.h"

namespace shanhuo {
namespace {

constexpr int kCandidates = 50;
constexpr int kPagesSettled = 20;  // of each connection, all of them as they should be
constexpr double kGrowthMaxMib = 4;

struct Sizes {
  size_t items;
  int toggles;  // of each kind
  int revisions;
};
Sizes sizes() {
  if (bench_smoke()) return {500, 2, 150};
  return {20'000, 25, 1'000};
}

std::string experiment_text(bool enabled) {
  return std::string("id: toggle\nlayer: ranking\nenabled: ") + (enabled ? "true" : "false") +
         "\nvariations:\n  - {key: control, weight: 0.5}\n"
         "  - {key: more, weight: 0.5, set: {ranking.explore_best: 3}}\n";
}

// Connections that ask for one page after the other, and what they have seen since a switch.
class Load {
 public:
  Load(uint16_t port, int connections) : settled_(static_cast<size_t>(connections)) {
    for (int i = 0; i < connections; ++i) {
      threads_.emplace_back([this, port, i] { ask(port, i); });
    }
  }
  void stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  // From now on pages should say so. Requires: the switch before has settled.
  void expect(bool enabled) {
    const std::lock_guard lock(mutex_);
    std::fill(settled_.begin(), settled_.end(), 0);
    changed_ns_ = last_old_ns_ = monotonic_ns();
    enabled_ = enabled;
  }
  // Waits until all pages do; ms until the last one that did not.
  double settle() {
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (*std::min_element(settled_.begin(), settled_.end()) >= kPagesSettled) {
          return 1e-6 * static_cast<double>(last_old_ns_ - changed_ns_);
        }
      }
      usleep(1'000);
    }
  }
  uint64_t pages() const { return pages_; }
  uint64_t failed() const { return failed_; }
  uint64_t degraded() const { return degraded_; }

 private:
  static std::string body_of(int connection, uint64_t page) {
    const std::string id = std::to_string(connection) + "-" + std::to_string(page);
    std::string body = R"({"request_id":"r)" + id + R"(","user_id":"u)" + id +
                       R"(","surface":"feed","count":20,"candidates":[)";
    for (int i = 0; i < kCandidates; ++i) {
      body += std::string(i == 0 ? "" : ",") + R"({"item_id":"o)" + std::to_string(i) +
              R"(","score":)" + std::to_string(0.05 - 0.0005 * i) + "}";
    }
    return body + "]}";
  }

  void ask(uint16_t port, int connection) {
    HttpClient client("127.0.0.1", port);
    for (uint64_t page = 0; !stopping_; ++page) {
      const int64_t began = monotonic_ns();
      const auto answer = client.send_json("POST", "/v1/rank", body_of(connection, page));
      ++pages_;
      if (!answer.ok() || answer.value().status != 200) {
        ++failed_;
        continue;
      }
      const std::string& body = answer.value().body;
      degraded_ += body.find(R"("degraded":[])") == std::string::npos ? 1 : 0;
      note(connection, began, body.find(R"("in_experiment":true)") != std::string::npos);
    }
  }

  void note(int connection, int64_t began, bool enabled) {
    const std::lock_guard lock(mutex_);
    if (began < changed_ns_) return;
    int& settled = settled_[static_cast<size_t>(connection)];
    settled = enabled == enabled_ ? settled + 1 : 0;
    if (enabled != enabled_) last_old_ns_ = monotonic_ns();
  }

  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> pages_{0}, failed_{0}, degraded_{0};
  std::mutex mutex_;
  // Guarded by mutex_:
  std::vector<int> settled_;  // pages in a row, by connection
  int64_t changed_ns_ = 0, last_old_ns_ = 0;
  bool enabled_ = true;
};

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path + ".part") << text;
  CHECK(std::rename((path + ".part").c_str(), path.c_str()) == 0);
}

void print_times(const std::string& name, std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  const size_t p99 = (ms.size() * 99 + 99) / 100 - 1;
  print_figure((name + "_p50").c_str(), ms[ms.size() / 2], "ms", "-");
  print_figure((name + "_p99").c_str(), ms[p99], "ms", "<= 1000");
}

void measure_toggles(uint16_t port, const std::string& file, int toggles) {
  const int connections = 2 * static_cast<int>(std::thread::hardware_concurrency());
  Load load(port, connections);
  HttpClient client("127.0.0.1", port);
  bool enabled = true;
  load.expect(enabled);
  load.settle();
  const int64_t begin = monotonic_ns();
  for (const bool by_file : {false, true}) {
    std::vector<double> ms;
    for (int i = 0; i < toggles; ++i) {
      enabled = !enabled;
      load.expect(enabled);
      if (by_file) {
        write_file(file, experiment_text(enabled));
      } else {
        const auto answer =
            client.send_json("PATCH", "/v1/experiments/toggle",
                             enabled ? R"({"enabled":true})" : R"({"enabled":false})");
        CHECK(answer.ok() && answer.value().status == 200);
      }
      ms.push_back(load.settle());
    }
    print_times(by_file ? "toggle_file" : "toggle_api", std::move(ms));
  }
  const double seconds = 1e-9 * static_cast<double>(monotonic_ns() - begin);
  load.stop();
  std::printf("  %d connections, %.0f pages/s, %llu degraded\n", connections,
              static_cast<double>(load.pages()) / seconds,
              static_cast<unsigned long long>(load.degraded()));
  print_figure("failed_requests", static_cast<double>(load.failed()), "", "0");
  CHECK(load.failed() == 0);
}

double resident_mib() {
  std::ifstream in("/proc/self/statm");
  double total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

void revise(HttpClient& client, int first, int last) {
  for (int i = first; i < last; ++i) {
    const std::string body = R"({"coverage":)" + std::to_string(1e-4 * (i + 1)) + "}";
    const auto answer = client.send_json("PATCH", "/v1/experiments/toggle", body);
    CHECK(answer.ok() && answer.value().status == 200);
  }
}

void measure_revisions(uint16_t port, int revisions) {
  HttpClient client("127.0.0.1", port);
  revise(client, 0, revisions);
  const double before = resident_mib();
  const int64_t begin = monotonic_ns();
  revise(client, revisions, 2 * revisions);
  const double seconds = 1e-9 * static_cast<double>(monotonic_ns() - begin);
  const double after = resident_mib();
  std::printf("  %d revisions, %.1f ms each; %.1f MiB, then %.1f\n", revisions,
              1e3 * seconds / revisions, before, after);
  print_figure("revisions", after - before, "MiB", "<= 4");
  CHECK(after - before <= kGrowthMaxMib);
}

int run() {
  const Sizes size = sizes();
  const TempDir dir;
  const BenchCatalogue catalogue(size.items);
  BenchEngine bench(dir / "engine", [](EngineOptions& options) {
    options.token_file.clear();
    options.clock = ClockKind::kWall;
  });
  bench.write_programs(catalogue.categories());
  const std::string folder = dir / "engine/configs/experiments";
  std::filesystem::create_directories(folder);
  const std::string file = folder + "/toggle.yaml";
  write_file(file, experiment_text(true));
  bench.open();
  bench.put(catalogue.items());
  bench.wait_ready();
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
  measure_toggles(server.port(), file, size.toggles);
  write_file(file, experiment_text(true));
  measure_revisions(server.port(), size.revisions);
  server.stop();
  return 0;
}

}  // namespace
}  // namespace shanhuo

int main() { return shanhuo::run(); }
