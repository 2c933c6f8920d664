// Re-solving (allocation.md 2): every few minutes the prices that would be best for what is left of
// all goals are found on a sample of recent requests, and the controller moves its own towards
// them, by at most a quarter. Between, and without a sample, prices move as the law says.
//
// A RequestSnapshot is what a page could have chosen from: for each candidate its gain to the
// viewer and P(viewable) at a few legal places. The sample is spread evenly over the last hour of
// engine time, one snapshot each `memory / snapshots_max`, so that neither bursts nor the order of
// threads fill it. Kept in memory alone: after a restart it fills again within minutes.
//
// Thread-safe: wants() is one atomic read; add() takes a short lock; solve() works on a copy of
// pointers, outside it. Costs about 10 ns an option and round: 10 ms with full sizes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/ids.h"
#include "features/viewer.h"
#include "ranking/program.h"

namespace shanhuo {

struct ResolveOptions {
  Millis period{300'000};    // engine time between two re-solvings; 0: never
  Millis memory{3'600'000};  // age of the oldest snapshot
  int snapshots_max = 256;   // about 4 kB each
  int snapshots_min = 64;    // fewer are not solved on
  double move_share = 0.25;  // of its price, a price moves at most; 0..1
};

// One candidate at one place of the page.
struct SnapshotOption {
  int32_t candidate = 0;  // options of one candidate stand together
  float viewer_fen = 0;   // value there less what slides down loses; mostly negative
  float examine = 0;      // P(viewable) there
  float p_click = 0, p_order = 0;
  float extra_fen = 0;                                   // paid per exposure beside the goals
  std::array<uint32_t, kProgramsPerItemMax> programs{};  // program_hash(); 0: none
};

struct RequestSnapshot {
  Surface surface = Surface::kFeed;
  int insertions_max = 1;
  std::vector<SnapshotOption> options;
};

// A goal as re-solving sees it.
struct ResolveGoal {
  uint32_t program = 0;  // program_hash()
  size_t goal = 0;       // of the program's goals
  GoalUnit unit = GoalUnit::kViewable;
  std::array<bool, kSurfaces> surfaces{};
  double audience = 1;       // share of its surfaces' requests that it asks for
  double remaining = 0;      // units still to be inserted for
  double requests_left = 0;  // expected ones that it asks for
  double ceiling = 0;        // p_j
  double price = 0;          // where the search begins
};

class Resolver {
 public:
  explicit Resolver(const ResolveOptions& options);

  // Whether a snapshot of a request at `now` is wanted.
  bool wants(Millis now) const { return now.count() >= next_.load(std::memory_order_relaxed); }
  void add(RequestSnapshot snapshot, Millis now);
  size_t size() const;

  // Prices, as many as goals, at which the sample's requests would meet what remains at a price nu
  // of viewers' loss; empty while there are too few snapshots. A goal without a request left keeps
  // its price.
  std::vector<double> solve(std::span<const ResolveGoal> goals, double nu) const;

  const ResolveOptions& options() const { return options_; }

 private:
  const ResolveOptions options_;
  std::atomic<int64_t> next_;  // when the next snapshot is wanted
  mutable std::mutex mutex_;
  std::deque<std::pair<Millis, std::shared_ptr<const RequestSnapshot>>> sample_;  // by mutex_
};

}  // namespace shanhuo
