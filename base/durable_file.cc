#include "base/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace shanhuo {
namespace {

constexpr size_t kWriteBytes = 1u << 30;  // at a time; Linux takes no more than 2 GiB

Error system_error(const std::string& path) {
  return {ErrorCode::kIo, path + ": " + std::strerror(errno)};
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), std::min(bytes.size(), kWriteBytes));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// `exact`: the mode is not for the process to narrow.
Status write_aside(const std::string& path, std::span<const std::string_view> pieces, mode_t mode,
                   bool exact) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return system_error(path);
  bool good = !exact || ::fchmod(file, mode) == 0;
  for (const std::string_view piece : pieces) good = good && write_all(file, piece);
  good = good && ::fsync(file) == 0;
  const Error error = system_error(path);
  const bool closed = ::close(file) == 0;
  if (!good) return error;
  return closed ? Status() : Status(system_error(path));
}

}  // namespace

Status write_new_file(const std::string& path, std::span<const std::string_view> pieces) {
  return write_aside(path, pieces, 0644, false);
}

Status replace_file(const std::string& path, std::span<const std::string_view> pieces,
                    mode_t mode) {
  const std::string aside = path + ".partial";
  if (::unlink(aside.c_str()) != 0 && errno != ENOENT) return system_error(aside);
  struct stat now {};
  const bool there = ::stat(path.c_str(), &now) == 0;
  const Status written = write_aside(aside, pieces, there ? now.st_mode & 07777 : mode, there);
  if (!written.ok()) return written;
  if (std::rename(aside.c_str(), path.c_str()) != 0) return system_error(path);
  return sync_folder(std::filesystem::path(path).parent_path().string());
}

Status replace_file(const std::string& path, std::string_view text, mode_t mode) {
  return replace_file(path, std::span(&text, 1), mode);
}

Result<std::string> read_text_file(const std::string& path, size_t bytes_max) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{ErrorCode::kNotFound, path + ": cannot be read: " + std::strerror(errno)};
  std::ostringstream text;
  text << in.rdbuf();
  if (text.view().size() > bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 path + ": larger than " + std::to_string(bytes_max) + " bytes"};
  }
  return std::move(text).str();
}

Status sync_folder(const std::string& path) {
  const std::string folder = path.empty() ? "." : path;
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return system_error(folder);
  const bool synced = ::fsync(file) == 0;
  const Error error = system_error(folder);
  ::close(file);
  return synced ? Status() : Status(error);
}

}  // namespace shanhuo
