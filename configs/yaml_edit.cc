// The idea. parse_yaml() says where each value begins; where it ends follows from its first byte:
// the closing quote, the matching bracket, or as many bytes as the plain scalar has. Those are the
// spans that edits replace, applied from the last to the first so that places stay true.
//
// Tested by: tests/configs_yaml_edit_test.cc, which also changes the shipped programs at random and
// reads them back.
#include "configs/yaml_edit.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/json_writer.h"
#include "configs/reader.h"
#include "configs/yaml.h"

namespace shanhuo {
namespace {

bool plain_text(std::string_view text) {
  static constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off"};
  if (parse_rfc3339(text)) return true;
  if (text.empty() || text.back() == ' ') return false;
  const auto letter = [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) > 0xC2;
  };
  if (!letter(text.front())) return false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && std::isalnum(byte) == 0 && c != '_' && c != '-' && c != '.' && c != ' ') {
      return false;
    }
  }
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(std::begin(kWords), std::end(kWords), lower) == std::end(kWords);
}

std::string spelled(std::string_view text) {
  if (plain_text(text)) return std::string(text);
  std::string out;
  JsonWriter(out).value(text);  // a double-quoted scalar
  return out;
}

std::string flow(const Value& value) {
  std::string out;
  if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      out += (out.empty() ? "" : ", ") + spelled(key) + ": " + flow(member);
    }
    return "{" + out + "}";
  }
  if (value.is_array()) {
    for (const Value& element : value.as_array()) out += (out.empty() ? "" : ", ") + flow(element);
    return "[" + out + "]";
  }
  if (value.is_text()) return spelled(value.as_text());
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_null()) return "null";
  JsonWriter(out).value(value.as_number());
  return out;
}

// A list of maps has a line for each.
bool by_lines(const Value& value) {
  return value.is_array() && !value.as_array().empty() &&
         std::all_of(value.as_array().begin(), value.as_array().end(),
                     [](const Value& element) { return element.is_object(); });
}

std::string member_lines(std::string_view key, const Value& value, const std::string& indent) {
  std::string out = indent + spelled(key) + ":";
  if (!by_lines(value)) return out + " " + flow(value) + "\n";
  out += "\n";
  for (const Value& element : value.as_array()) out += indent + "  - " + flow(element) + "\n";
  return out;
}

// The lines before the first key: comments and blanks.
std::string_view first_comments(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && (text[at] == '#' || text[at] == '\n')) {
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  }
  return text.substr(0, at);
}

class Editor {
 public:
  explicit Editor(std::string_view text) : text_(text) {
    const size_t start = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    lines_.push_back(start);
    for (size_t i = start; i < text.size(); ++i) {
      if (text[i] == '\n') lines_.push_back(i + 1);
    }
  }

  // False: this layout is not one to edit in place.
  bool change(const YamlNode& node, const Value& wanted) {
    if (same_value(to_value(node), wanted)) return true;
    if (node.kind == YamlNode::Kind::kMap && wanted.is_object() && !node.members.empty()) {
      const std::optional<bool> done = change_map(node, wanted);
      if (done) return *done;
    }
    if (node.kind == YamlNode::Kind::kSequence && wanted.is_array() &&
        node.items.size() == wanted.as_array().size()) {
      for (size_t i = 0; i < node.items.size(); ++i) {
        if (!change(node.items[i], wanted.as_array()[i])) return false;
      }
      return true;
    }
    if (node.kind == YamlNode::Kind::kSequence && !is_flow(node) && by_lines(wanted)) {
      return change_items(node, wanted);
    }
    return replace(node, wanted);
  }

  std::string result() {
    std::stable_sort(edits_.begin(), edits_.end(),
                     [](const Edit& a, const Edit& b) { return a.from > b.from; });
    std::string out(text_);
    for (const Edit& edit : edits_) out.replace(edit.from, edit.to - edit.from, edit.with);
    return out;
  }

 private:
  struct Edit {
    size_t from, to;
    std::string with;
  };

  size_t offset(int line, int column) const {
    size_t at = lines_[static_cast<size_t>(line) - 1];
    const auto inside = [&](size_t i) {
      return i < text_.size() && (static_cast<uint8_t>(text_[i]) & 0xC0U) == 0x80U;
    };
    for (int i = 1; i < column; ++i) {
      for (++at; inside(at); ++at) {
      }
    }
    return at;
  }
  size_t start(const YamlNode& node) const { return offset(node.line, node.column); }
  bool is_flow(const YamlNode& node) const {
    const size_t at = start(node);
    return at < text_.size() && (text_[at] == '{' || text_[at] == '[');
  }

  size_t quote_end(size_t at) const {  // npos: it does not close
    const char quote = text_[at];
    for (size_t i = at + 1; i < text_.size(); ++i) {
      if (quote == '"' && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        if (quote == '\'' && text_.substr(i + 1).starts_with('\'')) {
          ++i;
        } else {
          return i + 1;
        }
      }
    }
    return std::string_view::npos;
  }

  size_t bracket_end(size_t at) const {
    int depth = 0;
    while (at < text_.size()) {
      const char c = text_[at];
      const bool opens_word =
          at == 0 || std::string_view(" \n\t,:{[").find(text_[at - 1]) != std::string_view::npos;
      if ((c == '"' || c == '\'') && opens_word) {
        at = quote_end(at);
        continue;
      }
      if (c == '#' && opens_word) {
        at = std::min(text_.find('\n', at), text_.size());
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return at + 1;
      ++at;
    }
    return std::string_view::npos;
  }

  // One past the node's last byte; nullopt when that cannot be told.
  std::optional<size_t> end(const YamlNode& node) const {
    const size_t at = start(node);
    if (at >= text_.size()) return std::nullopt;
    size_t stop = std::string_view::npos;
    if (text_[at] == '{' || text_[at] == '[') {
      stop = bracket_end(at);
    } else if (node.kind == YamlNode::Kind::kMap) {
      return end(node.members.back().value);
    } else if (node.kind == YamlNode::Kind::kSequence) {
      return end(node.items.back());
    } else if (text_[at] == '"' || text_[at] == '\'') {
      stop = quote_end(at);
    } else if (node.kind == YamlNode::Kind::kScalar && text_.substr(at).starts_with(node.text)) {
      stop = at + node.text.size();
    } else if (text_.substr(at).starts_with("null") || text_.substr(at).starts_with("~")) {
      stop = at + (text_[at] == '~' ? 1 : 4);
    }
    if (stop == std::string_view::npos || stop == at) return std::nullopt;
    return stop;
  }

  size_t line_start(size_t at) const {
    return at == 0 ? 0 : std::min(text_.rfind('\n', at - 1) + 1, at);
  }
  size_t next_line(size_t at) const {
    const size_t found = text_.find('\n', at);
    return found == std::string_view::npos ? text_.size() : found + 1;
  }

  // New lines after the line that holds `at`.
  void insert_lines(size_t at, std::string lines) {
    const size_t to = next_line(at);
    if (to == text_.size() && !text_.ends_with('\n')) {
      lines.insert(0, "\n");
      lines.pop_back();
    }
    edits_.push_back({to, to, std::move(lines)});
  }

  bool replace(const YamlNode& node, const Value& wanted) {
    const std::optional<size_t> stop = end(node);
    if (!stop) return false;
    edits_.push_back({start(node), *stop, flow(wanted)});
    return true;
  }

  // nullopt: other keys, and no lines of their own: to be replaced whole.
  std::optional<bool> change_map(const YamlNode& node, const Value& wanted) {
    std::string added;
    const std::string indent(static_cast<size_t>(node.members.front().column) - 1, ' ');
    bool other_keys = false;
    for (const auto& [key, value] : wanted.as_object()) {
      if (node.find(key) != nullptr) continue;
      added += member_lines(key, value, indent);
      other_keys = true;
    }
    for (const YamlNode::Member& member : node.members) {
      other_keys = other_keys || wanted.find(member.key) == nullptr;
    }
    if (other_keys && is_flow(node)) return std::nullopt;
    for (const YamlNode::Member& member : node.members) {
      const Value* value = wanted.find(member.key);
      if (value == nullptr ? !remove(member) : !change(member.value, *value)) return false;
    }
    const std::optional<size_t> last = end(node);
    if (!added.empty() && !last) return false;
    if (!added.empty()) insert_lines(*last - 1, added);
    return true;
  }

  bool remove(const YamlNode::Member& member) {
    const std::optional<size_t> stop = end(member.value);
    if (!stop) return false;
    edits_.push_back({line_start(offset(member.line, member.column)), next_line(*stop - 1), ""});
    return true;
  }

  // A list by lines that grows or shrinks at its end.
  bool change_items(const YamlNode& node, const Value& wanted) {
    const Value::Array& values = wanted.as_array();
    const size_t shared = std::min(values.size(), node.items.size());
    for (size_t i = 0; i < shared; ++i) {
      if (!change(node.items[i], values[i])) return false;
    }
    for (size_t i = shared; i < node.items.size(); ++i) {
      const std::optional<size_t> stop = end(node.items[i]);
      if (!stop) return false;
      edits_.push_back({line_start(start(node.items[i])), next_line(*stop - 1), ""});
    }
    const size_t from = line_start(start(node.items.front()));
    const size_t dash = text_.find('-', from);
    const std::optional<size_t> stop = end(node);
    if (dash == std::string_view::npos || !stop) return false;
    std::string added;
    for (size_t i = shared; i < values.size(); ++i) {
      added += std::string(dash - from, ' ') + "- " + flow(values[i]) + "\n";
    }
    if (!added.empty()) insert_lines(*stop - 1, added);
    return true;
  }

  const std::string_view text_;
  std::vector<size_t> lines_;  // offsets of their first bytes
  std::vector<Edit> edits_;
};

bool says(const std::string& text, const Value& wanted) {
  ConfigErrors errors;
  YamlNode root;
  return parse_yaml(text, "", root, errors) && same_value(to_value(root), wanted);
}

}  // namespace

std::string yaml_of(const Value& wanted) {
  std::string out;
  for (const auto& [key, value] : wanted.as_object()) out += member_lines(key, value, "");
  return out;
}

Result<std::string> yaml_with(std::string_view text, const Value& wanted) {
  ConfigErrors errors;
  YamlNode root;
  if (!parse_yaml(text, "", root, errors)) {
    return Error{ErrorCode::kInvalid, errors.front().to_string()};
  }
  Editor editor(text);
  if (root.kind == YamlNode::Kind::kMap && editor.change(root, wanted)) {
    std::string edited = editor.result();
    if (says(edited, wanted)) return edited;
  }
  std::string anew = std::string(first_comments(text)) + yaml_of(wanted);
  if (says(anew, wanted)) return anew;
  return Error{ErrorCode::kInvalid, "YAML cannot say this: control characters, or too deep"};
}

Value merged(const Value& target, const Value& patch) {
  if (!patch.is_object()) return patch;
  Value::Object out;
  if (target.is_object()) out = target.as_object();
  for (const Value::Member& entry : patch.as_object()) {
    const std::string& key = entry.first;
    const Value& change = entry.second;
    const auto found = std::find_if(
        out.begin(), out.end(), [&](const Value::Member& member) { return member.first == key; });
    if (change.is_null()) {
      if (found != out.end()) out.erase(found);
    } else if (found != out.end()) {
      found->second = merged(found->second, change);
    } else {
      out.emplace_back(key, merged(Value(), change));
    }
  }
  return out;
}

std::string differences(const Value& before, const Value& after) {
  std::string out;
  const auto say = [&](const std::string& key, const Value* from, const Value* to) {
    out += (out.empty() ? "" : "; ") + key + ": " + (from == nullptr ? "none" : flow(*from)) +
           " -> " + (to == nullptr ? "none" : flow(*to));
  };
  if (before.is_object()) {
    for (const auto& [key, value] : before.as_object()) {
      const Value* now = after.find(key);
      if (now == nullptr || !same_value(value, *now)) say(key, &value, now);
    }
  }
  if (after.is_object()) {
    for (const auto& [key, value] : after.as_object()) {
      if (before.find(key) == nullptr) say(key, nullptr, &value);
    }
  }
  return out;
}

bool same_value(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  if (a.is_array()) {
    return std::equal(a.as_array().begin(), a.as_array().end(), b.as_array().begin(),
                      b.as_array().end(), same_value);
  }
  if (!a.is_object()) return a == b;
  return a.as_object().size() == b.as_object().size() &&
         std::all_of(a.as_object().begin(), a.as_object().end(), [&](const Value::Member& member) {
           const Value* other = b.find(member.first);
           return other != nullptr && same_value(member.second, *other);
         });
}

}  // namespace shanhuo
