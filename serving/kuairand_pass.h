// One pass over KuaiRand in time order: each click is predicted before anything of it is known.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "models/probability_map.h"
#include "models/value_model.h"
#include "serving/kuairand_data.h"
#include "serving/kuairand_features.h"
#include "serving/prequential.h"

namespace shanhuo {

enum class ClickPredictor : uint8_t { kConstant, kModel };  // kConstant: the click rate so far

struct ClickContestant {
  std::string name;
  ClickPredictor predictor = ClickPredictor::kModel;
  KuaiRandFeatureSet features = KuaiRandFeatureSet::kCrosses;
  ValueModelOptions model;
  bool factored = false;  // ids have factors besides their weights
  bool mapped = false;    // through a probability map
};

// When what was seen becomes known; Millis(0): at once, else at the next multiple of it.
struct ClickFreshness {
  Millis viewers{0};  // what viewers did
  Millis content{0};  // rates of videos, authors, tags
  Millis model{0};    // the weights and the map
};

struct ClickPass {
  std::vector<Prediction> predictions;     // one an impression, in their order
  std::vector<ProbabilityMap::Point> map;  // at the end
};

inline constexpr size_t kLearnForEver = std::numeric_limits<size_t>::max();

// Learns nothing of the impressions from `learn_until` on. `progress` is called now and then, with
// how many impressions were predicted since the last call. Deterministic, one thread.
ClickPass run_clicks(const KuaiRandData& data, const ClickContestant& contestant,
                     const ClickFreshness& freshness, size_t learn_until,
                     const std::function<void(size_t)>& progress);

}  // namespace shanhuo
