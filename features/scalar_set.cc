#include "features/scalar_set.h"

#include <algorithm>

#include "features/coercion.h"

namespace shanhuo {

ScalarSet::ScalarSet(const Value::Array& values, Case text_case) : case_(text_case) {
  for (const Value& value : values) {
    if (value.is_null()) null_ = true;
    if (value.is_bool()) (value.as_bool() ? true_ : false_) = true;
    if (value.is_number()) numbers_.push_back(value.as_number());
    if (!value.is_text()) continue;
    TextBuffer lower;
    if (case_ == Case::kIgnored) append_lower_case(value.as_text(), &lower);
    texts_.emplace_back(case_ == Case::kIgnored ? lower.view() : value.as_text());
  }
  std::sort(numbers_.begin(), numbers_.end());
  std::sort(texts_.begin(), texts_.end());
}

bool ScalarSet::contains_text(std::string_view text) const {
  return std::binary_search(texts_.begin(), texts_.end(), text, std::less<>());
}

bool ScalarSet::contains(const AttributeView& scalar) const {
  switch (scalar.kind()) {
    case AttributeKind::kNull:
      return null_;
    case AttributeKind::kBool:
      return scalar.as_bool() ? true_ : false_;
    case AttributeKind::kNumber:
      return std::binary_search(numbers_.begin(), numbers_.end(), scalar.as_number());
    case AttributeKind::kText:
      break;
    case AttributeKind::kArray:
    case AttributeKind::kObject:
      return false;
  }
  if (case_ == Case::kExact) return contains_text(scalar.as_text());
  TextBuffer lower;
  append_lower_case(scalar.as_text(), &lower);
  return contains_text(lower.view());
}

bool ScalarSet::contains_any(const AttributeView& value) const {
  if (value.kind() != AttributeKind::kArray) return contains(value);
  for (size_t i = 0; i < value.size(); ++i) {
    if (contains(value.element(i))) return true;
  }
  return false;
}

}  // namespace shanhuo
