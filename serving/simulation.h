// `shanhuo simulate`: viewers with tastes in front of a running engine, over its public API alone.
//
// A discrete-event simulation: visits begin at random, ask for page after page (POST /v1/rank), and
// what viewers do is sent (POST /v1/events) once it is over, in batches.
//
//   clock caller   simulated time runs from `start` for `duration` as fast as the engine answers,
//                  with a day's curve of traffic; now_ms goes along with each page
//   clock wall     real time, a constant rate, until `duration` has passed or SIGINT
//
// Each connection is a lane with its own thread and its share of the viewers; with the caller's
// clock no lane is more than kLaneSlackMs of simulated time ahead of another. With one connection
// and an engine that answers the same, the same bytes are sent for the same seed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "serving/cli.h"
#include "serving/latency_histogram.h"
#include "serving/simulated_world.h"

namespace shanhuo {

inline constexpr int64_t kLaneSlackMs = 10'000;

struct SimulationOptions {
  uint64_t seed = 1;
  uint32_t viewers = 20'000;
  double pages_per_s = 5;  // of simulated time, on average
  bool caller_clock = false;
  Millis start;               // with the caller's clock
  Millis duration{0};         // 0: until interrupted (wall clock alone)
  int connections = 1;        // 1..16
  size_t batch_events = 500;  // of one request
  Millis patience{60'000};    // how long a call is repeated without an answer
};

struct SimulationSummary {
  uint64_t pages = 0;
  uint64_t events = 0;  // sent
  uint64_t accepted = 0, rejected = 0;
  uint64_t inserted = 0;       // items of pages that were not organic
  uint64_t unknown_items = 0;  // of pages, not in the simulator's catalogue
  uint64_t orders = 0;
  uint64_t retries = 0;
  double organic_value = 0;  // expected true clicks of the organic pages
  double value = 0;          // of the pages as they were answered
  double seconds = 0;
  LatencyHistogram rank;                    // one call, as the client sees it
  std::map<std::string, uint64_t> reasons;  // of rejected events
  // The same two values of the pages that name a program, of all programs on them together.
  struct OnPages {
    double organic_value = 0, value = 0;
  };
  std::map<std::string, OnPages> programs;

  // What viewers truly lost against the organic pages, relative; negative: they won.
  static double loss_ratio(double organic, double answered) {
    return organic > 0 ? (organic - answered) / organic : 0;
  }
  double loss_ratio() const { return loss_ratio(organic_value, value); }
};

// Share of the mean traffic at a moment of the day (UTC+8); 1 on average over a day.
double traffic_at(Millis time);

// Blocks until done. Fails with what stopped it.
Result<SimulationSummary> simulate(const SimulatedWorld& world, const SimulationOptions& options,
                                   const CliArguments& arguments);

int simulate_verb(const CliArguments& arguments);
extern const std::span<const FlagSpec> kSimulateFlags;

}  // namespace shanhuo
