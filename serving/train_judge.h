// How well a model that was trained without the last choice of some viewers finds it (trainer.h).
#pragma once

#include <cstdint>
#include <vector>

#include "models/sparse_rows.h"
#include "models/vector_model.h"
#include "serving/model_folder.h"
#include "serving/train_data.h"

namespace shanhuo {

struct HiddenChoices {
  SparseRows rest;                // every viewer's history without what is hidden
  std::vector<uint32_t> viewers;  // whose last choice is, ascending
  std::vector<uint32_t> items;    // of each: what is hidden
};

// Of at most `viewers_max` viewers with two items and more, drawn.
HiddenChoices hide_last(const SparseRows& histories, size_t viewers_max, uint64_t seed);

// The metrics of lists (trainer.h). `evidence`: viewers of each item in `hidden.rest`.
ModelFacts::Numbers judge_lists(const VectorModel& model, const TrainData& data,
                                const HiddenChoices& hidden, const std::vector<uint32_t>& evidence,
                                int threads);

}  // namespace shanhuo
