// The books of one goal of one program, used by price_controller.cc under its mutex: what was
// delivered in the present period, what is outstanding by minute of issue, and where the period's
// traffic stands. Pure arithmetic over times passed in.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "base/ids.h"
#include "ranking/prices.h"
#include "ranking/program.h"

namespace shanhuo {

// A day's traffic by hour (UTC+8), as a cumulative curve over all time. Linear within an hour.
class TrafficCurve {
 public:
  // Requires: no weight is negative. All zero counts as flat.
  explicit TrafficCurve(const std::array<double, 24>& hourly);
  // Traffic in [from, to), in days' worth.
  double between(Millis from, Millis to) const;

 private:
  double until(Millis t) const;
  std::array<double, 25> cumulative_{};  // by hour, 0..1
};

// The start of the day (UTC+8) that holds `t`.
Millis day_start(Millis t);

class GoalAccount {
 public:
  struct Rules {
    Millis reservation;
    Millis finish_early;
    double finish_early_share = 0;
  };

  GoalAccount(const Program& program, const Goal& goal, const Rules& rules);

  // Takes the goal as it now stands in the program; delivered and outstanding stay.
  void update(const Program& program, const Goal& goal);
  // Starts the period that holds `now` (a new day has delivered 0), empties expired buckets.
  void advance(Millis now);

  void reserve(double expected, Millis now);
  void deliver(Millis ts, Millis issued_at, double units);

  // Share of the period's traffic that is over at `now`, scaled so that pacing ends early.
  double curve(const TrafficCurve& traffic, Millis now) const;
  // Whole insertions that the cap still allows; huge without a cap.
  int64_t insertions_left() const;
  // False once delivered + in flight meets the goal.
  bool wants() const { return state.delivered + state.in_flight < state.target; }

  const Goal& goal() const { return goal_; }
  Millis period_start() const { return period_start_; }
  Millis period_end() const { return period_end_; }

  GoalState state;
  double curve_before = 0;  // at the last step

 private:
  struct Bucket {
    int64_t minute = 0;
    double expected = 0;
    int64_t count = 0;
  };
  void set_period(Millis now);

  Goal goal_;
  Millis start_, end_;  // of the program
  const Rules rules_;
  Millis period_start_, period_end_;
  std::deque<Bucket> buckets_;  // ascending by minute; at most reservation / 1 min + 1
};

}  // namespace shanhuo
