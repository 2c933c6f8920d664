#include "streaming/kafka_producer.h"

#include <algorithm>

namespace shanhuo {
namespace {

constexpr int kPollMs = 5;
}  // namespace

// One append: its opaque rides with each of its records; the last answer takes it away. Touched by
// the appending thread until all are sent, then by the producer's thread; `open` is what both
// count down.
struct KafkaProducer::Pending {
  EventLog::Done done;
  KafkaOffsets& offsets;
  Topic topic;
  size_t bytes = 0;
  std::atomic<size_t> open{0};
  std::mutex mutex;
  Appended spans;     // guarded by mutex
  std::string error;  // guarded by mutex; not empty: refused

  void note(uint32_t partition, int64_t offset) {
    if (partition < offsets.partitions(topic)) {
      KafkaOffsets::raise(offsets.at(topic, partition).end, offset + 1);
    }
    const std::lock_guard lock(mutex);
    const auto at = std::lower_bound(
        spans.begin(), spans.end(), partition,
        [](const LogSpan& span, uint32_t wanted) { return span.partition < wanted; });
    if (at == spans.end() || at->partition != partition) {
      spans.insert(at, {partition, offset, offset});
      return;
    }
    at->first_offset = std::min(at->first_offset, offset);
    at->last_offset = std::max(at->last_offset, offset);
  }
  void note(const std::string& what) {
    const std::lock_guard lock(mutex);
    error = what;
  }
  // The last one answers, and ends it.
  void close(KafkaCounters& counters) {
    if (open.fetch_sub(1) > 1) return;
    counters.queued_bytes.fetch_sub(bytes);
    if (error.empty()) {
      done(std::move(spans));
    } else {
      done(Error{ErrorCode::kUnavailable, "kafka: " + error});
    }
    delete this;
  }
};

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::open(const KafkaOptions& options,
                                                           KafkaCounters& counters,
                                                           KafkaOffsets& offsets) {
  std::unique_ptr<KafkaProducer> producer(new KafkaProducer(options, counters, offsets));
  const size_t kbytes = std::max<size_t>(2 * (options.queue_bytes_max >> 10), 1'024);
  Result<KafkaHandle> client =
      make_client(options,
                  {RD_KAFKA_PRODUCER,
                   {{"enable.idempotence", "true"},
                    {"acks", "all"},
                    {"linger.ms", std::to_string(options.linger_ms)},
                    {"partitioner", "murmur2_random"},  // where Java's clients would put a key
                    {"queue.buffering.max.kbytes", std::to_string(kbytes)},
                    {"queue.buffering.max.messages", "1000000"},
                    {"message.max.bytes", "8388608"}},
                   &KafkaProducer::on_delivered},
                  counters);
  if (!client.ok()) return client.error();
  producer->client_ = std::move(client).value();
  const Status opened = producer->open_topics();
  if (!opened.ok()) return opened.error();
  producer->thread_ = std::thread([raw = producer.get()] { raw->run(); });
  return producer;
}

Status KafkaProducer::open_topics() {
  for (int i = 0; i < kTopics; ++i) {
    const Topic topic = static_cast<Topic>(i);
    const int timeout_ms =
        topic == Topic::kDecisions ? options_.lazy_timeout_ms : options_.append_timeout_ms;
    rd_kafka_topic_conf_t* conf = rd_kafka_topic_conf_new();
    char text[512] = "";
    const std::string value = std::to_string(timeout_ms);
    if (rd_kafka_topic_conf_set(conf, "message.timeout.ms", value.c_str(), text, sizeof text) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_topic_conf_destroy(conf);
      return Error{ErrorCode::kInvalid, std::string("kafka: ") + text};
    }
    // The topic takes the configuration, but not the client's defaults: all that differs is here.
    rd_kafka_topic_conf_set(conf, "partitioner", "murmur2_random", text, sizeof text);
    rd_kafka_topic_conf_set(conf, "acks", "all", text, sizeof text);
    topics_[static_cast<size_t>(i)].reset(
        rd_kafka_topic_new(client_.get(), kafka_topic(options_, topic).c_str(), conf));
    if (!topics_[static_cast<size_t>(i)]) {
      return Error{ErrorCode::kInvalid,
                   std::string("kafka: ") + rd_kafka_err2str(rd_kafka_last_error())};
    }
  }
  return {};
}

KafkaProducer::~KafkaProducer() {
  if (client_ && thread_.joinable()) {
    stopping_.store(true);
    thread_.join();
    settle();
    answer_refused();
  }
}

void KafkaProducer::settle() {
  rd_kafka_flush(client_.get(), options_.append_timeout_ms);
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  while (rd_kafka_outq_len(client_.get()) > 0) rd_kafka_poll(client_.get(), kPollMs);
}

void KafkaProducer::run() {
  while (!stopping_.load()) {
    rd_kafka_poll(client_.get(), kPollMs);
    answer_refused();
  }
}

void KafkaProducer::answer_refused() {
  std::vector<std::pair<EventLog::Done, Error>> refused;
  {
    const std::lock_guard lock(mutex_);
    refused.swap(refused_);
  }
  for (const auto& [done, error] : refused) done(error);
}

void KafkaProducer::refuse(EventLog::Done done, Error error) {
  const std::lock_guard lock(mutex_);
  refused_.emplace_back(std::move(done), std::move(error));
}

void KafkaProducer::append(Topic topic, uint32_t partition,
                           const std::vector<AppendRecord>& records, EventLog::Done done) {
  size_t bytes = 0;
  for (const AppendRecord& record : records) bytes += record.key.size() + record.value.size() + 64;
  if (counters_.queued_bytes.fetch_add(bytes) + bytes > options_.queue_bytes_max) {
    counters_.queued_bytes.fetch_sub(bytes);
    counters_.refused.fetch_add(records.size());
    return refuse(std::move(done),
                  {ErrorCode::kUnavailable, "kafka: the queue of undelivered records is full"});
  }
  auto* pending =
      new Pending{std::move(done), offsets_, topic, bytes, {records.size() + 1}, {}, {}, {}};
  for (const AppendRecord& record : records) {
    // Compaction takes a null value for a tombstone.
    const bool tombstone = topic == Topic::kItems && record.value.empty();
    const rd_kafka_resp_err_t sent =
        kafka_produce(client_.get(), topics_[static_cast<size_t>(topic)].get(),
                      partition == kByKey ? RD_KAFKA_PARTITION_UA : static_cast<int32_t>(partition),
                      record, tombstone, pending);
    if (sent == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (sent == RD_KAFKA_RESP_ERR__FATAL) counters_.fatal.store(true);
    counters_.refused.fetch_add(1);
    pending->note(rd_kafka_err2str(sent));
    pending->close(counters_);
  }
  pending->close(counters_);
}

void KafkaProducer::on_delivered(rd_kafka_t* /*client*/, const rd_kafka_message_t* message,
                                 void* opaque) {
  auto& counters = *static_cast<KafkaCounters*>(opaque);
  auto* pending = static_cast<Pending*>(message->_private);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    counters.delivered.fetch_add(1);
    pending->note(static_cast<uint32_t>(message->partition), message->offset);
  } else {
    counters.refused.fetch_add(1);
    pending->note(rd_kafka_err2str(message->err));
  }
  pending->close(counters);
}

}  // namespace shanhuo
