// All features, one row each: what the engine keeps of viewers, items, creators, counties and
// programs for ranking and for people who look. The code reader finds here where each is defined,
// operators see the same rows in docs/operators.md (a test compares), and the answers of
// GET /v1/users/{id} and GET /v1/items/{id}?features=1 use these names.
//
// All are functions of the accepted events alone, by event time; those with `engine_time` also of
// what was inserted, at engine time. Immutable.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace shanhuo {

enum class FeatureScope : uint8_t { kViewer, kItem, kCreator, kCounty, kProgram };
std::string_view feature_scope_name(FeatureScope scope);  // "viewer", ...

struct Feature {
  std::string_view name;  // the member of the answer that shows it
  FeatureScope scope;
  std::string_view window;   // or half-life; names the option where it is one
  size_t bytes;              // kept per viewer, item, ... at most; 0: derived when read
  int event_ns;              // about what an event costs for it
  std::string_view missing;  // what it is before any event
  bool engine_time;
  std::string_view defined_in;  // the header that says exactly what it is
  std::string_view zh, en;
};

std::span<const Feature> feature_table();
// A row of docs/operators.md.
std::string feature_row(const Feature& feature);

}  // namespace shanhuo
