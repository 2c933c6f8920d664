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
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "serving/log_range.h"
#include "serving/replay.h"
#include "streaming/codec.h"

namespace shanhuo {

class LogLines final : public LineSource {
 public:
  // Errors of LogRangeReader::open().
  static Result<std::unique_ptr<LogLines>> open(EventLog& log, const LogRange& range);

  Result<bool> next(std::string& line) override;
  uint64_t number() const override { return number_; }  // the record's offset
  double share_done() const override { return reader_.share_done(); }

  uint64_t forgotten() const { return forgotten_count_; }  // events left out
  uint64_t undecodable() const { return undecodable_; }

 private:
  using Forgotten = std::unordered_map<uint64_t, int64_t>;  // hash64(user_id) -> last offset
  LogLines(LogRangeReader reader, Forgotten forgotten)
      : reader_(std::move(reader)), forgotten_(std::move(forgotten)) {}
  static Result<Forgotten> find_forgotten(EventLog& log, int64_t from_offset);

  LogRangeReader reader_;
  const Forgotten forgotten_;
  EventDecoder decoder_;
  uint64_t number_ = 0, forgotten_count_ = 0, undecodable_ = 0;
};

}  // namespace shanhuo
