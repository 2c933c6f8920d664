// `shanhuo rebuild`: the whole state of a stopped engine again, from its log alone.
//
// Folds the log from its first record into the folder state.rebuilding beside state/, writes a
// checkpoint, and changes the names: the state that was there is kept as state.before. Until then
// nothing of the old state is touched; an interrupted rebuild is begun anew.
//
// Where engines share the data folder (member.h) the fresh state gets the next number instead:
// whoever leads is fenced, and goes on from the rebuilt state.
//
// What comes out is what the live run had, to the byte, but for what is no function of the log:
// prices and calibration (docs/decisions.md). A log that retention has cut is refused: a state from
// the rest of it would lack what was before.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "configs/engine_options.h"

namespace shanhuo {

struct RebuildSummary {
  uint64_t records = 0;  // of the items and interactions topics
  uint64_t viewers = 0;
  double seconds = 0;
  std::string before;  // where the old state is; empty: there was none
};

// kConflict when an engine is running on the data folder.
Result<RebuildSummary> rebuild_state(EngineOptions options, const std::string& config_dir,
                                     const Clock& clock);

}  // namespace shanhuo
