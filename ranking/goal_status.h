// What operators see of a goal (contract 2.5).
#pragma once

#include <cstdint>

#include "ranking/goal_account.h"

namespace shanhuo {

struct GoalStatus {
  GoalUnit unit = GoalUnit::kViewable;
  GoalPeriod per = GoalPeriod::kTotal;
  double target = 0;
  double cap = 0;  // 0: none
  double delivered = 0;
  double in_flight = 0;  // expected units outstanding
  int64_t outstanding = 0;
  double curve = 0;     // share of the period's traffic that is over, 0..1
  double pace = 0;      // delivered / (target * curve); 1 while nothing is due
  double price = 0;     // fen per unit
  double forecast = 0;  // units at the deadline, with a 90 % interval: of chance alone (Poisson)
  double forecast_low = 0, forecast_high = 0;
};

// Requires: account.advance() has run for `now`'s minute. `surface_inserted`: all insertions on the
// surface of a goal that is a share.
GoalStatus goal_status(const GoalAccount& account, const TrafficCurve& traffic, Millis now,
                       double surface_inserted);

}  // namespace shanhuo
