// Interactions of a log as lines for `shanhuo replay` (replay.h): each record as the contract's
// JSON, partitions merged as the fold would see them.
//
// Who was forgotten stays forgotten: events that stand before a viewer's forget record, wherever in
// the log that is, are left out and counted, and so is what is no event. Needs one pass over the
// log for the forget records before the first line.
//
// One thread; the log must outlive the lines.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/json_writer.h"
#include "base/result.h"
#include "serving/replay.h"
#include "streaming/codec.h"
#include "streaming/event_log.h"

namespace shanhuo {

// Of offsets (of every partition) and of acceptance times; both must hold. Ends are exclusive.
struct LogRange {
  int64_t from_offset = 0;
  int64_t to_offset = std::numeric_limits<int64_t>::max();
  Millis from{std::numeric_limits<int64_t>::min()};
  Millis to{std::numeric_limits<int64_t>::max()};
};

class LogLines final : public LineSource {
 public:
  // What the log has now. kNotFound when the range begins past its end, or before what retention
  // has left, unless it begins at 0.
  static Result<std::unique_ptr<LogLines>> open(EventLog& log, const LogRange& range);

  Result<bool> next(std::string& line) override;
  uint64_t number() const override { return number_; }  // the record's offset
  double share_done() const override;

  uint64_t forgotten() const { return forgotten_count_; }  // events left out
  uint64_t undecodable() const { return undecodable_; }

 private:
  LogLines(EventLog& log, const LogRange& range) : log_(log), range_(range) {}
  Result<std::unique_ptr<LogReader>> read() const;
  Status find_forgotten();
  Result<bool> poll(LogReader& reader, const std::vector<int64_t>& stops);
  bool wanted(const LogRecord& record);

  EventLog& log_;
  const LogRange range_;
  std::vector<int64_t> begins_, stops_, ends_;  // by partition; ends_: of the log
  std::unique_ptr<LogReader> reader_;
  std::vector<LogRecord> records_;
  size_t at_ = 0;
  std::unordered_map<uint64_t, int64_t> forgotten_;  // hash64(user_id) -> offset of the last record
  EventDecoder decoder_;
  uint64_t number_ = 0, forgotten_count_ = 0, undecodable_ = 0;
};

}  // namespace shanhuo
