// Laws that see one goal alone, and the table of all.
#include "ranking/price_law.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "ranking/price_law_kinds.h"

namespace shanhuo {

void set_price(GoalState& goal, double price, const PriceLawOptions& options) {
  goal.price =
      std::clamp(std::isfinite(price) ? price : 0, -options.credit_share * goal.missed_value_fen,
                 options.top_share * goal.missed_value_fen);
}

double remaining_units(const GoalState& goal) {
  return std::max(0.0, goal.target - goal.delivered - goal.in_flight);
}

namespace {

double step_floor(const GoalState& goal, const PriceLawOptions& options) {
  return std::max(options.floor_units, options.floor_share * goal.target);
}

// A number in [0, 1) that depends on `counter` alone: splitmix64.
double scrambled(uint64_t counter) {
  uint64_t z = counter * 0x9e3779b97f4a7c15ULL + 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

class RemainingGoalLaw final : public LawOf<PriceLawKind::kRemainingGoal> {
 public:
  using LawOf::LawOf;

  void step(GoalState& goal, double curve_before) const override {
    const double passed = goal.curve_now - curve_before;
    const bool over = goal.curve_now >= 1;  // pacing is done: whatever is left is due at once
    if (passed <= 0 && !over) return;
    const double inserted = goal.inserted_expected;
    const double share = over ? 1 : passed / std::max(passed, 1 - curve_before);
    const double due = (remaining_units(goal) + inserted) * share;
    const double move =
        options_.step_share * (due - inserted) / std::max(due, step_floor(goal, options_));
    set_price(goal, goal.price + goal.missed_value_fen * move, options_);
  }
};

class OrganicLaw final : public LawOf<PriceLawKind::kOrganic> {
 public:
  using LawOf::LawOf;
  void step(GoalState& goal, double) const override { goal.price = 0; }
};

class FixedBoostLaw final : public LawOf<PriceLawKind::kFixedBoost> {
 public:
  using LawOf::LawOf;

  void step(GoalState& goal, double) const override {
    const bool met = goal.delivered + goal.in_flight >= goal.target;
    goal.price = met ? 0 : options_.strength * goal.missed_value_fen;
  }
};

// memory: steps so far.
class RandomLaw final : public LawOf<PriceLawKind::kRandom> {
 public:
  using LawOf::LawOf;

  void step(GoalState& /*goal*/, double) const override {}
  void settle(std::span<GoalState* const> goals, const LawStep& /*step*/) const override {
    for (size_t j = 0; j < goals.size(); ++j) {
      const auto counter = static_cast<uint64_t>(++goals[j]->memory[0]) * 1'000'003 + j;
      set_price(*goals[j], options_.strength * goals[j]->missed_value_fen * scrambled(counter),
                options_);
    }
  }
};

// The error is how far delivery is behind its curve, as a share of the goal. memory: its sum over
// the curve, its last value.
class PidLaw final : public LawOf<PriceLawKind::kPid> {
 public:
  using LawOf::LawOf;

  void step(GoalState& goal, double curve_before) const override {
    if (goal.target <= 0) return;
    const double curve = std::min(1.0, goal.curve_now);
    const double error = curve - (goal.delivered + goal.in_flight) / goal.target;
    goal.memory[0] =
        std::clamp(goal.memory[0] + error * std::max(0.0, curve - curve_before), -1.0, 1.0);
    const double change = error - goal.memory[1];
    goal.memory[1] = error;
    const double out =
        kGain * (error + options_.shape * kIntegral * goal.memory[0] + options_.shape_low * change);
    set_price(goal, options_.strength * goal.missed_value_fen * out, options_);
  }

 private:
  // strength 1 pays p_j for a delivery 5 % behind, or for 1 % over a tenth of the period.
  static constexpr double kGain = 20, kIntegral = 50;
};

class FixedRhoLaw final : public LawOf<PriceLawKind::kFixedRho> {
 public:
  using LawOf::LawOf;

  void step(GoalState& goal, double curve_before) const override {
    const double due = goal.target * std::max(0.0, goal.curve_now - curve_before);
    const double move = options_.step_share * (due - goal.inserted_expected) /
                        std::max(due, step_floor(goal, options_));
    set_price(goal, goal.price + goal.missed_value_fen * move, options_);
  }
};

// memory: the gradient so far.
class FairSyncLaw final : public LawOf<PriceLawKind::kFairSync> {
 public:
  using LawOf::LawOf;

  void step(GoalState& goal, double curve_before) const override {
    const double due = goal.target * std::max(0.0, goal.curve_now - curve_before);
    const double newest =
        (due - goal.inserted_expected) / std::max(due, step_floor(goal, options_));
    double& gradient = goal.memory[0];
    gradient += options_.momentum * (newest - gradient);
    const double moved = goal.price + goal.missed_value_fen * options_.step_share * gradient;
    set_price(goal, std::max(0.0, moved), options_);
  }
};

}  // namespace

std::unique_ptr<PriceLaw> remaining_goal_law(const PriceLawOptions& options) {
  if (options.kind != PriceLawKind::kRemainingGoal) {
    PriceLawOptions same = options;
    same.kind = PriceLawKind::kRemainingGoal;
    return make_price_law(same);
  }
  return make_price_law(options);
}

std::unique_ptr<PriceLaw> fixed_price_law(double share) {
  PriceLawOptions options;
  options.kind = PriceLawKind::kFixedBoost;
  options.strength = share;
  return make_price_law(options);
}

std::unique_ptr<PriceLaw> make_price_law(const PriceLawOptions& options) {
  switch (options.kind) {
    case PriceLawKind::kRemainingGoal:
      return make_resolving_law(options, std::make_unique<RemainingGoalLaw>(options));
    case PriceLawKind::kOrganic:
      return std::make_unique<OrganicLaw>(options);
    case PriceLawKind::kFixedBoost:
      return std::make_unique<FixedBoostLaw>(options);
    case PriceLawKind::kRandom:
      return std::make_unique<RandomLaw>(options);
    case PriceLawKind::kPid:
      return std::make_unique<PidLaw>(options);
    case PriceLawKind::kFixedRho:
      return std::make_unique<FixedRhoLaw>(options);
    case PriceLawKind::kFairSync:
      return std::make_unique<FairSyncLaw>(options);
    case PriceLawKind::kThreshold:
    case PriceLawKind::kHwm:
    case PriceLawKind::kShale:
      return make_plan_law(options);
    case PriceLawKind::kFairCo:
    case PriceLawKind::kPMmf:
    case PriceLawKind::kCpFair:
    case PriceLawKind::kElasticRank:
    case PriceLawKind::kManifoldRank:
      return make_fair_law(options);
  }
  CHECK(false);
  return nullptr;
}

}  // namespace shanhuo
