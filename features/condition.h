// The condition language: one for the items of programs, for audiences and for experiments. Its
// syntax and meaning are GrowthBook's, the JavaScript SDK being the reference, so that an app with
// that SDK and the engine agree on every viewer.
//
//   {"kind": "farm_good", "price_fen": {"$lte": 5000}, "$or": [{"county": {"$in": ["431226"]}},
//                                                              {"tags": {"$all": ["organic"]}}]}
//
// A condition is compiled once: operators become an enum, lists sorted sets, patterns RE2 programs,
// versions padded texts. A Condition is immutable, cheap to copy (shared) and thread-safe;
// matches() costs a visit per test, and allocates nothing. Two exceptions to the latter: RE2 builds
// states of a pattern on the first texts it sees (within regex_memory_bytes), and an attribute that
// must be turned into a text (not one that is a text) of more than 512 bytes.
//
// What differs from the reference on purpose: texts are UTF-8, so a pattern's `.` takes a whole
// code point; patterns with look-around or back-references are refused.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "features/attributes.h"
#include "features/scalar_set.h"

namespace shanhuo {

struct ConditionOptions {
  // True: whatever could never match as its writer meant it is an error (an unknown operator, a
  // list that is none, a pattern RE2 cannot run, an unknown group). For what operators write.
  // False: such a test is false, as in the reference. For payloads of others, and conformance.
  // Malformed logic ($or without an array, a condition that is no object) is an error in both.
  bool strict = true;
  // Groups for $inGroup and $notInGroup; null: there are none. Read during compile only.
  const SavedGroups* groups = nullptr;
  // When set, paths it does not know are errors.
  std::function<bool(std::string_view dotted_path)> attribute_known;
  std::string attributes_allowed;  // said in those errors: "kind, title, tags, ..."

  size_t depth_max = 32;      // nested {} and []; evaluation recurses as deep
  size_t tests_max = 10'000;  // comparisons in one condition; each may run at every match
  int64_t regex_memory_bytes = 1 << 20;  // per pattern, for its program and its states
  size_t errors_max = 20;                // reported one by one; the rest is counted
};

struct ConditionError {
  std::string pointer;  // JSON pointer (RFC 6901) inside the condition; "" is the whole
  std::string detail;   // what is wrong, and what is allowed
};

struct ConditionProgram;  // condition_program.h

class Condition {
 public:
  Condition();  // {}: everything matches

  // All errors at once, as "pointer: detail; pointer: detail" and, when asked for, one by one.
  // Fails with kTooLarge past depth_max or tests_max, else with kInvalid.
  static Result<Condition> compile(const Value& source, const ConditionOptions& options,
                                   std::vector<ConditionError>* errors = nullptr);

  bool matches(const AttributeSource& attributes) const;

  // The dotted paths it reads, sorted, each once. Paths inside $elemMatch belong to elements and
  // are not among them.
  const std::vector<std::string>& attribute_names() const;

 private:
  explicit Condition(std::shared_ptr<const ConditionProgram> program);

  std::shared_ptr<const ConditionProgram> program_;  // never null
};

}  // namespace shanhuo
