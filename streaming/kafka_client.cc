#include "streaming/kafka_client.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/check.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

constexpr size_t kErrorBytes = 512;
constexpr size_t kHeadersMax = 1;
constexpr std::string_view kContentTypes[] = {"application/json",
                                              "application/x-protobuf",
                                              "application/x-shanhuo-forget",
                                              "",  // kUnknown and kNewerSchema: never written
                                              "",
                                              "application/x-shanhuo-control",
                                              "application/x-shanhuo-exposure"};

void on_error(rd_kafka_t* client, int code, const char* reason, void* opaque) {
  auto& counters = *static_cast<KafkaCounters*>(opaque);
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    char text[kErrorBytes] = "";
    rd_kafka_fatal_error(client, text, sizeof text);
    counters.fatal.store(true);
    counters.note_error(text);
    return;
  }
  // Follows each failed connection and says less than its cause, which came before.
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !counters.last_error().empty()) return;
  counters.note_error(reason);
}

int on_statistics(rd_kafka_t* /*client*/, char* json, size_t size, void* opaque) {
  static_cast<KafkaCounters*>(opaque)->take_statistics({json, size});
  return 0;  // librdkafka keeps and frees the text
}

// librdkafka's own lines say what error_cb says; they would double it on standard error.
void no_log(const rd_kafka_t* /*client*/, int /*level*/, const char* /*facility*/,
            const char* /*text*/) {}

Result<std::string> password(const KafkaOptions& options) {
  if (options.sasl_password_file.empty()) {
    const char* given = std::getenv("SHANHUO_KAFKA_PASSWORD");
    if (given != nullptr) return std::string(given);
    return Error{ErrorCode::kInvalid,
                 "kafka: no password: neither kafka.sasl_password_file nor the environment's "
                 "SHANHUO_KAFKA_PASSWORD"};
  }
  std::ifstream file(options.sasl_password_file);
  std::string line;
  if (file && std::getline(file, line)) return line;
  return Error{ErrorCode::kInvalid,
               "kafka: cannot read the password from " + options.sasl_password_file};
}

}  // namespace

void KafkaCounters::take_statistics(std::string_view text) {
  json::Document document;
  const Result<json::Value> root = document.parse(text);
  if (!root.ok()) return;
  std::string_view name;
  if (!root.value().find("name").get(name)) return;
  uint64_t again = 0;
  for (const json::Member broker : root.value().find("brokers").members()) {
    int64_t connects = 0;
    if (broker.value.find("connects").get(connects) && connects > 1) {
      again += static_cast<uint64_t>(connects - 1);
    }
  }
  const std::lock_guard lock(mutex_);
  uint64_t& known = reconnects_[std::string(name)];
  known = std::max(known, again);
}

uint64_t KafkaCounters::reconnects() const {
  const std::lock_guard lock(mutex_);
  uint64_t sum = 0;
  for (const auto& [client, count] : reconnects_) sum += count;
  return sum;
}

void KafkaCounters::note_error(const std::string& what) {
  errors.fetch_add(1);
  const std::lock_guard lock(mutex_);
  last_error_ = what;
}

std::string KafkaCounters::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

std::string kafka_topic(const KafkaOptions& options, Topic topic) {
  constexpr std::string_view kOwnPrefix = "shanhuo.";
  return options.topic_prefix + std::string(topic_name(topic).substr(kOwnPrefix.size()));
}

Result<KafkaHandle> make_client(const KafkaOptions& options, const KafkaSettings& settings,
                                KafkaCounters& counters) {
  std::vector<std::pair<std::string, std::string>> all = {
      {"bootstrap.servers", options.bootstrap},
      {"client.id", "shanhuo"},
      {"security.protocol", options.security_protocol},
      {"sasl.mechanisms", options.sasl_mechanism},
      {"sasl.username", options.sasl_username},
      {"ssl.ca.location", options.ssl_ca_location},
      {"ssl.certificate.location", options.ssl_certificate_location},
      {"ssl.key.location", options.ssl_key_location},
      {"statistics.interval.ms", "1000"},
      {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", "1000"},
      {"socket.keepalive.enable", "true"},
      {"log.connection.close", "false"}};
  all.insert(all.end(), settings.extra.begin(), settings.extra.end());
  if (!options.sasl_username.empty()) {
    Result<std::string> secret = password(options);
    if (!secret.ok()) return secret.error();
    all.emplace_back("sasl.password", std::move(secret).value());
  }
  KafkaConf conf(rd_kafka_conf_new());
  char text[kErrorBytes] = "";
  for (const auto& [name, value] : all) {
    if (value.empty()) continue;
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text, sizeof text) ==
        RD_KAFKA_CONF_OK) {
      continue;
    }
    // librdkafka's text repeats the value.
    if (name == "sasl.password")
      return Error{ErrorCode::kInvalid, "kafka: the password is refused"};
    return Error{ErrorCode::kInvalid, "kafka: " + name + ": " + text};
  }
  rd_kafka_conf_set_opaque(conf.get(), &counters);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  rd_kafka_conf_set_stats_cb(conf.get(), on_statistics);
  rd_kafka_conf_set_log_cb(conf.get(), no_log);
  if (settings.delivered != nullptr) rd_kafka_conf_set_dr_msg_cb(conf.get(), settings.delivered);
  if (settings.rebalanced != nullptr) {
    rd_kafka_conf_set_rebalance_cb(conf.get(), settings.rebalanced);
  }
  KafkaHandle client(rd_kafka_new(settings.type, conf.get(), text, sizeof text));
  if (!client) return Error{ErrorCode::kInvalid, std::string("kafka: ") + text};
  conf.release();  // NOLINT(bugprone-unused-return-value): the client has taken it
  return client;
}

rd_kafka_resp_err_t kafka_produce(rd_kafka_t* client, rd_kafka_topic_t* topic, int32_t partition,
                                  const AppendRecord& record, bool tombstone, void* opaque) {
  CHECK(is_written(record.content));
  const std::string_view type = kContentTypes[static_cast<size_t>(record.content)];
  rd_kafka_headers_t* headers = rd_kafka_headers_new(kHeadersMax);
  rd_kafka_header_add(headers, kContentHeader.data(), static_cast<ssize_t>(kContentHeader.size()),
                      type.data(), static_cast<ssize_t>(type.size()));
  rd_kafka_vu_t parts[7];
  parts[0].vtype = RD_KAFKA_VTYPE_RKT;
  parts[0].u.rkt = topic;
  parts[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  parts[1].u.i32 = partition;
  parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[2].u.mem = {tombstone ? nullptr : const_cast<char*>(record.value.data()),
                    record.value.size()};
  parts[3].vtype = RD_KAFKA_VTYPE_KEY;
  parts[3].u.mem = {const_cast<char*>(record.key.data()), record.key.size()};
  parts[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[4].u.i = RD_KAFKA_MSG_F_COPY;
  parts[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[5].u.ptr = opaque;
  parts[6].vtype = RD_KAFKA_VTYPE_HEADERS;
  parts[6].u.headers = headers;
  const KafkaError failed(rd_kafka_produceva(client, parts, std::size(parts)));
  if (!failed) return RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_headers_destroy(headers);  // a failed call has left them to us
  return rd_kafka_error_code(failed.get());
}

}  // namespace shanhuo
