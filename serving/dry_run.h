// What a change would do, tried on the requests of late: each is ranked with what is live and with
// the change, side by side, through the functions that rank for viewers. Nothing is reserved,
// counted, learned or remembered. Prices are those of now on both sides: what a change would make
// of them in time is the forecast's and the what-if's (forecast.h, what_if.h).
//
// Runs for at most `time_max_ns`, on the calling thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "serving/ranker.h"
#include "serving/request_ring.h"

namespace shanhuo {

struct DryRunLimits {
  size_t requests_max = 1'000;
  size_t requests_min = 20;  // with fewer nothing is said
  int64_t time_max_ns = 2'000'000'000;
};

struct DryRunSide {
  double inserted = 0;  // items a page
  double loss_fen = 0;  // viewers' loss a page
  double organic_value_fen = 0;
  double p50_ms = 0, p99_ms = 0;               // of ranking a page
  std::map<std::string, uint64_t> by_program;  // inserted items; one counts for each that it names
};

struct DryRunReport {
  size_t requests = 0;    // that were ranked
  size_t unreadable = 0;  // with the limits of now
  Millis oldest, newest;  // engine time
  bool complete = true;   // false: time ran out
  double changed = 0;     // share of pages that differ
  double moved = 0;       // organic items a page that stand elsewhere
  double moved_by = 0;    // positions, each of those
  double left_out = 0;    // organic items a page that have no place any more
  DryRunSide before, after;
};

// kConflict with a sentence when there are fewer requests than requests_min.
Result<DryRunReport> dry_run(const std::vector<std::shared_ptr<const RecentRequest>>& requests,
                             const RankSide& before, const RankSide& after,
                             const RankLimits& limits, Millis now, Ranker& ranker,
                             const DryRunLimits& bounds);

}  // namespace shanhuo
