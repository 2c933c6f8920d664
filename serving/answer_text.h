// Members of an engine's answer as the verbs print them. What is absent, or of another type, is
// empty, 0 or "-". Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"
#include "serving/terminal.h"
#include "streaming/json.h"

namespace shanhuo {

inline std::string text_member(json::Value object, std::string_view name) {
  std::string_view text;
  object.find(name).get(text);
  return std::string(text);
}

inline double real_of(json::Value value) {
  double number = 0;
  value.get(number);
  return number;
}

inline std::string time_of(json::Value value) {
  int64_t ms = 0;
  return value.get(ms) ? format_time(Millis(ms)) : "-";
}

}  // namespace shanhuo
