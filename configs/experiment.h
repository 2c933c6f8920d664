// Experiments (contract 3), compiled, and which variation a viewer gets.
//
// A layer is a partition of viewers: the bucket of "layer:NAME" and the viewer's hash attribute
// lies in at most one of its experiments' ranges, so that a layer is hashed once and at most one of
// its experiments is looked at further. That one asks, in this order: whether it runs now, whether
// a holdout keeps the viewer out, its condition, its prerequisites, and last its own seed for
// coverage and variation. Buckets and ranges are bucketing.h's, so that GrowthBook's SDKs agree
// (experiment_payload.h).
//
// A set is immutable and thread-safe; assign() allocates nothing once `out` has its size. 50
// experiments in 5 layers cost about 1 us. An experiment that nobody could evaluate is refused by
// experiment_reader.h; nothing here fails.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "configs/bucketing.h"
#include "configs/parameters.h"
#include "features/attributes.h"
#include "features/condition.h"

namespace shanhuo {

inline constexpr size_t kExperimentsMax = 200;
inline constexpr size_t kLayersMax = 64;

// Why somebody is in a variation, or in none.
enum class Outcome : uint8_t {
  kAssigned,
  kDisabled,
  kNotStarted,
  kEnded,
  kNoUnit,        // the viewer has no hash attribute
  kOutOfRange,    // the layer gives the viewer to others, or to nobody
  kHeldOut,       // by a holdout
  kCondition,     // of another audience
  kPrerequisite,  // not in the variation of another experiment that it needs
  kNotCovered,
};
// "assigned", "disabled", "not_started", ...
std::string_view outcome_name(Outcome outcome);

struct ExperimentVariation {
  std::string key;
  double weight = 0;
  ParameterPatch set;
  Value definition;   // of `set`, as it was written
  uint32_t hash = 0;  // variation_hash()
};

// Another experiment must have put the viewer into a variation that passes.
struct ExperimentPrerequisite {
  std::string experiment;
  Value test;           // of its variation's key, null for none; as it was written
  Condition condition;  // over {"variation": key or null}
  int index = -1;       // in the set
};

struct Guardrail {
  std::string metric;
  double max_drop = 0, max_rise = 0;  // relative; 0: not this one
};

// How its coverage grows by itself (serving/ramp.h).
struct Ramp {
  std::vector<double> steps;         // ascending, 0 < step <= 1
  Millis hold = kDay;                // of each coverage before the next
  int64_t viewers_min = 1'000;       // of each variation, before the next
  std::optional<double> approve_at;  // from this coverage on only after an approval
  bool held = false;                 // by an operator
  std::string definition;            // a hash of what the file says but for coverage and `held`
};

struct Experiment {
  std::string id;
  std::string name_zh, name_en;
  std::string layer;
  BucketRange range{0, 1};
  std::string attribute = "user_id";
  std::string seed;  // the id unless it is given
  double coverage = 1;
  Condition condition;
  Value condition_source;  // as it was written; null: none
  bool enabled = true;
  bool holdout = false;              // who gets its first variation is in no other experiment
  std::optional<Millis> start, end;  // [start, end)
  std::vector<ExperimentPrerequisite> prerequisites;
  std::vector<ExperimentVariation> variations;
  std::vector<Guardrail> guardrails;
  std::optional<Ramp> ramp;
  // Another number whenever who gets what, or what it is, changes: layer, range, hash, coverage,
  // condition, prerequisites, variations. Results are counted by it.
  uint32_t phase = 0;
  std::string revision;  // first 16 hex digits of the file's SHA-256
  std::string file;

  BucketHash hash;                  // of `seed`
  std::vector<BucketRange> ranges;  // of variations, by weight and coverage
  int unit = 0;                     // of its hash attribute, set by ExperimentSet
  bool whole = false;               // one variation has all the weight and everybody is covered

  bool runs_at(Millis now) const {
    return enabled && (!start || *start <= now) && (!end || now < *end);
  }
};

struct Assignment {
  Outcome outcome = Outcome::kOutOfRange;
  int variation = -1;  // -1: none

  bool in() const { return variation >= 0; }
};

class ExperimentSet {
 public:
  ExperimentSet() = default;
  // Requires: what experiment_reader.h checks of a set.
  explicit ExperimentSet(std::vector<Experiment> experiments);

  const std::vector<Experiment>& experiments() const { return experiments_; }  // ascending by id
  const std::string& version() const { return version_; }  // "none" without experiments
  int find(std::string_view id) const;                     // -1: none
  // There are files, and none that could be read has ever been live.
  bool missing() const { return version_ == "missing"; }
  static ExperimentSet none_readable();

  // out[i] is experiments()[i]'s.
  void assign(const AttributeSource& viewer, Millis now, std::vector<Assignment>& out) const;
  // Lays what the viewer's variations set over `options`.
  void apply(const std::vector<Assignment>& assignments, RankingOptions& options) const;

 private:
  struct Layer {
    std::string name;
    BucketHash hash;
    int unit = 0;                  // index into attributes_
    std::vector<int> experiments;  // ascending by range
  };
  class Evaluation;

  std::vector<Experiment> experiments_;
  std::vector<Layer> layers_;
  std::vector<std::string> attributes_;
  std::vector<int> holdouts_;
  std::string version_ = "none";
};

// OpenFeature's code: DISABLED, SPLIT, TARGETING_MATCH (no split: everybody whom the condition
// matches gets it) or DEFAULT.
std::string_view reason_of(const Experiment& experiment, const Assignment& assignment);

}  // namespace shanhuo
