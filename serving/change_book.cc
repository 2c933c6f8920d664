#include "serving/change_book.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/durable_file.h"
#include "base/json_writer.h"
#include "configs/config_store.h"
#include "features/digest.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

Error system_error(const std::string& path) {
  return {ErrorCode::kIo, path + ": " + std::strerror(errno)};
}

constexpr std::string_view kKinds[] = {"user",   "program", "experiment",
                                       "metric", "model",   "boosting"};
constexpr size_t kReadBytesMax = 1u << 30;

std::string content_of(const RecordedChange& change, const std::string& prev) {
  std::string content;
  JsonWriter json(content);
  json.begin_object();
  json.field("at_ms", change.at.count());
  json.field("who", change.who);
  json.field(change.kind, change.id);
  json.field("what", change.what);
  json.field("from", change.from);
  json.field("to", change.to);
  json.field("prev", prev);
  return content;
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

// nullopt for a line that a crash has cut.
std::optional<RecordedChange> change_of(json::Document& document, std::string_view line) {
  const Result<json::Value> value = document.parse(line);
  if (!value.ok()) return std::nullopt;
  RecordedChange change;
  int64_t at = 0;
  value.value().find("at_ms").get(at);
  change.at = Millis(at);
  change.who = member(value.value(), "who");
  for (const std::string_view kind : kKinds) {
    if (!value.value().find(kind).present()) continue;
    change.kind = kind;
    change.id = member(value.value(), kind);
  }
  change.what = member(value.value(), "what");
  change.from = member(value.value(), "from");
  change.to = member(value.value(), "to");
  change.hash = member(value.value(), "hash");
  return change;
}

// Without what a crash has cut.
std::string_view whole_lines(std::string_view text) { return text.substr(0, text.rfind('\n') + 1); }

template <typename Take>
void each_change(std::string_view text, const Take& take) {
  json::Document document;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (auto change = change_of(document, text.substr(0, end))) take(std::move(*change));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Result<std::string> text_or_empty(const std::string& path) {
  Result<std::string> text = read_text_file(path, kReadBytesMax);
  if (!text.ok() && ::access(path.c_str(), F_OK) != 0) return std::string();
  return text;
}

// The newest chained line before `text` ends.
std::optional<ChainedLine> newest_of(std::string_view text) {
  text = whole_lines(text);
  while (!text.empty()) {
    text.remove_suffix(1);
    const size_t begin = text.rfind('\n') + 1;
    if (const auto line = parse_chained(text.substr(begin))) return line;
    text = text.substr(0, begin);
  }
  return std::nullopt;
}

// As the head has it of a file.
AuditHead::File beginning_of(std::string_view text) {
  AuditHead::File file;
  for (text = whole_lines(text); !text.empty(); ++file.unchained) {
    const size_t end = text.find('\n');
    if (const auto line = parse_chained(text.substr(0, end))) {
      file.begins = line->prev;
      break;
    }
    text.remove_prefix(end + 1);
  }
  return file;
}

}  // namespace

Result<std::unique_ptr<ChangeBook>> ChangeBook::open(std::string path, const Limits& limits) {
  std::unique_ptr<ChangeBook> book(new ChangeBook(std::move(path), limits));
  if (const Status loaded = book->load(); !loaded.ok()) return loaded.error();
  return book;
}

Status ChangeBook::load() {
  const Result<std::string> older = text_or_empty(path_ + ".1");
  if (!older.ok()) return older.error();
  const Result<std::string> current = text_or_empty(path_);
  if (!current.ok()) return current.error();
  for (const std::string* text : {&older.value(), &current.value()}) {
    each_change(*text, [this](RecordedChange change) {
      kept_.push_back(std::move(change));
      if (kept_.size() > limits_.kept_max) kept_.pop_front();
    });
  }
  load_head(older.value(), current.value());
  return {};
}

// What the head says is gone on from, whatever the files say: a line that somebody took away at the
// end stays missed. But the head may be one line behind, or not there yet.
void ChangeBook::load_head(std::string_view older, std::string_view current) {
  const auto newest = newest_of(current).has_value() ? newest_of(current) : newest_of(older);
  const Result<std::string> text = read_text_file(path_ + ".head");
  if (const auto head = text.ok() ? parse_audit_head(text.value()) : std::nullopt) {
    head_ = *head;
    prev_ = newest && newest->prev == head_.ends ? std::string(newest->hash) : head_.ends;
    if (current.empty() && !older.empty()) head_.older = std::exchange(head_.current, {});
    return;
  }
  head_ = {beginning_of(current), beginning_of(older), ""};
  if (newest) {
    prev_ = newest->hash;
    return;
  }
  prev_ = whole_lines(current).empty() ? audit_beginning() : sha256_hex(whole_lines(current));
}

// What a crash has cut goes; a line that only lacks its end gets it.
Status ChangeBook::mend_end(int file, size_t size) {
  const Result<std::string> text = read_text_file(path_, kReadBytesMax);
  if (!text.ok()) return text.error();
  const size_t whole = whole_lines(text.value()).size();
  if (whole == size) return {};
  if (parse_chained(std::string_view(text.value()).substr(whole))) {
    return ::write(file, "\n", 1) == 1 ? Status{} : system_error(path_);
  }
  return ::ftruncate(file, static_cast<off_t>(whole)) == 0 ? Status{} : system_error(path_);
}

Status ChangeBook::rotate(size_t more) {
  struct stat now {};
  const bool fits = ::stat(path_.c_str(), &now) != 0 ||
                    static_cast<size_t>(now.st_size) + more <= limits_.file_bytes_max;
  if (fits) return {};
  if (std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) return system_error(path_);
  head_.older = std::exchange(head_.current, {});
  return {};
}

Status ChangeBook::write_line(std::string_view line) {
  const int file = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return system_error(path_);
  struct stat now {};
  char last = '\n';
  if (::fstat(file, &now) == 0 && now.st_size > 0) {
    if (::pread(file, &last, 1, now.st_size - 1) != 1) last = 0;
  }
  Status mended;
  if (last != '\n') mended = mend_end(file, static_cast<size_t>(now.st_size));
  const bool written =
      mended.ok() && ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
      ::fsync(file) == 0;
  const Error error = system_error(path_);
  ::close(file);
  if (!mended.ok()) return mended;
  return written ? Status{} : error;
}

// The line, then the head that names it.
Status ChangeBook::append(RecordedChange change) {
  cut(change.what, limits_.what_bytes_max);
  const std::lock_guard lock(mutex_);
  const std::string line = chained_line(content_of(change, prev_));
  if (const Status rotated = rotate(line.size()); !rotated.ok()) return rotated;
  if (const Status written = write_line(line); !written.ok()) return written;
  if (head_.current.begins.empty()) head_.current.begins = prev_;
  change.hash = parse_chained(std::string_view(line).substr(0, line.size() - 1))->hash;
  prev_ = head_.ends = change.hash;
  kept_.push_back(std::move(change));
  if (kept_.size() > limits_.kept_max) kept_.pop_front();
  return replace_file(path_ + ".head", audit_head_text(head_));
}

Result<std::vector<RecordedChange>> ChangeBook::between(Millis from, Millis to, size_t most) const {
  std::deque<RecordedChange> found;
  for (const char* suffix : {".1", ""}) {
    const Result<std::string> text = text_or_empty(path_ + suffix);
    if (!text.ok()) return text.error();
    each_change(text.value(), [&](RecordedChange change) {
      if (change.at < from || change.at >= to) return;
      found.push_front(std::move(change));
      if (found.size() > most) found.pop_back();
    });
  }
  return std::vector<RecordedChange>(found.begin(), found.end());
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

Status ChangeBook::copy_to(const std::string& folder) const {
  const std::lock_guard lock(mutex_);
  for (const char* end : {"", ".1", ".head"}) {
    const std::filesystem::path from = path_ + end;
    std::error_code error;
    if (!std::filesystem::exists(from, error)) continue;
    std::filesystem::copy_file(from, std::filesystem::path(folder) / from.filename(), error);
    if (error) return Error{ErrorCode::kIo, folder + ": " + error.message()};
  }
  return {};
}

}  // namespace shanhuo
