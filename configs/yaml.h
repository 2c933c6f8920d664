// YAML as the operators' files use it: maps, lists and scalars, read once into a tree of our own
// with line and column.
//
// Refused, with the place: aliases, anchors, tags, merge keys, duplicate keys, keys that are no
// plain text, more than one document, more than kYamlBytesMax bytes or kYamlDepthMax levels,
// control characters, text that is not UTF-8. Lines and columns count from 1, columns in code
// points as editors do. Scalars stay text here; what they mean is decided by the reader that
// knows the key (reader.h), so `010` and `.nan` are never guessed at.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "features/attributes.h"

namespace shanhuo {

inline constexpr size_t kYamlBytesMax = 1 << 20;
inline constexpr int kYamlDepthMax = 32;
// May stand at the very start of a file; it is no part of the first line.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// One thing that is wrong in a file. to_string(): "programs/kiwi.yaml:12:5: goals[0].at_least:
// what, what is allowed".
struct ConfigError {
  std::string file;
  int line = 0, column = 0;  // from 1; 0: the file as a whole
  std::string key;
  std::string message;

  std::string to_string() const;
};
using ConfigErrors = std::vector<ConfigError>;
std::string joined(const ConfigErrors& errors);  // a line each

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  struct Member;

  Kind kind = Kind::kNull;
  int line = 1, column = 1;
  std::string text;             // of a scalar
  bool plain = true;            // a scalar without quotes
  std::vector<YamlNode> items;  // of a sequence
  std::vector<Member> members;  // of a map, in file order, keys distinct

  const YamlNode* find(std::string_view key) const;  // member of a map; nullptr: none
};

struct YamlNode::Member {
  std::string key;
  int line = 1, column = 1;  // of the key
  YamlNode value;
};

// The document's root (null for an empty file); on failure appends to `errors` and returns false.
bool parse_yaml(std::string_view text, const std::string& file, YamlNode& root,
                ConfigErrors& errors);

// As a condition or attribute value: plain null/~, true/false and JSON numbers mean what they say,
// all else is text.
Value to_value(const YamlNode& node);

// A JSON number (RFC 8259): no leading zeros, no hex, no infinities. False when `text` is none.
bool parse_json_number(std::string_view text, double& number);

}  // namespace shanhuo
