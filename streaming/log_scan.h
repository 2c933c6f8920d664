// Reads what a log has up to an offset, and no further: for what a start must know before the fold
// goes on. Never returns early because the log is slow to answer.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "streaming/event_log.h"

namespace shanhuo {

// Gives `each` every record of `partition` from the reader's position to `end` (exclusive), in
// order; stops at its first error. kNotFound when the position was dropped by retention, kIo when
// the log gives nothing for ten seconds.
Status scan_to(LogReader& reader, uint32_t partition, int64_t end,
               const std::function<Status(const LogRecord&)>& each);

}  // namespace shanhuo
