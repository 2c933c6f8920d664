// yaml-cpp parses into events; this file turns them into YamlNodes. Working on events instead of
// YAML::Node is what lets us refuse duplicate keys, aliases and tags, which a Node hides.
// yaml-cpp's exceptions end here.
#include "configs/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

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

// Builds the tree. A stack of open containers; a map alternates between its key and its value.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(YamlNode& root) : root_(root) {}

  void OnDocumentStart(const YAML::Mark&) override {}
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
    map.members.push_back({key, mark.line + 1, mark.column + 1, {}});
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
    node->column = mark.column + 1;
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
  std::vector<Open>
      open_;  // nodes stay where they are: a parent grows only after its child has closed
};

}  // namespace

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
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(root);
    if (!parser.HandleNextDocument(builder)) return true;
    YamlNode second;
    TreeBuilder beyond(second);
    if (parser.HandleNextDocument(beyond)) return fail(0, 0, "more than one document");
    return true;
  } catch (const Refused& refused) {
    return fail(refused.mark.line + 1, refused.mark.column + 1, refused.message);
  } catch (const YAML::Exception& error) {
    return fail(error.mark.line + 1, error.mark.column + 1, "not YAML: " + error.msg);
  } catch (const std::exception& error) {
    return fail(0, 0, std::string("not YAML: ") + error.what());
  }
}

bool parse_json_number(std::string_view text, double& number) {
  std::string_view digits = text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return false;
  if (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') return false;
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
