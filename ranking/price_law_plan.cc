// Laws that plan: on a sample (HWM, SHALE), or one bid for everybody (LinkedIn's threshold).
//
// HWM gives goal j a rate a_j = what it still needs / what its supply would still give, scarce
// goals first; here a step is on or off as a whole, spread evenly (the error of rounding is carried
// over), which is the same rate over many steps. What scarcer goals take is seen by asking the
// sample at prices where they are on already.
//
// SHALE's duals are found in rounds over the sample and then stand until the next plan.
//
// Tested by: tests/ranking_price_law_test.cc.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "ranking/price_law_kinds.h"

namespace shanhuo {
namespace {

constexpr double kPlans = 10;  // in a period

// The k-th tenth of the period that `curve` stands in, from 1.
double plan_of(double curve) { return 1 + std::floor(kPlans * std::min(curve, 0.999)); }

// memory: the price of the bid as a share of p_j.
class ThresholdLaw final : public LawOf<PriceLawKind::kThreshold> {
 public:
  using LawOf::LawOf;

  void step(GoalState& /*goal*/, double) const override {}

  // With a budget of loss the bid moves by it, otherwise by what all goals together still need.
  void settle(std::span<GoalState* const> goals, const LawStep& step) const override {
    if (goals.empty()) return;
    double behind = 0;
    if (step.loss_budget > 0) {
      behind = (step.loss_budget - step.loss_share) / step.loss_budget;
    } else {
      double due = 0, have = 0;
      for (const GoalState* goal : goals) {
        due += goal->target * std::min(1.0, goal->curve_now);
        have += goal->delivered + goal->in_flight;
      }
      behind = due > 0 ? kCatchUp * (due - have) / due : 0;
    }
    double& bid = goals.front()->memory[0];
    bid = std::clamp(bid + options_.step_share * std::clamp(behind, -1.0, 1.0),
                     -options_.credit_share, options_.top_share);
    for (GoalState* goal : goals) {
      const bool met = goal->target > 0 && remaining_units(*goal) <= 0;
      set_price(*goal, met && bid > 0 ? 0 : bid * goal->missed_value_fen, options_);
    }
  }

 private:
  static constexpr double kCatchUp = 10;
};

// memory: the rate, the carried error, the plan that the rate is of.
class HwmLaw final : public LawOf<PriceLawKind::kHwm> {
 public:
  using LawOf::LawOf;

  void step(GoalState& /*goal*/, double) const override {}

  void settle(std::span<GoalState* const> goals, const LawStep& step) const override {
    if (goals.empty()) return;
    if (goals.front()->memory[2] != plan_of(goals.front()->curve_now)) plan(goals, step);
    for (GoalState* goal : goals) {
      goal->memory[1] += goal->memory[0];
      const bool on = goal->memory[1] >= 1;
      if (on) goal->memory[1] -= 1;
      const bool met = goal->target > 0 && remaining_units(*goal) <= 0;
      const double share = met ? 0 : on ? options_.strength : -options_.credit_share;
      set_price(*goal, share * goal->missed_value_fen, options_);
    }
  }

 private:
  static double rate_needed(const GoalState& goal) {
    return goal.requests_left > 0 ? remaining_units(goal) / goal.requests_left : 0;
  }

  void plan(std::span<GoalState* const> goals, const LawStep& step) const {
    const double now = plan_of(goals.front()->curve_now);
    if (step.sample == nullptr || step.sample->size() == 0) {
      for (GoalState* goal : goals) goal->memory = {1, 0, 0};
      return;
    }
    std::vector<double> prices(goals.size()), units(goals.size()), scarcity(goals.size());
    const auto price = [&](size_t j, bool on) {
      return (on ? options_.strength : -options_.credit_share) * goals[j]->missed_value_fen;
    };
    const auto supply = [&](size_t j) {
      const double before = prices[j];
      prices[j] = price(j, true);
      step.sample->replay(prices, units);
      prices[j] = before;
      return units[j];
    };
    for (size_t j = 0; j < goals.size(); ++j) prices[j] = price(j, false);
    for (size_t j = 0; j < goals.size(); ++j) {
      scarcity[j] = rate_needed(*goals[j]) / std::max(1e-12, supply(j));
    }
    std::vector<size_t> order(goals.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return scarcity[a] > scarcity[b]; });
    for (const size_t j : order) {
      const double rate = rate_needed(*goals[j]) / std::max(1e-12, supply(j));
      goals[j]->memory[0] = std::clamp(rate, 0.0, 1.0);
      goals[j]->memory[2] = now;
      if (rate >= 0.5) prices[j] = price(j, true);
    }
  }
};

// memory: the plan that the price is of.
class ShaleLaw final : public LawOf<PriceLawKind::kShale> {
 public:
  using LawOf::LawOf;

  void step(GoalState& /*goal*/, double) const override {}

  void settle(std::span<GoalState* const> goals, const LawStep& step) const override {
    if (goals.empty() || step.sample == nullptr || step.sample->size() == 0) return;
    const double now = plan_of(goals.front()->curve_now);
    if (goals.front()->memory[0] == now) return;
    goals.front()->memory[0] = now;
    std::vector<double> prices(goals.size()), units(goals.size());
    const double least = 1 / static_cast<double>(step.sample->size());
    for (int round = 1; round <= kRounds; ++round) {
      for (size_t j = 0; j < goals.size(); ++j) prices[j] = goals[j]->price;
      step.sample->replay(prices, units);
      const double size = 2 * options_.step_share / std::sqrt(static_cast<double>(round));
      for (size_t j = 0; j < goals.size(); ++j) {
        GoalState& goal = *goals[j];
        if (goal.requests_left <= 0) continue;
        const double need = remaining_units(goal) / goal.requests_left;
        const double move = std::clamp((need - units[j]) / std::max(need, least), -1.0, 1.0);
        set_price(goal, goal.price + size * move * goal.missed_value_fen, options_);
      }
    }
  }

 private:
  static constexpr int kRounds = 100;
};

}  // namespace

std::unique_ptr<PriceLaw> make_plan_law(const PriceLawOptions& options) {
  if (options.kind == PriceLawKind::kHwm) return std::make_unique<HwmLaw>(options);
  if (options.kind == PriceLawKind::kShale) return std::make_unique<ShaleLaw>(options);
  return std::make_unique<ThresholdLaw>(options);
}

}  // namespace shanhuo
