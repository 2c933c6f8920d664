// configs/programs/*.yaml -> ranking/program.h: the grammar of contract 3, every error with file,
// line and column.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "configs/yaml.h"
#include "ranking/program.h"

namespace shanhuo {

// nullopt when `errors` grew. `file` is what errors name.
std::optional<Program> read_program(std::string_view text, const std::string& file,
                                    ConfigErrors& errors);

}  // namespace shanhuo
