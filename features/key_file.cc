#include "features/key_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/durable_file.h"

namespace shanhuo {

Result<std::optional<std::string>> read_key_file(const std::string& path) {
  constexpr size_t kBytesMax = 64 << 10;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return Error{ErrorCode::kIo, path + ": " + std::strerror(errno)};
  }
  if ((info.st_mode & 077) != 0) {
    return Error{ErrorCode::kInvalid, path + ": others may read it; its mode must be 0600"};
  }
  Result<std::string> text = read_text_file(path, kBytesMax);
  if (!text.ok()) return text.error();
  return std::optional(std::move(text).value());
}

Status write_key_file(const std::string& path, std::string_view text) {
  return replace_file(path, text, 0600);
}

}  // namespace shanhuo
