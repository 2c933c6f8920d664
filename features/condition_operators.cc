// One operator a function. Operands are brought into their final form here (sets sorted, versions
// padded, patterns compiled), so that evaluation only reads them.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/check.h"
#include "features/coercion.h"
#include "features/condition_compiler.h"

namespace shanhuo {
namespace {

constexpr ConditionOperator kOperators[] = {
    {"$eq", OperatorFamily::kSame},
    {"$ne", OperatorFamily::kSame, Relation::kEqual, true},
    {"$lt", OperatorFamily::kOrder, Relation::kLess},
    {"$lte", OperatorFamily::kOrder, Relation::kLessEqual},
    {"$gt", OperatorFamily::kOrder, Relation::kGreater},
    {"$gte", OperatorFamily::kOrder, Relation::kGreaterEqual},
    {"$veq", OperatorFamily::kVersion},
    {"$vne", OperatorFamily::kVersion, Relation::kEqual, true},
    {"$vlt", OperatorFamily::kVersion, Relation::kLess},
    {"$vlte", OperatorFamily::kVersion, Relation::kLessEqual},
    {"$vgt", OperatorFamily::kVersion, Relation::kGreater},
    {"$vgte", OperatorFamily::kVersion, Relation::kGreaterEqual},
    {"$in", OperatorFamily::kIn},
    {"$nin", OperatorFamily::kIn, Relation::kEqual, true},
    {"$ini", OperatorFamily::kIn, Relation::kEqual, false, true},
    {"$nini", OperatorFamily::kIn, Relation::kEqual, true, true},
    {"$inGroup", OperatorFamily::kGroup},
    {"$notInGroup", OperatorFamily::kGroup, Relation::kEqual, true},
    {"$all", OperatorFamily::kAll},
    {"$alli", OperatorFamily::kAll, Relation::kEqual, false, true},
    {"$size", OperatorFamily::kSize},
    {"$elemMatch", OperatorFamily::kElement},
    {"$exists", OperatorFamily::kExists},
    {"$type", OperatorFamily::kType},
    {"$not", OperatorFamily::kNot},
    {"$regex", OperatorFamily::kRegex},
    {"$regexi", OperatorFamily::kRegex, Relation::kEqual, false, true},
};

std::string known_operators() {
  std::string names;
  for (const ConditionOperator& each : kOperators) {
    if (!names.empty()) names += ' ';
    names += each.name;
  }
  return names;
}

}  // namespace

ConditionTest ConditionCompiler::operator_test(const Value::Member& member,
                                               const std::string& pointer) {
  const std::string& name = member.first;
  const Value& value = member.second;
  const ConditionOperator* op =
      std::find_if(std::begin(kOperators), std::end(kOperators),
                   [&name](const ConditionOperator& each) { return each.name == name; });
  if (op == std::end(kOperators)) {
    return never(pointer, "unknown operator; allowed are " + known_operators());
  }
  switch (op->family) {
    case OperatorFamily::kSame:
      return same(*op, value, pointer);
    case OperatorFamily::kOrder:
      return order(*op, value, pointer);
    case OperatorFamily::kVersion:
      return version(*op, value, pointer);
    case OperatorFamily::kIn:
      return in(*op, value, pointer);
    case OperatorFamily::kGroup:
      return in_group(*op, value, pointer);
    case OperatorFamily::kAll:
      return all(*op, value, pointer);
    case OperatorFamily::kSize:
      return size(value, pointer);
    case OperatorFamily::kElement:
      return element(value, pointer);
    case OperatorFamily::kExists:
      return exists(value, pointer);
    case OperatorFamily::kType:
      return type(value, pointer);
    case OperatorFamily::kNot: {
      ConditionTest test = value_test(value, pointer, false);
      test.negated = !test.negated;
      return test;
    }
    case OperatorFamily::kRegex:
      return regex(*op, value, pointer);
  }
  CHECK(false);
}

ConditionTest ConditionCompiler::same(const ConditionOperator& op, const Value& source,
                                      const std::string& pointer) {
  ConditionTest test;
  test.negated = op.negated;
  if (source.is_array() || source.is_object()) {
    report_if_strict(pointer,
                     "no array or object ever equals another here; write it as the plain value");
    return test;
  }
  test.op = TestOp::kSame;
  test.operand = source;
  return test;
}

ConditionTest ConditionCompiler::order(const ConditionOperator& op, const Value& source,
                                       const std::string& pointer) {
  if (!source.is_number() && !source.is_text()) {
    report_if_strict(pointer, "must be a number or a text");
  }
  const AttributeView view = AttributeView::of(source);
  TextBuffer room;
  ConditionTest test;
  test.op = TestOp::kOrder;
  test.relation = op.relation;
  test.flag = view.kind() >= AttributeKind::kText;
  if (test.flag) test.text = text_of(view, &room);
  test.number = number_of(view);
  return test;
}

ConditionTest ConditionCompiler::version(const ConditionOperator& op, const Value& source,
                                         const std::string& pointer) {
  if (!source.is_number() && !source.is_text()) {
    report_if_strict(pointer, "must be a version: \"1.10.2\"");
  }
  TextBuffer padded;
  append_padded_version(AttributeView::of(source), &padded);
  ConditionTest test;
  test.op = TestOp::kVersionOrder;
  test.relation = op.relation;
  test.negated = op.negated;
  test.text = padded.view();
  return test;
}

ConditionTest ConditionCompiler::in(const ConditionOperator& op, const Value& source,
                                    const std::string& pointer) {
  if (!source.is_array()) return never(pointer, "must be an array");
  for (size_t i = 0; i < source.as_array().size(); ++i) {
    const Value& each = source.as_array()[i];
    if (!each.is_array() && !each.is_object()) continue;
    report_if_strict(child_pointer(pointer, i), "must be null, a boolean, a number or a text");
  }
  ConditionTest test;
  test.op = TestOp::kIn;
  test.negated = op.negated;
  test.set = std::make_shared<const ScalarSet>(
      source.as_array(), op.fold ? ScalarSet::Case::kIgnored : ScalarSet::Case::kExact);
  return test;
}

ConditionTest ConditionCompiler::in_group(const ConditionOperator& op, const Value& source,
                                          const std::string& pointer) {
  ConditionTest test;
  test.negated = op.negated;
  TextBuffer room;
  const std::string_view name = text_of(AttributeView::of(source), &room);
  if (!source.is_text()) {
    report_if_strict(pointer, "must be the name of a saved group");
  }
  const bool known = options_.groups != nullptr && options_.groups->contains(name);
  if (known) {
    test.op = TestOp::kIn;
    test.set = options_.groups->find(name)->second;
  } else {
    report_if_strict(pointer, "unknown saved group");
  }
  return test;
}

ConditionTest ConditionCompiler::all(const ConditionOperator& op, const Value& source,
                                     const std::string& pointer) {
  if (!source.is_array()) return never(pointer, "must be an array");
  ConditionTest test;
  test.op = TestOp::kHasAll;
  for (size_t i = 0; i < source.as_array().size(); ++i) {
    const std::string here = child_pointer(pointer, i);
    if (!count_test(here)) break;
    test.tests.push_back(value_test(source.as_array()[i], here, op.fold));
  }
  return test;
}

ConditionTest ConditionCompiler::size(const Value& source, const std::string& pointer) {
  if (!source.is_number() && !is_operator_object(source)) {
    report_if_strict(pointer, "must be a number or operators: {\"$gt\": 1}");
  }
  ConditionTest test;
  test.op = TestOp::kSize;
  test.tests.push_back(value_test(source, pointer, false));
  return test;
}

ConditionTest ConditionCompiler::element(const Value& source, const std::string& pointer) {
  ConditionTest test;
  if (is_operator_object(source)) {
    test.op = TestOp::kElementPasses;
    test.tests.push_back(operators(source, pointer));
  } else if (source.is_object()) {
    test.op = TestOp::kElementMatches;
    test.clauses = condition(source, pointer, true);
  } else {
    return never(pointer, "must be operators, or a condition on the element's members");
  }
  return test;
}

ConditionTest ConditionCompiler::exists(const Value& source, const std::string& pointer) {
  if (!source.is_bool()) report_if_strict(pointer, "must be true or false");
  ConditionTest test;
  test.op = TestOp::kNullIs;
  test.negated = truthy(AttributeView::of(source));
  return test;
}

ConditionTest ConditionCompiler::type(const Value& source, const std::string& pointer) {
  constexpr std::array<AttributeKind, 6> kKinds = {AttributeKind::kText,   AttributeKind::kNumber,
                                                   AttributeKind::kBool,   AttributeKind::kArray,
                                                   AttributeKind::kObject, AttributeKind::kNull};
  const bool known =
      source.is_text() && std::any_of(kKinds.begin(), kKinds.end(), [&source](AttributeKind kind) {
        return attribute_kind_name(kind) == source.as_text();
      });
  if (!known) return never(pointer, "must be one of string, number, boolean, array, object, null");
  ConditionTest test;
  test.op = TestOp::kTypeIs;
  test.text = source.as_text();
  return test;
}

ConditionTest ConditionCompiler::regex(const ConditionOperator& op, const Value& source,
                                       const std::string& pointer) {
  if (!source.is_text()) return never(pointer, "must be a pattern, as a text");
  auto compiled = compile_regex(source.as_text(), op.fold, options_.regex_memory_bytes);
  if (!compiled.ok()) return never(pointer, "no usable pattern: " + compiled.error().message);
  ConditionTest test;
  test.op = TestOp::kFinds;
  test.regex = std::move(compiled).value();
  return test;
}

}  // namespace shanhuo
