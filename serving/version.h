// The release number, the one place that has it.
#pragma once

#include <string_view>

namespace shanhuo {

// The release, as /version and --version tell it.
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace shanhuo
