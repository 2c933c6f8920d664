// Laws of fairness between groups: each makes a group's price out of all groups' exposure so far,
// V_g = delivered + in flight, relative to the group's weight. Their formulas are the published
// ones; prices are `strength` times them, in p_j.
//
// Tested by: tests/ranking_price_law_test.cc.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "ranking/price_law_kinds.h"

namespace shanhuo {
namespace {

std::vector<double> exposure_of(std::span<GoalState* const> goals, double prior) {
  std::vector<double> exposure(goals.size());
  for (size_t j = 0; j < goals.size(); ++j) {
    const GoalState& goal = *goals[j];
    exposure[j] = std::max(0.0, goal.delivered + goal.in_flight) / goal.weight + prior;
  }
  return exposure;
}

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

template <PriceLawKind kKind>
class FairLaw : public LawOf<kKind> {
 public:
  using LawOf<kKind>::LawOf;
  void step(GoalState& /*goal*/, double) const override {}

 protected:
  void pay(GoalState& goal, double share) const {
    set_price(goal, this->options_.strength * share * goal.missed_value_fen, this->options_);
  }
};

// How far the group is behind the one that has most, in hundredths of all exposure so far.
class FairCoLaw final : public FairLaw<PriceLawKind::kFairCo> {
 public:
  using FairLaw::FairLaw;
  void settle(std::span<GoalState* const> goals, const LawStep& /*step*/) const override {
    if (goals.empty()) return;
    const std::vector<double> exposure = exposure_of(goals, 0);
    const double most = *std::max_element(exposure.begin(), exposure.end());
    for (size_t j = 0; j < goals.size(); ++j) pay(*goals[j], 0.01 * (most - exposure[j]));
  }
};

class CpFairLaw final : public FairLaw<PriceLawKind::kCpFair> {
 public:
  using FairLaw::FairLaw;
  void settle(std::span<GoalState* const> goals, const LawStep& /*step*/) const override {
    const std::vector<double> exposure = exposure_of(goals, 0);
    const double all = sum_of(exposure) + 1e-5;
    for (size_t j = 0; j < goals.size(); ++j) pay(*goals[j], 1 - exposure[j] / all);
  }
};

// w_g = (x_a^(1-t) - x_g^(1-t)) (1 - t) x_g^-t, x shares of exposure, a the anchor.
class ElasticRankLaw final : public FairLaw<PriceLawKind::kElasticRank> {
 public:
  using FairLaw::FairLaw;
  void settle(std::span<GoalState* const> goals, const LawStep& /*step*/) const override {
    if (goals.empty()) return;
    std::vector<double> x = exposure_of(goals, 1);
    const double all = sum_of(x);
    for (double& value : x) value /= all;
    std::vector<double> sorted = x;
    const auto rank = std::min(
        sorted.size() - 1, static_cast<size_t>(options_.anchor * static_cast<double>(x.size())));
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(rank),
                     sorted.end());
    const double t = options_.shape;
    const double anchor = std::pow(sorted[rank], 1 - t);
    for (size_t j = 0; j < goals.size(); ++j) {
      pay(*goals[j], (anchor - std::pow(x[j], 1 - t)) * (1 - t) * std::pow(x[j], -t));
    }
  }
};

// The market's welfare is G^alpha / alpha' of G = sum V^beta; its gradient, normalised, signed by
// its curvature, times the page's rate.
class ManifoldRankLaw final : public FairLaw<PriceLawKind::kManifoldRank> {
 public:
  using FairLaw::FairLaw;
  void settle(std::span<GoalState* const> goals, const LawStep& step) const override {
    if (goals.empty()) return;
    const std::vector<double> v = exposure_of(goals, 1);
    const double alpha = options_.shape, beta = options_.shape_low;
    double whole = 0;
    for (const double value : v) whole += std::pow(value, beta);
    std::vector<double> gradient(v.size());
    for (size_t j = 0; j < v.size(); ++j) {
      const double part = std::pow(v[j], beta);
      gradient[j] = std::pow(whole, alpha - 1) * part * beta *
                    (1 / v[j] + (alpha - 1) * std::pow(v[j], beta - 1) / whole);
    }
    const double norm = sum_of(gradient);
    if (norm == 0) return;
    for (size_t j = 0; j < v.size(); ++j) {
      const double bend =
          alpha * beta * ((alpha - 1) * beta * std::pow(v[j], beta) + (beta - 1) * whole);
      const double sign = bend > 0 ? 1 : bend < 0 ? -1 : 0;
      const double side = alpha * beta > 0 ? 1 : alpha * beta < 0 ? -1 : 0;
      pay(*goals[j], -side * step.page_rate * sign * gradient[j] / norm);
    }
  }
};

// memory: the gradient so far, the price as a share of p_j, the requests of the last step.
class PMmfLaw final : public FairLaw<PriceLawKind::kPMmf> {
 public:
  using FairLaw::FairLaw;
  void settle(std::span<GoalState* const> goals, const LawStep& step) const override {
    double all = 0;
    for (const GoalState* goal : goals) all += goal->target;
    if (all <= 0 || step.requests <= goals.front()->memory[2]) return;
    const double horizon = step.requests + goals.front()->requests_left;
    const double steps = horizon / (step.requests - goals.front()->memory[2]);
    goals.front()->memory[2] = step.requests;
    const auto n = static_cast<double>(goals.size());
    std::vector<double> price(goals.size());
    for (size_t j = 0; j < goals.size(); ++j) {
      GoalState& goal = *goals[j];
      const double rho = n * goal.target / all;  // 1 on average
      const double newest = n * (remaining_units(goal) - steps * goal.inserted_expected) / all;
      double& gradient = goal.memory[0];
      gradient += options_.momentum * (newest - gradient);
      price[j] = rho * goal.memory[1] + options_.step_share * gradient / std::max(rho, 1e-3);
    }
    project_positive_parts(price, options_.strength * n);
    for (size_t j = 0; j < goals.size(); ++j) {
      const double rho = std::max(n * goals[j]->target / all, 1e-3);
      set_price(*goals[j], price[j] / rho * goals[j]->missed_value_fen, options_);
      goals[j]->memory[1] = goals[j]->price / std::max(goals[j]->missed_value_fen, 1e-12);
    }
  }
};

}  // namespace

std::unique_ptr<PriceLaw> make_fair_law(const PriceLawOptions& options) {
  switch (options.kind) {
    case PriceLawKind::kFairCo:
      return std::make_unique<FairCoLaw>(options);
    case PriceLawKind::kPMmf:
      return std::make_unique<PMmfLaw>(options);
    case PriceLawKind::kCpFair:
      return std::make_unique<CpFairLaw>(options);
    case PriceLawKind::kElasticRank:
      return std::make_unique<ElasticRankLaw>(options);
    default:
      return std::make_unique<ManifoldRankLaw>(options);
  }
}

}  // namespace shanhuo
