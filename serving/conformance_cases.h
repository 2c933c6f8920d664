// How one case of each section of GrowthBook's cases.json is decided: inside conformance*.cc.
#pragma once

#include <optional>
#include <string_view>

#include "features/attributes.h"

namespace shanhuo {

struct CaseVerdict {
  Value expected, got;
  bool passed() const;
};

// Runs one case; nothing: it is not shaped as the section's cases are.
using CaseRunner = std::optional<CaseVerdict> (*)(const Value::Array& parts);
// nullptr: no such section.
CaseRunner runner_of(std::string_view section);

// The same members whatever their order, the same elements in their order.
bool same_tree(const Value& a, const Value& b);

}  // namespace shanhuo
