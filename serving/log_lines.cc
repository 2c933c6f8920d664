#include "serving/log_lines.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace shanhuo {
namespace {

constexpr size_t kPollRecords = 1'000;
constexpr int kPollTimeoutMs = 100;
constexpr int kPollsMax = 100;  // without an answer

}  // namespace

Result<std::unique_ptr<LogLines>> LogLines::open(EventLog& log, const LogRange& range) {
  std::unique_ptr<LogLines> lines(new LogLines(log, range));
  bool any = false;
  for (uint32_t p = 0; p < log.partitions(Topic::kInteractions); ++p) {
    const int64_t first = log.first_offset(Topic::kInteractions, p);
    const int64_t end = log.end_offset(Topic::kInteractions, p);
    if (range.from_offset > 0 && range.from_offset < first) {
      return Error{ErrorCode::kNotFound, "the log begins at offset " + std::to_string(first) +
                                             ", what was before has been dropped by retention"};
    }
    any = any || range.from_offset < end;
    lines->begins_.push_back(std::clamp(range.from_offset, first, end));
    lines->ends_.push_back(end);
    lines->stops_.push_back(std::clamp(range.to_offset, lines->begins_.back(), end));
  }
  if (!any) return Error{ErrorCode::kNotFound, "the log ends before the range begins"};
  if (const Status found = lines->find_forgotten(); !found.ok()) return found.error();
  Result<std::unique_ptr<LogReader>> reader = lines->read();
  if (!reader.ok()) return reader.error();
  lines->reader_ = std::move(reader).value();
  return lines;
}

Result<std::unique_ptr<LogReader>> LogLines::read() const {
  std::vector<LogPosition> from;
  for (uint32_t p = 0; p < begins_.size(); ++p) from.push_back({p, begins_[p]});
  return log_.read(Topic::kInteractions, from);
}

// The next records; false when the reader stands at all of `stops`.
Result<bool> LogLines::poll(LogReader& reader, const std::vector<int64_t>& stops) {
  at_ = 0;
  for (int polls = 0; polls < kPollsMax; ++polls) {
    bool done = true;
    for (uint32_t p = 0; p < stops.size(); ++p) done = done && reader.position(p) >= stops[p];
    if (done) return false;
    const Status polled = reader.poll(kPollRecords, kPollTimeoutMs, records_);
    if (!polled.ok() && polled.error().code != ErrorCode::kIo) return polled.error();
    if (polled.ok() && !records_.empty()) return true;
  }
  return Error{ErrorCode::kIo, "the log does not answer"};
}

Status LogLines::find_forgotten() {
  const Result<std::unique_ptr<LogReader>> reader = read();
  if (!reader.ok()) return reader.error();
  for (;;) {
    const Result<bool> more = poll(*reader.value(), ends_);
    if (!more.ok()) return more.error();
    if (!more.value()) break;
    for (const LogRecord& record : records_) {
      if (record.content == ContentType::kForget) forgotten_[hash64(record.key)] = record.offset;
    }
  }
  records_.clear();
  return {};
}

bool LogLines::wanted(const LogRecord& record) {
  return record.offset < stops_[record.partition] && record.accepted_at >= range_.from &&
         record.accepted_at < range_.to && record.content != ContentType::kForget;
}

Result<bool> LogLines::next(std::string& line) {
  for (;;) {
    if (at_ == records_.size()) {
      const Result<bool> more = poll(*reader_, stops_);
      if (!more.ok() || !more.value()) return more;
    }
    const LogRecord& record = records_[at_++];
    if (!wanted(record)) continue;
    Interaction event;
    if (!decoder_.decode_record(record, event).empty()) {
      ++undecodable_;
      continue;
    }
    const auto gone = forgotten_.find(hash64(event.user_id));
    if (gone != forgotten_.end() && record.offset < gone->second) {
      ++forgotten_count_;
      continue;
    }
    number_ = static_cast<uint64_t>(record.offset);
    line.clear();
    JsonWriter json(line);
    write_event_json(json, event);
    return true;
  }
}

double LogLines::share_done() const {
  int64_t done = 0, all = 0;
  for (uint32_t p = 0; p < stops_.size(); ++p) {
    done += std::min(reader_->position(p), stops_[p]) - begins_[p];
    all += stops_[p] - begins_[p];
  }
  return all == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(all);
}

}  // namespace shanhuo
