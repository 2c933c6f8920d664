#include "ranking/goal_status.h"

#include <algorithm>
#include <cmath>

namespace shanhuo {

namespace {

constexpr double kAtBound = 0.98;  // of missed_value_fen: the price cannot rise any more
constexpr double kNinety = 1.645;  // deviations of a 90 % interval

// Units that are still to come. At the rate of what is over; but a price that can still move makes
// up for what is behind, and holds back what is ahead, so then it is what the goal still asks for.
double units_to_come(const GoalState& state, double curve) {
  const double wanted = std::max(0.0, state.target - state.delivered);
  if (curve <= 0) return wanted;
  if (curve >= 1) return state.in_flight;
  const double made = state.delivered + state.in_flight;
  const double at_this_rate = state.in_flight + made * (1 / curve - 1);
  const bool can_rise = state.price < kAtBound * state.missed_value_fen;
  const bool can_fall = state.price > 0;
  if (at_this_rate < wanted) return can_rise ? wanted : at_this_rate;
  return can_fall ? wanted : at_this_rate;
}

}  // namespace

GoalStatus goal_status(const GoalAccount& account, const TrafficCurve& traffic, Millis now,
                       double surface_inserted) {
  const GoalState& state = account.state;
  GoalStatus status;
  status.unit = account.goal().unit;
  status.per = account.goal().per;
  status.target = account.goal().at_least;
  status.cap = state.cap;
  status.delivered = state.delivered;
  status.in_flight = state.in_flight;
  status.outstanding = state.outstanding;
  status.price = state.price;
  if (account.goal().share_of != Surface::kNone) {
    status.target = state.target * surface_inserted;
    status.cap = state.cap * surface_inserted;
    status.curve = 1;
    status.pace = status.target > 0 ? state.delivered / status.target : 1;
    status.forecast = status.forecast_low = status.forecast_high = state.delivered;
    return status;
  }
  status.curve = account.curve(traffic, now);
  const double due = status.target * status.curve;
  status.pace = due > 0 ? state.delivered / due : 1;
  const double rest = units_to_come(state, status.curve);
  const double spread = kNinety * std::sqrt(rest);
  const double most = state.cap > 0 ? std::max(state.cap, state.delivered) : INFINITY;
  status.forecast = std::min(most, state.delivered + rest);
  status.forecast_low = std::min(most, state.delivered + std::max(0.0, rest - spread));
  status.forecast_high = std::min(most, state.delivered + rest + spread);
  return status;
}

}  // namespace shanhuo
