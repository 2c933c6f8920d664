#include "serving/change_book.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/json_writer.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

Error system_error(const std::string& path) {
  return {ErrorCode::kIo, path + ": " + std::strerror(errno)};
}

std::string line_of(const RecordedChange& change) {
  std::string line;
  JsonWriter json(line);
  json.begin_object();
  json.field("at_ms", change.at.count());
  json.field("who", change.who);
  json.field(change.kind, change.id);
  json.field("what", change.what);
  json.field("from", change.from);
  json.field("to", change.to);
  json.end_object();
  return line + "\n";
}

std::string member(json::Value object, std::string_view name) {
  std::string_view text;
  object.find(name).get(text);
  return std::string(text);
}

// At most `bytes`, cut between two characters.
void cut(std::string& text, size_t bytes) {
  if (text.size() <= bytes) return;
  while (bytes > 0 && (static_cast<uint8_t>(text[bytes]) & 0xC0U) == 0x80U) --bytes;
  text.resize(bytes);
  text += "...";
}

}  // namespace

Result<std::unique_ptr<ChangeBook>> ChangeBook::open(std::string path, const Limits& limits) {
  std::unique_ptr<ChangeBook> book(new ChangeBook(std::move(path), limits));
  for (const char* suffix : {".1", ""}) {
    if (const Status loaded = book->load(book->path_ + suffix); !loaded.ok()) return loaded.error();
  }
  return book;
}

// A line that a crash has cut is skipped: its change was not made.
Status ChangeBook::load(const std::string& path) {
  std::ifstream in(path);
  json::Document document;
  for (std::string line; in && std::getline(in, line);) {
    const Result<json::Value> value = document.parse(line);
    if (!value.ok()) continue;
    RecordedChange change;
    int64_t at = 0;
    value.value().find("at_ms").get(at);
    change.at = Millis(at);
    change.who = member(value.value(), "who");
    for (const char* kind : {"program", "experiment", "model"}) {
      if (!value.value().find(kind).present()) continue;
      change.kind = kind;
      change.id = member(value.value(), kind);
    }
    change.what = member(value.value(), "what");
    change.from = member(value.value(), "from");
    change.to = member(value.value(), "to");
    kept_.push_back(std::move(change));
    if (kept_.size() > limits_.kept_max) kept_.pop_front();
  }
  if (in.bad()) return system_error(path);
  return {};
}

Status ChangeBook::append(RecordedChange change) {
  cut(change.what, limits_.what_bytes_max);
  std::string line = line_of(change);
  const std::lock_guard lock(mutex_);
  struct stat now {};
  if (::stat(path_.c_str(), &now) == 0 &&
      static_cast<size_t>(now.st_size) + line.size() > limits_.file_bytes_max &&
      std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) {
    return system_error(path_);
  }
  const int file = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return system_error(path_);
  char last = '\n';  // what a crash has cut must not swallow this line
  if (::fstat(file, &now) == 0 && now.st_size > 0) {
    if (::pread(file, &last, 1, now.st_size - 1) != 1) last = 0;
  }
  if (last != '\n') line.insert(0, "\n");
  const bool written =
      ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
      ::fsync(file) == 0;
  const Error error = system_error(path_);
  ::close(file);
  if (!written) return error;
  kept_.push_back(std::move(change));
  if (kept_.size() > limits_.kept_max) kept_.pop_front();
  return {};
}

std::vector<RecordedChange> ChangeBook::last(std::string_view kind, std::string_view id,
                                             size_t most) const {
  const std::lock_guard lock(mutex_);
  std::vector<RecordedChange> found;
  for (auto it = kept_.rbegin(); it != kept_.rend() && found.size() < most; ++it) {
    if (it->kind == kind && it->id == id) found.push_back(*it);
  }
  return found;
}

}  // namespace shanhuo
