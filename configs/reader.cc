#include "configs/reader.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace shanhuo {
namespace {

std::string join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

std::string spell(double number) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  return error == std::errc() ? std::string(buffer, end) : "?";
}

std::string spell(int64_t number) { return std::to_string(number); }

template <typename Number>
std::string out_of_range(const std::string& text, Number min, Number max, Number value) {
  return value < min ? text + " is too small, at least " + spell(min)
                     : text + " is too large, at most " + spell(max);
}

}  // namespace

MapReader::MapReader(const YamlNode& node, std::string path, const std::string& file,
                     ConfigErrors& errors)
    : node_(node), path_(std::move(path)), file_(file), errors_(errors) {
  if (node.kind != YamlNode::Kind::kMap && node.kind != YamlNode::Kind::kNull) {
    errors_.push_back({file_, node.line, node.column, path_, "must be a map of keys"});
  }
}

std::string MapReader::path_of(std::string_view key) const {
  if (key.empty()) return path_;
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void MapReader::error_at(const YamlNode& node, std::string_view key, std::string message) {
  errors_.push_back({file_, node.line, node.column, path_of(key), std::move(message)});
}

void MapReader::error(std::string_view key, std::string message) {
  const YamlNode* node = node_.find(key);
  error_at(node != nullptr ? *node : node_, key, std::move(message));
}

void MapReader::require(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (!has(key)) error(key, "is missing");
  }
}

const YamlNode* MapReader::any(std::string_view key) {
  asked_.push_back(key);
  return node_.find(key);
}

const YamlNode* MapReader::map(std::string_view key) {
  const YamlNode* node = any(key);
  if (node == nullptr || node->kind == YamlNode::Kind::kMap) return node;
  error_at(*node, key, "must be a map of keys");
  return nullptr;
}

const YamlNode* MapReader::list(std::string_view key) {
  const YamlNode* node = any(key);
  if (node == nullptr || node->kind == YamlNode::Kind::kSequence) return node;
  error_at(*node, key, "must be a list");
  return nullptr;
}

const YamlNode* MapReader::scalar(std::string_view key, std::string_view expected) {
  const YamlNode* node = any(key);
  if (node == nullptr || node->kind == YamlNode::Kind::kScalar) return node;
  error_at(*node, key, "must be " + std::string(expected));
  return nullptr;
}

void MapReader::boolean(std::string_view key, bool& target) {
  const YamlNode* node = scalar(key, "true or false");
  if (node == nullptr) return;
  if (node->plain && (node->text == "true" || node->text == "false")) {
    target = node->text == "true";
  } else {
    error_at(*node, key, node->text + " must be true or false");
  }
}

void MapReader::integer(std::string_view key, int64_t& target, int64_t min, int64_t max) {
  const YamlNode* node = scalar(key, "an integer");
  if (node == nullptr) return;
  double ignored = 0;
  int64_t value = 0;
  const std::string& text = node->text;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool digits_only =
      node->plain && parse_json_number(text, ignored) && end == text.data() + text.size();
  if (!digits_only) {
    error_at(*node, key, text + " must be an integer");
  } else if (status != std::errc()) {
    value = text.starts_with('-') ? INT64_MIN : INT64_MAX;
    error_at(*node, key, out_of_range(text, min, max, value));
  } else if (value < min || value > max) {
    error_at(*node, key, out_of_range(text, min, max, value));
  } else {
    target = value;
  }
}

void MapReader::integer(std::string_view key, int& target, int min, int max) {
  int64_t wide = target;
  integer(key, wide, int64_t{min}, int64_t{max});
  target = static_cast<int>(wide);
}

void MapReader::number(std::string_view key, double& target, double min, double max) {
  const YamlNode* node = scalar(key, "a number");
  if (node == nullptr) return;
  double value = 0;
  if (!node->plain || !parse_json_number(node->text, value)) {
    error_at(*node, key, node->text + " must be a finite number");
  } else if (value < min || value > max) {
    error_at(*node, key, out_of_range(node->text, min, max, value));
  } else {
    target = value;
  }
}

void MapReader::text(std::string_view key, std::string& target, size_t bytes_max) {
  const YamlNode* node = scalar(key, "text");
  if (node == nullptr) return;
  if (node->text.size() > bytes_max) {
    error_at(*node, key, "is longer than " + std::to_string(bytes_max) + " bytes");
  } else {
    target = node->text;
  }
}

void MapReader::names(std::string_view key, std::string& zh, std::string& en) {
  const YamlNode* node = map(key);
  if (node == nullptr) return;
  MapReader child(*node, path_of(key), file_, errors_);
  child.names(zh, en);
  child.finish();
}

void MapReader::names(std::string& zh, std::string& en) {
  constexpr size_t kNameBytesMax = 256;
  text("zh-CN", zh, kNameBytesMax);
  text("en", en, kNameBytesMax);
}

void MapReader::one_of(std::string_view key, const std::vector<std::string_view>& allowed,
                       int& target) {
  const YamlNode* node = scalar(key, "one of " + join(allowed));
  if (node == nullptr) return;
  const auto found = std::find(allowed.begin(), allowed.end(), node->text);
  if (found == allowed.end()) {
    error_at(*node, key, node->text + " is not allowed, one of " + join(allowed));
  } else {
    target = static_cast<int>(found - allowed.begin());
  }
}

void MapReader::time(std::string_view key, Millis& target) {
  const YamlNode* node = scalar(key, "a time like 2026-09-20T00:00:00+08:00");
  if (node == nullptr) return;
  const std::optional<Millis> parsed = parse_rfc3339(node->text);
  if (parsed) {
    target = *parsed;
  } else {
    error_at(*node, key, node->text + " must be a time like 2026-09-20T00:00:00+08:00");
  }
}

void MapReader::finish() {
  for (const YamlNode::Member& member : node_.members) {
    if (std::find(asked_.begin(), asked_.end(), member.key) != asked_.end()) continue;
    errors_.push_back({file_, member.line, member.column, path_of(member.key),
                       "unknown key; allowed here: " + join(asked_)});
  }
}

std::optional<Millis> parse_rfc3339(std::string_view text) {
  // 2026-09-20T00:00:00[.1 to .123](Z|+08:00)
  const auto digits = [&](size_t at, size_t count) {
    int value = 0;
    for (size_t i = at; i < at + count; ++i) {
      if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
      value = 10 * value + (text[i] - '0');
    }
    return value;
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  const int year = digits(0, 4), month = digits(5, 2), day = digits(8, 2);
  const int hour = digits(11, 2), minute = digits(14, 2), second = digits(17, 2);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (year < 0 || month < 0 || day < 0 || !date.ok()) return std::nullopt;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
    return std::nullopt;
  }
  size_t at = 19;
  int millis = 0;
  if (text[at] == '.') {
    const size_t end = std::min(text.find_first_not_of("0123456789", at + 1), text.size());
    const size_t count = end - at - 1;
    if (count < 1 || count > 3) return std::nullopt;
    millis = digits(at + 1, count) * (count == 1 ? 100 : count == 2 ? 10 : 1);
    at = end;
  }
  int offset_minutes = 0;
  const std::string_view zone = text.substr(at);
  if (zone != "Z") {
    const int offset_hour = digits(at + 1, 2), offset_minute = digits(at + 4, 2);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' ||
        offset_hour < 0 || offset_hour > 14 || offset_minute < 0 || offset_minute > 59) {
      return std::nullopt;
    }
    offset_minutes = (offset_hour * 60 + offset_minute) * (zone[0] == '-' ? -1 : 1);
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const int64_t seconds = ((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second;
  return Millis(seconds * 1000 + millis);
}

}  // namespace shanhuo
