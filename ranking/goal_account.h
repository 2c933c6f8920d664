// The books of one goal of one program, used by price_controller.cc under its mutex: what was
// delivered in the present period, what is outstanding by minute of issue, and where the period's
// traffic stands. Pure arithmetic over times passed in.
//
// In flight is what is still to be expected: of each open bucket, the expectation of its
// insertions, corrected by how expectations came true in buckets that have expired, less what was
// already seen. So delivered + in flight does not drift while views come in.
//
// The aim lies a little above at_least, within the slack that at_most leaves, because the last
// views of a period are a matter of chance.
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

  // One insertion, of which `expected` units may come. `fresh`: the law has not seen it yet.
  void reserve(double expected, Millis now, bool fresh);
  void deliver(Millis ts, Millis issued_at, double units);

  // Share of the period's traffic that is over at `now`, scaled so that pacing ends early.
  double curve(const TrafficCurve& traffic, Millis now) const;
  // Whole insertions that the cap still allows; huge without a cap.
  int64_t insertions_left() const;
  // False once delivered + in flight meets the aim (state.target).
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
    int64_t count = 0;  // insertions
    int64_t seen = 0;   // units that arrived from them, at most count
  };
  double truth() const;  // how much of what was expected came true
  void expire(const Bucket& bucket);
  void estimate_in_flight();
  void set_period(Millis now);

  Goal goal_;
  Millis start_, end_;  // of the program
  const Rules rules_;
  Millis period_start_, period_end_;
  double open_expected_ = 0, open_seen_ = 0;        // sums over buckets_
  double expired_expected_ = 0, expired_seen_ = 0;  // decayed sums over expired ones
  std::deque<Bucket> buckets_;  // ascending by minute; at most reservation / 1 min + 1
};

}  // namespace shanhuo
