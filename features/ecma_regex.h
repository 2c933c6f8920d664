// ECMAScript regular expressions said in RE2's language, so that a pattern means here what it means
// in the SDKs. RE2 shares the grammar but not all of the words: `.` stops at other line ends, `\s`
// knows fewer spaces, `\u0041`, `[^]` and `(?<name>` are missing, `\A`, `\pN`, `\Q`, `(?i)` and
// `[[:alpha:]]` mean something that ECMAScript does not know.
//
// Refused, because RE2 cannot do it in linear time: look-ahead, look-behind, back-references.
// Known differences: a code point beyond U+FFFF counts as one character, not as two, and has a
// case.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace shanhuo {

// The same pattern for RE2 (UTF-8), or what in it cannot be said. RE2 still checks the rest.
Result<std::string> ecma_regex_to_re2(std::string_view pattern);

}  // namespace shanhuo
