#include "serving/simulation.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json_writer.h"
#include "serving/simulation_lane.h"
#include "serving/terminal.h"
#include "serving/what_if.h"

namespace shanhuo {
namespace {

using Kind = FlagSpec::Kind;
constexpr FlagSpec kFlags[] = {
    {"catalogue", Kind::kText, "FILE", "items.ndjson that the engine was given",
     "build/demo/items.ndjson"},
    {"seed", Kind::kInteger, "N", "of everything random", "1", 0, 9e15},
    {"viewers", Kind::kInteger, "N", "how many there are", "20000", 1, 100e6},
    {"rate", Kind::kNumber, "N", "pages a second of simulated time, on average", "5", 1e-3, 1e5},
    {"duration", Kind::kDuration, "TIME", "0s: until stopped (clock wall alone)", "0s"},
    {"clock", Kind::kText, "wall|caller", "real time, or a day at full speed", "wall"},
    {"start", Kind::kTime, "TIME", "where simulated time begins (clock caller)",
     "2026-11-11T00:00:00+08:00"},
    {"connections", Kind::kInteger, "N", "side by side; 1 sends the same bytes each time", "2", 1,
     16},
    {"patience", Kind::kDuration, "TIME", "how long a call is repeated without an answer", "60s"},
    {"what-if", Kind::kText, "FILE",
     "instead: replays recorded requests of --data-dir with this "
     "program, or folder of programs"},
    {"from", Kind::kTime, "TIME", "what-if: the first request's time at least"},
    {"until", Kind::kTime, "TIME", "what-if: and before that"},
};

// Traffic at the full hours of a day in UTC+8: quiet at four, a small peak at noon, a high one at
// nine in the evening. Relative; traffic_at() makes the mean 1.
constexpr std::array<double, 24> kHours = {.55, .35, .22, .15,  .13,  .18,  .35, .60,
                                           .75, .80, .85, .95,  1.2,  1.1,  .90, .85,
                                           .90, 1.0, 1.2, 1.45, 1.65, 1.75, 1.5, 1.0};

std::string json_of(const SimulationSummary& summary) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("pages", summary.pages);
  json.field("events", summary.events);
  json.field("accepted", summary.accepted);
  json.field("rejected", summary.rejected);
  json.key("reasons");
  json.begin_object();
  for (const auto& [reason, count] : summary.reasons) json.field(reason, count);
  json.end_object();
  json.field("inserted", summary.inserted);
  json.field("unknown_items", summary.unknown_items);
  json.field("orders", summary.orders);
  json.field("retries", summary.retries);
  json.field("seconds", summary.seconds);
  json.field("rank_p50_ms", summary.rank.quantile_ms(0.5));
  json.field("rank_p99_ms", summary.rank.quantile_ms(0.99));
  json.field("true_loss_ratio", summary.loss_ratio());
  json.key("true_loss_ratio_on_pages");  // of each program
  json.begin_object();
  for (const auto& [program, pages] : summary.programs) {
    json.field(program, SimulationSummary::loss_ratio(pages.organic_value, pages.value));
  }
  json.end_object();
  json.end_object();
  return out;
}

void print(const SimulationSummary& summary) {
  std::printf("%s pages, %s events (%s rejected), %s orders in %s s\n",
              with_separators(summary.pages).c_str(), with_separators(summary.events).c_str(),
              with_separators(summary.rejected).c_str(), with_separators(summary.orders).c_str(),
              format_fixed(summary.seconds, 1).c_str());
  for (const auto& [reason, count] : summary.reasons) {
    std::printf("  rejected: %s x %s\n", with_separators(count).c_str(), reason.c_str());
  }
  std::printf("rank as the client sees it: p50 %s ms, p99 %s ms\n",
              format_fixed(summary.rank.quantile_ms(0.5), 2).c_str(),
              format_fixed(summary.rank.quantile_ms(0.99), 2).c_str());
  std::printf("viewers' true loss against their organic pages: %s %%; %s items inserted\n",
              format_fixed(100 * summary.loss_ratio(), 2).c_str(),
              with_separators(summary.inserted).c_str());
}

void add(const SimulationSummary& part, SimulationSummary& total) {
  total.pages += part.pages;
  total.events += part.events;
  total.accepted += part.accepted;
  total.rejected += part.rejected;
  total.inserted += part.inserted;
  total.unknown_items += part.unknown_items;
  total.orders += part.orders;
  total.retries += part.retries;
  total.organic_value += part.organic_value;
  total.value += part.value;
  total.rank.merge(part.rank);
  for (const auto& [program, pages] : part.programs) {
    total.programs[program].organic_value += pages.organic_value;
    total.programs[program].value += pages.value;
  }
  for (const auto& [reason, count] : part.reasons) total.reasons[reason] += count;
}

void show_progress(const LaneBoard& board, const SimulationOptions& options, int64_t begin_ms,
                   const std::atomic<int>& running) {
  Progress progress("simulate", "pages");
  while (running > 0) {
    const double done = static_cast<double>(board.time_ms - begin_ms);
    const double whole = static_cast<double>(options.duration.count());
    progress.update(whole > 0 ? std::clamp(done / whole, 0.0, 1.0) : -1, board.pages);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

const std::span<const FlagSpec> kSimulateFlags = kFlags;

double traffic_at(Millis time) {
  double sum = 0;
  for (const double hour : kHours) sum += hour;
  const Millis of_day = time + Millis(8 * kHour.count());
  const double hours =
      static_cast<double>(of_day.count() - window_of(of_day, kDay) * kDay.count()) /
      static_cast<double>(kHour.count());
  const auto hour = static_cast<size_t>(hours) % 24;
  const double part = hours - std::floor(hours);
  return 24 / sum * (kHours[hour] * (1 - part) + kHours[(hour + 1) % 24] * part);
}

Result<SimulationSummary> simulate(const SimulatedWorld& world, const SimulationOptions& options,
                                   const CliArguments& arguments) {
  const int64_t started_ns = monotonic_ns();
  const int64_t begin_ms = options.caller_clock ? options.start.count() : WallClock().now().count();
  const auto lanes = static_cast<size_t>(options.connections);
  LaneBoard board(lanes);
  board.time_ms = begin_ms;
  std::vector<std::unique_ptr<SimulationLane>> all;
  for (size_t lane = 0; lane < lanes; ++lane) {
    Result<ApiClient> client = ApiClient::open(arguments);
    if (!client.ok()) return client.error();
    all.push_back(std::make_unique<SimulationLane>(world, options, begin_ms, static_cast<int>(lane),
                                                   std::move(client).value(), board));
  }
  std::vector<Status> done(lanes);
  std::atomic<int> running = options.connections;
  std::vector<std::thread> threads;
  for (size_t lane = 0; lane < lanes; ++lane) {
    threads.emplace_back([&, lane] {
      done[lane] = all[lane]->run();
      --running;
    });
  }
  show_progress(board, options, begin_ms, running);
  for (std::thread& thread : threads) thread.join();
  SimulationSummary total;
  for (size_t lane = 0; lane < lanes; ++lane) {
    if (!done[lane].ok()) return done[lane].error();
    add(all[lane]->summary(), total);
  }
  total.seconds = static_cast<double>(monotonic_ns() - started_ns) * 1e-9;
  return total;
}

int simulate_verb(const CliArguments& arguments) {
  if (arguments.given("what-if")) return what_if_verb(arguments);
  const std::string clock = arguments.text("clock");
  if (clock != "wall" && clock != "caller") {
    return bad_usage(arguments, "--clock: '" + clock + "' is not allowed; allowed: wall, caller");
  }
  SimulationOptions options;
  options.caller_clock = clock == "caller";
  options.seed = static_cast<uint64_t>(arguments.integer("seed"));
  options.viewers = static_cast<uint32_t>(arguments.integer("viewers"));
  options.pages_per_s = arguments.number("rate");
  options.start = arguments.time("start");
  options.duration = arguments.duration("duration");
  options.connections = static_cast<int>(arguments.integer("connections"));
  options.patience = arguments.duration("patience");
  if (options.caller_clock && options.duration.count() == 0) {
    return bad_usage(arguments, "--clock caller needs --duration, for instance --duration 24h");
  }
  if (options.viewers < static_cast<uint32_t>(options.connections)) {
    return bad_usage(arguments, "--viewers: fewer than --connections");
  }
  const std::string path = arguments.text("catalogue");
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(arguments, {ErrorCode::kIo, path + ": " + std::strerror(errno)});
  const Result<SimulatedWorld> world = SimulatedWorld::load(file, options.seed);
  if (!world.ok()) return fail(arguments, world.error().within(path));
  catch_interrupts();
  const Result<SimulationSummary> summary = simulate(world.value(), options, arguments);
  if (!summary.ok()) return fail(arguments, summary.error());
  if (arguments.json) {
    std::printf("%s\n", json_of(summary.value()).c_str());
  } else {
    print(summary.value());
  }
  return kExitDone;
}

}  // namespace shanhuo
