#include "configs/program_store.h"

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
#include <unordered_map>
#include <vector>

#include "configs/program_reader.h"
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

std::string revision_of(std::string_view text) { return sha256_hex(text).substr(0, 16); }

// Null when it is no YAML.
Value value_of(std::string_view text) {
  ConfigErrors errors;
  YamlNode root;
  return parse_yaml(text, "", root, errors) ? to_value(root) : Value();
}

Error revision_error(const std::string& revision) {
  return {ErrorCode::kConflict,
          revision.empty() ? "there is no such program" : "the program is at revision " + revision};
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

std::shared_ptr<const ProgramSet> make_program_set(
    std::vector<std::shared_ptr<const Program>> programs) {
  auto set = std::make_shared<ProgramSet>();
  set->programs = std::move(programs);
  std::sort(set->programs.begin(), set->programs.end(), comes_first);
  set->version = version_of(*set);
  return set;
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

ProgramEdit whole_file(std::string text) {
  return [text = std::move(text)](std::string_view) -> Result<std::string> { return text; };
}

ProgramEdit whole_program(Value definition) {
  return [definition = std::move(definition)](std::string_view text) -> Result<std::string> {
    if (text.empty()) return yaml_of(definition);
    Result<std::string> edited = yaml_with(text, definition);
    return edited.ok() ? std::move(edited) : yaml_of(definition);  // what is there is no YAML
  };
}

ProgramEdit program_patch(Value patch) {
  return [patch = std::move(patch)](std::string_view text) -> Result<std::string> {
    if (text.empty()) return Error{ErrorCode::kNotFound, "no such program"};
    ConfigErrors errors;
    YamlNode root;
    if (!read_program(text, "", errors) || !parse_yaml(text, "", root, errors)) {
      return Error{ErrorCode::kConflict,
                   "the file on disk is broken: " + errors.front().to_string()};
    }
    const Value* enabled = patch.find("enabled");
    if (enabled != nullptr && enabled->is_bool() && patch.as_object().size() == 1) {
      return with_enabled(text, enabled->as_bool());
    }
    return yaml_with(text, merged(to_value(root), patch));
  };
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
  current_.set(make_program_set(std::move(set->programs)));
  return true;
}

ConfigErrors ProgramStore::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

// Requires: mutex_ is held.
Result<std::string> ProgramStore::file_of(std::string_view id, std::string& text,
                                          std::string& revision) const {
  const std::shared_ptr<const ProgramSet> set = current_.get();
  const int index = set->find(id);
  if (index < 0) {
    const std::string path = (fs::path(folder_) / file_name(id)).string();
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return path;
    return Error{ErrorCode::kConflict, path + " is in the way: it holds another program"};
  }
  const std::string& file = set->programs[static_cast<size_t>(index)]->file;
  Result<std::string> now = read_text_file(file);
  if (!now.ok()) return now.error();
  text = std::move(now).value();
  revision = revision_of(text);
  return file;
}

// What was written is live. Requires: mutex_ is held.
Status ProgramStore::take_over() {
  stamp_ = stamp();
  if (read_all()) return {};
  return Error{ErrorCode::kConflict,
               "saved, but not live while another file is broken: " + errors_.front().to_string()};
}

Result<ProgramChange> ProgramStore::write(std::string_view id, const ProgramEdit& edit,
                                          const std::optional<std::string>& if_revision,
                                          const ProgramJournal& journal, ConfigErrors& wrong) {
  const std::lock_guard lock(mutex_);
  ProgramChange change{std::string(id), "", "", ""};
  std::string before;
  const Result<std::string> file = file_of(id, before, change.from);
  if (!file.ok()) return file.error();
  if (if_revision && *if_revision != change.from) return revision_error(change.from);
  const Result<std::string> next = edit(before);
  if (!next.ok()) return next.error();
  const std::optional<Program> program = read_program(next.value(), file.value(), wrong);
  if (program && program->id.view() != id) {
    wrong.push_back({file.value(), 0, 0, "id", "must be " + std::string(id)});
  }
  if (!wrong.empty()) return Error{ErrorCode::kInvalid, wrong.front().to_string()};
  change.to = program->revision;
  if (next.value() != before) {
    change.what = differences(value_of(before), value_of(next.value()));
    if (const Status noted = journal(change); !noted.ok()) return noted.error();
    std::error_code error;
    fs::create_directories(folder_, error);
    const Status written = write_text_file(file.value(), next.value());
    if (!written.ok()) return written.error();
  }
  if (const Status live = take_over(); !live.ok()) return live.error();
  return change;
}

Result<ProgramChange> ProgramStore::remove(std::string_view id,
                                           const std::optional<std::string>& if_revision,
                                           const ProgramJournal& journal) {
  const std::lock_guard lock(mutex_);
  ProgramChange change{std::string(id), "", "", ""};
  std::string before;
  const Result<std::string> file = file_of(id, before, change.from);
  if (!file.ok()) return file.error();
  if (change.from.empty()) return Error{ErrorCode::kNotFound, "no program " + change.id};
  if (if_revision && *if_revision != change.from) return revision_error(change.from);
  change.what = "deleted";
  if (const Status noted = journal(change); !noted.ok()) return noted.error();
  std::error_code error;
  fs::remove(file.value(), error);
  if (error) return Error{ErrorCode::kIo, file.value() + ": " + error.message()};
  if (const Status live = take_over(); !live.ok()) return live.error();
  return change;
}

Result<std::string> ProgramStore::text(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  std::string text, revision;
  const Result<std::string> file = file_of(id, text, revision);
  if (!file.ok()) return file.error();
  if (revision.empty()) return Error{ErrorCode::kNotFound, "no program " + std::string(id)};
  return text;
}

}  // namespace shanhuo
