// What a log promises. Records of a (topic, partition) are ordered by growing offsets; what an
// append has acknowledged survives kill -9; a poll gives records in offset order, each at least
// once after a seek. Implementations: embedded_log.h (RocksDB, one process; offsets without holes,
// and power loss survived too) and kafka_log.h (transactions and compaction leave holes in the
// offsets; no reader may count on offset + 1). Thread-safe unless said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace shanhuo {

enum class Topic : uint8_t { kItems, kInteractions, kDecisions, kDeadLetters };
inline constexpr int kTopics = 4;
std::string_view topic_name(Topic topic);  // "shanhuo.items", ...

// What a value is and how it is encoded; rides with the record (Kafka: header content-type, absent
// = JSON). kForget, kExposure (features/experiment_exposure.h), under a viewer's key, and kControl
// (features/giving.h) are what the engine itself has to say to the fold. kUnknown and kNewerSchema
// are only ever read, from foreign producers: the record becomes a dead letter. Numbers stand in
// the log.
enum class ContentType : uint8_t {
  kJson,
  kProtobuf,
  kForget,
  kUnknown,
  kNewerSchema,
  kControl,
  kExposure
};
// Whether the engine writes it; what it does not write is no record of its logs.
constexpr bool is_written(ContentType content) {
  return content <= ContentType::kForget || content == ContentType::kControl ||
         content == ContentType::kExposure;
}
// Whether the value is an event, or stands for one that cannot be read.
constexpr bool is_event(ContentType content) {
  return content != ContentType::kForget && content != ContentType::kControl &&
         content != ContentType::kExposure;
}

// "The log chooses each record's partition by its key": equal keys, one partition.
inline constexpr uint32_t kByKey = UINT32_MAX;

// A record to append. `value` and `key` are copied before append() returns. On the items topic an
// empty value is a tombstone: the item called `key` is gone.
struct AppendRecord {
  std::string_view key;  // user_id or item_id
  std::string_view value;
  ContentType content = ContentType::kProtobuf;
};

// A record read. Views are valid until the next poll() of the same reader.
struct LogRecord {
  uint32_t partition = 0;
  int64_t offset = 0;
  Millis accepted_at;      // stamped by the log on append, non-decreasing within a partition
  int64_t durable_ns = 0;  // monotonic_ns() when it was; 0: before this process began, or not known
  ContentType content = ContentType::kProtobuf;
  std::string_view key;
  std::string_view value;
};

struct LogPosition {
  uint32_t partition = 0;
  int64_t next_offset = 0;  // of the record that comes next
};

// Where the records of one append stand in one partition. Records of others may stand between them.
struct LogSpan {
  uint32_t partition = 0;
  int64_t first_offset = 0;
  int64_t last_offset = 0;
};
using Appended = std::vector<LogSpan>;  // ascending by partition, one each

// Reads one topic from given positions. One thread uses a reader at a time.
class LogReader {
 public:
  virtual ~LogReader() = default;
  // Appends up to `records_max` records to the cleared `out`; waits up to `timeout_ms` for the
  // first. kCorrupt when bytes on disk do not hold, kNotFound when the position was dropped by
  // retention (a gap), kIo when the log does not answer for now: poll again.
  virtual Status poll(size_t records_max, int timeout_ms, std::vector<LogRecord>& out) = 0;
  // Offset that comes next in a partition: below it everything was given by poll() or does not
  // exist. Requires: a partition of `from`.
  virtual int64_t position(uint32_t partition) const = 0;
};

class EventLog {
 public:
  // Called exactly once, on a thread of the log, after the records are durable or were refused.
  using Done = std::function<void(Result<Appended>)>;

  virtual ~EventLog() = default;
  virtual uint32_t partitions(Topic topic) const = 0;
  // Ok, or why the log cannot be reached. Cheap.
  virtual Status reachable() const { return {}; }
  // All or nothing. Never blocks for the disk: the caller learns of durability through `done`.
  // Refuses with kUnavailable when the bounded queue of unwritten bytes is full. `partition`: one
  // of the topic's, or kByKey.
  virtual void append(Topic topic, uint32_t partition, const std::vector<AppendRecord>& records,
                      Done done) = 0;
  // For a topic that has one owner at a time, the dead letters: makes the caller that one. When it
  // returns, unanswered appends of the caller's own were refused, and what any earlier owner had on
  // its way stands before end_offset(), which is exact then, or never will; from now on its appends
  // are refused. May wait for the log. kUnavailable: try again; appends are refused until then.
  virtual Status own(Topic /*topic*/) { return {}; }  // a log of one process has nobody else
  virtual Result<std::unique_ptr<LogReader>> read(Topic topic,
                                                  const std::vector<LogPosition>& from) = 0;
  // First offset that retention has left of a partition; the end of the log when it left none.
  virtual int64_t first_offset(Topic topic, uint32_t partition) const = 0;
  // Next offset to be written (end of the log) of a partition.
  virtual int64_t end_offset(Topic topic, uint32_t partition) const = 0;
  // For a stop: waits a little for what is on its way, then refuses what is not durable. No append
  // may follow.
  virtual void settle() {}
  // Records below these positions are no longer needed by a checkpoint; retention may drop them.
  virtual void release(Topic topic, const std::vector<LogPosition>& below) = 0;
};

}  // namespace shanhuo
