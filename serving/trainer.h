// From choices to a model that serves: trains once without the last choice of some viewers, judges
// how well lists find it, and then trains on everything; a map from text is learned beside both.
//
// Judged as it will serve, by VectorModel: a viewer by its last kRecentItems choices, items blended
// with their text. Metrics, each a number of the manifest:
//
//   judged_viewers        who had their last choice hidden; none: the others are missing
//   recall@20, ndcg@20    of the hidden one among all that the viewer had not chosen before; as one
//                         is hidden a viewer, Recall@20 is HR@20
//   hr@5                  the same among the first five
//   popular_recall@20     of the items with most viewers, for comparison
//   text_items            items hidden from the map, a tenth of those with text and evidence
//   text_cosine           mean cosine of their mapped and their trained vectors
//   text_cosine_mean      that of the mean of all trained vectors, for comparison
//
// Deterministic: the same bytes for the same data and parameters on one machine, whether in one run
// or resumed after any round. Owns its threads.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "serving/model_settings.h"
#include "serving/train_data.h"
#include "serving/train_state.h"

namespace shanhuo {

struct TrainOptions {
  VectorModelKind kind = VectorModelKind::kHistorySoftmax;
  ModelSettings settings = served_settings();
  bool judged = true;                  // false: trains once, and there are no metrics
  size_t judged_viewers_max = 10'000;  // drawn
  uint64_t seed = 1;                   // of that draw

  // The learners' defaults, with vectors as they are served.
  static ModelSettings served_settings();
};

// Whether a model of these parameters can be served; kInvalid says which is wrong.
Status check_train_options(const TrainOptions& options);

// Of everything that a training's result depends on.
uint64_t fingerprint(const TrainData& data, const TrainOptions& options);

struct TrainedModel {
  VectorModelParts parts;  // without a version
  ModelFacts facts;
};

// `state`: gone on from, empty to begin; `file` has it after each round. kInvalid when there is
// nothing to learn from, with what is missing; kUnavailable when interrupted (terminal.h).
Result<TrainedModel> train_model(const TrainData& data, const TrainOptions& options,
                                 TrainState state, const TrainStateFile& file);

}  // namespace shanhuo
