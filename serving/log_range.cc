#include "serving/log_range.h"

#include <algorithm>
#include <string>
#include <utility>

namespace shanhuo {
namespace {

constexpr size_t kPollRecords = 1'000;
constexpr int kPollTimeoutMs = 100;
constexpr int kPollsMax = 100;  // without an answer

}  // namespace

Result<LogRangeReader> LogRangeReader::open(EventLog& log, Topic topic, const LogRange& range) {
  LogRangeReader made(range);
  bool any = false;
  std::vector<LogPosition> from;
  for (uint32_t p = 0; p < log.partitions(topic); ++p) {
    const int64_t first = log.first_offset(topic, p);
    const int64_t end = log.end_offset(topic, p);
    if (range.from_offset > 0 && range.from_offset < first) {
      return Error{ErrorCode::kNotFound, "the log begins at offset " + std::to_string(first) +
                                             ", what was before has been dropped by retention"};
    }
    any = any || range.from_offset < end;
    made.begins_.push_back(std::clamp(range.from_offset, first, end));
    made.stops_.push_back(std::clamp(range.to_offset, made.begins_.back(), end));
    from.push_back({p, made.begins_.back()});
  }
  if (!any) return Error{ErrorCode::kNotFound, "the log ends before the range begins"};
  Result<std::unique_ptr<LogReader>> reader = log.read(topic, from);
  if (!reader.ok()) return reader.error();
  made.reader_ = std::move(reader).value();
  return made;
}

// The next records; false when the reader stands at all ends.
Result<bool> LogRangeReader::poll() {
  at_ = 0;
  for (int polls = 0; polls < kPollsMax; ++polls) {
    bool done = true;
    for (uint32_t p = 0; p < stops_.size(); ++p) done = done && reader_->position(p) >= stops_[p];
    if (done) return false;
    const Status polled = reader_->poll(kPollRecords, kPollTimeoutMs, records_);
    if (!polled.ok() && polled.error().code != ErrorCode::kIo) return polled.error();
    if (polled.ok() && !records_.empty()) return true;
  }
  return Error{ErrorCode::kIo, "the log does not answer"};
}

Result<const LogRecord*> LogRangeReader::next() {
  for (;;) {
    if (at_ == records_.size()) {
      records_.clear();
      const Result<bool> more = poll();
      if (!more.ok()) return more.error();
      if (!more.value()) return nullptr;
    }
    const LogRecord& record = records_[at_++];
    if (record.offset < stops_[record.partition] && record.accepted_at >= range_.from &&
        record.accepted_at < range_.to) {
      return &record;
    }
  }
}

double LogRangeReader::share_done() const {
  int64_t done = 0, all = 0;
  for (uint32_t p = 0; p < stops_.size(); ++p) {
    done += std::min(reader_->position(p), stops_[p]) - begins_[p];
    all += stops_[p] - begins_[p];
  }
  return all == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(all);
}

}  // namespace shanhuo
