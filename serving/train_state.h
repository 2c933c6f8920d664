// A training that is under way, on disk, so that it can go on after a kill: one file beside the
// models, replaced whole after every round.
//
//   state := "shtrain1" | fingerprint u64 | phase u32 | rounds u32
//            | metrics u32 | (bytes varint | name | f64){metrics} | floats u64{4}
//            | SHA-256 of each of the arrays, 4 x 64 hex digits | SHA-256 of all before this
//            | f32{floats} x 4                                            all numbers little endian
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "serving/model_folder.h"

namespace shanhuo {

struct TrainState {
  enum class Phase : uint32_t { kJudged, kFinal };  // without what is held out, and with it
  static constexpr size_t kTables = 4;

  Phase phase = Phase::kJudged;
  int rounds = 0;                                  // of this phase that are done
  ModelFacts::Numbers metrics;                     // of the first phase, when it is done
  std::array<std::vector<float>, kTables> tables;  // what the learner knows
};

class TrainStateFile {
 public:
  // `fingerprint`: of the data and the parameters, which a state belongs to.
  TrainStateFile(std::string path, uint64_t fingerprint)
      : path_(std::move(path)), fingerprint_(fingerprint) {}

  // Nothing when there is no file. kConflict: it belongs to other data or parameters; kCorrupt.
  Result<std::optional<TrainState>> load() const;
  Status save(const TrainState& state) const;  // durable when it returns
  void remove() const;

 private:
  Result<TrainState> read(std::string_view bytes) const;

  const std::string path_;
  const uint64_t fingerprint_;
};

}  // namespace shanhuo
