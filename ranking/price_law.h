// The price laws that ship (allocation.md 2). A law sees one goal and moves its price; what differs
// between published methods is only this step.
#pragma once

#include <memory>

#include "ranking/prices.h"

namespace shanhuo {

struct PriceLawOptions {
  double step_share = 0.05;  // eta_j as a share of p_j: how fast a price moves; 0..1
  // tau: what is due in a step counts as at least so much, units; > 0. A price crosses its whole
  // range while tau / step_share units are behind: 2 units or 1 % of the goal with these numbers.
  double floor_units = 0.1;
  double floor_share = 0.0005;  // of the goal
  double credit_share = 0;      // c_j as a share of p_j: how far below zero a price may fall; 0..1
};

// Dual mirror descent on the remaining goal: the price rises while fewer units are being inserted
// than what is left asks for, and falls while there are more.
std::unique_ptr<PriceLaw> remaining_goal_law(const PriceLawOptions& options);

// The constant price `share` * missed_value_fen until the goal is met: the fixed boost of the
// field.
std::unique_ptr<PriceLaw> fixed_price_law(double share);

}  // namespace shanhuo
