// The price laws (allocation.md 2 and 6): the one that ships and its published peers, all behind
// PriceLaw. A law sees goals and moves their prices; what differs between published methods is only
// this step. Prices are in fen a unit, strengths and bounds shares of missed_value_fen (p_j).
//
// Laws are immutable; one writer at a time calls them. They never fail: whatever numbers a goal
// has, prices stay finite and within [-credit_share, top_share] p_j.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "ranking/prices.h"

namespace shanhuo {

enum class PriceLawKind : uint8_t {
  // Dual mirror descent on the remaining goal: what ships. With a RequestSample its dual is solved
  // again each step on past requests (price_law_resolve.cc has the sources).
  kRemainingGoal,
  // Price 0: the feed as it is.
  kOrganic,
  // strength p_j until the goal is met: the fixed boost of the field.
  kFixedBoost,
  // strength p_j times a number drawn anew each step.
  kRandom,
  // Proportional-integral-derivative control of the delivery curve: Zhang et al., WSDM 2016 (arXiv
  // 1603.01055), eq. 2; why it works: mirror descent with momentum, Balseiro et al., arXiv
  // 2202.06152.
  kPid,
  // Dual mirror descent with a fixed target per request: Balseiro, Lu, Mirrokni, arXiv 2011.10124,
  // Algorithm 1 with the Euclidean mirror map.
  kFixedRho,
  // The same from below only, with momentum: FairSync, Xu et al., WWW 2024, Algorithm 1.
  kFairSync,
  // One shadow bid for all goals, held to one global constraint: Yan et al., "Ads Allocation in
  // Feed via Constrained Optimization" (LinkedIn), KDD 2020, its re-ranking with a shadow bid.
  kThreshold,
  // A rate of service per goal, scarce goals first: High Water Mark, Chen et al., "Ad Serving Using
  // a Compact Allocation Plan", EC 2012, its plan. A goal is on in that share of the steps.
  kHwm,
  // A plan of duals made on a sample, ten times in a period, open loop between: SHALE, Bharadwaj
  // et al., KDD 2012 (arXiv 1203.3619), stage one: duals of all goals in rounds, bounded by p_j.
  kShale,
  // Proportional control of the largest gap in exposure: FairCo, Morik et al., SIGIR 2020 (arXiv
  // 2005.14713), its error term.
  kFairCo,
  // Momentum descent on the dual of max-min welfare, prices on a simplex: P-MMF, Xu et al., WWW
  // 2023 (arXiv 2303.06660), Algorithm 1; the projection in closed form (allocation.md 2).
  kPMmf,
  // strength p_j (1 - its share of all exposure): CPFair, Naghiaei et al., SIGIR 2022 (arXiv
  // 2204.08085), the producers' side, in the form for several groups that FairDiverse compares.
  kCpFair,
  // Distance to an anchor group in a space curved by elasticity: ElasticRank, Xu et al., SIGIR 2025
  // (arXiv 2504.14991), its curve degree.
  kElasticRank,
  // Gradient of a market's welfare on its ranking manifold, at a rate that follows the page's
  // scores: ManifoldRank, Xu et al., 2026 (arXiv 2604.25577), Algorithm 1.
  kManifoldRank,
};
// As they stand in engine.yaml and in tables, in the order of the enum.
inline constexpr std::array<std::string_view, 15> kPriceLawNames = {
    "remaining_goal", "organic",  "fixed_boost", "random",       "pid",
    "fixed_rho",      "fairsync", "threshold",   "hwm",          "shale",
    "fairco",         "p_mmf",    "cpfair",      "elastic_rank", "manifold_rank"};

// A term of welfare: the least total of a share of all goals, which a goal's price raises while it
// is among them. 1 / goals: max-min; several terms together: a Lorenz curve, so the Gini index.
struct LowestSum {
  double share = 0;   // of the goals, 0..1; 0: no such term
  double weight = 0;  // of its price in the sum
};
inline constexpr size_t kLowestSumsMax = 5;

struct PriceLawOptions {
  PriceLawKind kind = PriceLawKind::kRemainingGoal;
  double step_share = 0.05;  // eta_j as a share of p_j: how fast a price moves; 0..1
  // tau: what is due in a step counts as at least so much, units; > 0. A price crosses its whole
  // range while tau / step_share units are behind: 2 units or 1 % of the goal with these numbers.
  double floor_units = 0.1;
  double floor_share = 0.0005;  // of the goal
  double credit_share = 0;      // c_j as a share of p_j: how far below zero a price may fall
  double top_share = 1;         // how far above
  double strength = 0.5;        // of peers: lambda, the proportional gain or the boost; of p_j
  double shape = 0.5;           // ElasticRank's t, ManifoldRank's alpha, PID's integral gain
  double shape_low = 0.5;       // ManifoldRank's beta, PID's derivative gain
  double anchor = 0.5;          // ElasticRank: which group, by rank from below, 0..1
  double momentum = 0.1;        // P-MMF, FairSync: weight of the newest gradient, 0..1

  // With a RequestSample.
  int rounds = 1;             // of descent a step
  double smoothing = 0.25;    // how far a price goes to where its dual stands, a round; 0..1
  double decay_requests = 0;  // step_share falls with 1 / sqrt(1 + requests / this); 0: never
  double least_step_share = 0.02;
  double aim_share = 0;         // aims so far above the goal, of the goal
  double shrink_requests = 10;  // a sample of so many is believed by half
  double welfare_share = 0;     // lambda of the terms below, of p_j
  double welfare_alpha = 0;     // > 0: alpha-fair instead, v = lambda (Y / mean Y)^-alpha
  double welfare_step = 0.6;    // of a term's price, a round, when a goal is away by the mean
  std::array<LowestSum, kLowestSumsMax> lowest{};
};

std::unique_ptr<PriceLaw> make_price_law(const PriceLawOptions& options);

// Same, by name.
std::unique_ptr<PriceLaw> remaining_goal_law(const PriceLawOptions& options);
// The constant price `share` * missed_value_fen until the goal is met.
std::unique_ptr<PriceLaw> fixed_price_law(double share);

// nu (allocation.md 2) when what is left of the budget is known: `loss` is what requests lose at
// present, `left` what each of those to come may lose, both as shares of the organic value.
double next_viewer_price(double nu, double loss, double left, double budget, double step);

// The nearest point of {0 <= x <= top, sum x = total}. Requires: 0 <= total <= top * size.
void project_capped_simplex(std::span<double> x, double total, double top);
// P-MMF's set: positive parts keep their sum within `radius`, the others stay.
void project_positive_parts(std::span<double> x, double radius);

}  // namespace shanhuo
