// What a policy would have earned, from the log of another one that drew its actions with known
// probabilities: inverse propensity scoring (Horvitz and Thompson 1952), self-normalised
// (Swaminathan and Joachims, NeurIPS 2015) and doubly robust (Dudik, Langford, Li, ICML 2011), each
// with the interval of 1.96 standard errors of its linearisation. Rewards of IPS and SNIPS are 0 or
// more and few large weights make them skewed: their interval is that of the logarithm, which
// reaches further up than down and never below 0.
//
// Pure; deterministic.
#pragma once

#include <span>

namespace shanhuo {

// One logged action.
struct LoggedAction {
  double reward = 0;
  double weight = 0;    // P(action) of the policy in question / that of the logging one; >= 0
  double modelled = 0;  // what a model says of this action's reward, not having seen it
  double expected = 0;  // what it says of an action that the policy in question would draw here
};

struct Estimate {
  double value = 0, low = 0, high = 0;
  bool covers(double truth) const { return low <= truth && truth <= high; }
};

struct OffPolicyEstimates {
  Estimate ips, snips, dr;
  // (sum w)^2 / sum w^2: so many draws of its own would tell as much (Kong 1992). With few, no
  // interval means anything.
  double effective_sample = 0;
};

// Requires: at least 2 actions, one of them with a weight; rewards of 0 or more.
OffPolicyEstimates estimate_off_policy(std::span<const LoggedAction> log);

// The mean with its interval, even on both sides: a policy on its own log. Requires: at least 2.
Estimate mean_of(std::span<const double> values);

}  // namespace shanhuo
