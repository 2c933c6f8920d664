// Keeps a model's probabilities true while it learns: an online map from log-odds to log-odds,
// piecewise linear between kKnots knots, monotone. Each label moves the two knots around it by a
// Newton step on the logloss, as long as a knot's memory: a knot's map is the one that would have
// predicted its last `memory_labels` labels right on average. In front of a model whose weights
// have just moved it corrects within some hundred labels what a refit of the model would.
//
// After Platt (1999) with the one line cut into pieces; learned from each prediction before its
// label is known, so what it promises is measured prequentially.
//
// One writer calls learn(); probability() may be called from any thread meanwhile. No allocation,
// deterministic, never NaN.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "features/state_machine.h"

namespace shanhuo {

struct ProbabilityMapOptions {
  float prior_labels = 200;     // > 0: a knot is the identity until about so many were seen
  float memory_labels = 5'000;  // > 0: of a knot; older labels fade
};

class ProbabilityMap final : public Checkpointed {
 public:
  static constexpr int kKnots = 25;
  static constexpr float kFirst = -6, kStep = 0.5;  // log-odds of the knots

  // A knot, for people: what comes in, what goes out, from how many labels.
  struct Point {
    float before, after, labels;
  };

  // Checkpointed under "pm" + name, one record.
  ProbabilityMap(std::string name, const ProbabilityMapOptions& options);

  float probability(float log_odds) const;
  // Requires: 0 <= weight <= 16.
  void learn(float log_odds, bool label, float weight = 1);
  // For labels that come late, as ValueModel::learn_delayed(): a negative at once, and what was
  // wrong about it taken back by the positive.
  void learn_delayed(float log_odds, bool positive);
  // Becomes a copy of another map; writer's thread of both.
  void take_over(const ProbabilityMap& other);
  std::vector<Point> points() const;  // probabilities, ascending

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t /*records_max*/) override { return true; }
  Status restore(const StateReader& reader) override;

 private:
  struct Place {
    size_t knot;  // the lower one
    float share;  // of the upper one
  };
  static Place place_of(float log_odds);
  float mapped(Place at) const;
  void move(Place at, float gradient, bool counts);
  void move_knot(size_t knot, float gradient, float share, bool counts);

  const std::string name_;
  const ProbabilityMapOptions options_;
  std::array<float, kKnots> values_;
  std::array<float, kKnots> labels_{};
  bool dirty_ = false;  // the writer's
};

}  // namespace shanhuo
