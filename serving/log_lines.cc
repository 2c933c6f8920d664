#include "serving/log_lines.h"

#include "base/hash.h"
#include "base/json_writer.h"

namespace shanhuo {

Result<std::unique_ptr<LogLines>> LogLines::open(EventLog& log, const LogRange& range) {
  Result<LogRangeReader> reader = LogRangeReader::open(log, Topic::kInteractions, range);
  if (!reader.ok()) return reader.error();
  Result<Forgotten> forgotten = find_forgotten(log, range.from_offset);
  if (!forgotten.ok()) return forgotten.error();
  return std::unique_ptr<LogLines>(
      new LogLines(std::move(reader).value(), std::move(forgotten).value()));
}

// To the log's end, whatever the range's.
Result<LogLines::Forgotten> LogLines::find_forgotten(EventLog& log, int64_t from_offset) {
  LogRange all;
  all.from_offset = from_offset;
  Result<LogRangeReader> reader = LogRangeReader::open(log, Topic::kInteractions, all);
  if (!reader.ok()) return reader.error();
  Forgotten forgotten;
  for (;;) {
    const Result<const LogRecord*> record = reader.value().next();
    if (!record.ok()) return record.error();
    if (record.value() == nullptr) return forgotten;
    if (record.value()->content != ContentType::kForget) continue;
    forgotten[hash64(record.value()->key)] = record.value()->offset;
  }
}

Result<bool> LogLines::next(std::string& line) {
  for (;;) {
    const Result<const LogRecord*> next = reader_.next();
    if (!next.ok()) return next.error();
    if (next.value() == nullptr) return false;
    const LogRecord& record = *next.value();
    if (!is_event(record.content)) continue;
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

}  // namespace shanhuo
