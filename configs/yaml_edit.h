// Values as YAML text: a fresh file, or a file that is there changed to say something else.
//
// yaml_with() changes the bytes of what differs and no others, so that comments, order and layout
// stay: a value is replaced where it stands, a new key of a block map gets a line of its own after
// the last one, a removed key loses its lines. Where the layout is such that this cannot be done
// (text over several lines, say), the file is written anew under its first comments. Either way the
// result is read back, and it is an error if it does not say what was wanted.
//
// Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "features/attributes.h"

namespace shanhuo {

// One key of the top level a line; what is inside stands in {} and [], lists of maps line by line.
// Requires: `wanted` is an object.
std::string yaml_of(const Value& wanted);

// kInvalid when `text` is no YAML, or when YAML cannot say it. Requires: `wanted` is an object.
Result<std::string> yaml_with(std::string_view text, const Value& wanted);

// RFC 7396: members of `patch` replace those of `target`, null removes them, objects merge.
Value merged(const Value& target, const Value& patch);

// What differs at the top level, for people: "priority: 90 -> 100; label: none -> {kind: ad}".
std::string differences(const Value& before, const Value& after);

// Equal, whatever the order of keys.
bool same_value(const Value& a, const Value& b);

}  // namespace shanhuo
