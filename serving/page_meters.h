// What pages of a variation cost: how many there were, how many of them degraded, and how long they
// took in the engine. Counted for experiments that name error_rate or latency among their
// guardrails, and for nothing else; operation.h judges them.
//
// Pages of one viewer are alike, so that they say less than as many of different viewers. Pages are
// therefore counted apart for kGroups groups of units (viewers, or what the experiment hashes), and
// what differs between the groups says how sure a mean is.
//
// A window begins with a phase, and anew when it has been judged for long enough. Thread-safe.
// Requests count without a lock beyond the copy of one pointer, and without allocation; nothing at
// all where no experiment asks for it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/published.h"
#include "configs/experiment.h"

namespace shanhuo {

inline constexpr std::string_view kErrorRate = "error_rate";
inline constexpr std::string_view kLatency = "latency";

class PageMeter {
 public:
  static constexpr size_t kGroups = 32;
  static constexpr int64_t kPageNsMax = 10'000'000'000;  // a page counts for at most so long

  struct Counts {
    uint64_t pages = 0, degraded = 0, us = 0;
  };

  void add(uint64_t unit, bool degraded, int64_t ns);
  // Each count exact, though not all of one instant.
  std::array<Counts, kGroups> read() const;

 private:
  struct alignas(32) Group {
    std::atomic<uint64_t> pages{0}, degraded{0}, us{0};
  };
  std::array<Group, kGroups> groups_;
};

struct MeterWindow {
  Millis since;                                    // engine time
  std::vector<std::shared_ptr<PageMeter>> meters;  // by variation; empty: nothing is counted
};

struct MeterTable {
  std::shared_ptr<const ExperimentSet> set;
  std::vector<MeterWindow> windows;  // by set->experiments()
};

class PageMeters {
 public:
  // nullptr: nothing is counted.
  std::shared_ptr<const MeterTable> table() const {
    return counting_.load(std::memory_order_relaxed) ? table_.get() : nullptr;
  }
  // Counts pages of this set from now on; a phase that goes on keeps its window.
  void follow(const std::shared_ptr<const ExperimentSet>& set, Millis now);
  // Another window of one experiment.
  void begin_anew(std::string_view experiment, Millis now);

 private:
  void publish(std::shared_ptr<const MeterTable> table);

  std::mutex mutex_;  // one writer at a time
  std::atomic<bool> counting_{false};
  Published<MeterTable> table_{nullptr};
};

}  // namespace shanhuo
