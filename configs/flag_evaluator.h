// Flags and experiments for one viewer: GrowthBook's evalFeature and run, as its JavaScript SDK
// behaves (SDK specification 0.8.0).
//
// One evaluator per viewer and request, on one thread; it borrows what it is given and allocates
// nothing, unless sticky buckets are on. Cost: about 0.3 us a rule with a short condition. Never
// fails: what a payload has that cannot be read matches nobody (flag_payload.h), and prerequisites
// of prerequisites end after kEvaluationsMax evaluations as if they were a circle.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "configs/flag_payload.h"
#include "configs/sticky_buckets.h"

namespace shanhuo {

// Who asks. Borrowed; null: there are none.
struct FlagRequest {
  const AttributeSource& attributes;
  bool enabled = true;        // false: nobody is in an experiment
  bool qa_mode = false;       // true: only who is forced into one
  std::string_view url = {};  // for testers: "?experiment=1"
  const std::map<std::string, int, std::less<>>* forced_variations = nullptr;
  const std::map<std::string, Value, std::less<>>* forced_values = nullptr;
  StickyStore* sticky = nullptr;
};

// Pointers and views live as long as the payload and the request's attributes.
struct ExperimentResult {
  const ExperimentSpec* experiment = nullptr;
  std::string_view flag;  // empty: run by itself
  int variation = 0;
  bool in_experiment = false;
  bool hash_used = false;    // assigned by a bucket, not forced
  bool sticky_used = false;  // a kept assignment decided
  std::string_view hash_attribute;
  AttributeView hash_value;  // null: there is none
  std::optional<double> bucket;
  const BanditLeaf* leaf = nullptr;  // of a contextual bandit

  // Its value: null when there is no such variation.
  const Value& value() const;
  // Its key: the index, unless the experiment names it.
  std::string key() const;
  bool passthrough() const;
};

enum class FlagSource : uint8_t {
  kDefaultValue,
  kForce,
  kExperiment,
  kOverride,
  kUnknownFeature,
  kPrerequisite,
  kCyclicPrerequisite,
};
// As the SDKs call them: "defaultValue", ...
std::string_view flag_source_name(FlagSource source);

struct FlagResult {
  const Value* value = nullptr;  // never null
  FlagSource source = FlagSource::kDefaultValue;
  std::string_view rule_id;
  std::optional<ExperimentResult> experiment;  // only with kExperiment
};

class FlagEvaluator {
 public:
  static constexpr int kEvaluationsMax = 1'000;

  FlagEvaluator(const FlagPayload& payload, const FlagRequest& request)
      : payload_(payload), request_(request) {}

  FlagResult evaluate(std::string_view flag) { return evaluate(flag, nullptr); }
  // An experiment by itself, or as rule of a flag.
  ExperimentResult run(const ExperimentSpec& experiment, std::string_view flag = {}) {
    return run(experiment, flag, nullptr);
  }

 private:
  // The flags that wait for this one.
  struct Path {
    const Path* up;
    std::string_view flag;
  };
  struct HashAttribute {
    std::string_view name;
    AttributeView value;  // null: none
  };
  struct Kept {
    int variation = -1;
    bool blocked = false;  // by an assignment older than minBucketVersion
  };
  enum class Parents { kHold, kFail, kGate, kCyclic };

  FlagResult evaluate(std::string_view flag, const Path* up);
  std::optional<FlagResult> follow(const FlagRule& rule, const Flag& flag, const Path& path);
  ExperimentResult run(const ExperimentSpec& experiment, std::string_view flag, const Path* up);
  bool targeted(const ExperimentSpec& experiment, const AttributeView& hash_value, const Path* up);
  ExperimentResult result_of(const ExperimentSpec& experiment, std::string_view flag,
                             const HashAttribute& hash, int variation, bool hash_used) const;

  Parents parents(const std::vector<Prerequisite>& all, const Path* up);
  HashAttribute hash_attribute(std::string_view name, std::string_view fallback) const;
  bool passes(const std::vector<BucketFilter>& filters) const;
  bool rolled_out(const FlagRule& rule) const;
  const BanditLeaf* leaf_of(const ExperimentSpec& experiment) const;

  Kept kept(const ExperimentSpec& experiment) const;
  void keep(const ExperimentResult& result);

  const FlagPayload& payload_;
  const FlagRequest& request_;
  int evaluations_ = 0;
};

}  // namespace shanhuo
