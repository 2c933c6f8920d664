// Evaluation: a walk over the compiled tests. Every operand was brought into its final form at
// compile time, so only the attribute is coerced here, in buffers on the stack.
#include <algorithm>

#include "base/check.h"
#include "features/coercion.h"
#include "features/condition_program.h"

namespace shanhuo {
namespace {

bool passes(const ConditionTest& test, const AttributeView& value);

// NaN stands in no relation to anything.
template <typename T>
bool related(Relation relation, T a, T b) {
  switch (relation) {
    case Relation::kEqual:
      return a == b;
    case Relation::kLess:
      return a < b;
    case Relation::kLessEqual:
      return a <= b;
    case Relation::kGreater:
      return a > b;
    case Relation::kGreaterEqual:
      return a >= b;
  }
  CHECK(false);
}

bool text_is(const ConditionTest& test, const AttributeView& value) {
  TextBuffer room;
  const std::string_view text = text_of(value, &room);
  if (!test.fold) return text == test.text;
  TextBuffer lower;
  append_lower_case(text, &lower);
  return lower.view() == test.text;
}

bool same_scalar(const AttributeView& a, const Value& b) {
  const bool scalar = a.kind() != AttributeKind::kArray && a.kind() != AttributeKind::kObject;
  return scalar && same_json(a, AttributeView::of(b));
}

// Two texts compare as texts (arrays and objects become texts), anything else as numbers.
bool in_order(const ConditionTest& test, const AttributeView& value) {
  const bool is_text = value.kind() >= AttributeKind::kText;
  if (!is_text || !test.flag) return related(test.relation, number_of(value), test.number);
  TextBuffer room;
  return related(test.relation, compare_texts(text_of(value, &room), test.text), 0);
}

bool version_in_order(const ConditionTest& test, const AttributeView& value) {
  TextBuffer padded;
  append_padded_version(value, &padded);
  return related(test.relation, compare_texts(padded.view(), test.text), 0);
}

bool some_element_passes(const ConditionTest& test, const AttributeView& array) {
  for (size_t i = 0; i < array.size(); ++i) {
    if (passes(test, array.element(i))) return true;
  }
  return false;
}

bool has_all(const ConditionTest& test, const AttributeView& value) {
  return value.kind() == AttributeKind::kArray &&
         std::all_of(test.tests.begin(), test.tests.end(), [&value](const ConditionTest& wanted) {
           return some_element_passes(wanted, value);
         });
}

bool some_truthy_element(const ConditionTest& test, const AttributeView& value) {
  if (value.kind() != AttributeKind::kArray) return false;
  for (size_t i = 0; i < value.size(); ++i) {
    const AttributeView element = value.element(i);
    if (!truthy(element)) continue;
    const bool good = test.op == TestOp::kElementPasses
                          ? passes(test.tests[0], element)
                          : all_hold(test.clauses, ObjectSource(element));
    if (good) return true;
  }
  return false;
}

bool finds(const ConditionTest& test, const AttributeView& value) {
  TextBuffer room;
  return regex_finds(*test.regex, text_of(value, &room));
}

bool plainly_passes(const ConditionTest& test, const AttributeView& value) {
  switch (test.op) {
    case TestOp::kNever:
      return false;
    case TestOp::kTextIs:
      return text_is(test, value);
    case TestOp::kNumberIs:
      return number_of(value) == test.number;
    case TestOp::kBoolIs:
      return !value.is_null() && truthy(value) == test.flag;
    case TestOp::kNullIs:
      return value.is_null();
    case TestOp::kJsonIs:
      return same_json(value, AttributeView::of(test.operand));
    case TestOp::kEvery:
      return std::all_of(test.tests.begin(), test.tests.end(),
                         [&value](const ConditionTest& each) { return passes(each, value); });
    case TestOp::kSame:
      return same_scalar(value, test.operand);
    case TestOp::kOrder:
      return in_order(test, value);
    case TestOp::kVersionOrder:
      return version_in_order(test, value);
    case TestOp::kIn:
      return test.set->contains_any(value);
    case TestOp::kHasAll:
      return has_all(test, value);
    case TestOp::kSize:
      return value.kind() == AttributeKind::kArray &&
             passes(test.tests[0], AttributeView::number(static_cast<double>(value.size())));
    case TestOp::kElementPasses:
    case TestOp::kElementMatches:
      return some_truthy_element(test, value);
    case TestOp::kTypeIs:
      return attribute_kind_name(value.kind()) == test.text;
    case TestOp::kFinds:
      return finds(test, value);
  }
  CHECK(false);
}

bool passes(const ConditionTest& test, const AttributeView& value) {
  return plainly_passes(test, value) != test.negated;
}

bool holds(const ConditionClause& clause, const AttributeSource& attributes) {
  const auto branch_holds = [&attributes](const std::vector<ConditionClause>& branch) {
    return all_hold(branch, attributes);
  };
  const auto& branches = clause.branches;
  switch (clause.kind) {
    case ClauseKind::kAttribute:
      return passes(clause.test, attributes.find(clause.path));
    case ClauseKind::kAll:
      return std::all_of(branches.begin(), branches.end(), branch_holds);
    case ClauseKind::kAny:
      return std::any_of(branches.begin(), branches.end(), branch_holds);
    case ClauseKind::kNone:
      return std::none_of(branches.begin(), branches.end(), branch_holds);
  }
  CHECK(false);
}

}  // namespace

bool all_hold(const std::vector<ConditionClause>& clauses, const AttributeSource& attributes) {
  return std::all_of(clauses.begin(), clauses.end(), [&attributes](const ConditionClause& clause) {
    return holds(clause, attributes);
  });
}

}  // namespace shanhuo
