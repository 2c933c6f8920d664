#include "features/condition.h"

#include <re2/re2.h>

#include <utility>

#include "features/condition_program.h"
#include "features/ecma_regex.h"

namespace shanhuo {

struct ConditionRegex {
  ConditionRegex(const std::string& pattern, const RE2::Options& options)
      : program(pattern, options) {}

  RE2 program;
};

bool regex_finds(const ConditionRegex& regex, std::string_view text) {
  const re2::StringPiece piece(text.data(), text.size());
  return regex.program.Match(piece, 0, piece.size(), RE2::UNANCHORED, nullptr, 0);
}

Result<std::shared_ptr<const ConditionRegex>> compile_regex(std::string_view pattern,
                                                            bool ignore_case,
                                                            int64_t memory_bytes) {
  const Result<std::string> translated = ecma_regex_to_re2(pattern);
  if (!translated.ok()) return translated.error();
  RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(!ignore_case);
  options.set_max_mem(memory_bytes);
  auto regex = std::make_shared<const ConditionRegex>(translated.value(), options);
  if (!regex->program.ok()) return Error{ErrorCode::kInvalid, regex->program.error()};
  return std::shared_ptr<const ConditionRegex>(std::move(regex));
}

Condition::Condition() {
  static const auto kEmpty = std::make_shared<const ConditionProgram>();
  program_ = kEmpty;
}

Condition::Condition(std::shared_ptr<const ConditionProgram> program)
    : program_(std::move(program)) {}

Result<Condition> Condition::compile(const Value& source, const ConditionOptions& options,
                                     std::vector<ConditionError>* errors) {
  std::vector<ConditionError> own;
  std::vector<ConditionError>* found = errors == nullptr ? &own : errors;
  found->clear();
  size_t unreported = 0;
  bool too_large = false;
  auto program = compile_condition(source, options, found, &unreported, &too_large);
  if (found->empty() && unreported == 0) return Condition(std::move(program));
  std::string message;
  for (const ConditionError& error : *found) {
    if (!message.empty()) message += "; ";
    message += error.pointer.empty() ? "condition" : error.pointer;
    message += ": " + error.detail;
  }
  if (unreported > 0) message += "; and " + std::to_string(unreported) + " more";
  return Error{too_large ? ErrorCode::kTooLarge : ErrorCode::kInvalid, std::move(message)};
}

bool Condition::matches(const AttributeSource& attributes) const {
  return all_hold(program_->clauses, attributes);
}

const std::vector<std::string>& Condition::attribute_names() const {
  return program_->attribute_names;
}

}  // namespace shanhuo
