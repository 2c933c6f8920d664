// What the producer, the readers and the log itself share of librdkafka: handles that clean up, one
// way to make a client, names of topics, headers. Internal to streaming/kafka_*.cc.
//
// librdkafka's threads call error_cb and stats_cb on whichever thread polls the client.
#pragma once

#include <librdkafka/rdkafka.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "streaming/event_log.h"
#include "streaming/kafka_options.h"

namespace shanhuo {

template <auto kDestroy>
struct KafkaFree {
  template <typename T>
  void operator()(T* handle) const {
    kDestroy(handle);
  }
};
using KafkaHandle = std::unique_ptr<rd_kafka_t, KafkaFree<rd_kafka_destroy>>;
using KafkaConf = std::unique_ptr<rd_kafka_conf_t, KafkaFree<rd_kafka_conf_destroy>>;
using KafkaTopic = std::unique_ptr<rd_kafka_topic_t, KafkaFree<rd_kafka_topic_destroy>>;
using KafkaQueue = std::unique_ptr<rd_kafka_queue_t, KafkaFree<rd_kafka_queue_destroy>>;
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, KafkaFree<rd_kafka_message_destroy>>;
using KafkaEvent = std::unique_ptr<rd_kafka_event_t, KafkaFree<rd_kafka_event_destroy>>;
using KafkaError = std::unique_ptr<rd_kafka_error_t, KafkaFree<rd_kafka_error_destroy>>;
using KafkaPartitions = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                        KafkaFree<rd_kafka_topic_partition_list_destroy>>;

inline constexpr std::string_view kContentHeader = "content-type";
inline constexpr std::string_view kSchemaHeader = "schema-version";  // decimal; absent: 1

// Counters of all clients of a log. Outlives them. Thread-safe.
struct KafkaCounters {
  std::atomic<uint64_t> delivered{0}, refused{0}, errors{0}, producers_renewed{0},
      foreign_stamps{0};
  std::atomic<size_t> queued_bytes{0};
  std::atomic<bool> fatal{false};  // the producer needs to be made anew

  // Takes librdkafka's statistics of one client: connections made again.
  void take_statistics(std::string_view json);
  uint64_t reconnects() const;
  void note_error(const std::string& what);
  std::string last_error() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, uint64_t> reconnects_;  // guarded by mutex_: by client
  std::string last_error_;                      // guarded by mutex_
};

// What is known of the ends of every partition; grows with what is delivered, read and asked for.
// Thread-safe once made.
class KafkaOffsets {
 public:
  struct Ends {
    std::atomic<int64_t> first{0}, end{0};
  };
  // Not thread-safe: before anybody else looks.
  void make(Topic topic, size_t partitions) {
    ends_[static_cast<size_t>(topic)] = std::vector<Ends>(partitions);
  }
  uint32_t partitions(Topic topic) const {
    return static_cast<uint32_t>(ends_[static_cast<size_t>(topic)].size());
  }
  Ends& at(Topic topic, uint32_t partition) {
    return ends_[static_cast<size_t>(topic)].at(partition);
  }
  static void raise(std::atomic<int64_t>& to, int64_t offset) {
    int64_t now = to.load(std::memory_order_relaxed);
    while (now < offset && !to.compare_exchange_weak(now, offset)) {
    }
  }

 private:
  std::array<std::vector<Ends>, kTopics> ends_;
};

// What a client is made of besides the options.
struct KafkaSettings {
  rd_kafka_type_t type = RD_KAFKA_CONSUMER;
  std::vector<std::pair<std::string, std::string>> extra;
  void (*delivered)(rd_kafka_t*, const rd_kafka_message_t*, void*) = nullptr;
  void (*rebalanced)(rd_kafka_t*, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*,
                     void*) = nullptr;
};

std::string kafka_topic(const KafkaOptions& options, Topic topic);
// kInvalid: a setting that librdkafka refuses, or no password where one is needed. No message has
// a secret in it.
Result<KafkaHandle> make_client(const KafkaOptions& options, const KafkaSettings& settings,
                                KafkaCounters& counters);
// Queues one record; its bytes are copied. `partition`: RD_KAFKA_PARTITION_UA for by key.
// `tombstone`: without a value. `opaque` comes back with the delivery report.
rd_kafka_resp_err_t kafka_produce(rd_kafka_t* client, rd_kafka_topic_t* topic, int32_t partition,
                                  const AppendRecord& record, bool tombstone, void* opaque);

}  // namespace shanhuo
