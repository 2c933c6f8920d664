// The compiled form of a condition, between condition_compile.cc and condition_eval.cc. Private to
// the three condition files.
//
//   clauses = clause*                         all must hold
//   clause  = path test                       the attribute there passes
//           | all | any | none  clauses*      $and, $or and $nor; $not is `none` of one
//   test    = op, negated, and what the op needs
//
// Recursion is as deep as ConditionOptions::depth_max allowed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "features/attributes.h"
#include "features/condition.h"
#include "features/scalar_set.h"

namespace shanhuo {

enum class TestOp : uint8_t {
  kNever,           // false
  kTextIs,          // text(value) == text; in lower case with `fold`
  kNumberIs,        // number(value) == number
  kBoolIs,          // not null, and truthy(value) == flag
  kNullIs,          // null or missing
  kJsonIs,          // same compact JSON as operand
  kEvery,           // every one of tests
  kSame,            // === operand, a scalar
  kOrder,           // `relation` to text (flag: operand is one) or number
  kVersionOrder,    // padded version in `relation` to text
  kIn,              // in set, or an element is
  kHasAll,          // an array; each of tests passes for some element
  kSize,            // an array; its length passes tests[0]
  kElementPasses,   // an array; some truthy element passes tests[0]
  kElementMatches,  // an array; some truthy element, as an object, passes clauses
  kTypeIs,          // name of the kind == text
  kFinds,           // regex is found in text(value)
};

enum class Relation : uint8_t { kEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

struct ConditionRegex;  // RE2, in condition.cc
bool regex_finds(const ConditionRegex& regex, std::string_view text);
// `pattern` is ECMAScript. Fails when RE2 cannot run it within the budget.
Result<std::shared_ptr<const ConditionRegex>> compile_regex(std::string_view pattern,
                                                            bool ignore_case, int64_t memory_bytes);

struct ConditionClause;

struct ConditionTest {
  TestOp op = TestOp::kNever;
  Relation relation = Relation::kEqual;
  bool negated = false;
  bool fold = false;
  bool flag = false;
  double number = 0;
  std::string text;
  Value operand;
  std::shared_ptr<const ScalarSet> set;
  std::shared_ptr<const ConditionRegex> regex;
  std::vector<ConditionTest> tests;
  std::vector<ConditionClause> clauses;
};

enum class ClauseKind : uint8_t { kAttribute, kAll, kAny, kNone };

struct ConditionClause {
  ClauseKind kind = ClauseKind::kAttribute;
  std::string path;
  ConditionTest test;
  std::vector<std::vector<ConditionClause>> branches;
};

struct ConditionProgram {
  std::vector<ConditionClause> clauses;
  std::vector<std::string> attribute_names;
};

// condition_compile.cc: the program, or the errors (not empty then). `too_large` says that a limit
// is among them.
std::shared_ptr<const ConditionProgram> compile_condition(const Value& source,
                                                          const ConditionOptions& options,
                                                          std::vector<ConditionError>* errors,
                                                          size_t* unreported, bool* too_large);

// condition_eval.cc
bool all_hold(const std::vector<ConditionClause>& clauses, const AttributeSource& attributes);

}  // namespace shanhuo
