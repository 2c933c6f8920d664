// configs/programs/*.yaml -> ranking/program.h: the grammar of contract 3, every error with file,
// line and column.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "configs/yaml.h"
#include "ranking/program.h"

namespace shanhuo {

// The attributes of items that a program's `items` may name.
const std::vector<std::string_view>& item_attribute_names();

// nullopt when `errors` grew. `file` is what errors name.
std::optional<Program> read_program(std::string_view text, const std::string& file,
                                    ConfigErrors& errors);

// The same file with `enabled:` set: only that value's bytes change, or one line is added after
// `id:`. Requires: `text` is a program that read_program() accepts.
std::string with_enabled(std::string_view text, bool enabled);

}  // namespace shanhuo
