#include "configs/program_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unordered_map>
#include <vector>

#include "configs/program_reader.h"
#include "features/digest.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

// The *.yaml files of a folder, ascending by name.
std::vector<fs::path> yaml_files(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (fs::directory_iterator it(folder, ignored), end; it != end; it.increment(ignored)) {
    if (it->path().extension() == ".yaml") files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Conflicts resolve in this order: urgent, then priority, then id.
bool comes_first(const std::shared_ptr<const Program>& a, const std::shared_ptr<const Program>& b) {
  if (a->urgent != b->urgent) return a->urgent;
  if (a->priority != b->priority) return a->priority > b->priority;
  return a->id < b->id;
}

std::string version_of(const ProgramSet& set) {
  std::string all;
  for (const auto& program : set.programs)
    all += program->id.str() + ":" + program->revision + "\n";
  return sha256_hex(all).substr(0, 16);
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{ErrorCode::kNotFound, path + ": cannot be read: " + std::strerror(errno)};
  std::ostringstream text;
  text << in.rdbuf();
  if (text.view().size() > kYamlBytesMax) {
    return Error{ErrorCode::kTooLarge,
                 path + ": larger than " + std::to_string(kYamlBytesMax) + " bytes"};
  }
  return std::move(text).str();
}

Status write_text_file(const std::string& path, std::string_view text) {
  const std::string beside = path + ".new";
  const auto fail = [&] {
    return Error{ErrorCode::kIo, path + ": cannot be written: " + std::strerror(errno)};
  };
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return fail();
  bool good = true;
  for (size_t at = 0; good && at < text.size();) {
    const ssize_t count = ::write(file, text.data() + at, text.size() - at);
    good = count > 0;
    if (good) at += static_cast<size_t>(count);
  }
  good = good && ::fsync(file) == 0;
  good = (::close(file) == 0) && good;
  if (!good || ::rename(beside.c_str(), path.c_str()) != 0) return fail();
  return {};
}

ProgramStore::ProgramStore(std::string folder)
    : folder_(std::move(folder)), current_(std::make_shared<const ProgramSet>()) {}

std::string ProgramStore::stamp() const {
  std::string all = "read;";
  for (const fs::path& path : yaml_files(folder_)) {
    struct stat file {};
    ::stat(path.c_str(), &file);
    all += path.string();
    // The inode tells two replacements within one tick of the file system's clock apart.
    for (const int64_t part : {int64_t{file.st_size}, static_cast<int64_t>(file.st_ino),
                               int64_t{file.st_mtim.tv_sec}, int64_t{file.st_mtim.tv_nsec}}) {
      all += ";" + std::to_string(part);
    }
    all += "\n";
  }
  return all;
}

bool ProgramStore::reload() {
  const std::lock_guard lock(mutex_);
  std::string now = stamp();
  if (now == stamp_) return false;
  stamp_ = std::move(now);
  return read_all();
}

// Requires: mutex_ is held.
bool ProgramStore::read_all() {
  errors_.clear();
  auto set = std::make_shared<ProgramSet>();
  std::unordered_map<std::string, std::string> file_of;
  for (const fs::path& path : yaml_files(folder_)) {
    const Result<std::string> text = read_text_file(path.string());
    if (!text.ok()) {
      errors_.push_back({path.string(), 0, 0, "", text.error().message});
      continue;
    }
    std::optional<Program> program = read_program(text.value(), path.string(), errors_);
    if (!program) continue;
    const auto [first, is_new] = file_of.emplace(program->id.str(), path.string());
    if (!is_new) {
      errors_.push_back({path.string(), 0, 0, "id",
                         program->id.str() + " is the id of " + first->second + " already"});
      continue;
    }
    set->programs.push_back(std::make_shared<const Program>(std::move(*program)));
  }
  if (!errors_.empty()) return false;
  std::sort(set->programs.begin(), set->programs.end(), comes_first);
  set->version = version_of(*set);
  current_.set(std::move(set));
  return true;
}

ConfigErrors ProgramStore::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

Status ProgramStore::set_enabled(std::string_view id, bool enabled,
                                 const std::optional<std::string>& if_revision) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<const ProgramSet> set = current_.get();
  const int index = set->find(id);
  if (index < 0) return Error{ErrorCode::kNotFound, "no program " + std::string(id)};
  const std::string& file = set->programs[static_cast<size_t>(index)]->file;
  Result<std::string> text = read_text_file(file);
  if (!text.ok()) return text.error();
  const std::string revision = sha256_hex(text.value()).substr(0, 16);
  if (if_revision && *if_revision != revision) {
    return Error{ErrorCode::kConflict, "the program is at revision " + revision};
  }
  ConfigErrors errors;
  if (!read_program(text.value(), file, errors)) {
    return Error{ErrorCode::kConflict, "the file on disk is broken: " + errors.front().to_string()};
  }
  const std::string next = with_enabled(text.value(), enabled);
  if (next != text.value()) {
    if (const Status written = write_text_file(file, next); !written.ok()) return written;
  }
  stamp_ = stamp();
  if (!read_all()) {
    return Error{ErrorCode::kConflict, "saved, but not live while another file is broken: " +
                                           errors_.front().to_string()};
  }
  return {};
}

}  // namespace shanhuo
