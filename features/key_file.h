// Files of secrets: mode 0600, refused when others may read them, replaced whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shanhuo {

// The text; nothing when there is no such file. kInvalid: others may read it, or it is longer than
// 64 KiB. kIo, kNotFound: it cannot be read.
Result<std::optional<std::string>> read_key_file(const std::string& path);

Status write_key_file(const std::string& path, std::string_view text);

}  // namespace shanhuo
