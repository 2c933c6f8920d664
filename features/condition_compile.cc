#include <algorithm>
#include <optional>
#include <utility>

#include "features/coercion.h"
#include "features/condition_compiler.h"

namespace shanhuo {
namespace {

bool begins_with_dollar(const Value::Member& member) { return member.first.starts_with('$'); }

// Where `value` nests deeper than `depth_left` containers, if it does.
std::optional<std::string> too_deep(const Value& value, size_t depth_left,
                                    const std::string& pointer) {
  if (!value.is_array() && !value.is_object()) return std::nullopt;
  if (depth_left == 0) return pointer;
  if (value.is_array()) {
    for (size_t i = 0; i < value.as_array().size(); ++i) {
      const Value& element = value.as_array()[i];
      if (auto where = too_deep(element, depth_left - 1, child_pointer(pointer, i))) return where;
    }
    return std::nullopt;
  }
  for (const auto& [key, member] : value.as_object()) {
    if (auto where = too_deep(member, depth_left - 1, child_pointer(pointer, key))) return where;
  }
  return std::nullopt;
}

}  // namespace

bool is_operator_object(const Value& value) {
  return value.is_object() && !value.as_object().empty() &&
         std::all_of(value.as_object().begin(), value.as_object().end(), begins_with_dollar);
}

std::string child_pointer(const std::string& pointer, std::string_view key) {
  std::string out = pointer + '/';
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string child_pointer(const std::string& pointer, size_t index) {
  return pointer + '/' + std::to_string(index);
}

std::vector<ConditionClause> ConditionCompiler::condition(const Value& source,
                                                          const std::string& pointer,
                                                          bool of_element) {
  std::vector<ConditionClause> clauses;
  if (!source.is_object()) {
    report(pointer, "must be an object: {attribute: value or operators, ...}");
    return clauses;
  }
  for (const Value::Member& member : source.as_object()) {
    const auto& [key, value] = member;
    const std::string here = child_pointer(pointer, key);
    if (!count_test(here)) break;
    if (key == "$and") {
      clauses.push_back(logic(ClauseKind::kAll, value, here, of_element));
    } else if (key == "$or" || key == "$nor") {
      const ClauseKind kind = key == "$or" ? ClauseKind::kAny : ClauseKind::kNone;
      ConditionClause clause = logic(kind, value, here, of_element);
      // The reference takes an empty $or as true, hence an empty $nor as false.
      if (clause.branches.empty()) clause.branches.emplace_back();
      clauses.push_back(std::move(clause));
    } else if (key == "$not") {
      ConditionClause clause;
      clause.kind = ClauseKind::kNone;
      clause.branches.push_back(condition(value, here, of_element));
      clauses.push_back(std::move(clause));
    } else {
      clauses.push_back(attribute(member, here, of_element));
    }
  }
  return clauses;
}

ConditionClause ConditionCompiler::logic(ClauseKind kind, const Value& source,
                                         const std::string& pointer, bool of_element) {
  ConditionClause clause;
  clause.kind = kind;
  if (!source.is_array()) {
    report(pointer, "must be an array of conditions");
    return clause;
  }
  for (size_t i = 0; i < source.as_array().size(); ++i) {
    clause.branches.push_back(
        condition(source.as_array()[i], child_pointer(pointer, i), of_element));
  }
  return clause;
}

ConditionClause ConditionCompiler::attribute(const Value::Member& member,
                                             const std::string& pointer, bool of_element) {
  const auto& [path, value] = member;
  ConditionClause clause;
  clause.path = path;
  if (begins_with_dollar(member)) {
    report_if_strict(pointer, "unknown here; allowed are $and $or $nor $not and attribute paths");
  } else if (!of_element && options_.attribute_known && !options_.attribute_known(path)) {
    report(pointer, "unknown attribute; allowed are " + options_.attributes_allowed);
  }
  if (!of_element) paths_.push_back(path);
  clause.test = value_test(value, pointer, false);
  return clause;
}

ConditionTest ConditionCompiler::value_test(const Value& source, const std::string& pointer,
                                            bool fold) {
  ConditionTest test;
  switch (source.kind()) {
    case AttributeKind::kNull:
      test.op = TestOp::kNullIs;
      return test;
    case AttributeKind::kBool:
      test.op = TestOp::kBoolIs;
      test.flag = source.as_bool();
      return test;
    case AttributeKind::kNumber:
      test.op = TestOp::kNumberIs;
      test.number = source.as_number();
      return test;
    case AttributeKind::kText: {
      TextBuffer lower;
      if (fold) append_lower_case(source.as_text(), &lower);
      test.op = TestOp::kTextIs;
      test.fold = fold;
      test.text = fold ? lower.view() : std::string_view(source.as_text());
      return test;
    }
    case AttributeKind::kArray:
      break;
    case AttributeKind::kObject:
      if (is_operator_object(source)) return operators(source, pointer);
      if (std::any_of(source.as_object().begin(), source.as_object().end(), begins_with_dollar)) {
        report_if_strict(pointer, "mixes operators and plain keys; take one or the other");
      }
      break;
  }
  test.op = TestOp::kJsonIs;
  test.operand = source;
  return test;
}

ConditionTest ConditionCompiler::operators(const Value& source, const std::string& pointer) {
  ConditionTest test;
  test.op = TestOp::kEvery;
  for (const Value::Member& member : source.as_object()) {
    const std::string here = child_pointer(pointer, member.first);
    if (!count_test(here)) break;
    test.tests.push_back(operator_test(member, here));
  }
  if (test.tests.size() != 1) return test;
  ConditionTest only = std::move(test.tests[0]);
  return only;
}

std::shared_ptr<const ConditionProgram> compile_condition(const Value& source,
                                                          const ConditionOptions& options,
                                                          std::vector<ConditionError>* errors,
                                                          size_t* unreported, bool* too_large) {
  ConditionCompiler compiler(options, errors);
  auto program = std::make_shared<ConditionProgram>();
  if (const auto where = too_deep(source, options.depth_max, "")) {
    compiler.limit(*where, "nested too deep, at most " + std::to_string(options.depth_max));
  } else {
    program->clauses = compiler.condition(source, "", false);
    program->attribute_names = compiler.take_paths();
  }
  *unreported = compiler.unreported();
  *too_large = compiler.too_large();
  return program;
}

}  // namespace shanhuo
