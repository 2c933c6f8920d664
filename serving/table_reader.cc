#include "serving/table_reader.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>

namespace shanhuo {

Result<TableReader> TableReader::open(const std::string& path, const TableFormat& format,
                                      const std::vector<std::string>& columns) {
  TableReader reader;
  reader.path_ = path;
  reader.format_ = format;
  reader.file_ = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*reader.file_ || std::filesystem::is_directory(path)) {
    return Error{ErrorCode::kIo, path + ": " + std::strerror(errno != 0 ? errno : EISDIR)};
  }
  if (format.header) {
    const Status header = reader.read_header(columns);
    if (!header.ok()) return header.error();
  }
  return reader;
}

Status TableReader::read_header(const std::vector<std::string>& columns) {
  if (next() != Next::kRow) return Error{ErrorCode::kInvalid, path_ + ": has no header line"};
  for (const std::string& wanted : columns) {
    const bool optional = wanted.ends_with('?');
    const std::string name = optional ? wanted.substr(0, wanted.size() - 1) : wanted;
    const auto found = std::ranges::find(fields_, name);
    if (found != fields_.end()) {
      columns_.emplace_back(static_cast<size_t>(found - fields_.begin()));
    } else if (optional) {
      columns_.emplace_back(std::nullopt);
    } else {
      std::string there;
      for (const std::string& field : fields_) {
        if (!there.empty()) there += ", ";
        there += field;
      }
      std::string what = place() + ": column ";
      what += name;
      what += " is missing; there are: ";
      what += there;
      return Error{ErrorCode::kInvalid, std::move(what)};
    }
  }
  width_ = fields_.size();
  return {};
}

bool TableReader::read_line() {
  if (!std::getline(*file_, text_)) return false;
  ++line_;
  bytes_read_ += text_.size() + 1;
  if (text_.ends_with('\r')) text_.pop_back();
  if (line_ == 1 && text_.starts_with("\xef\xbb\xbf")) text_.erase(0, 3);
  return true;
}

TableReader::Next TableReader::next() {
  do {
    if (!read_line()) return Next::kEnd;
  } while (text_.empty());
  if (text_.size() > kLineBytesMax) {
    what_ = "the line has more than " + std::to_string(kLineBytesMax) + " bytes";
    return Next::kMalformed;
  }
  if (!split()) {
    what_ = "a quoted field does not end on its line";
    return Next::kMalformed;
  }
  if (width_ != 0 && fields_.size() != width_) {
    what_ =
        std::to_string(fields_.size()) + " fields where the header has " + std::to_string(width_);
    return Next::kMalformed;
  }
  if (width_ == 0 && fields_.size() < format_.fields_min) {
    what_ = std::to_string(fields_.size()) + " fields where at least " +
            std::to_string(format_.fields_min) + " are wanted";
    return Next::kMalformed;
  }
  return Next::kRow;
}

// Keeps the strings of earlier rows, so that a file of even rows allocates once.
bool TableReader::split() {
  size_t count = 0;
  const auto begin_field = [&]() -> std::string& {
    if (count == fields_.size()) fields_.emplace_back();
    fields_[count].clear();
    return fields_[count++];
  };
  const std::string_view text = text_;
  size_t at = 0;
  for (bool more = true; more;) {
    std::string& field = begin_field();
    if (format_.quotes && at < text.size() && text[at] == '"') {
      for (++at;; ++at) {
        if (at >= text.size()) return false;
        if (text[at] != '"') {
          field.push_back(text[at]);
        } else if (at + 1 < text.size() && text[at + 1] == '"') {
          field.push_back(text[at++]);
        } else {
          break;
        }
      }
      ++at;
    }
    const size_t end = std::min(text.find(format_.separator, at), text.size());
    field.append(text, at, end - at);
    more = end < text.size();
    at = end + 1;
  }
  fields_.resize(count);
  return true;
}

std::string_view TableReader::field(size_t i) const {
  if (!format_.header) return i < fields_.size() ? std::string_view(fields_[i]) : "";
  return columns_[i] ? std::string_view(fields_[*columns_[i]]) : "";
}

std::string TableReader::place() const {
  return std::filesystem::path(path_).filename().string() + ":" + std::to_string(line_);
}

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> parse_decimal(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
    return std::nullopt;
  }
  return number;
}

}  // namespace shanhuo
