// KafkaProducer: appends through one idempotent producer (acks=all), answering each append when the
// broker has all of its records. A thread of its own serves the answers. For every topic but the
// dead letters' (streaming/kafka_letters.h). Internal to streaming/kafka_*.cc; thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "streaming/kafka_client.h"

namespace shanhuo {

class KafkaProducer {
 public:
  // All given must outlive it.
  static Result<std::unique_ptr<KafkaProducer>> open(const KafkaOptions& options,
                                                     KafkaCounters& counters,
                                                     KafkaOffsets& offsets);
  // settle()
  ~KafkaProducer();

  // As EventLog::append().
  void append(Topic topic, uint32_t partition, const std::vector<AppendRecord>& records,
              EventLog::Done done);
  // As EventLog::settle(): waits for what is on its way for append_timeout_ms, refuses the rest.
  void settle();
  // Answers with an error on the producer's thread.
  void refuse(EventLog::Done done, Error error);

 private:
  struct Pending;
  KafkaProducer(const KafkaOptions& options, KafkaCounters& counters, KafkaOffsets& offsets)
      : options_(options), counters_(counters), offsets_(offsets) {}
  static void on_delivered(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque);
  Status open_topics();
  void run();
  void answer_refused();

  const KafkaOptions& options_;
  KafkaCounters& counters_;
  KafkaOffsets& offsets_;
  KafkaHandle client_;
  std::array<KafkaTopic, kTopics> topics_;  // die before client_

  std::mutex mutex_;
  std::vector<std::pair<EventLog::Done, Error>> refused_;  // guarded by mutex_
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace shanhuo
