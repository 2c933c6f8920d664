// How the engine reaches a Kafka cluster: the section `kafka` of engine.yaml. Empty texts are left
// to librdkafka's defaults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace shanhuo {

struct KafkaOptions {
  std::string bootstrap = "127.0.0.1:9092";  // host:port, several with commas between
  std::string group = "shanhuo";             // shows the lag, and owns the dead letters: one engine
  std::string topic_prefix = "shanhuo.";     // topics: PREFIX items, interactions, decisions, ...

  bool members = false;             // several engines on one data folder, of which one leads
  int session_timeout_ms = 10'000;  // a member that is silent for so long has left

  // Passed through to librdkafka.
  std::string security_protocol;  // plaintext, ssl, sasl_plaintext, sasl_ssl
  std::string sasl_mechanism;     // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
  std::string sasl_username;
  std::string sasl_password_file;  // its first line; empty: environment SHANHUO_KAFKA_PASSWORD
  std::string ssl_ca_location;
  std::string ssl_certificate_location;
  std::string ssl_key_location;

  size_t queue_bytes_max = 64u << 20;  // appended and not yet delivered; beyond: kUnavailable
  size_t fetch_bytes_max = 64u << 20;  // fetched ahead, of each partition
  int linger_ms = 2;                   // an append waits so long for others to go with it
  int append_timeout_ms = 5'000;       // events and items: refused when not delivered by then
  int lazy_timeout_ms = 300'000;       // decisions wait so long for a broker
  int open_timeout_ms = 30'000;        // a start waits so long for the cluster and the topics
};

// Since the log was opened.
struct KafkaStats {
  uint64_t delivered = 0;          // records appended
  uint64_t refused = 0;            // records not delivered
  uint64_t errors = 0;             // that librdkafka reported: connections, brokers, requests
  uint64_t reconnects = 0;         // connections made again, by all clients
  uint64_t producers_renewed = 0;  // after a fatal error of the idempotent producer
  uint64_t foreign_stamps = 0;     // records not stamped by the broker (not LogAppendTime)
  size_t queued_bytes = 0;         // appended and not yet delivered
};

}  // namespace shanhuo
