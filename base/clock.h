// The only place that may read time. The core (features, models, ranking, streaming's fold) never
// calls a clock: time is an argument. serving/ owns one Clock and passes its readings in; tests
// pass a ManualClock.
#pragma once

#include <atomic>
#include <chrono>

#include "base/ids.h"

namespace shanhuo {

// Monotonic nanoseconds, for latencies and deadlines only.
inline int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Millis now() const = 0;  // wall time since the epoch
  // What intervals are measured with; a simulation has its own.
  virtual int64_t monotonic_ns() const { return shanhuo::monotonic_ns(); }
};

class WallClock final : public Clock {
 public:
  Millis now() const override {
    using std::chrono::duration_cast, std::chrono::milliseconds, std::chrono::system_clock;
    return Millis(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
  }
};

class ManualClock final : public Clock {
 public:
  explicit ManualClock(Millis start) : now_ms_(start.count()) {}
  Millis now() const override { return Millis(now_ms_.load()); }
  void set(Millis t) { now_ms_.store(t.count()); }

 private:
  std::atomic<int64_t> now_ms_;
};

}  // namespace shanhuo
