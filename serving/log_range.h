// LogRangeReader: the records of one topic of a log between two offsets and two times, partitions
// merged as the fold would see them. What the log had when it was opened, and no more.
//
// One thread; the log must outlive it.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "streaming/event_log.h"

namespace shanhuo {

// Of offsets (of every partition) and of acceptance times; both must hold. Ends are exclusive.
struct LogRange {
  int64_t from_offset = 0;
  int64_t to_offset = std::numeric_limits<int64_t>::max();
  Millis from{std::numeric_limits<int64_t>::min()};
  Millis to{std::numeric_limits<int64_t>::max()};
};

class LogRangeReader {
 public:
  // kNotFound when the range begins past the end, or before what retention has left, unless it
  // begins at 0.
  static Result<LogRangeReader> open(EventLog& log, Topic topic, const LogRange& range);

  // The next record, valid until the next call; nullptr at the end. kIo when the log gives nothing
  // for ten seconds.
  Result<const LogRecord*> next();
  double share_done() const;  // 0..1

 private:
  explicit LogRangeReader(const LogRange& range) : range_(range) {}
  Result<bool> poll();

  LogRange range_;
  std::vector<int64_t> begins_, stops_;  // by partition
  std::unique_ptr<LogReader> reader_;
  std::vector<LogRecord> records_;
  size_t at_ = 0;
};

}  // namespace shanhuo
