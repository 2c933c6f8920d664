#include "configs/flag_report.h"

#include <algorithm>

#include "features/coercion.h"

namespace shanhuo {
namespace {

Value value_of(const AttributeView& view) {
  switch (view.kind()) {
    case AttributeKind::kNull:
      return {};
    case AttributeKind::kBool:
      return view.as_bool();
    case AttributeKind::kNumber:
      return view.as_number();
    case AttributeKind::kText:
      return view.as_text();
    case AttributeKind::kArray: {
      Value::Array elements;
      for (size_t i = 0; i < view.size(); ++i) elements.push_back(value_of(view.element(i)));
      return elements;
    }
    case AttributeKind::kObject: {
      const auto members = view.members();
      return Value::Object(members.begin(), members.end());
    }
  }
  CHECK(false);
}

Value array_of(const std::vector<double>& numbers) {
  return Value::Array(numbers.begin(), numbers.end());
}

bool by_bandit(const ExperimentResult& result) {
  return result.leaf != nullptr && result.hash_used && result.in_experiment;
}

void add_bandit(const ExperimentResult& result, Value::Object& out) {
  out.emplace_back("leafId", result.leaf->id);
  out.emplace_back("variationWeights", array_of(result.leaf->weights));
  const Value& version = result.experiment->bandit->version;
  if (!version.is_null()) out.emplace_back("banditVersion", version);
}

// As it was written, with the weights that its bandit gave this viewer.
Value experiment_of(const ExperimentResult& result) {
  Value::Object out;
  if (result.experiment->source.is_object()) out = result.experiment->source.as_object();
  if (result.leaf == nullptr) return out;
  if (result.leaf != &result.experiment->bandit->rest) {
    std::erase_if(out, [](const Value::Member& member) { return member.first == "weights"; });
    out.emplace_back("weights", array_of(result.leaf->weights));
  }
  if (by_bandit(result)) {
    Value::Object bandit;
    add_bandit(result, bandit);
    out.emplace_back("contextualBandit", std::move(bandit));
  }
  return out;
}

}  // namespace

Value report_of(const ExperimentResult& result) {
  Value::Object out;
  out.emplace_back("key", result.key());
  out.emplace_back("featureId", result.flag.empty() ? Value() : Value(result.flag));
  out.emplace_back("inExperiment", result.in_experiment);
  out.emplace_back("hashUsed", result.hash_used);
  out.emplace_back("variationId", result.variation);
  out.emplace_back("value", result.value());
  out.emplace_back("hashAttribute", result.hash_attribute);
  out.emplace_back("hashValue",
                   result.hash_value.is_null() ? Value("") : value_of(result.hash_value));
  out.emplace_back("stickyBucketUsed", result.sticky_used);
  const auto index = static_cast<size_t>(result.variation);
  if (index < result.experiment->meta.size()) {
    const VariationMeta& meta = result.experiment->meta[index];
    if (!meta.name.empty()) out.emplace_back("name", meta.name);
    if (meta.passthrough) out.emplace_back("passthrough", true);
  }
  if (result.bucket) out.emplace_back("bucket", *result.bucket);
  if (by_bandit(result)) add_bandit(result, out);
  return out;
}

Value report_of(const FlagResult& result) {
  const bool on = truthy(AttributeView::of(*result.value));
  Value::Object out;
  out.emplace_back("value", *result.value);
  out.emplace_back("on", on);
  out.emplace_back("off", !on);
  out.emplace_back("source", flag_source_name(result.source));
  out.emplace_back("ruleId", result.rule_id);
  if (result.experiment) {
    out.emplace_back("experiment", experiment_of(*result.experiment));
    out.emplace_back("experimentResult", report_of(*result.experiment));
  }
  return out;
}

Value report_of(const StickyDocument& document) {
  Value::Object assignments;
  for (const auto& [key, variation] : document.assignments)
    assignments.emplace_back(key, variation);
  return Value::Object{{"attributeName", document.attribute},
                       {"attributeValue", document.value},
                       {"assignments", std::move(assignments)}};
}

}  // namespace shanhuo
