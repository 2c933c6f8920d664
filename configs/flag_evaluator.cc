// The order of the steps is the reference's, and matters: targeting comes before a forced variation
// of the experiment and after one of the request.
// Tested by tests/configs_flags_test.cc and `shanhuo conformance`.
#include "configs/flag_evaluator.h"

#include <algorithm>
#include <charconv>

#include "features/coercion.h"

namespace shanhuo {
namespace {

const Value kNull;

// {"value": ...} as a source: what conditions of prerequisites look at.
class ParentValue final : public AttributeSource {
 public:
  explicit ParentValue(const Value& value) : value_(AttributeView::of(value)) {}
  AttributeView find(std::string_view dotted_path) const override {
    if (dotted_path == "value") return value_;
    constexpr std::string_view kInside = "value.";
    if (!dotted_path.starts_with(kInside)) return {};
    return value_.walk(dotted_path.substr(kInside.size()));
  }

 private:
  AttributeView value_;
};

std::optional<double> bucket_of(const BucketHash& hash, const AttributeView& value) {
  if (value.kind() == AttributeKind::kText) return hash.bucket(value.as_text());
  TextBuffer room;
  return hash.bucket(text_of(value, &room));
}

}  // namespace

std::string_view flag_source_name(FlagSource source) {
  switch (source) {
    case FlagSource::kDefaultValue:
      return "defaultValue";
    case FlagSource::kForce:
      return "force";
    case FlagSource::kExperiment:
      return "experiment";
    case FlagSource::kOverride:
      return "override";
    case FlagSource::kUnknownFeature:
      return "unknownFeature";
    case FlagSource::kPrerequisite:
      return "prerequisite";
    case FlagSource::kCyclicPrerequisite:
      return "cyclicPrerequisite";
  }
  CHECK(false);
}

const Value& ExperimentResult::value() const {
  const auto index = static_cast<size_t>(variation);
  return index < experiment->variations.size() ? experiment->variations[index] : kNull;
}

std::string ExperimentResult::key() const {
  const auto index = static_cast<size_t>(variation);
  const bool named = index < experiment->meta.size() && !experiment->meta[index].key.empty();
  return named ? experiment->meta[index].key : std::to_string(variation);
}

bool ExperimentResult::passthrough() const {
  const auto index = static_cast<size_t>(variation);
  return index < experiment->meta.size() && experiment->meta[index].passthrough;
}

// --- flags ---

FlagResult FlagEvaluator::evaluate(std::string_view id, const Path* up) {
  for (const Path* step = up; step != nullptr; step = step->up) {
    if (step->flag == id) return {&kNull, FlagSource::kCyclicPrerequisite, {}, {}};
  }
  if (++evaluations_ > kEvaluationsMax) return {&kNull, FlagSource::kCyclicPrerequisite, {}, {}};
  if (request_.forced_values != nullptr) {
    const auto forced = request_.forced_values->find(id);
    if (forced != request_.forced_values->end()) {
      return {&forced->second, FlagSource::kOverride, {}, {}};
    }
  }
  const Flag* flag = payload_.find(id);
  if (flag == nullptr) return {&kNull, FlagSource::kUnknownFeature, {}, {}};
  const Path path{up, flag->id};
  for (const FlagRule& rule : flag->rules) {
    if (std::optional<FlagResult> result = follow(rule, *flag, path)) return *result;
  }
  return {&flag->fallback, FlagSource::kDefaultValue, {}, {}};
}

// Nothing: the next rule.
std::optional<FlagResult> FlagEvaluator::follow(const FlagRule& rule, const Flag& flag,
                                                const Path& path) {
  if (!rule.readable) return std::nullopt;
  switch (parents(rule.parents, &path)) {
    case Parents::kCyclic:
      return FlagResult{&kNull, FlagSource::kCyclicPrerequisite, {}, {}};
    case Parents::kGate:
      return FlagResult{&kNull, FlagSource::kPrerequisite, {}, {}};
    case Parents::kFail:
      return std::nullopt;
    case Parents::kHold:
      break;
  }
  if (!passes(rule.filters)) return std::nullopt;
  if (rule.force) {
    if (!rule.condition.matches(request_.attributes) || !rolled_out(rule)) return std::nullopt;
    return FlagResult{&*rule.force, FlagSource::kForce, rule.id, {}};
  }
  if (!rule.experiment) return std::nullopt;
  const ExperimentResult result = run(*rule.experiment, flag.id, &path);
  if (!result.in_experiment || result.passthrough()) return std::nullopt;
  return FlagResult{&result.value(), FlagSource::kExperiment, rule.id, result};
}

FlagEvaluator::Parents FlagEvaluator::parents(const std::vector<Prerequisite>& all,
                                              const Path* up) {
  for (const Prerequisite& parent : all) {
    const FlagResult result = evaluate(parent.flag, up);
    if (result.source == FlagSource::kCyclicPrerequisite) return Parents::kCyclic;
    if (parent.condition.matches(ParentValue(*result.value))) continue;
    return parent.gate ? Parents::kGate : Parents::kFail;
  }
  return Parents::kHold;
}

FlagEvaluator::HashAttribute FlagEvaluator::hash_attribute(std::string_view name,
                                                           std::string_view fallback) const {
  const AttributeView value = request_.attributes.member(name);
  if (truthy(value)) return {name, value};
  if (!fallback.empty()) {
    const AttributeView other = request_.attributes.member(fallback);
    if (truthy(other)) return {fallback, other};
  }
  return {name, {}};
}

bool FlagEvaluator::passes(const std::vector<BucketFilter>& filters) const {
  return std::all_of(filters.begin(), filters.end(), [&](const BucketFilter& filter) {
    const AttributeView value = hash_attribute(filter.attribute, {}).value;
    if (value.is_null()) return false;
    const auto bucket = bucket_of(filter.hash, value);
    return bucket && choose_variation(*bucket, filter.ranges) >= 0;
  });
}

bool FlagEvaluator::rolled_out(const FlagRule& rule) const {
  if (!rule.range && !rule.coverage) return true;
  if (!rule.range && *rule.coverage == 0) return false;
  const std::string_view fallback =
      request_.sticky != nullptr ? rule.fallback_attribute : std::string_view();
  const AttributeView value = hash_attribute(rule.hash_attribute, fallback).value;
  if (value.is_null()) return false;
  const auto bucket = bucket_of(rule.hash, value);
  if (!bucket) return false;
  return rule.range ? rule.range->contains(*bucket) : *bucket <= *rule.coverage;
}

// --- experiments ---

ExperimentResult FlagEvaluator::result_of(const ExperimentSpec& experiment, std::string_view flag,
                                          const HashAttribute& hash, int variation,
                                          bool hash_used) const {
  ExperimentResult result;
  result.experiment = &experiment;
  result.flag = flag;
  result.in_experiment =
      variation >= 0 && variation < static_cast<int>(experiment.variations.size());
  result.variation = result.in_experiment ? variation : 0;
  result.hash_used = hash_used;
  result.hash_attribute = hash.name;
  result.hash_value = hash.value;
  return result;
}

const BanditLeaf* FlagEvaluator::leaf_of(const ExperimentSpec& experiment) const {
  if (experiment.bandit == nullptr) return nullptr;
  for (const BanditLeaf& leaf : experiment.bandit->leaves) {
    if (!leaf.readable) break;
    if (leaf.condition.matches(request_.attributes)) return &leaf;
  }
  return &experiment.bandit->rest;
}

// What a kept assignment spares: filters or namespace, condition, prerequisites.
bool FlagEvaluator::targeted(const ExperimentSpec& experiment, const AttributeView& hash_value,
                             const Path* up) {
  if (!experiment.filters.empty()) {
    if (!passes(experiment.filters)) return false;
  } else if (experiment.space) {
    TextBuffer room;
    if (!in_namespace(text_of(hash_value, &room), *experiment.space)) return false;
  }
  return experiment.condition.matches(request_.attributes) &&
         parents(experiment.parents, up) == Parents::kHold;
}

ExperimentResult FlagEvaluator::run(const ExperimentSpec& experiment, std::string_view flag,
                                    const Path* up) {
  const int variations = static_cast<int>(experiment.variations.size());
  const bool sticky = request_.sticky != nullptr && experiment.sticky;
  const HashAttribute hash = hash_attribute(
      experiment.hash_attribute, sticky ? experiment.fallback_attribute : std::string_view());
  const BanditLeaf* const leaf = leaf_of(experiment);
  const auto ends = [&](int variation, bool hash_used = false) {
    ExperimentResult result = result_of(experiment, flag, hash, variation, hash_used);
    result.leaf = leaf;
    return result;
  };
  if (!experiment.readable || variations < 2 || !request_.enabled) return ends(-1);
  if (experiment.of_urls) return ends(-1);  // for browsers alone
  if (const auto forced = query_override(experiment.key, request_.url, variations)) {
    return ends(*forced);
  }
  if (request_.forced_variations != nullptr) {
    const auto forced = request_.forced_variations->find(experiment.key);
    if (forced != request_.forced_variations->end()) return ends(forced->second);
  }
  if (!experiment.active || experiment.draft || hash.value.is_null()) return ends(-1);
  const Kept had = sticky ? kept(experiment) : Kept();
  if (had.variation < 0 && !targeted(experiment, hash.value, up)) return ends(-1);
  const auto bucket = bucket_of(experiment.hash, hash.value);
  if (!bucket) return ends(-1);
  const int assigned =
      had.variation >= 0
          ? had.variation
          : choose_variation(*bucket, leaf != nullptr ? leaf->ranges : experiment.ranges);
  if (had.blocked) {
    ExperimentResult result = ends(-1);
    result.sticky_used = true;
    return result;
  }
  if (assigned < 0) return ends(-1);
  if (experiment.force) return ends(*experiment.force);
  if (request_.qa_mode || experiment.stopped) return ends(-1);
  ExperimentResult result = ends(assigned, true);
  result.bucket = bucket;
  result.sticky_used = had.variation >= 0;
  if (sticky) keep(result);
  return result;
}

// --- sticky buckets ---

FlagEvaluator::Kept FlagEvaluator::kept(const ExperimentSpec& experiment) const {
  const auto document = [&](std::string_view name) -> const StickyDocument* {
    const AttributeView value = request_.attributes.member(name);
    if (!truthy(value)) return nullptr;
    return request_.sticky->find(StickyDocument::key_of(name, StickyDocument::value_of(value)));
  };
  const std::string& fallback = experiment.fallback_attribute;
  const StickyDocument* const documents[] = {document(experiment.hash_attribute),
                                             document(fallback.empty() ? "id" : fallback)};
  Kept kept;
  const std::string* variation = nullptr;
  const std::string prefix = experiment.key + "__";
  for (const StickyDocument* each : documents) {
    if (each == nullptr) continue;
    for (auto at = each->assignments.lower_bound(prefix);
         at != each->assignments.end() && at->first.starts_with(prefix); ++at) {
      const std::string_view digits = std::string_view(at->first).substr(prefix.size());
      int64_t version = -1;
      const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), version);
      if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) continue;
      kept.blocked |= version >= 0 && version < experiment.min_bucket_version;
      if (version == experiment.bucket_version && variation == nullptr) variation = &at->second;
    }
  }
  if (kept.blocked || variation == nullptr) return kept;
  for (size_t i = 0; i < experiment.meta.size() && kept.variation < 0; ++i) {
    if (experiment.meta[i].key == *variation) kept.variation = static_cast<int>(i);
  }
  return kept;
}

void FlagEvaluator::keep(const ExperimentResult& result) {
  const ExperimentSpec& experiment = *result.experiment;
  StickyDocument document;
  document.attribute = result.hash_attribute;
  document.value = StickyDocument::value_of(result.hash_value);
  const StickyDocument* before = request_.sticky->find(document.key());
  if (before != nullptr) document.assignments = before->assignments;
  std::string& kept =
      document.assignments[experiment.key + "__" + std::to_string(experiment.bucket_version)];
  const std::string key = result.key();
  if (kept == key) return;
  kept = key;
  request_.sticky->save(std::move(document));
}

}  // namespace shanhuo
