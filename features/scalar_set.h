// An immutable set of scalars: the right-hand side of `$in`, and a saved group (a list of viewers,
// of items, ...) that many conditions share. Arrays and objects are left out, since nothing equals
// them. Look-ups are O(log n), thread-safe, and allocate nothing for texts within
// TextBuffer::kInPlaceBytes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "features/attributes.h"

namespace shanhuo {

class ScalarSet {
 public:
  enum class Case { kExact, kIgnored };

  explicit ScalarSet(const Value::Array& values, Case text_case = Case::kExact);

  // Same type and same value; text case as the set was built.
  bool contains(const AttributeView& scalar) const;
  // `value` itself, or one of its elements when it is an array.
  bool contains_any(const AttributeView& value) const;

 private:
  bool contains_text(std::string_view text) const;

  Case case_;
  bool null_ = false;
  bool true_ = false;
  bool false_ = false;
  std::vector<double> numbers_;     // sorted
  std::vector<std::string> texts_;  // sorted; lower case when it is ignored
};

// Saved groups by name. Sets are shared by the conditions compiled against them.
using SavedGroups = std::map<std::string, std::shared_ptr<const ScalarSet>, std::less<>>;

}  // namespace shanhuo
