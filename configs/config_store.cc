#include "configs/config_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/durable_file.h"
#include "configs/yaml_edit.h"
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

// Null when it is no YAML.
Value value_of(std::string_view text) {
  ConfigErrors errors;
  YamlNode root;
  return parse_yaml(text, "", root, errors) ? to_value(root) : Value();
}

// An id may hold what a file name may not.
std::string file_name(std::string_view id) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string name;
  for (const char c : id) {
    const auto byte = static_cast<uint8_t>(c);
    const bool plain =
        std::isalnum(byte) != 0 || c == '-' || c == '_' || (c == '.' && !name.empty());
    if (plain) {
      name += c;
    } else {
      name += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  constexpr size_t kNameMax = 200;  // of the 255 bytes that file systems take
  if (name.size() > kNameMax) name = name.substr(0, kNameMax) + "-" + revision_of(id);
  return name + ".yaml";
}

}  // namespace

std::string yaml_differences(std::string_view before, std::string_view after) {
  return differences(value_of(before), value_of(after));
}

std::string revision_of(std::string_view text) { return sha256_hex(text).substr(0, 16); }

ConfigStore::ConfigStore(std::string kind, std::string folder, Compile compile)
    : kind_(std::move(kind)), folder_(std::move(folder)), compile_(std::move(compile)) {}

Error ConfigStore::revision_error(const std::string& revision) const {
  return {ErrorCode::kConflict, revision.empty() ? "there is no such " + kind_
                                                 : "the " + kind_ + " is at revision " + revision};
}

std::string ConfigStore::stamp() const {
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

bool ConfigStore::reload() {
  const std::lock_guard lock(mutex_);
  std::string now = stamp();
  if (now == stamp_) return false;
  stamp_ = std::move(now);
  return read_all();
}

void ConfigStore::read_anew() {
  const std::lock_guard lock(mutex_);
  stamp_.clear();
}

std::vector<ConfigFile> ConfigStore::read_files(ConfigErrors& errors) const {
  std::vector<ConfigFile> files;
  for (const fs::path& path : yaml_files(folder_)) {
    Result<std::string> text = read_text_file(path.string());
    if (text.ok()) {
      files.push_back({path.string(), std::move(text).value(), ""});
    } else {
      errors.push_back({path.string(), 0, 0, "", text.error().message});
    }
  }
  return files;
}

bool ConfigStore::read_all() {
  errors_.clear();
  std::vector<ConfigFile> files = read_files(errors_);
  const Publish publish = compile_(files, errors_);
  if (!errors_.empty()) return false;
  live_.clear();
  for (ConfigFile& file : files) live_[file.id] = std::move(file);
  publish();
  return true;
}

ConfigErrors ConfigStore::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

// Where `id` stands, and what stands there now ("" when it is new).
Result<std::string> ConfigStore::file_of(std::string_view id, std::string& text,
                                         std::string& revision) const {
  const auto found = live_.find(id);
  if (found == live_.end()) {
    const std::string path = (fs::path(folder_) / file_name(id)).string();
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return path;
    return Error{ErrorCode::kConflict, path + " is in the way: it holds another " + kind_};
  }
  const std::string& file = found->second.path;
  Result<std::string> now = read_text_file(file);
  if (!now.ok()) return now.error();
  text = std::move(now).value();
  revision = revision_of(text);
  return file;
}

// The folder with the change: what is wrong with the changed file itself, and whether the change
// breaks others, which it must not. Files that are broken already are no reason against it.
Status ConfigStore::fits(const ConfigFile& changed, bool deleted, ConfigErrors& wrong) const {
  ConfigErrors errors;
  std::vector<ConfigFile> files = read_files(errors);
  std::erase_if(files, [&](const ConfigFile& file) { return file.path == changed.path; });
  if (!deleted) files.push_back({changed.path, changed.text, ""});  // the last one is wrong
  compile_(files, errors);
  if (!deleted && !files.back().id.empty() && files.back().id != changed.id) {
    errors.push_back({changed.path, 0, 0, "id", "must be " + changed.id});
  }
  for (const ConfigError& error : errors) {
    if (!deleted && error.file == changed.path) wrong.push_back(error);
  }
  if (!wrong.empty()) return Error{ErrorCode::kInvalid, wrong.front().to_string()};
  if (errors.empty()) return {};
  ConfigErrors before;
  std::vector<ConfigFile> now = read_files(before);
  compile_(now, before);
  if (!before.empty()) return {};
  return Error{ErrorCode::kConflict, "another file needs it: " + errors.front().to_string()};
}

// What was written is live.
Status ConfigStore::take_over() {
  stamp_ = stamp();
  if (read_all()) return {};
  return Error{ErrorCode::kConflict,
               "saved, but not live while another file is broken: " + errors_.front().to_string()};
}

Result<ConfigChange> ConfigStore::write(std::string_view id, const ConfigEdit& edit,
                                        const std::optional<std::string>& if_revision,
                                        const ConfigJournal& journal, ConfigErrors& wrong) {
  const std::lock_guard lock(mutex_);
  ConfigChange change;
  change.kind = kind_;
  change.id = id;
  const Result<std::string> file = file_of(id, change.before, change.from);
  if (!file.ok()) return file.error();
  if (if_revision && *if_revision != change.from) return revision_error(change.from);
  Result<std::string> next = edit(change.before);
  if (!next.ok()) return next.error();
  change.after = std::move(next).value();
  const Status fit = fits({file.value(), change.after, change.id}, false, wrong);
  if (!fit.ok()) return fit.error();
  change.to = revision_of(change.after);
  if (change.after != change.before) {
    change.what = yaml_differences(change.before, change.after);
    if (const Status noted = journal(change); !noted.ok()) return noted.error();
    std::error_code error;
    fs::create_directories(folder_, error);
    const Status written = replace_file(file.value(), change.after);
    if (!written.ok()) return written.error();
  }
  if (const Status live = take_over(); !live.ok()) return live.error();
  return change;
}

Result<std::vector<ConfigFile>> ConfigStore::preview_files(std::string_view id,
                                                           const ConfigEdit& edit,
                                                           ConfigErrors& wrong) const {
  const std::lock_guard lock(mutex_);
  std::string before, revision;
  const Result<std::string> path = file_of(id, before, revision);
  if (!path.ok()) return path.error();
  Result<std::string> next = edit(before);
  if (!next.ok()) return next.error();
  const Status fit = fits({path.value(), next.value(), std::string(id)}, false, wrong);
  if (!fit.ok()) return fit.error();
  ConfigErrors errors;
  std::vector<ConfigFile> files = read_files(errors);
  std::erase_if(files, [&](const ConfigFile& file) { return file.path == path.value(); });
  files.push_back({path.value(), std::move(next).value(), ""});
  if (errors.empty()) return files;
  return Error{ErrorCode::kConflict, "another file is broken: " + errors.front().to_string()};
}

Result<ConfigChange> ConfigStore::remove(std::string_view id,
                                         const std::optional<std::string>& if_revision,
                                         const ConfigJournal& journal) {
  const std::lock_guard lock(mutex_);
  ConfigChange change;
  change.kind = kind_;
  change.id = id;
  const Result<std::string> file = file_of(id, change.before, change.from);
  if (!file.ok()) return file.error();
  if (change.from.empty()) return Error{ErrorCode::kNotFound, "no " + kind_ + " " + change.id};
  if (if_revision && *if_revision != change.from) return revision_error(change.from);
  ConfigErrors ignored;
  const Status fit = fits({file.value(), "", change.id}, true, ignored);
  if (!fit.ok()) return fit.error();
  change.what = "deleted";
  if (const Status noted = journal(change); !noted.ok()) return noted.error();
  std::error_code error;
  fs::remove(file.value(), error);
  if (error) return Error{ErrorCode::kIo, file.value() + ": " + error.message()};
  if (const Status live = take_over(); !live.ok()) return live.error();
  return change;
}

Result<std::string> ConfigStore::text(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  std::string text, revision;
  const Result<std::string> file = file_of(id, text, revision);
  if (!file.ok()) return file.error();
  if (revision.empty()) return Error{ErrorCode::kNotFound, "no " + kind_ + " " + std::string(id)};
  return text;
}

ConfigStore::Texts ConfigStore::live() const {
  const std::lock_guard lock(mutex_);
  Texts texts;
  for (const auto& [id, file] : live_) texts.emplace(id, file.text);
  return texts;
}

}  // namespace shanhuo
