// How long a restart takes with a million viewers of history, after a stop and after kill -9, and
// what a viewer costs in memory.
//
//   build/release/restart_bench
//
// A child process makes the state through the log (ten events a viewer) and is stopped, or killed
// without a last checkpoint; then this process opens the folder until the engine is ready.
#include <sys/wait.h>

#include <csignal>

#include "bench/engine_fixture.h"

namespace shanhuo {
namespace {

struct Sizes {
  size_t viewers, items;
  int64_t events_each;
};
Sizes sizes() {
  if (bench_smoke()) return {5'000, 500, 3};
  return {1'000'000, 20'000, 10};
}

double resident_mib() {
  std::ifstream in("/proc/self/statm");
  double total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// Adds events [first, last) to the engine of `dir` in a process of its own.
void fill(const std::string& dir, const Sizes& size, int64_t first, int64_t last, bool kill) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    BenchEngine bench(dir);
    bench.open();
    if (first == 0) bench.put(BenchCatalogue(size.items).items());
    bench.send(BenchEvents(size.viewers, size.items), first, last);
    if (kill) raise(SIGKILL);
    bench.engine.reset();  // as `serve` does when it is stopped
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(kill ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

struct Restart {
  double seconds = 0, bytes_per_viewer = 0, resident = 0;
  size_t viewers = 0;
};

// Opens until ready and everything on the log is folded.
Restart restart(const std::string& dir) {
  const double before = resident_mib();
  BenchEngine bench(dir);
  const int64_t begin = monotonic_ns();
  bench.open();
  bench.wait_ready();
  while (bench.engine->pipeline().stats().lag_records > 0) usleep(500);
  Restart result;
  result.seconds = 1e-9 * static_cast<double>(monotonic_ns() - begin);
  const FeatureStoreStats stats = bench.engine->features().stats();
  result.viewers = stats.viewers;
  result.bytes_per_viewer =
      static_cast<double>(stats.viewer_bytes) / static_cast<double>(stats.viewers);
  result.resident = resident_mib() - before;
  bench.engine->stop();
  return result;
}

// In a process of its own too, so that memory is counted from nothing.
Restart restart_apart(const std::string& dir) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    const Restart result = restart(dir);
    CHECK(write(ends[1], &result, sizeof result) == sizeof result);
    _exit(0);
  }
  Restart result;
  CHECK(read(ends[0], &result, sizeof result) == sizeof result);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  close(ends[0]);
  close(ends[1]);
  return result;
}

int run() {
  const Sizes size = sizes();
  const TempDir dir;
  const auto all = static_cast<int64_t>(size.viewers) * size.events_each;
  std::filesystem::create_directory(dir / "engine");

  fill(dir / "engine", size, 0, all, false);
  const Restart stopped = restart_apart(dir / "engine");
  CHECK(stopped.viewers == size.viewers);
  std::printf("%zu viewers, %lld events\n", stopped.viewers, static_cast<long long>(all));
  print_figure("restart_s", stopped.seconds, "s", "<= 10");
  print_figure("bytes_per_viewer", stopped.bytes_per_viewer, "bytes", "<= 600");
  print_figure("resident", stopped.resident, "MiB", "-");

  fill(dir / "engine", size, all, all + all / 50, true);
  const Restart killed = restart_apart(dir / "engine");
  CHECK(killed.viewers == size.viewers);
  print_figure("restart_killed_s", killed.seconds, "s", "<= 10");
  return 0;
}

}  // namespace
}  // namespace shanhuo

int main() { return shanhuo::run(); }
