#include "serving/conformance_cases.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "configs/flag_report.h"
#include "features/coercion.h"

namespace shanhuo {
namespace {

using Parts = Value::Array;
using Verdict = std::optional<CaseVerdict>;

// Eight digits, as the reference's own tests compare edges of ranges.
double rounded(double number) { return std::floor(number * 1e8) / 1e8; }

Value rounded(const std::vector<BucketRange>& ranges) {
  Value::Array out;
  for (const BucketRange& range : ranges) {
    out.emplace_back(Value::Array{rounded(range.low), rounded(range.high)});
  }
  return out;
}

Value rounded(const Value& value) {
  if (value.is_number()) return rounded(value.as_number());
  if (!value.is_array()) return value;
  Value::Array out;
  for (const Value& element : value.as_array()) out.push_back(rounded(element));
  return out;
}

std::vector<double> numbers_of(const Value& value) {
  std::vector<double> out;
  if (!value.is_array()) return out;
  for (const Value& element : value.as_array()) {
    if (element.is_number()) out.push_back(element.as_number());
  }
  return out;
}

std::vector<BucketRange> ranges_of(const Value& value) {
  std::vector<BucketRange> out;
  if (!value.is_array()) return out;
  for (const Value& element : value.as_array()) {
    const std::vector<double> ends = numbers_of(element);
    if (ends.size() == 2) out.push_back({ends[0], ends[1]});
  }
  return out;
}

// What a case's context says, with what it needs to live on.
class CaseContext {
 public:
  // Sticky buckets are on when `documents` is an array.
  explicit CaseContext(const Value& context, const Value* documents = nullptr)
      : payload_(FlagPayload::compile(context)),
        empty_(Value::Object()),
        attributes_(member(context, "attributes") ? *member(context, "attributes") : empty_),
        request_{attributes_} {
    const Value* enabled = member(context, "enabled");
    request_.enabled = enabled == nullptr || truthy(AttributeView::of(*enabled));
    const Value* qa = member(context, "qaMode");
    request_.qa_mode = qa != nullptr && truthy(AttributeView::of(*qa));
    const Value* url = member(context, "url");
    if (url != nullptr && url->is_text()) request_.url = url->as_text();
    read_forced(context);
    if (documents != nullptr) read_sticky(context, *documents);
  }
  CaseContext(const CaseContext&) = delete;
  CaseContext& operator=(const CaseContext&) = delete;

  const FlagPayload& payload() const { return *payload_; }
  const FlagRequest& request() const { return request_; }
  Value documents() const {
    Value::Object out;
    for (const auto& [key, document] : sticky_.documents()) {
      out.emplace_back(key, report_of(document));
    }
    return out;
  }

 private:
  static const Value* member(const Value& object, std::string_view name) {
    const Value* value = object.find(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  void read_forced(const Value& context) {
    if (const Value* forced = member(context, "forcedVariations"); forced && forced->is_object()) {
      for (const auto& [key, index] : forced->as_object()) {
        forced_[key] = index.is_number() ? static_cast<int>(index.as_number()) : -1;
      }
      request_.forced_variations = &forced_;
    }
    for (const char* name : {"forcedFeatureValues", "forcedFeatures"}) {
      const Value* values = member(context, name);
      if (values == nullptr || !values->is_object()) continue;
      for (const auto& [key, value] : values->as_object()) values_[key] = value;
      request_.forced_values = &values_;
    }
  }

  // Only the documents of attributes that experiments look at, with this viewer's values.
  bool visible(const StickyDocument& document) const {
    const auto& names = payload_->sticky_attributes();
    if (!std::binary_search(names.begin(), names.end(), document.attribute)) return false;
    const AttributeView value = attributes_.member(document.attribute);
    return truthy(value) && StickyDocument::value_of(value) == document.value;
  }

  void read_document(const Value& source) {
    StickyDocument document;
    const Value* attribute = member(source, "attributeName");
    const Value* value = member(source, "attributeValue");
    const Value* assignments = member(source, "assignments");
    if (attribute == nullptr || value == nullptr || !attribute->is_text()) return;
    document.attribute = attribute->as_text();
    document.value = StickyDocument::value_of(AttributeView::of(*value));
    if (assignments == nullptr || !assignments->is_object()) return;
    for (const auto& [key, variation] : assignments->as_object()) {
      if (variation.is_text()) document.assignments[key] = variation.as_text();
    }
    if (visible(document)) sticky_.save(std::move(document));
  }

  void read_sticky(const Value& context, const Value& documents) {
    if (const Value* own = member(context, "stickyBucketAssignmentDocs"); own && own->is_object()) {
      for (const auto& [key, document] : own->as_object()) read_document(document);
    }
    if (documents.is_array()) {
      for (const Value& document : documents.as_array()) read_document(document);
    }
    request_.sticky = &sticky_;
  }

  const std::shared_ptr<const FlagPayload> payload_;
  const Value empty_;
  const ObjectSource attributes_;
  std::map<std::string, int, std::less<>> forced_;
  std::map<std::string, Value, std::less<>> values_;
  StickyMap sticky_;
  FlagRequest request_;
};

// [name, condition, attributes, expected, groups?]
Verdict run_condition(const Parts& parts) {
  if (parts.size() < 4) return std::nullopt;
  SavedGroups groups;
  if (parts.size() > 4 && parts[4].is_object()) {
    for (const auto& [name, members] : parts[4].as_object()) {
      if (members.is_array()) groups[name] = std::make_shared<const ScalarSet>(members.as_array());
    }
  }
  ConditionOptions options;
  options.strict = false;
  options.groups = &groups;
  const Result<Condition> condition = Condition::compile(parts[1], options);
  const bool holds = condition.ok() && condition.value().matches(ObjectSource(parts[2]));
  return CaseVerdict{parts[3], holds};
}

// [seed, value, version, expected]
Verdict run_hash(const Parts& parts) {
  if (parts.size() != 4 || !parts[0].is_text() || !parts[2].is_number()) return std::nullopt;
  TextBuffer room;
  const BucketHash hash(parts[0].as_text(), static_cast<int>(parts[2].as_number()));
  const auto bucket = hash.bucket(text_of(AttributeView::of(parts[1]), &room));
  return CaseVerdict{parts[3], bucket ? Value(*bucket) : Value()};
}

// [name, [variations, coverage, weights], expected]
Verdict run_bucket_range(const Parts& parts) {
  if (parts.size() != 3 || !parts[1].is_array() || parts[1].as_array().size() != 3) return {};
  const Parts& input = parts[1].as_array();
  if (!input[0].is_number()) return std::nullopt;
  const double coverage = input[1].is_number() ? input[1].as_number() : 1;
  const auto ranges =
      bucket_ranges(static_cast<int>(input[0].as_number()), coverage, numbers_of(input[2]));
  return CaseVerdict{rounded(parts[2]), rounded(ranges)};
}

// [name, bucket, ranges, expected]
Verdict run_choose(const Parts& parts) {
  if (parts.size() != 4 || !parts[1].is_number()) return std::nullopt;
  return CaseVerdict{parts[3], choose_variation(parts[1].as_number(), ranges_of(parts[2]))};
}

// [name, key, url, variations, expected]
Verdict run_query(const Parts& parts) {
  if (parts.size() != 5 || !parts[1].is_text() || !parts[2].is_text() || !parts[3].is_number()) {
    return std::nullopt;
  }
  const auto index = query_override(parts[1].as_text(), parts[2].as_text(),
                                    static_cast<int>(parts[3].as_number()));
  return CaseVerdict{parts[4], index ? Value(*index) : Value()};
}

// [name, value, [namespace, low, high], expected]
Verdict run_namespace(const Parts& parts) {
  if (parts.size() != 4 || !parts[1].is_text() || !parts[2].is_array()) return std::nullopt;
  const Parts& space = parts[2].as_array();
  if (space.size() != 3 || !space[0].is_text() || !space[1].is_number() || !space[2].is_number()) {
    return std::nullopt;
  }
  return CaseVerdict{
      parts[3], in_namespace(parts[1].as_text(),
                             {space[0].as_text(), {space[1].as_number(), space[2].as_number()}})};
}

// [variations, expected]
Verdict run_weights(const Parts& parts) {
  if (parts.size() != 2 || !parts[0].is_number()) return std::nullopt;
  Value::Array weights;
  for (const double weight : equal_weights(static_cast<int>(parts[0].as_number()))) {
    weights.emplace_back(rounded(weight));
  }
  return CaseVerdict{rounded(parts[1]), std::move(weights)};
}

// [name, context, flag, expected]
Verdict run_feature(const Parts& parts) {
  if (parts.size() != 4 || !parts[2].is_text() || !parts[3].is_object()) return std::nullopt;
  const CaseContext context(parts[1]);
  FlagEvaluator evaluator(context.payload(), context.request());
  Value expected = parts[3];
  if (expected.find("ruleId") == nullptr) expected.as_object().emplace_back("ruleId", "");
  return CaseVerdict{std::move(expected), report_of(evaluator.evaluate(parts[2].as_text()))};
}

// [name, context, experiment, value, inExperiment, hashUsed]
Verdict run_experiment(const Parts& parts) {
  if (parts.size() != 6 || !parts[2].is_object()) return std::nullopt;
  const CaseContext context(parts[1]);
  const ExperimentSpec spec = compile_experiment(parts[2], context.payload().groups());
  FlagEvaluator evaluator(context.payload(), context.request());
  const ExperimentResult result = evaluator.run(spec);
  return CaseVerdict{Value::Array{parts[3], parts[4], parts[5]},
                     Value::Array{result.value(), result.in_experiment, result.hash_used}};
}

// [name, context, documents, flag, experiment result, documents afterwards]
Verdict run_sticky(const Parts& parts) {
  if (parts.size() != 6 || !parts[3].is_text()) return std::nullopt;
  const CaseContext context(parts[1], &parts[2]);
  FlagEvaluator evaluator(context.payload(), context.request());
  const FlagResult result = evaluator.evaluate(parts[3].as_text());
  Value got = result.experiment ? report_of(*result.experiment) : Value();
  return CaseVerdict{Value::Array{parts[4], parts[5]},
                     Value::Array{std::move(got), context.documents()}};
}

struct Section {
  std::string_view name;
  CaseRunner run;
};
constexpr std::array<Section, 10> kSections = {{{"evalCondition", run_condition},
                                                {"hash", run_hash},
                                                {"getBucketRange", run_bucket_range},
                                                {"chooseVariation", run_choose},
                                                {"getQueryStringOverride", run_query},
                                                {"inNamespace", run_namespace},
                                                {"getEqualWeights", run_weights},
                                                {"feature", run_feature},
                                                {"run", run_experiment},
                                                {"stickyBucket", run_sticky}}};

}  // namespace

bool CaseVerdict::passed() const { return same_tree(expected, got); }

CaseRunner runner_of(std::string_view section) {
  for (const Section& each : kSections) {
    if (each.name == section) return each.run;
  }
  return nullptr;
}

bool same_tree(const Value& a, const Value& b) {
  if (a.is_array() && b.is_array()) {
    return std::equal(a.as_array().begin(), a.as_array().end(), b.as_array().begin(),
                      b.as_array().end(), same_tree);
  }
  if (!a.is_object() || !b.is_object()) return a == b;
  if (a.as_object().size() != b.as_object().size()) return false;
  return std::all_of(a.as_object().begin(), a.as_object().end(), [&](const Value::Member& member) {
    const Value* other = b.find(member.first);
    return other != nullptr && same_tree(member.second, *other);
  });
}

}  // namespace shanhuo
