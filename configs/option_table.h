// Inside the table of engine.yaml (engine_options.h): one row a key, in the order of the file.
// Each function adds some sections to `table`, with targets in `o`.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "configs/engine_options.h"

namespace shanhuo {

inline constexpr double kMaxInt = 2'000'000'000;
inline constexpr double kDayMs = 86'400'000;

// Appends rows of one section: add("key", &target, least, most, "unit", "what it is").
struct SectionOf {
  std::vector<Option>& table;
  std::string_view section;

  void operator()(std::string_view key, Option::Target target, double min, double max,
                  std::string_view unit, std::string_view about) const {
    table.push_back({section, key, std::move(target), min, max, unit, about});
  }
};

void add_models(EngineOptions& o, std::vector<Option>& table);
void add_vectors(EngineOptions& o, std::vector<Option>& table);
void add_ranking(EngineOptions& o, std::vector<Option>& table);
void add_exploration(EngineOptions& o, std::vector<Option>& table);
void add_prices(EngineOptions& o, std::vector<Option>& table);

}  // namespace shanhuo
