// One connection of a simulation: its viewers, their visits, its queue of events. One thread each;
// what lanes share is in LaneBoard.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "serving/api_client.h"
#include "serving/simulated_viewers.h"
#include "serving/simulation.h"
#include "streaming/json.h"

namespace shanhuo {

// Keeps lanes together in simulated time, and stops all when one fails. Thread-safe.
class LaneBoard {
 public:
  explicit LaneBoard(size_t lanes) : reached_ms_(lanes, INT64_MIN) {}

  // Says that `lane` has reached a time, and waits while it is too far ahead of another.
  void reach(size_t lane, int64_t time_ms);
  // The lane takes no part any more.
  void leave(size_t lane) { reach(lane, INT64_MAX); }
  void stop();
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  // For the progress bar.
  std::atomic<uint64_t> pages{0};
  std::atomic<int64_t> time_ms{0};

 private:
  int64_t slowest() const;  // Requires mutex_

  std::mutex mutex_;
  std::condition_variable moved_;
  std::vector<int64_t> reached_ms_;  // guarded by mutex_
  std::atomic<bool> stopped_{false};
};

class SimulationLane {
 public:
  // World and board must outlive the lane. `begin_ms`: when simulated time starts.
  SimulationLane(const SimulatedWorld& world, const SimulationOptions& options, int64_t begin_ms,
                 int lane, ApiClient client, LaneBoard& board);

  // Until the end of the simulation; the board is stopped on failure.
  Status run();
  const SimulationSummary& summary() const { return summary_; }

 private:
  int64_t next_ms() const;
  bool advance_to(int64_t time_ms);
  void begin_amid_visits();
  void schedule_arrival();
  Status step();
  Status take_page(Visit visit);
  Status send_due_events();
  Status post();
  Status drain();

  // Constant after construction.
  const SimulationOptions options_;
  const int64_t begin_ms_, end_ms_;
  const int lane_;
  LaneBoard& board_;

  ApiClient client_;
  SimulatedViewers viewers_;
  Random random_;
  int64_t now_ms_;
  int64_t arrival_ms_ = 0;
  std::multimap<int64_t, Visit> visits_;  // by the time of their next page
  PendingEvents pending_;
  std::string batch_;
  size_t batch_events_ = 0;
  int64_t batch_since_ms_ = 0;
  json::Document document_;
  std::string request_;
  SimulationSummary summary_;
};

}  // namespace shanhuo
