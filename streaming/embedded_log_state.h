// What the embedded log's writer and its readers share. Internal to streaming/embedded_log*.cc.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "streaming/embedded_log.h"
#include "streaming/log_block.h"

namespace shanhuo {

// One append() that is not durable yet.
struct PendingAppend {
  Topic topic = Topic::kItems;
  uint32_t partition = 0;
  uint32_t count = 0;
  std::string frames;
  EventLog::Done done;
};

struct LogPartition {
  int64_t first_offset = 0;
  int64_t end_offset = 0;        // of what is durable
  int64_t released = 0;          // below: no checkpoint needs it
  int64_t time_index_slot = -1;  // ten-minute slot of the last entry; the writer's own
  std::deque<std::shared_ptr<const Block>> tail;  // the newest blocks, oldest first
};

struct EmbeddedLog::State {
  State(Store& given_store, const EmbeddedLogOptions& given_options, const Clock& given_clock)
      : store(given_store), options(given_options), clock(given_clock) {}

  // Constant after construction.
  Store& store;
  const EmbeddedLogOptions options;
  const Clock& clock;

  // The writer thread's own.
  Millis last_stamp;
  int64_t last_retention_ns = 0;

  // Guarded by mutex.
  mutable std::mutex mutex;
  std::condition_variable work;       // for the writer
  std::condition_variable published;  // for readers
  std::deque<PendingAppend> queue;
  std::vector<std::pair<Done, Error>> refusals;  // to be answered on the writer's thread
  bool urgent = false;                           // the queue has something that somebody waits for
  bool stopping = false;
  std::array<std::vector<LogPartition>, kTopics> partitions;
  std::deque<std::pair<Topic, uint32_t>> tail_order;  // owners of the tail's blocks, oldest first
  EmbeddedLogStats stats;

  std::mutex retain_mutex;  // held while blocks are dropped; never taken after mutex
  std::thread writer;

  LogPartition& at(Topic topic, uint32_t partition) {
    return partitions[static_cast<size_t>(topic)][partition];
  }

  Status recover();
  void run();
  void retain();  // by one thread at a time, see retain_mutex

 private:
  struct Group;
  bool take(Group& group);
  void commit(Group& group);
  Millis next_stamp();
  void make_blocks(Group& group, Batch& batch);
  void publish(Group& group);
  void keep_in_tail(std::shared_ptr<const Block> block);
  void retain_partition(Topic topic, uint32_t partition, Millis oldest);
};

}  // namespace shanhuo
