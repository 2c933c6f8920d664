#include "features/attributes_json.h"

namespace shanhuo {

void write_value(JsonWriter& json, const AttributeView& value) {
  switch (value.kind()) {
    case AttributeKind::kNull:
      return json.null();
    case AttributeKind::kBool:
      return json.value(value.as_bool());
    case AttributeKind::kNumber:
      return json.value(value.as_number());
    case AttributeKind::kText:
      return json.value(value.as_text());
    case AttributeKind::kArray:
      json.begin_array();
      for (size_t i = 0; i < value.size(); ++i) write_value(json, value.element(i));
      return json.end_array();
    case AttributeKind::kObject:
      json.begin_object();
      for (const auto& [name, member] : value.members()) {
        json.key(name);
        write_value(json, member);
      }
      return json.end_object();
  }
}

std::string json_text(const AttributeView& value) {
  std::string out;
  JsonWriter json(out);
  write_value(json, value);
  return out;
}

}  // namespace shanhuo
