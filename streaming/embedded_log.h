// EmbeddedLog: the event log in one directory, no server to install (streaming/event_log.h).
//
// One writer thread commits in groups: it takes everything that was queued meanwhile, writes each
// (topic, partition)'s share as one block in one synced batch, then answers. Decisions and dead
// letters nobody waits for: they ride with the next group, or make one after lazy_linger_ms.
//
// accepted_at grows strictly from group to group over the whole log, and a group becomes readable
// as a whole. So (accepted_at, topic, partition, offset) is one total order of all records, and a
// reader that merges topics in that order gets the same sequence live and in every replay
// (streaming/pipeline.h relies on it).
//
// Readers that keep up are served from memory; others read the store. Thread-safe.
//
//   block key    := topic u8 | partition u32 BE | first offset u64 BE
//   block        := crc32c u32 | count u32 | accepted_at i64 | frame{count}     little endian
//   frame        := content u8 | key bytes u32 | value bytes u32 | key | value
// The checksum covers the block's key and everything after itself. A block that does not hold is
// kCorrupt, never served.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "streaming/event_log.h"
#include "streaming/store.h"

namespace shanhuo {

struct EmbeddedLogOptions {
  uint32_t partitions = 1;             // of every topic; records of unknown partitions are refused
  size_t queue_bytes_max = 64u << 20;  // appended and not yet durable; beyond: kUnavailable
  size_t group_bytes_max = 4u << 20;   // of one block; raising it: fewer syncs, longer waits
  size_t tail_bytes_max = 64u << 20;   // recent blocks kept in memory for readers
  int lazy_linger_ms = 20;             // decisions and dead letters wait at most this long
  int64_t retention_h = 168;           // older blocks go, once released; in steps of ten minutes
};

struct EmbeddedLogStats {
  uint64_t groups = 0;       // synced writes
  uint64_t records = 0;      // made durable
  uint64_t refused = 0;      // records, queue full or disk
  uint64_t store_reads = 0;  // blocks read from the store instead of memory
  size_t queued_bytes = 0;
  size_t tail_bytes = 0;
};

class EmbeddedLog final : public EventLog {
 public:
  // Opens or makes the log in `path`. `clock` must outlive it.
  static Result<std::unique_ptr<EmbeddedLog>> open(const std::string& path,
                                                   const EmbeddedLogOptions& options,
                                                   const Clock& clock);
  // Writes and answers what is queued, then stops. No append may run.
  ~EmbeddedLog() override;

  uint32_t partitions(Topic topic) const override;
  // kByKey only where there is one partition: an append is one block of one partition.
  void append(Topic topic, uint32_t partition, const std::vector<AppendRecord>& records,
              Done done) override;
  // The reader merges its partitions by accepted_at. It must not outlive the log.
  Result<std::unique_ptr<LogReader>> read(Topic topic,
                                          const std::vector<LogPosition>& from) override;
  int64_t first_offset(Topic topic, uint32_t partition) const override;
  int64_t end_offset(Topic topic, uint32_t partition) const override;
  // Interactions and items are kept until released; decisions and dead letters go by age alone.
  void release(Topic topic, const std::vector<LogPosition>& below) override;

  // What the writer does each minute: drops what is old and released, before this returns.
  void retain_now();
  Status backup(const std::string& directory) { return store_->backup(directory); }
  EmbeddedLogStats stats() const;

 private:
  friend class EmbeddedLogReader;
  struct State;
  EmbeddedLog(std::unique_ptr<Store> store, const EmbeddedLogOptions& options, const Clock& clock);

  const std::unique_ptr<Store> store_;
  const std::unique_ptr<State> state_;
};

}  // namespace shanhuo
