// Files that are whole or not there: written and synced before anybody may rely on them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shanhuo {

// Makes a new file of these pieces and syncs it. kIo when that fails, or something of that name is
// there; what was written stays then.
Status write_new_file(const std::string& path, std::span<const std::string_view> pieces);

// The same under path + ".partial", which then takes the place of `path`, whatever was there: after
// a crash it is the old file or the new one.
Status replace_file(const std::string& path, std::span<const std::string_view> pieces);

// So that names given in a folder stay given.
Status sync_folder(const std::string& path);

// Bytes of an array, as they are in memory.
template <typename T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace shanhuo
