// At most one experiment of a layer can match, and prerequisites are no circle (the reader sees to
// both), so each is decided once: those that others wait for when they first are asked for.
// Tested by tests/configs_experiment_test.cc against a slow twin and against flag_evaluator.h.
#include "configs/experiment.h"

#include <algorithm>

#include "base/check.h"
#include "features/coercion.h"
#include "features/digest.h"

namespace shanhuo {
namespace {

// {"variation": key or null} as a source.
class ParentVariation final : public AttributeSource {
 public:
  explicit ParentVariation(AttributeView key) : key_(key) {}
  AttributeView find(std::string_view dotted_path) const override {
    return dotted_path == "variation" ? key_ : AttributeView();
  }

 private:
  AttributeView key_;
};

// What an attribute hashes as, rendered once.
struct Unit {
  bool known = false;
  TextBuffer room;
  std::string_view text;
};

constexpr size_t kUnitsMax = 4;  // different hash attributes of a set that are rendered once

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "assigned",     "disabled", "not_started", "ended",        "no_unit",
      "out_of_range", "held_out", "condition",   "prerequisite", "not_covered"};
  return kNames[static_cast<size_t>(outcome)];
}

std::string_view reason_of(const Experiment& experiment, const Assignment& assignment) {
  switch (assignment.outcome) {
    case Outcome::kAssigned:
      return experiment.whole ? "TARGETING_MATCH" : "SPLIT";
    case Outcome::kDisabled:
    case Outcome::kNotStarted:
    case Outcome::kEnded:
      return "DISABLED";
    default:
      return "DEFAULT";
  }
}

ExperimentSet::ExperimentSet(std::vector<Experiment> experiments)
    : experiments_(std::move(experiments)) {
  std::sort(experiments_.begin(), experiments_.end(),
            [](const Experiment& a, const Experiment& b) { return a.id < b.id; });
  std::string all;
  for (size_t i = 0; i < experiments_.size(); ++i) {
    Experiment& each = experiments_[i];
    all += each.id + ":" + each.revision + "\n";
    for (ExperimentPrerequisite& parent : each.prerequisites) {
      parent.index = find(parent.experiment);
      CHECK(parent.index >= 0);
    }
    auto layer = std::find_if(layers_.begin(), layers_.end(),
                              [&](const Layer& known) { return known.name == each.layer; });
    if (layer == layers_.end()) {
      auto attribute = std::find(attributes_.begin(), attributes_.end(), each.attribute);
      if (attribute == attributes_.end()) attribute = attributes_.insert(attribute, each.attribute);
      const int unit = static_cast<int>(attribute - attributes_.begin());
      layers_.push_back({each.layer, BucketHash("layer:" + each.layer, 2), unit, {}});
      layer = layers_.end() - 1;
    }
    each.unit = layer->unit;
    layer->experiments.push_back(static_cast<int>(i));
    if (each.holdout) holdouts_.push_back(static_cast<int>(i));
  }
  for (Layer& layer : layers_) {
    std::sort(layer.experiments.begin(), layer.experiments.end(), [&](int a, int b) {
      return experiments_[static_cast<size_t>(a)].range.low <
             experiments_[static_cast<size_t>(b)].range.low;
    });
  }
  if (!experiments_.empty()) version_ = sha256_hex(all).substr(0, 16);
}

ExperimentSet ExperimentSet::none_readable() {
  ExperimentSet set;
  set.version_ = "missing";
  return set;
}

int ExperimentSet::find(std::string_view id) const {
  const auto found =
      std::lower_bound(experiments_.begin(), experiments_.end(), id,
                       [](const Experiment& each, std::string_view key) { return each.id < key; });
  if (found == experiments_.end() || found->id != id) return -1;
  return static_cast<int>(found - experiments_.begin());
}

class ExperimentSet::Evaluation {
 public:
  Evaluation(const ExperimentSet& set, const AttributeSource& viewer, Millis now,
             std::vector<Assignment>& out)
      : set_(set), viewer_(viewer), now_(now), out_(out) {}

  void run() {
    for (size_t i = 0; i < set_.experiments_.size(); ++i) out_[i] = {now_of(i), -1};
    for (const Layer& layer : set_.layers_) pick(layer);
    for (const int holdout : set_.holdouts_) decide(static_cast<size_t>(holdout));
    for (size_t i = 0; i < picked_; ++i) decide(static_cast<size_t>(candidates_[i]));
  }

 private:
  // kOutOfRange: it runs.
  Outcome now_of(size_t index) const {
    const Experiment& each = set_.experiments_[index];
    if (!each.enabled) return Outcome::kDisabled;
    if (each.start && now_ < *each.start) return Outcome::kNotStarted;
    if (each.end && now_ >= *each.end) return Outcome::kEnded;
    return Outcome::kOutOfRange;
  }

  const Unit& unit(int attribute) {
    const size_t place = static_cast<size_t>(attribute) % kUnitsMax;
    Unit& unit = units_[place];
    if (unit_of_[place] == attribute) return unit;
    unit_of_[place] = attribute;
    const AttributeView value = viewer_.member(set_.attributes_[static_cast<size_t>(attribute)]);
    unit.known = truthy(value);
    if (value.kind() == AttributeKind::kText) {
      unit.text = value.as_text();
    } else if (unit.known) {
      unit.room = {};
      unit.text = text_of(value, &unit.room);
    }
    return unit;
  }

  // The layer's candidate, kAssigned until it is decided; who has no unit is in none.
  void pick(const Layer& layer) {
    const Unit& viewer = unit(layer.unit);
    const std::optional<double> bucket =
        viewer.known ? layer.hash.bucket(viewer.text) : std::nullopt;
    for (const int index : layer.experiments) {
      const auto i = static_cast<size_t>(index);
      if (out_[i].outcome != Outcome::kOutOfRange) continue;  // does not run
      if (!bucket) {
        out_[i].outcome = Outcome::kNoUnit;
      } else if (set_.experiments_[i].range.contains(*bucket)) {
        out_[i].outcome = Outcome::kAssigned;
        candidates_[picked_++] = index;
      }
    }
  }

  bool held_out(size_t index) {
    if (set_.experiments_[index].holdout) return false;
    return std::any_of(set_.holdouts_.begin(), set_.holdouts_.end(), [&](int holdout) {
      return out_[static_cast<size_t>(holdout)].variation == 0;
    });
  }

  bool prerequisites_hold(const Experiment& experiment) {
    for (const ExperimentPrerequisite& parent : experiment.prerequisites) {
      const auto index = static_cast<size_t>(parent.index);
      decide(index);
      const int variation = out_[index].variation;
      const AttributeView key =
          variation < 0
              ? AttributeView()
              : AttributeView::text(
                    set_.experiments_[index].variations[static_cast<size_t>(variation)].key);
      if (!parent.condition.matches(ParentVariation(key))) return false;
    }
    return true;
  }

  // Once for each candidate: afterwards it has a variation, or another outcome.
  void decide(size_t index) {
    Assignment& assignment = out_[index];
    if (assignment.outcome != Outcome::kAssigned || assignment.in()) return;
    const Experiment& experiment = set_.experiments_[index];
    if (held_out(index)) {
      assignment.outcome = Outcome::kHeldOut;
    } else if (!experiment.condition.matches(viewer_)) {
      assignment.outcome = Outcome::kCondition;
    } else if (!prerequisites_hold(experiment)) {
      assignment.outcome = Outcome::kPrerequisite;
    } else {
      const std::optional<double> bucket = experiment.hash.bucket(unit(experiment.unit).text);
      assignment.variation = choose_variation(*bucket, experiment.ranges);
      if (!assignment.in()) assignment.outcome = Outcome::kNotCovered;
    }
  }

  const ExperimentSet& set_;
  const AttributeSource& viewer_;
  const Millis now_;
  std::vector<Assignment>& out_;
  std::array<Unit, kUnitsMax> units_;
  std::array<int, kUnitsMax> unit_of_{-1, -1, -1, -1};
  std::array<int, kLayersMax> candidates_;
  size_t picked_ = 0;
};

void ExperimentSet::assign(const AttributeSource& viewer, Millis now,
                           std::vector<Assignment>& out) const {
  out.resize(experiments_.size());
  if (!experiments_.empty()) Evaluation(*this, viewer, now, out).run();
}

void ExperimentSet::apply(const std::vector<Assignment>& assignments,
                          RankingOptions& options) const {
  for (size_t i = 0; i < assignments.size(); ++i) {
    if (!assignments[i].in()) continue;
    const auto variation = static_cast<size_t>(assignments[i].variation);
    experiments_[i].variations[variation].set.apply(options);
  }
}

}  // namespace shanhuo
