// MapReader: reads one map of a YAML file, key by key, into plain values; every error is kept, none
// is repaired. What was not asked for by finish() is an unknown key. Absent keys leave their target
// as it is, unless required.
//
//   MapReader map(node, "goals[0]", file, errors);
//   map.number("at_least", goal.at_least, 0, 1e12);
//   map.one_of("unit", {"viewable", "click", "order"}, unit);
//   map.finish();
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "configs/yaml.h"

namespace shanhuo {

class MapReader {
 public:
  // `path`: where this map stands, "" for the root. The node, file and errors must outlive the
  // reader.
  MapReader(const YamlNode& node, std::string path, const std::string& file, ConfigErrors& errors);

  bool has(std::string_view key) const { return node_.find(key) != nullptr; }
  const YamlNode* find(std::string_view key) const { return node_.find(key); }
  void require(std::initializer_list<std::string_view> keys);

  void boolean(std::string_view key, bool& target);
  void integer(std::string_view key, int64_t& target, int64_t min, int64_t max);
  void integer(std::string_view key, int& target, int min, int max);
  void number(std::string_view key, double& target, double min, double max);
  void text(std::string_view key, std::string& target, size_t bytes_max);
  // A name of at most 256 bytes in each of two languages, {zh-CN: 猕猴桃, en: Kiwifruit}: the map
  // at `key`, or this one.
  void names(std::string_view key, std::string& zh, std::string& en);
  void names(std::string& zh, std::string& en);
  // Index into `allowed`.
  void one_of(std::string_view key, const std::vector<std::string_view>& allowed, int& target);
  // RFC 3339 with an offset: 2026-09-20T00:00:00+08:00.
  void time(std::string_view key, Millis& target);

  // The child, asked for: a map or a list as the caller expects; nullptr when absent or of another
  // shape (an error).
  const YamlNode* map(std::string_view key);
  const YamlNode* list(std::string_view key);
  const YamlNode* any(std::string_view key);

  void error(std::string_view key, std::string message);  // at the key's value, or at the map
  void error_at(const YamlNode& node, std::string_view key, std::string message);
  std::string path_of(std::string_view key) const;
  void finish();

  const std::string& file() const { return file_; }
  ConfigErrors& errors() { return errors_; }

 private:
  const YamlNode* scalar(std::string_view key, std::string_view expected);

  const YamlNode& node_;
  std::string path_;
  const std::string& file_;
  ConfigErrors& errors_;
  std::vector<std::string_view> asked_;
};

// Milliseconds of an RFC 3339 time with an offset or Z; nullopt when `text` is none, is no day of
// the calendar, or is finer than a millisecond.
std::optional<Millis> parse_rfc3339(std::string_view text);

}  // namespace shanhuo
