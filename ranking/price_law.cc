#include "ranking/price_law.h"

#include <algorithm>

namespace shanhuo {
namespace {

class RemainingGoalLaw final : public PriceLaw {
 public:
  explicit RemainingGoalLaw(const PriceLawOptions& options) : options_(options) {}

  void step(GoalState& goal, double curve_before) const override {
    const double passed = goal.curve_now - curve_before;
    const bool over = goal.curve_now >= 1;  // pacing is done: whatever is left is due at once
    if (passed <= 0 && !over) return;
    const double inserted = goal.inserted_expected;
    const double remaining = std::max(0.0, goal.target - goal.delivered - goal.in_flight);
    const double share = over ? 1 : passed / std::max(passed, 1 - curve_before);
    const double due = (remaining + inserted) * share;
    const double floor = std::max(options_.floor_units, options_.floor_share * goal.target);
    const double move = options_.step_share * (due - inserted) / std::max(due, floor);
    goal.price = std::clamp(goal.price + goal.missed_value_fen * move,
                            -options_.credit_share * goal.missed_value_fen, goal.missed_value_fen);
  }
  std::string_view name() const override { return "remaining_goal"; }

 private:
  const PriceLawOptions options_;
};

class FixedPriceLaw final : public PriceLaw {
 public:
  explicit FixedPriceLaw(double share) : share_(share) {}

  void step(GoalState& goal, double) const override {
    const bool met = goal.delivered + goal.in_flight >= goal.target;
    goal.price = met ? 0 : share_ * goal.missed_value_fen;
  }
  std::string_view name() const override { return "fixed_price"; }

 private:
  const double share_;
};

}  // namespace

std::unique_ptr<PriceLaw> remaining_goal_law(const PriceLawOptions& options) {
  return std::make_unique<RemainingGoalLaw>(options);
}

std::unique_ptr<PriceLaw> fixed_price_law(double share) {
  return std::make_unique<FixedPriceLaw>(share);
}

}  // namespace shanhuo
