// The files that operators edit, as programs and as engine.yaml. Holds whatever the bytes are: a
// reader fails exactly when it says why and where; a program survives its switch being turned; an
// option that was taken is within its bounds and reads back as it is written.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "configs/config_edit.h"
#include "configs/engine_options.h"
#include "configs/program_reader.h"

namespace shanhuo {
namespace {

const std::string kFile = "fuzz.yaml";

void check_errors(const ConfigErrors& errors, std::string_view text) {
  const auto lines =
      std::count(text.begin(), text.end(), '\n') + std::count(text.begin(), text.end(), '\r') + 1;
  for (const ConfigError& error : errors) {
    CHECK(error.file == kFile);
    CHECK(!error.message.empty());
    CHECK(error.line >= 0 && error.line <= lines && error.column >= 0);
  }
}

void check_program(std::string_view text) {
  ConfigErrors errors;
  const std::optional<Program> program = read_program(text, kFile, errors);
  CHECK(program.has_value() == errors.empty());
  check_errors(errors, text);
  if (!program) return;
  CHECK(valid_id(program->id.view()));
  CHECK(program->start < program->end);
  CHECK(!program->goals.empty());
  for (const bool enabled : {false, true}) {
    const std::optional<Program> turned = read_program(with_enabled(text, enabled), kFile, errors);
    CHECK(turned.has_value());
    CHECK(turned->enabled == enabled);
    CHECK(turned->id == program->id && turned->goals.size() == program->goals.size());
  }
}

void check_options(std::string_view text) {
  ConfigErrors errors;
  EngineOptions options;
  read_engine_options(text, kFile, options, errors);
  check_errors(errors, text);
  if (!errors.empty()) return;
  EngineOptions again;
  for (const Option& option : option_table(options)) {
    // On the command line, two keys that depend on each other are not checked as a pair.
    set_engine_option(option.name() + "=" + option.value(), again, errors);
    CHECK(errors.empty());
  }
  const std::vector<Option> given = option_table(options), read = option_table(again);
  CHECK(given.size() == read.size());
  for (size_t i = 0; i < given.size(); ++i) CHECK(given[i].value() == read[i].value());
}

void run(std::string_view text) {
  YamlNode root;
  ConfigErrors errors;
  CHECK(parse_yaml(text, kFile, root, errors) == errors.empty());
  check_errors(errors, text);
  if (!errors.empty()) return;
  const Value value = to_value(root);
  CHECK(value == value);
  check_program(text);
  check_options(text);
}

}  // namespace
}  // namespace shanhuo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shanhuo::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
