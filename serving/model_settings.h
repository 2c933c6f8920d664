// Parameters of the learners by name, as `--set KEY=VALUE` gives them to `evaluate`.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "models/als.h"
#include "models/history_softmax.h"

namespace shanhuo {

struct ModelSettings {
  AlsOptions als;
  HistorySoftmaxOptions softmax;
};

// "als.dims=64", "softmax.temperature=0.1"; the rest keep their defaults. kInvalid names what is
// unknown and what is allowed; ranges are the learners' own to check.
Result<ModelSettings> read_model_settings(const std::vector<std::string>& settings);

// "softmax.dims=64 softmax.temperature=0.08 ...": all of them.
std::string describe(const ModelSettings& settings);

}  // namespace shanhuo
