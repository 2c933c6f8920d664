// Tested by tests/configs_flags_test.cc and `shanhuo conformance`.
#include <cmath>
#include <set>

#include "configs/flag_fields.h"

namespace shanhuo {
namespace {

constexpr size_t kVariationsMax = 1'000;
constexpr size_t kRulesMax = 1'000;

std::vector<BucketRange> ranges_of(const ExperimentSpec& spec, std::span<const double> weights) {
  return bucket_ranges(static_cast<int>(spec.variations.size()), spec.coverage, weights);
}

// The experiment that a rule stands for, with exactly the fields that the reference copies.
Value reported(const std::string& flag, const Value& rule, const Value& variations) {
  Value::Object out;
  const Value* key = truthy_member(rule, "key");
  out.emplace_back("key", key != nullptr ? *key : Value(flag));
  out.emplace_back("variations", variations);
  for (const char* name : {"coverage", "bucketVersion", "minBucketVersion"}) {
    if (const Value* value = rule.find(name)) out.emplace_back(name, *value);
  }
  for (const char* name :
       {"weights", "hashAttribute", "fallbackAttribute", "disableStickyBucketing", "namespace",
        "meta", "ranges", "name", "phase", "seed", "hashVersion", "filters", "condition"}) {
    if (const Value* value = truthy_member(rule, name)) out.emplace_back(name, *value);
  }
  return out;
}

class PayloadReader : FlagFields {
 public:
  PayloadReader(const SavedGroups& groups, std::vector<PayloadError>* errors)
      : FlagFields(errors), groups_(groups) {}

  Flag flag(const std::string& id, const Value& source, const Value* bandits,
            const std::string& at);
  ExperimentSpec experiment(const Value& source, const std::string& at);

 private:
  bool variations(const Value& source, const std::string& at, std::vector<Value>& out);
  bool how_long(const Value& source, const std::string& at, ExperimentSpec& spec);
  FlagRule rule(const std::string& flag, const Value& source, const Value* bandits,
                const std::string& at);
  bool forced(const std::string& flag, const Value& source, const std::string& at, FlagRule& rule);
  BanditLeaf leaf(const Value& source, const std::string& at);
  std::shared_ptr<const BanditSpec> bandit(const ExperimentSpec& of, const Value& source,
                                           const std::string& at);

  const SavedGroups& groups_;
};

bool PayloadReader::variations(const Value& source, const std::string& at,
                               std::vector<Value>& out) {
  const Value* list = given(source, "variations");
  if (list == nullptr || !list->is_array() || list->as_array().size() > kVariationsMax) {
    return report(at + "/variations", "is no list of at most 1,000 values");
  }
  out = list->as_array();
  return true;
}

// Whether, and for whom, it runs at all.
bool PayloadReader::how_long(const Value& source, const std::string& at, ExperimentSpec& spec) {
  if (const Value* force = source.find("force")) {
    const bool index = force->is_number() && std::abs(force->as_number()) < 1e9 &&
                       force->as_number() == std::floor(force->as_number());
    spec.force = index ? static_cast<int>(force->as_number()) : -1;
  }
  const Value* active = source.find("active");
  spec.active = active == nullptr || *active != Value(false);
  spec.sticky = truthy_member(source, "disableStickyBucketing") == nullptr;
  spec.of_urls = truthy_member(source, "urlPatterns") != nullptr;
  std::string status;
  const bool read = text(source, "status", at, status);
  spec.draft = status == "draft";
  spec.stopped = status == "stopped";
  return read;
}

ExperimentSpec PayloadReader::experiment(const Value& source, const std::string& at) {
  ExperimentSpec spec;
  bool read = variations(source, at, spec.variations) && text(source, "key", at, spec.key);
  spec.hash_attribute = "id";
  read &= hash(source, at, spec.key, 1, spec.hash);
  read &= text(source, "hashAttribute", at, spec.hash_attribute);
  read &= text(source, "fallbackAttribute", at, spec.fallback_attribute);
  read &= whole(source, "bucketVersion", at, spec.bucket_version);
  read &= whole(source, "minBucketVersion", at, spec.min_bucket_version);
  read &= filters(source, at, spec.filters) && space(source, at, spec.space);
  read &= parents(source, at, spec.parents) && meta(source, at, spec.meta);
  read &=
      condition(truthy_member(source, "condition"), &groups_, at + "/condition", spec.condition);
  read &= number(source, "coverage", at, spec.coverage);
  read &= weights(truthy_member(source, "weights"), at + "/weights", spec.weights);
  spec.ranges_given = truthy_member(source, "ranges") != nullptr;
  read &= ranges(source, at, spec.ranges);
  if (!spec.ranges_given) spec.ranges = ranges_of(spec, spec.weights);
  spec.readable = how_long(source, at, spec) && read;
  spec.source = source;
  return spec;
}

BanditLeaf PayloadReader::leaf(const Value& source, const std::string& at) {
  BanditLeaf leaf;
  leaf.readable =
      whole(source, "leafId", at, leaf.id) &&
      condition(given(source, "condition"), &groups_, at + "/condition", leaf.condition) &&
      weights(given(source, "weights"), at + "/weights", leaf.weights);
  return leaf;
}

std::shared_ptr<const BanditSpec> PayloadReader::bandit(const ExperimentSpec& of,
                                                        const Value& source,
                                                        const std::string& at) {
  auto spec = std::make_shared<BanditSpec>();
  const Value* contexts = given(source, "contexts");
  for (size_t i = 0; contexts != nullptr && contexts->is_array() && i < contexts->as_array().size();
       ++i) {
    BanditLeaf& leaf = spec->leaves.emplace_back(
        this->leaf(contexts->as_array()[i], at + "/contexts/" + std::to_string(i)));
    leaf.ranges = of.ranges_given ? of.ranges : ranges_of(of, leaf.weights);
  }
  spec->rest.weights =
      of.weights.empty() ? equal_weights(static_cast<int>(of.variations.size())) : of.weights;
  spec->rest.ranges = of.ranges;
  if (const Value* version = given(source, "banditVersion")) spec->version = *version;
  return spec;
}

bool PayloadReader::forced(const std::string& flag, const Value& source, const std::string& at,
                           FlagRule& rule) {
  rule.hash_attribute = "id";
  bool read =
      condition(truthy_member(source, "condition"), &groups_, at + "/condition", rule.condition);
  read &= hash(source, at, flag, 1, rule.hash);
  read &= text(source, "hashAttribute", at, rule.hash_attribute);
  read &= text(source, "fallbackAttribute", at, rule.fallback_attribute);
  if (const Value* bounds = truthy_member(source, "range")) {
    read &= range(*bounds, at + "/range", rule.range.emplace());
  }
  if (given(source, "coverage") != nullptr) {
    read &= number(source, "coverage", at, rule.coverage.emplace());
  }
  return read;
}

FlagRule PayloadReader::rule(const std::string& flag, const Value& source, const Value* bandits,
                             const std::string& at) {
  FlagRule rule;
  if (!source.is_object()) {
    rule.readable = report(at, "is no rule");
    return rule;
  }
  bool read = text(source, "id", at, rule.id);
  read &= filters(source, at, rule.filters) && parents(source, at, rule.parents);
  const Value* variations = given(source, "contextualVariations");
  if (variations == nullptr) variations = given(source, "variations");
  if (const Value* force = source.find("force")) {
    rule.force = *force;
    read &= forced(flag, source, at, rule);
  } else if (variations != nullptr) {
    rule.experiment = experiment(reported(flag, source, *variations), at);
    std::string ref;
    read &= text(source, "contextualBanditRef", at, ref);
    const Value* arms = ref.empty() || bandits == nullptr ? nullptr : given(*bandits, ref);
    if (arms != nullptr) {
      rule.experiment->bandit = bandit(*rule.experiment, *arms, "/contextualBandits/" + ref);
    }
  }
  rule.readable = read;
  return rule;
}

Flag PayloadReader::flag(const std::string& id, const Value& source, const Value* bandits,
                         const std::string& at) {
  Flag flag;
  flag.id = id;
  if (const Value* fallback = source.find("defaultValue")) flag.fallback = *fallback;
  const Value* rules = truthy_member(source, "rules");
  if (!source.is_object()) report(at, "is no feature");
  if (rules == nullptr) return flag;
  if (!rules->is_array() || rules->as_array().size() > kRulesMax) {
    report(at + "/rules", "is no list of at most 1,000 rules");
    return flag;
  }
  for (size_t i = 0; i < rules->as_array().size(); ++i) {
    const std::string place = at + "/rules/" + std::to_string(i);
    flag.rules.push_back(rule(id, rules->as_array()[i], bandits, place));
  }
  return flag;
}

SavedGroups groups_of(const Value* source) {
  SavedGroups groups;
  if (source == nullptr || !source->is_object()) return groups;
  for (const auto& [name, members] : source->as_object()) {
    if (!members.is_array()) continue;
    groups[name] = std::make_shared<const ScalarSet>(members.as_array());
  }
  return groups;
}

}  // namespace

std::shared_ptr<const FlagPayload> FlagPayload::compile(const Value& payload,
                                                        std::vector<PayloadError>* errors) {
  auto compiled = std::make_shared<FlagPayload>();
  compiled->groups_ = groups_of(payload.find("savedGroups"));
  PayloadReader reader(compiled->groups_, errors);
  const Value* flags = given(payload, "features");
  const Value* bandits = given(payload, "contextualBandits");
  if (flags == nullptr || !flags->is_object()) return compiled;
  std::set<std::string> attributes;
  for (const auto& [id, source] : flags->as_object()) {
    Flag flag = reader.flag(id, source, bandits, "/features/" + id);
    for (const FlagRule& rule : flag.rules) {
      if (!rule.experiment) continue;
      attributes.insert(rule.experiment->hash_attribute);
      if (!rule.experiment->fallback_attribute.empty()) {
        attributes.insert(rule.experiment->fallback_attribute);
      }
    }
    compiled->flags_.emplace(id, std::move(flag));
  }
  compiled->sticky_attributes_.assign(attributes.begin(), attributes.end());
  return compiled;
}

const Flag* FlagPayload::find(std::string_view id) const {
  const auto found = flags_.find(id);
  return found == flags_.end() ? nullptr : &found->second;
}

ExperimentSpec compile_experiment(const Value& source, const SavedGroups& groups,
                                  std::vector<PayloadError>* errors) {
  return PayloadReader(groups, errors).experiment(source, "");
}

}  // namespace shanhuo
