// Files that are whole or not there: written and synced before anybody may rely on them. And how
// such a file is read.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

#include "base/durable_file.h"
#include "base/result.h"

namespace shanhuo {

// Makes a new file of these pieces and syncs it. kIo when that fails, or something of that name is
// there; what was written stays then.
Status write_new_file(const std::string& path, std::span<const std::string_view> pieces);

// The same under path + ".partial", which then takes the place of `path`, whatever was there: after
// a crash, and for any reader, it is the old file or the new one. A file that was there keeps its
// mode, a new one gets `mode`.
Status replace_file(const std::string& path, std::span<const std::string_view> pieces,
                    mode_t mode = 0644);
Status replace_file(const std::string& path, std::string_view text, mode_t mode = 0644);

// A whole file; kNotFound when it cannot be read, kTooLarge past `bytes_max`.
Result<std::string> read_text_file(const std::string& path, size_t bytes_max = size_t{1} << 20);

// So that names given in a folder stay given.
Status sync_folder(const std::string& path);

// Bytes of an array, as they are in memory.
template <typename T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace shanhuo
