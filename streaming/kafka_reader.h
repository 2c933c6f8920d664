// KafkaReader: one topic from given offsets, partitions assigned by hand, merged by the broker's
// stamps. Internal to streaming/kafka_*.cc.
//
// Each partition has a queue of its own; the next record is the one with the smallest stamp among
// their heads. A partition that has more but has not answered yet is waited for, once, for 200 ms;
// so a catch-up folds all partitions in step, and one whose leader is away does not hold the others
// up. What a replay gives is therefore the same per partition, and nearly the same across them.
#pragma once

#include <memory>
#include <vector>

#include "streaming/kafka_client.h"

namespace shanhuo {

class KafkaReader final : public LogReader {
 public:
  // `counters` and `offsets` must outlive it.
  static Result<std::unique_ptr<LogReader>> open(const KafkaOptions& options, Topic topic,
                                                 const std::vector<LogPosition>& from,
                                                 KafkaCounters& counters, KafkaOffsets& offsets);
  ~KafkaReader() override;

  Status poll(size_t records_max, int timeout_ms, std::vector<LogRecord>& out) override;
  int64_t position(uint32_t partition) const override;

 private:
  struct Source {
    uint32_t partition = 0;
    int64_t next_offset = 0;  // after what poll() gave, or after a hole
    KafkaQueue queue;
    KafkaMessage head;            // fetched, not given yet
    bool at_end = false;          // it had nothing more when last asked
    int64_t patience_end_ns = 0;  // until when the others wait for it
  };
  KafkaReader(Topic topic, std::string name, KafkaCounters& counters, KafkaOffsets& offsets)
      : topic_(topic), name_(std::move(name)), counters_(counters), offsets_(offsets) {}
  Status assign(const std::vector<LogPosition>& from);
  bool at_known_end(const Source& source) const;
  Status refill(Source& source);
  Status refill_all();
  Source* earliest();
  bool waits_for_one(int64_t now_ns) const;
  void wait(int timeout_ms) const;
  LogRecord take(Source& source);
  Status failed(const Source& source, const rd_kafka_message_t& message);

  const Topic topic_;
  const std::string name_;
  KafkaCounters& counters_;
  KafkaOffsets& offsets_;
  KafkaHandle client_;
  int wake_ = -1;                   // an eventfd: some queue has something
  std::vector<Source> sources_;     // die before client_
  std::vector<KafkaMessage> held_;  // what the last poll's records point into
  bool moved_ = false;              // over a hole, in this poll
};

}  // namespace shanhuo
