#include "configs/experiment_payload.h"

namespace shanhuo {
namespace {

// The payload asks a parent feature's value what a prerequisite asks the variation's key.
Value parent(std::string_view id, Value test) {
  return Value::Object{{"id", id}, {"condition", Value::Object{{"value", std::move(test)}}}};
}

Value rule_of(const Experiment& experiment, const ExperimentSet& set) {
  Value::Array keys, weights, meta, parents;
  for (const ExperimentVariation& variation : experiment.variations) {
    keys.emplace_back(variation.key);
    weights.emplace_back(variation.weight);
    meta.emplace_back(Value::Object{{"key", variation.key}});
  }
  for (const ExperimentPrerequisite& needed : experiment.prerequisites) {
    parents.push_back(parent(needed.experiment, needed.test));
  }
  for (const Experiment& holdout : set.experiments()) {
    if (!holdout.holdout || experiment.holdout) continue;
    parents.push_back(
        parent(holdout.id, Value::Object{{"$ne", Value(holdout.variations.front().key)}}));
  }
  const Value range = Value::Array{experiment.range.low, experiment.range.high};
  Value::Object rule{{"key", experiment.id},
                     {"variations", std::move(keys)},
                     {"meta", std::move(meta)},
                     {"weights", std::move(weights)},
                     {"coverage", experiment.coverage},
                     {"hashAttribute", experiment.attribute},
                     {"hashVersion", 2},
                     {"seed", experiment.seed},
                     {"filters", Value::Array{Value::Object{{"attribute", experiment.attribute},
                                                            {"seed", "layer:" + experiment.layer},
                                                            {"hashVersion", 2},
                                                            {"ranges", Value::Array{range}}}}}};
  if (!experiment.condition_source.is_null()) {
    rule.emplace_back("condition", experiment.condition_source);
  }
  if (!parents.empty()) rule.emplace_back("parentConditions", std::move(parents));
  return rule;
}

}  // namespace

Value payload_of(const ExperimentSet& set, Millis now) {
  Value::Object features;
  for (const Experiment& experiment : set.experiments()) {
    Value::Object feature{{"defaultValue", Value()}};
    if (experiment.runs_at(now)) {
      feature.emplace_back("rules", Value::Array{rule_of(experiment, set)});
    }
    features.emplace_back(experiment.id, std::move(feature));
  }
  return Value::Object{{"features", std::move(features)}};
}

}  // namespace shanhuo
