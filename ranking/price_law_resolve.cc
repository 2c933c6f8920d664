// The idea. At prices w the sample says what each goal would get of the requests to come,
//
//   Y_j(w) = delivered_j + in flight_j + requests left * (units of j per sampled request)
//
// and m_j - Y_j(w) is a subgradient of the dual of what is left (allocation.md 1): the same step as
// mirror descent's, with the noise of one request averaged away over all of the sample. A few
// rounds of it each step follow the optimal prices of the remaining problem closely, which is
// re-solving; targets are what is left, so early errors are made good later.
//
// Welfare. The least total of any m goals, S_m(Y), is concave, and equals min theta . Y over
// 0 <= theta <= 1, sum theta = m; so lambda theta are the prices that raise it, and theta moves by
// projected descent on the same Y_j. m = 1 is max-min, m = half the goals the numerator of MMF, and
// the sum over several m a Lorenz curve (the Gini index). Averages of theta are what converges, so
// prices follow it smoothed. Alpha-fair welfare needs no state: v = lambda (Y / mean)^-alpha.
//
// Cost: rounds * one replay of the sample, outside the request path.
//
// Sources: Balseiro, Lu, Mirrokni (arXiv 2011.10124, 2007.00514); remaining targets: Ma et al.,
// Operations Research 2025 (arXiv 2209.00399); re-solving on a sample: arXiv 2412.09594; the sum of
// the lowest as a minimum over a capped simplex: Ogryczak and Tamir, Inf. Proc. Letters 85 (2003).
// Tested by: tests/ranking_price_law_test.cc (twin: the dual of small problems by enumeration).
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "ranking/price_law_kinds.h"

namespace shanhuo {
namespace {

// GoalState::memory: the dual of the goal, a theta for each LowestSum, the price before the plain
// law's step, whether a sample was ever there.
constexpr size_t kDual = 0, kTheta = 1, kBefore = 6, kBegun = 7;
constexpr double kFarTimes = 3;      // totals past so many means count as this in welfare
constexpr double kLeastLeft = 0.02;  // what is left of a goal counts as at least this share of it

class ResolvingLaw final : public LawOf<PriceLawKind::kRemainingGoal> {
 public:
  ResolvingLaw(const PriceLawOptions& options, std::unique_ptr<PriceLaw> plain)
      : LawOf(options), plain_(std::move(plain)) {}

  bool may_resolve() const override { return true; }

  void step(GoalState& goal, double curve_before) const override {
    goal.memory[kBefore] = goal.price;
    plain_->step(goal, curve_before);
  }

  void settle(std::span<GoalState* const> goals, const LawStep& step) const override {
    if (step.sample == nullptr || step.sample->size() == 0 || goals.empty()) return;
    for (GoalState* goal : goals) begin(*goal);
    const auto n = static_cast<double>(step.sample->size());
    const double belief = n / (n + options_.shrink_requests);
    Work work{goals, std::vector<double>(goals.size()), std::vector<double>(goals.size()),
              std::vector<double>(goals.size())};
    for (int round = 0; round < options_.rounds; ++round) {
      for (size_t j = 0; j < goals.size(); ++j) work.prices[j] = goals[j]->price;
      step.sample->replay(work.prices, work.units);
      move_duals(work, n, belief * step_size(step));
      if (options_.welfare_share > 0) move_welfare(work, belief);
      for (size_t j = 0; j < goals.size(); ++j) follow(*goals[j], work.welfare[j], step.requests);
    }
  }

 private:
  struct Work {
    std::span<GoalState* const> goals;
    std::vector<double> prices, units, welfare;
  };

  // The sample takes over from the plain law, at the price that it had reached.
  void begin(GoalState& goal) const {
    goal.price = goal.memory[kBefore];
    if (goal.memory[kBegun] != 0) return;
    goal.memory[kBegun] = 1;
    goal.memory[kDual] = goal.price;
    for (size_t k = 0; k < kLowestSumsMax; ++k) goal.memory[kTheta + k] = options_.lowest[k].share;
  }

  double step_size(const LawStep& step) const {
    if (options_.decay_requests <= 0) return options_.step_share;
    const double decay = std::sqrt(1 + step.requests / options_.decay_requests);
    return std::max(options_.least_step_share, options_.step_share / decay);
  }

  static double total(const GoalState& goal, double units) {
    return goal.delivered + goal.in_flight + goal.requests_left * units;
  }

  void move_duals(Work& work, double n, double size) const {
    for (size_t j = 0; j < work.goals.size(); ++j) {
      GoalState& goal = *work.goals[j];
      if (goal.target <= 0 || goal.requests_left <= 0) continue;
      const double aim = goal.target * (1 + options_.aim_share);
      const double scale =
          std::max({remaining_units(goal), kLeastLeft * goal.target, goal.requests_left / n});
      const double move = std::clamp((aim - total(goal, work.units[j])) / scale, -1.0, 1.0);
      goal.memory[kDual] = std::clamp(goal.memory[kDual] + size * move * goal.missed_value_fen,
                                      -options_.credit_share * goal.missed_value_fen,
                                      options_.top_share * goal.missed_value_fen);
    }
  }

  // work.welfare := the terms' prices, as shares of p_j.
  void move_welfare(Work& work, double belief) const {
    const size_t n = work.goals.size();
    std::vector<double> fair(n);
    for (size_t j = 0; j < n; ++j) {
      fair[j] = total(*work.goals[j], work.units[j]) / work.goals[j]->weight;
    }
    const double whole = std::accumulate(fair.begin(), fair.end(), 0.0);
    if (whole <= 0) return;
    const double mean = whole / static_cast<double>(n);
    if (options_.welfare_alpha > 0) {
      for (size_t j = 0; j < n; ++j) {
        work.welfare[j] = options_.welfare_share *
                          std::pow(std::max(0.05, fair[j] / mean), -options_.welfare_alpha);
      }
      return;
    }
    for (double& value : fair) value = belief * std::min(kFarTimes, value / mean);
    std::fill(work.welfare.begin(), work.welfare.end(), 0.0);
    for (size_t k = 0; k < kLowestSumsMax; ++k) {
      if (options_.lowest[k].share > 0) move_term(work, fair, k);
    }
  }

  void move_term(Work& work, const std::vector<double>& fair, size_t k) const {
    const auto n = static_cast<double>(work.goals.size());
    const double lowest = std::clamp(std::round(options_.lowest[k].share * n), 1.0, n);
    std::vector<double> theta(work.goals.size());
    for (size_t j = 0; j < theta.size(); ++j) {
      theta[j] = work.goals[j]->memory[kTheta + k] - options_.welfare_step * fair[j];
    }
    project_capped_simplex(theta, lowest, 1);
    for (size_t j = 0; j < theta.size(); ++j) {
      work.goals[j]->memory[kTheta + k] = theta[j];
      work.welfare[j] += options_.welfare_share * options_.lowest[k].weight * theta[j];
    }
  }

  // In the beginning a price is the mean of where it was sent.
  void follow(GoalState& goal, double welfare, double requests) const {
    const double to = goal.memory[kDual] + welfare * goal.missed_value_fen;
    const double share = std::max(options_.smoothing, 1 / (1 + requests));
    set_price(goal, goal.price + std::min(1.0, share) * (to - goal.price), options_);
  }

  const std::unique_ptr<PriceLaw> plain_;
};

}  // namespace

std::unique_ptr<PriceLaw> make_resolving_law(const PriceLawOptions& options,
                                             std::unique_ptr<PriceLaw> plain) {
  return std::make_unique<ResolvingLaw>(options, std::move(plain));
}

double next_viewer_price(double nu, double loss, double left, double budget, double step) {
  if (budget <= 0) return nu;
  const double over = std::clamp((loss - left) / budget, -1.0, 1.0);
  return std::max(0.0, (1 + nu) * std::exp(step * over) - 1);
}

void project_capped_simplex(std::span<double> x, double total, double top) {
  CHECK(total >= 0 && total <= top * static_cast<double>(x.size()) * (1 + 1e-12));
  if (x.empty()) return;
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  double low = *least - top, high = *most;  // of the shift: sum falls from size * top to 0
  constexpr int kHalvings = 60;
  for (int k = 0; k < kHalvings; ++k) {
    const double shift = (low + high) / 2;
    double sum = 0;
    for (const double value : x) sum += std::clamp(value - shift, 0.0, top);
    (sum > total ? low : high) = shift;
  }
  for (double& value : x) value = std::clamp(value - high, 0.0, top);
}

void project_positive_parts(std::span<double> x, double radius) {
  std::vector<double> positive;
  for (const double value : x) {
    if (value > 0) positive.push_back(value);
  }
  if (std::accumulate(positive.begin(), positive.end(), 0.0) <= radius) return;
  project_capped_simplex(positive, radius, radius);
  auto next = positive.begin();
  for (double& value : x) {
    if (value > 0) value = *next++;
  }
}

}  // namespace shanhuo
