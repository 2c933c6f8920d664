// A viewer met a variation of an experiment: the record that an engine puts on the interactions log
// under the viewer's key, so that results are folded from it exactly once and can be replayed.
//
//   exposure := version:u8(1) phase:u32 at_ms:i64 experiment:text variation:text
//   text     := bytes:varint | bytes                                         little-endian
//
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace shanhuo {

// Views point into what it was decoded from.
struct ExperimentExposure {
  std::string_view experiment, variation;  // id and key
  uint32_t phase = 0;                      // Experiment::phase
  Millis at;                               // engine time
};

std::string encode_exposure(const ExperimentExposure& exposure);
// nullopt: the bytes do not hold.
std::optional<ExperimentExposure> decode_exposure(std::string_view bytes);

}  // namespace shanhuo
