// Engine time (contract 2, "Time"): wall time, or, with `clock: caller`, the largest time that any
// caller or event has named, so that a recorded or simulated day runs at any speed. Thread-safe;
// never goes back under `caller`.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>

#include "base/clock.h"
#include "configs/engine_options.h"

namespace shanhuo {

class EngineTime {
 public:
  EngineTime(ClockKind kind, const Clock& wall, std::function<Millis()> watermark)
      : kind_(kind), wall_(wall), watermark_(std::move(watermark)) {}

  bool by_caller() const { return kind_ == ClockKind::kCaller; }

  Millis now() const {
    if (!by_caller()) return wall_.now();
    return std::max(Millis(caller_ms_.load(std::memory_order_relaxed)), watermark_());
  }

  // A caller says it is `t`.
  void advance(Millis t) {
    int64_t seen = caller_ms_.load(std::memory_order_relaxed);
    while (seen < t.count() && !caller_ms_.compare_exchange_weak(seen, t.count())) {
    }
  }

 private:
  const ClockKind kind_;
  const Clock& wall_;
  const std::function<Millis()> watermark_;
  std::atomic<int64_t> caller_ms_{0};
};

}  // namespace shanhuo
