// What is decided for a viewer, compiled: GrowthBook's payload (SDK specification 0.8.0, without
// what only a browser does). Its "features" are called flags here, since features/ is what is known
// of viewers. A flag has rules, tried in order: force a value, or run an experiment.
//
// Compiled once from a tree of JSON, immutable afterwards, thread-safe; evaluated by
// flag_evaluator.h without allocation. What is malformed is reported by its JSON pointer and never
// disturbs anything else: a rule that cannot be read is one that nobody matches.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "configs/bucketing.h"
#include "features/condition.h"

namespace shanhuo {

// Viewers whose bucket of this seed is in one of the ranges.
struct BucketFilter {
  std::string attribute;
  BucketHash hash;
  std::vector<BucketRange> ranges;
};

// Another flag must have a value that passes. A gate decides the whole flag, the others one rule.
struct Prerequisite {
  std::string flag;
  Condition condition;  // over {"value": ...}
  bool gate = false;
};

struct VariationMeta {
  std::string key, name;  // empty: none
  bool passthrough = false;
};

// Weights of a contextual bandit for viewers of one context.
struct BanditLeaf {
  int64_t id = -1;
  Condition condition;
  std::vector<double> weights;
  std::vector<BucketRange> ranges;
  bool readable = true;  // false: who gets this far is in no leaf
};

// What one rule needs of a bandit: the leaves, and the experiment's own weights for who is in none.
struct BanditSpec {
  std::vector<BanditLeaf> leaves;
  BanditLeaf rest;
  Value version;  // null: none
};

struct ExperimentSpec {
  std::string key;
  BucketHash hash;                 // its seed is the key unless it is given
  std::string hash_attribute;      // "id" unless it is given
  std::string fallback_attribute;  // with sticky buckets only; empty: none
  std::vector<Value> variations;
  std::vector<double> weights;  // empty: equal ones
  double coverage = 1;
  std::vector<BucketRange> ranges;  // as given, or made of weights and coverage
  bool ranges_given = false;
  std::vector<BucketFilter> filters;
  std::optional<BucketNamespace> space;  // ignored beside filters
  Condition condition;
  std::vector<Prerequisite> parents;
  std::vector<VariationMeta> meta;  // may be shorter than variations
  std::shared_ptr<const BanditSpec> bandit;
  std::optional<int> force;
  int64_t bucket_version = 0, min_bucket_version = 0;
  bool sticky = true;  // false: assignments are not kept
  bool active = true, draft = false, stopped = false, of_urls = false;
  bool readable = true;  // false: nobody is in it
  Value source;          // the fields that results report, as they were written
};

struct FlagRule {
  std::string id;
  Condition condition;  // of a forced value
  std::vector<Prerequisite> parents;
  std::vector<BucketFilter> filters;
  // Force: value, and who gets it.
  std::optional<Value> force;
  BucketHash hash;
  std::string hash_attribute, fallback_attribute;
  std::optional<BucketRange> range;
  std::optional<double> coverage;
  std::optional<ExperimentSpec> experiment;
  bool readable = true;  // false: nobody matches it
};

struct Flag {
  std::string id;
  Value fallback;  // defaultValue
  std::vector<FlagRule> rules;
};

struct PayloadError {
  std::string pointer, detail;
};

class FlagPayload {
 public:
  // Never fails: `errors`, when it is set, gets what could not be read.
  static std::shared_ptr<const FlagPayload> compile(const Value& payload,
                                                    std::vector<PayloadError>* errors = nullptr);

  const Flag* find(std::string_view id) const;
  const std::map<std::string, Flag, std::less<>>& flags() const { return flags_; }
  // (attribute, fallback) of every experiment: whose sticky documents may be looked at.
  const std::vector<std::string>& sticky_attributes() const { return sticky_attributes_; }
  const SavedGroups& groups() const { return groups_; }

 private:
  std::map<std::string, Flag, std::less<>> flags_;
  std::vector<std::string> sticky_attributes_;  // sorted
  SavedGroups groups_;
};

// One experiment by itself, as `run` of the SDKs takes it.
ExperimentSpec compile_experiment(const Value& source, const SavedGroups& groups,
                                  std::vector<PayloadError>* errors = nullptr);

}  // namespace shanhuo
