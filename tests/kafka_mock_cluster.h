// A Kafka cluster in this process: librdkafka's mock, with the topics of an engine.
#pragma once

#include <memory>
#include <vector>

#include "base/check.h"
#include "streaming/kafka_client.h"
#include "streaming/kafka_log.h"
// After rdkafka.h.
#include <librdkafka/rdkafka_mock.h>

namespace shanhuo {

class MockCluster {
 public:
  explicit MockCluster(int partitions = 2) {
    char text[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text));
    CHECK(client_ != nullptr);
    cluster_ = rd_kafka_mock_cluster_new(client_.get(), 1);
    CHECK(cluster_ != nullptr);
    options.bootstrap = rd_kafka_mock_cluster_bootstraps(cluster_);
    options.append_timeout_ms = 5'000;
    for (const Topic topic :
         {Topic::kItems, Topic::kInteractions, Topic::kDecisions, Topic::kDeadLetters}) {
      make(topic, topic == Topic::kInteractions ? partitions : 1);
    }
  }
  ~MockCluster() { rd_kafka_mock_cluster_destroy(cluster_); }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  void make(Topic topic, int partitions) {
    CHECK(rd_kafka_mock_topic_create(cluster_, kafka_topic(options, topic).c_str(), partitions,
                                     1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  // The next requests of that kind are answered with these, one each.
  void fail(int16_t kind, const std::vector<rd_kafka_resp_err_t>& errors) {
    rd_kafka_mock_push_request_errors_array(cluster_, kind, errors.size(), errors.data());
  }
  void set_down(bool down) {
    if (down) {
      rd_kafka_mock_broker_set_down(cluster_, 1);
    } else {
      rd_kafka_mock_broker_set_up(cluster_, 1);
    }
  }
  std::unique_ptr<KafkaLog> open() const {
    auto log = KafkaLog::open(options);
    CHECK(log.ok());
    return std::move(log).value();
  }

  KafkaOptions options;

 private:
  KafkaHandle client_;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace shanhuo
