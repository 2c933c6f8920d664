// Logs that are read without an engine: by `replay --from-log` and `train`.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "serving/cli.h"
#include "streaming/event_log.h"

namespace shanhuo {

// The log of a data folder or of a backup, which nobody else may have open (kConflict), or "kafka":
// the topics of --config, which an engine may be using. `clock` must outlive it.
Result<std::unique_ptr<EventLog>> open_log_source(const std::string& from, const Clock& clock,
                                                  const CliArguments& arguments);

}  // namespace shanhuo
