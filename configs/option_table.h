// Inside the table of engine.yaml (engine_options.h): one row a key, in the order of the file.
// Each function adds some sections to `table`, with targets in `o`.
#pragma once

#include <vector>

#include "configs/engine_options.h"

namespace shanhuo {

inline constexpr double kMaxInt = 2'000'000'000;
inline constexpr double kDayMs = 86'400'000;

void add_models(EngineOptions& o, std::vector<Option>& table);
void add_vectors(EngineOptions& o, std::vector<Option>& table);
void add_ranking(EngineOptions& o, std::vector<Option>& table);
void add_exploration(EngineOptions& o, std::vector<Option>& table);
void add_prices(EngineOptions& o, std::vector<Option>& table);

}  // namespace shanhuo
