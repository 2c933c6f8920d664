#include "configs/config_edit.h"

#include <algorithm>

#include "base/check.h"
#include "configs/yaml_edit.h"

namespace shanhuo {

ConfigEdit whole_file(std::string text) {
  return [text = std::move(text)](std::string_view) -> Result<std::string> { return text; };
}

ConfigEdit whole_definition(Value definition) {
  return [definition = std::move(definition)](std::string_view text) -> Result<std::string> {
    if (text.empty()) return yaml_of(definition);
    Result<std::string> edited = yaml_with(text, definition);
    return edited.ok() ? std::move(edited) : yaml_of(definition);  // what is there is no YAML
  };
}

ConfigEdit definition_patch(Value patch, ConfigCheck reads) {
  return [patch = std::move(patch),
          reads = std::move(reads)](std::string_view text) -> Result<std::string> {
    if (text.empty()) return Error{ErrorCode::kNotFound, "there is no such file"};
    ConfigErrors errors;
    YamlNode root;
    if (!reads(text, errors) || !parse_yaml(text, "", root, errors)) {
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

std::string with_enabled(std::string_view text, bool enabled) {
  ConfigErrors errors;
  YamlNode root;
  CHECK(parse_yaml(text, "", root, errors));
  const auto offset_of = [&](int line, int column) {
    size_t at = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    for (int i = 1; i < line; ++i) at = text.find('\n', at) + 1;
    const auto inside = [&](size_t i) { return (static_cast<uint8_t>(text[i]) & 0xC0U) == 0x80U; };
    for (int i = 1; i < column; ++i) {
      for (++at; at < text.size() && inside(at); ++at) {
      }
    }
    return at;
  };
  std::string out(text);
  const std::string word = enabled ? "true" : "false";
  if (const YamlNode* node = root.find("enabled")) {
    out.replace(offset_of(node->line, node->column), node->text.size(), word);
    return out;
  }
  const size_t start = offset_of(root.line, root.column);
  if (out[start] == '{') {  // the whole file is one {...}
    out.insert(start + 1, "enabled: " + word + ", ");
    return out;
  }
  // In front of the key after `id`, or of `id` when that is the last one: a line of its own.
  auto next = std::find_if(root.members.begin(), root.members.end(),
                           [](const YamlNode::Member& member) { return member.key == "id"; });
  if (next + 1 != root.members.end()) ++next;
  const std::string indent(static_cast<size_t>(root.column) - 1, ' ');
  out.insert(offset_of(next->line, 1), indent + "enabled: " + word + "\n");
  return out;
}

}  // namespace shanhuo
