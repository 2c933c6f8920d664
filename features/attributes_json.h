// Attributes as JSON text again: compact, members in their order. Numbers are the shortest that
// read back as the same double. Recurses as deep as the value, which its parser has bounded.
#pragma once

#include <string>

#include "base/json_writer.h"
#include "features/attributes.h"

namespace shanhuo {

void write_value(JsonWriter& json, const AttributeView& value);
inline void write_value(JsonWriter& json, const Value& value) {
  write_value(json, AttributeView::of(value));
}

std::string json_text(const AttributeView& value);
inline std::string json_text(const Value& value) { return json_text(AttributeView::of(value)); }

}  // namespace shanhuo
