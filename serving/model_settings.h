// Parameters of the learners by name, as `--set KEY=VALUE` gives them to `evaluate` and
// `train`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "models/als.h"
#include "models/graph_filter.h"
#include "models/history_softmax.h"
#include "models/text_map.h"

namespace shanhuo {

struct ModelSettings {
  AlsOptions als;
  HistorySoftmaxOptions softmax;
  GraphFilterOptions filter;
  TextMapOptions text;
  double evidence_half = 10;  // VectorModelParts
  // Of what is popular lately, beside taste (evaluate_grocery.cc).
  double trend = 1;        // weight of the logarithm
  double trend_days = 20;  // in which a count halves
};

// "als.dims=64", "softmax.temperature=0.1"; the rest stay as in `defaults`. kInvalid names what is
// unknown and what is allowed; ranges are the learners' own to check.
Result<ModelSettings> read_model_settings(const std::vector<std::string>& settings,
                                          const ModelSettings& defaults = {});

// All of them, by name.
std::vector<std::pair<std::string, double>> list(const ModelSettings& settings);

// "softmax.dims=64 softmax.temperature=0.08 ...": all of them.
std::string describe(const ModelSettings& settings);

}  // namespace shanhuo
