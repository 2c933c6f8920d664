#include "configs/flag_fields.h"

#include <cmath>

#include "features/coercion.h"

namespace shanhuo {

const Value* given(const Value& object, std::string_view key) {
  const Value* value = object.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const Value* truthy_member(const Value& object, std::string_view key) {
  const Value* value = object.find(key);
  return value == nullptr || !truthy(AttributeView::of(*value)) ? nullptr : value;
}

bool FlagFields::report(const std::string& at, std::string detail) {
  if (errors_ != nullptr) errors_->push_back({at, std::move(detail)});
  return false;
}

bool FlagFields::text(const Value& object, std::string_view key, const std::string& at,
                      std::string& out) {
  const Value* value = truthy_member(object, key);
  if (value == nullptr) return true;
  if (!value->is_text()) return report(at + "/" + std::string(key), "is no text");
  out = value->as_text();
  return true;
}

bool FlagFields::number(const Value& object, std::string_view key, const std::string& at,
                        double& out) {
  const Value* value = given(object, key);
  if (value == nullptr) return true;
  if (!value->is_number()) return report(at + "/" + std::string(key), "is no number");
  out = value->as_number();
  return true;
}

bool FlagFields::whole(const Value& object, std::string_view key, const std::string& at,
                       int64_t& out) {
  double value = static_cast<double>(out);
  if (!number(object, key, at, value)) return false;
  if (value != std::floor(value) || std::abs(value) > 1e9) {
    return report(at + "/" + std::string(key), "is no whole number up to 1e9");
  }
  out = static_cast<int64_t>(value);
  return true;
}

bool FlagFields::hash(const Value& object, const std::string& at, std::string seed, int version,
                      BucketHash& out) {
  int64_t given_version = 0;
  if (!text(object, "seed", at, seed) || !whole(object, "hashVersion", at, given_version)) {
    return false;
  }
  if (given_version != 0) version = static_cast<int>(given_version);
  out = BucketHash(std::move(seed), version);
  return true;
}

bool FlagFields::condition(const Value* source, const SavedGroups* groups, const std::string& at,
                           Condition& out) {
  if (source == nullptr) return true;
  ConditionOptions options;
  options.strict = false;
  options.groups = groups;
  std::vector<ConditionError> wrong;
  Result<Condition> compiled = Condition::compile(*source, options, &wrong);
  if (compiled.ok()) {
    out = std::move(compiled).value();
    return true;
  }
  for (const ConditionError& error : wrong) report(at + error.pointer, error.detail);
  return false;
}

bool FlagFields::range(const Value& source, const std::string& at, BucketRange& out) {
  const bool pair = source.is_array() && source.as_array().size() == 2 &&
                    source.as_array()[0].is_number() && source.as_array()[1].is_number();
  if (!pair) return report(at, "is no range [low, high]");
  out = {source.as_array()[0].as_number(), source.as_array()[1].as_number()};
  return true;
}

bool FlagFields::ranges(const Value& object, const std::string& at, std::vector<BucketRange>& out) {
  const Value* list = truthy_member(object, "ranges");
  if (list == nullptr) return true;
  if (!list->is_array()) return report(at + "/ranges", "is no list of ranges");
  bool read = true;
  for (size_t i = 0; i < list->as_array().size(); ++i) {
    const std::string place = at + "/ranges/" + std::to_string(i);
    read &= range(list->as_array()[i], place, out.emplace_back());
  }
  return read;
}

bool FlagFields::weights(const Value* source, const std::string& at, std::vector<double>& out) {
  if (source == nullptr) return true;
  if (!source->is_array()) return report(at, "is no list of weights");
  for (const Value& weight : source->as_array()) {
    if (!weight.is_number()) return report(at, "has a weight that is no number");
    out.push_back(weight.as_number());
  }
  return true;
}

bool FlagFields::filters(const Value& object, const std::string& at,
                         std::vector<BucketFilter>& out) {
  const Value* list = truthy_member(object, "filters");
  if (list == nullptr) return true;
  if (!list->is_array()) return report(at + "/filters", "is no list of filters");
  bool read = true;
  for (size_t i = 0; i < list->as_array().size(); ++i) {
    const Value& source = list->as_array()[i];
    const std::string place = at + "/filters/" + std::to_string(i);
    BucketFilter& filter = out.emplace_back();
    filter.attribute = "id";
    read &= text(source, "attribute", place, filter.attribute);
    read &= hash(source, place, "", 2, filter.hash);
    read &= ranges(source, place, filter.ranges);
  }
  return read;
}

bool FlagFields::parents(const Value& object, const std::string& at,
                         std::vector<Prerequisite>& out) {
  const Value* list = truthy_member(object, "parentConditions");
  if (list == nullptr) return true;
  const std::string here = at + "/parentConditions";
  if (!list->is_array()) return report(here, "is no list of prerequisites");
  bool read = true;
  for (size_t i = 0; i < list->as_array().size(); ++i) {
    const Value& source = list->as_array()[i];
    const std::string place = here + "/" + std::to_string(i);
    Prerequisite& parent = out.emplace_back();
    read &= text(source, "id", place, parent.flag);
    // Saved groups are unknown to the conditions of prerequisites.
    read &= condition(given(source, "condition"), nullptr, place + "/condition", parent.condition);
    parent.gate = truthy_member(source, "gate") != nullptr;
  }
  return read;
}

bool FlagFields::space(const Value& object, const std::string& at,
                       std::optional<BucketNamespace>& out) {
  const Value* source = truthy_member(object, "namespace");
  if (source == nullptr) return true;
  const bool three = source->is_array() && source->as_array().size() == 3 &&
                     source->as_array()[0].is_text() && source->as_array()[1].is_number() &&
                     source->as_array()[2].is_number();
  if (!three) return report(at + "/namespace", "is no [id, low, high]");
  const Value::Array& parts = source->as_array();
  out = {parts[0].as_text(), {parts[1].as_number(), parts[2].as_number()}};
  return true;
}

bool FlagFields::meta(const Value& object, const std::string& at, std::vector<VariationMeta>& out) {
  const Value* list = truthy_member(object, "meta");
  if (list == nullptr) return true;
  if (!list->is_array()) return report(at + "/meta", "is no list");
  bool read = true;
  for (size_t i = 0; i < list->as_array().size(); ++i) {
    const Value& source = list->as_array()[i];
    const std::string place = at + "/meta/" + std::to_string(i);
    VariationMeta& meta = out.emplace_back();
    read &= text(source, "key", place, meta.key) && text(source, "name", place, meta.name);
    meta.passthrough = truthy_member(source, "passthrough") != nullptr;
  }
  return read;
}

}  // namespace shanhuo
