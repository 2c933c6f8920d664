// KafkaLog: the event log on a Kafka cluster (streaming/event_log.h), over librdkafka.
//
// Topics: PREFIX items (compacted), interactions, decisions, dead-letters; made beforehand, with
// message.timestamp.type=LogAppendTime, since the broker's stamp is accepted_at. Key = user_id or
// item_id; a record without header content-type is JSON. Decisions and dead letters have one
// partition each.
//
// What differs from the embedded log:
//   - All or nothing is per record. The producer is idempotent: a retry of its own is not doubled.
//     But an append that is refused, or answered by nobody because the process died, may have left
//     some of its records in the topic. Whoever tries again appends these twice: events are
//     deduplicated by event_id, catalogue changes say the whole, decisions carry a number.
//   - Dead letters go in transactions of whoever called own() last (streaming/kafka_letters.h):
//     another process's are fenced, and nothing of it can appear any more. Until own() is called,
//     and again after a failure, appending them is refused.
//   - Durable means: on the brokers that acks=all asks for; power loss is the cluster's business.
//   - accepted_at grows per partition; the order across partitions and topics is nearly, not
//     exactly, the same in a replay. State of the fold is per partition where order matters.
//   - durable_ns is not known: freshness counts from the broker's stamp, by both clocks.
//   - release() commits the offsets to the group, for tools that display lag. Nothing reads them
//     back: a start assigns the offsets of the checkpoint.
//   - end_offset() is as of the last second, or newer; exact when open() returns.
//
// A cluster that is away: appends of events and items are refused with kUnavailable, at once when
// this is known and else after append_timeout_ms; decisions and dead letters wait in a queue;
// readers give kIo or nothing, and go on by themselves. After a fatal error of the idempotent
// producer (a topic made anew under it) a new one takes its place.
//
// Partitions are assigned by hand: one engine reads all of them. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "streaming/event_log.h"
#include "streaming/kafka_options.h"

namespace shanhuo {

class KafkaLog final : public EventLog {
 public:
  // Waits for the cluster and the topics for open_timeout_ms. kInvalid: a setting, or a topic that
  // is not as it must be; kUnavailable: nobody answers.
  static Result<std::unique_ptr<KafkaLog>> open(const KafkaOptions& options);
  // Waits for what is on its way, for append_timeout_ms at most. No append may run, no reader live.
  ~KafkaLog() override;

  uint32_t partitions(Topic topic) const override;
  Status reachable() const override;
  void append(Topic topic, uint32_t partition, const std::vector<AppendRecord>& records,
              Done done) override;
  Status own(Topic topic) override;
  Result<std::unique_ptr<LogReader>> read(Topic topic,
                                          const std::vector<LogPosition>& from) override;
  int64_t first_offset(Topic topic, uint32_t partition) const override;
  int64_t end_offset(Topic topic, uint32_t partition) const override;
  void settle() override;
  void release(Topic topic, const std::vector<LogPosition>& below) override;

  KafkaStats stats() const;

 private:
  struct State;
  explicit KafkaLog(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace shanhuo
