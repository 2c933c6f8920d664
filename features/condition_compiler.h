// The compiler of conditions: three levels, as in the reference: a condition (logic and attribute
// paths), the test of one value (plain, or operators), an operator. condition_compile.cc holds the
// first two, condition_operators.cc the third. Private to them.
//
// The JSON pointer travels along, so that every error says where it is; compilation goes on behind
// an error to find the others. Recurses as deep as the source, which the caller has bounded.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "features/condition.h"
#include "features/condition_program.h"

namespace shanhuo {

enum class OperatorFamily : uint8_t {
  kSame,
  kOrder,
  kVersion,
  kIn,
  kGroup,
  kAll,
  kSize,
  kElement,
  kExists,
  kType,
  kNot,
  kRegex,
};

struct ConditionOperator {
  std::string_view name;  // "$eq"
  OperatorFamily family;
  Relation relation = Relation::kEqual;
  bool negated = false;
  bool fold = false;
};

// Of RFC 6901.
std::string child_pointer(const std::string& pointer, std::string_view key);
std::string child_pointer(const std::string& pointer, size_t index);

// An object whose keys all begin with `$`, at least one.
bool is_operator_object(const Value& value);

class ConditionCompiler {
 public:
  ConditionCompiler(const ConditionOptions& options, std::vector<ConditionError>* errors)
      : options_(options), errors_(errors) {}

  std::vector<ConditionClause> condition(const Value& source, const std::string& pointer,
                                         bool of_element);

  void limit(const std::string& pointer, std::string detail) {
    too_large_ = true;
    report(pointer, std::move(detail));
  }

  std::vector<std::string> take_paths() {
    std::sort(paths_.begin(), paths_.end());
    paths_.erase(std::unique(paths_.begin(), paths_.end()), paths_.end());
    return std::move(paths_);
  }
  size_t unreported() const { return unreported_; }
  bool too_large() const { return too_large_; }

 private:
  ConditionClause logic(ClauseKind kind, const Value& source, const std::string& pointer,
                        bool of_element);
  ConditionClause attribute(const Value::Member& member, const std::string& pointer,
                            bool of_element);

  ConditionTest value_test(const Value& source, const std::string& pointer, bool fold);
  ConditionTest operators(const Value& source, const std::string& pointer);
  ConditionTest operator_test(const Value::Member& member, const std::string& pointer);

  ConditionTest same(const ConditionOperator& op, const Value& source, const std::string& pointer);
  ConditionTest order(const ConditionOperator& op, const Value& source, const std::string& pointer);
  ConditionTest version(const ConditionOperator& op, const Value& source,
                        const std::string& pointer);
  ConditionTest in(const ConditionOperator& op, const Value& source, const std::string& pointer);
  ConditionTest in_group(const ConditionOperator& op, const Value& source,
                         const std::string& pointer);
  ConditionTest all(const ConditionOperator& op, const Value& source, const std::string& pointer);
  ConditionTest size(const Value& source, const std::string& pointer);
  ConditionTest element(const Value& source, const std::string& pointer);
  ConditionTest exists(const Value& source, const std::string& pointer);
  ConditionTest type(const Value& source, const std::string& pointer);
  ConditionTest regex(const ConditionOperator& op, const Value& source, const std::string& pointer);

  void report(const std::string& pointer, std::string detail) {
    if (errors_->size() < options_.errors_max) {
      errors_->push_back({pointer, std::move(detail)});
    } else {
      ++unreported_;
    }
  }

  void report_if_strict(const std::string& pointer, std::string detail) {
    if (options_.strict) report(pointer, std::move(detail));
  }

  // A test that cannot work: an error for an operator, false for the reference.
  ConditionTest never(const std::string& pointer, std::string detail) {
    report_if_strict(pointer, std::move(detail));
    return {};
  }

  // False once the condition has more tests than allowed.
  bool count_test(const std::string& pointer) {
    if (++tests_ == options_.tests_max + 1) {
      limit(pointer, "too many tests, at most " + std::to_string(options_.tests_max));
    }
    return tests_ <= options_.tests_max;
  }

  const ConditionOptions& options_;
  std::vector<ConditionError>* errors_;
  std::vector<std::string> paths_;
  size_t tests_ = 0;
  size_t unreported_ = 0;
  bool too_large_ = false;
};

}  // namespace shanhuo
