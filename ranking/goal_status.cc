#include "ranking/goal_status.h"

#include <algorithm>
#include <cmath>

namespace shanhuo {

// If the rest of the traffic delivers at the rate of what is over, the remaining units are about
// Poisson: 90 % lie within 1.645 deviations.
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
  const double rest = status.curve > 0 ? state.delivered * (1 / status.curve - 1) : status.target;
  const double spread = 1.645 * std::sqrt(rest);
  const double most = state.cap > 0 ? std::max(state.cap, state.delivered) : INFINITY;
  status.forecast = std::min(most, state.delivered + rest);
  status.forecast_low = std::min(most, state.delivered + std::max(0.0, rest - spread));
  status.forecast_high = std::min(most, state.delivered + rest + spread);
  return status;
}

}  // namespace shanhuo
