// yaml-cpp parses into events; this file turns them into YamlNodes. Working on events instead of
// YAML::Node is what lets us refuse duplicate keys, aliases and tags, which a Node hides.
// yaml-cpp's exceptions end here.
#include "configs/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "base/ids.h"

namespace shanhuo {
namespace {

struct Refused {
  YAML::Mark mark;
  std::string message;
};

// Columns of marks, which count bytes, in code points. Marks come almost in the order of the text,
// so counting on from the last one keeps a file of one long line linear.
class Columns {
 public:
  explicit Columns(std::string_view text) : text_(text) {}

  int of(const YAML::Mark& mark) {
    const auto line_start = static_cast<size_t>(mark.pos - mark.column);
    const size_t end = std::min(text_.size(), static_cast<size_t>(mark.pos));
    if (line_start != line_start_ || end < at_) {
      line_start_ = at_ = line_start;
      column_ = 1;
    }
    for (; at_ < end; ++at_) column_ += (static_cast<unsigned char>(text_[at_]) & 0xC0U) != 0x80U;
    return column_;
  }

 private:
  const std::string_view text_;
  size_t line_start_ = 0, at_ = 0;
  int column_ = 1;
};

// yaml-cpp takes a scalar whose quote is missing, and all that follows, when the file ends in a
// line break. `text` begins with the scalar.
bool quote_closes(std::string_view text) {
  if (!text.starts_with('"') && !text.starts_with('\'')) return true;
  for (size_t i = 1; i < text.size(); ++i) {
    const bool escaped = text[0] == '"' ? text[i] == '\\' : text.substr(i).starts_with("''");
    if (!escaped && text[i] == text[0]) return true;
    i += escaped ? 1 : 0;
  }
  return false;
}

// Builds the tree. A stack of open containers; a map alternates between its key and its value.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(YamlNode& root, std::string_view text, Columns& columns)
      : root_(root), text_(text), columns_(columns) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Refused{mark, "more than one document"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    place(mark, YamlNode::Kind::kNull);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{mark, "aliases are not allowed: write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    refuse_anchor(mark, anchor);
    if (tag != "?" && tag != "!" && !tag.empty()) refuse_tag(mark, tag);
    if (!quote_closes(text_.substr(static_cast<size_t>(mark.pos)))) {
      throw Refused{mark, "the quote is never closed"};
    }
    // yaml-cpp gives the escapes \_ and \N as single bytes of Latin-1.
    if (!valid_utf8(text)) throw Refused{mark, "the escapes \\_ and \\N are not allowed"};
    if (expects_key()) {
      begin_member(mark, text);
      return;
    }
    const bool plain = tag != "!";
    const bool null = plain && (text.empty() || text == "~" || text == "null");
    YamlNode& node = place(mark, null ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar);
    node.text = text;
    node.plain = plain;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kSequence);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Open {
    YamlNode* node;
    bool value_next = false;  // of a map: the last member's key is read, its value is not
  };

  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) throw Refused{mark, "anchors are not allowed"};
  }
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    throw Refused{mark, "the tag " + tag + " is not allowed"};
  }
  bool expects_key() const {
    return !open_.empty() && open_.back().node->kind == YamlNode::Kind::kMap &&
           !open_.back().value_next;
  }

  void begin_member(const YAML::Mark& mark, const std::string& key) {
    if (key == "<<") throw Refused{mark, "merge keys are not allowed"};
    YamlNode& map = *open_.back().node;
    if (map.find(key) != nullptr) throw Refused{mark, "the key " + key + " stands here twice"};
    map.members.push_back({key, mark.line + 1, columns_.of(mark), {}});
    open_.back().value_next = true;
  }

  YamlNode& place(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (expects_key()) throw Refused{mark, "a key must be plain text"};
    YamlNode* node = &root_;
    if (!open_.empty()) {
      Open& top = open_.back();
      if (top.node->kind == YamlNode::Kind::kMap) {
        node = &top.node->members.back().value;
        top.value_next = false;
      } else {
        node = &top.node->items.emplace_back();
      }
    }
    node->kind = kind;
    node->line = mark.line + 1;
    node->column = columns_.of(mark);
    return *node;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    refuse_anchor(mark, anchor);
    if (tag != "?" && !tag.empty()) refuse_tag(mark, tag);
    if (open_.size() >= static_cast<size_t>(kYamlDepthMax)) {
      throw Refused{mark, "nested deeper than " + std::to_string(kYamlDepthMax) + " levels"};
    }
    open_.push_back({&place(mark, kind)});
  }

  YamlNode& root_;
  const std::string_view text_;
  Columns& columns_;
  int documents_ = 0;
  // Nodes stay where they are: a parent grows only after its child has closed.
  std::vector<Open> open_;
};

// yaml-cpp takes U+0004 for the end of the file, and other control characters as text.
size_t find_control_character(std::string_view text) {
  const auto found = std::find_if(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7F;
  });
  return static_cast<size_t>(found - text.begin());
}

}  // namespace

std::string joined(const ConfigErrors& errors) {
  std::string out;
  for (const ConfigError& error : errors) out += (out.empty() ? "" : "\n") + error.to_string();
  return out;
}

std::string ConfigError::to_string() const {
  std::string out = file;
  if (line > 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
  if (!key.empty()) out += ": " + key;
  return out + ": " + message;
}

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

bool parse_yaml(std::string_view text, const std::string& file, YamlNode& root,
                ConfigErrors& errors) {
  const auto fail = [&](int line, int column, std::string message) {
    errors.push_back({file, line, column, "", std::move(message)});
    return false;
  };
  if (text.size() > kYamlBytesMax) {
    return fail(0, 0, "larger than " + std::to_string(kYamlBytesMax) + " bytes");
  }
  if (!valid_utf8(text)) return fail(0, 0, "not UTF-8");
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Columns columns(text);
  if (const size_t at = find_control_character(text); at < text.size()) {
    YAML::Mark mark;
    mark.pos = static_cast<int>(at);
    mark.column = static_cast<int>(at - (text.rfind('\n', at) + 1));
    mark.line = static_cast<int>(std::count(text.begin(), text.begin() + mark.pos, '\n'));
    return fail(mark.line + 1, columns.of(mark), "control characters are not allowed");
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(root, text, columns);
    if (parser.HandleNextDocument(builder)) parser.HandleNextDocument(builder);
    return true;
  } catch (const Refused& refused) {
    return fail(refused.mark.line + 1, columns.of(refused.mark), refused.message);
  } catch (const YAML::Exception& error) {
    if (error.mark.is_null()) return fail(0, 0, "not YAML: " + error.msg);
    return fail(error.mark.line + 1, columns.of(error.mark), "not YAML: " + error.msg);
  } catch (const std::exception& error) {
    return fail(0, 0, std::string("not YAML: ") + error.what());
  }
}

bool parse_json_number(std::string_view text, double& number) {
  std::string_view digits = text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return false;
  const auto digit_at = [&](size_t i) {
    return i < digits.size() && digits[i] >= '0' && digits[i] <= '9';
  };
  if (digits[0] == '0' && digit_at(1)) return false;
  const size_t point = digits.find('.');
  if (point != std::string_view::npos && !digit_at(point + 1)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(number);
}

Value to_value(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return {};
    case YamlNode::Kind::kScalar: {
      double number = 0;
      if (node.plain && node.text == "true") return true;
      if (node.plain && node.text == "false") return false;
      if (node.plain && parse_json_number(node.text, number)) return number;
      return node.text;
    }
    case YamlNode::Kind::kSequence: {
      Value::Array array;
      for (const YamlNode& item : node.items) array.push_back(to_value(item));
      return array;
    }
    case YamlNode::Kind::kMap: {
      Value::Object object;
      for (const YamlNode::Member& member : node.members) {
        object.emplace_back(member.key, to_value(member.value));
      }
      return object;
    }
  }
  return {};
}

}  // namespace shanhuo
