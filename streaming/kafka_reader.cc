#include "streaming/kafka_reader.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"

namespace shanhuo {
namespace {

constexpr int64_t kPatienceNs = 200'000'000;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr uint64_t kOne = 1;  // what an eventfd counts

std::string_view header_of(const rd_kafka_headers_t* headers, std::string_view name, bool& found) {
  const void* value = nullptr;
  size_t size = 0;
  found =
      rd_kafka_header_get_last(headers, name.data(), &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
  return found ? std::string_view(static_cast<const char*>(value), size) : std::string_view();
}

ContentType content_of(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ContentType::kJson;
  }
  bool found = false;
  const std::string_view version = header_of(headers, kSchemaHeader, found);
  if (found && version != "1") return ContentType::kNewerSchema;
  std::string_view type = header_of(headers, kContentHeader, found);
  if (!found) return ContentType::kJson;
  type = type.substr(0, std::min(type.find(';'), type.find(' ')));  // without its parameters
  if (type == "application/json") return ContentType::kJson;
  if (type == "application/x-protobuf" || type == "application/protobuf") {
    return ContentType::kProtobuf;
  }
  if (type == "application/x-shanhuo-forget") return ContentType::kForget;
  if (type == "application/x-shanhuo-control") return ContentType::kControl;
  if (type == "application/x-shanhuo-exposure") return ContentType::kExposure;
  return ContentType::kUnknown;
}

}  // namespace

Result<std::unique_ptr<LogReader>> KafkaReader::open(const KafkaOptions& options, Topic topic,
                                                     const std::vector<LogPosition>& from,
                                                     KafkaCounters& counters,
                                                     KafkaOffsets& offsets) {
  std::unique_ptr<KafkaReader> reader(
      new KafkaReader(topic, kafka_topic(options, topic), counters, offsets));
  Result<KafkaHandle> client =
      make_client(options,
                  {RD_KAFKA_CONSUMER,
                   {{"group.id", options.group},
                    {"enable.auto.commit", "false"},
                    {"enable.auto.offset.store", "false"},
                    {"auto.offset.reset", "error"},  // a gap is for an operator to decide about
                    {"check.crcs", "true"},
                    {"isolation.level", "read_committed"},
                    {"enable.partition.eof", "true"},
                    {"queued.min.messages", "1000000"},
                    {"queued.max.messages.kbytes",
                     std::to_string(std::max<size_t>(options.fetch_bytes_max >> 10, 1'024))},
                    {"fetch.error.backoff.ms", "50"}},
                   nullptr},
                  counters);
  if (!client.ok()) return client.error();
  reader->client_ = std::move(client).value();
  rd_kafka_poll_set_consumer(reader->client_.get());
  const Status assigned = reader->assign(from);
  if (!assigned.ok()) return assigned.error();
  return std::unique_ptr<LogReader>(std::move(reader));
}

Status KafkaReader::assign(const std::vector<LogPosition>& from) {
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0) return Error{ErrorCode::kIo, "kafka: no eventfd"};
  const KafkaPartitions list(rd_kafka_topic_partition_list_new(static_cast<int>(from.size())));
  for (const LogPosition& position : from) {
    const auto partition = static_cast<int32_t>(position.partition);
    rd_kafka_topic_partition_list_add(list.get(), name_.c_str(), partition)->offset =
        position.next_offset;
    Source& source = sources_.emplace_back();
    source.partition = position.partition;
    source.next_offset = position.next_offset;
    source.patience_end_ns = monotonic_ns() + kPatienceNs;
    source.queue.reset(rd_kafka_queue_get_partition(client_.get(), name_.c_str(), partition));
    if (!source.queue) return Error{ErrorCode::kIo, name_ + ": no queue of a partition"};
    // Before the assignment, which would forward it to the client's one queue.
    rd_kafka_queue_forward(source.queue.get(), nullptr);
    rd_kafka_queue_io_event_enable(source.queue.get(), wake_, &kOne, sizeof kOne);
  }
  const rd_kafka_resp_err_t failed = rd_kafka_assign(client_.get(), list.get());
  if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return Error{ErrorCode::kIo, name_ + ": " + rd_kafka_err2str(failed)};
}

KafkaReader::~KafkaReader() {
  held_.clear();
  for (Source& source : sources_) {
    source.head.reset();
    if (source.queue) rd_kafka_queue_io_event_enable(source.queue.get(), -1, nullptr, 0);
  }
  sources_.clear();
  // There is no membership to leave, and a coordinator that is away would be waited for.
  if (client_) rd_kafka_destroy_flags(client_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  if (wake_ >= 0) ::close(wake_);
}

int64_t KafkaReader::position(uint32_t partition) const {
  const auto found = std::find_if(sources_.begin(), sources_.end(), [&](const Source& source) {
    return source.partition == partition;
  });
  CHECK(found != sources_.end());
  return found->next_offset;
}

Status KafkaReader::poll(size_t records_max, int timeout_ms, std::vector<LogRecord>& out) {
  out.clear();
  held_.clear();
  moved_ = false;
  // Serves the callbacks; what comes this way are errors, which they have counted.
  while (const KafkaMessage event{rd_kafka_consumer_poll(client_.get(), 0)}) {
  }
  const int64_t deadline_ns = monotonic_ns() + timeout_ms * kNsPerMs;
  while (true) {
    const Status filled = refill_all();
    if (!filled.ok()) return out.empty() ? filled : Status();
    const int64_t now_ns = monotonic_ns();
    const bool waits = waits_for_one(now_ns);
    while (!waits && out.size() < records_max) {
      Source* source = earliest();
      if (source == nullptr) break;
      out.push_back(take(*source));
      const Status refilled = refill(*source);
      if (!refilled.ok() || (!source->head && !source->at_end)) return {};
    }
    if (!out.empty() || moved_ || now_ns >= deadline_ns) return {};
    wait(static_cast<int>((deadline_ns - now_ns + kNsPerMs - 1) / kNsPerMs));
  }
}

bool KafkaReader::waits_for_one(int64_t now_ns) const {
  return std::any_of(sources_.begin(), sources_.end(), [&](const Source& source) {
    return !source.head && !source.at_end && now_ns < source.patience_end_ns;
  });
}

void KafkaReader::wait(int timeout_ms) const {
  pollfd waiting{wake_, POLLIN, 0};
  if (::poll(&waiting, 1, timeout_ms) <= 0) return;
  uint64_t count = 0;
  static_cast<void>(!::read(wake_, &count, sizeof count));
}

Status KafkaReader::refill_all() {
  for (Source& source : sources_) {
    const Status filled = refill(source);
    if (!filled.ok()) return filled;
  }
  return {};
}

// Whether the last answer to a fetch said that there is no more. The broker itself says so only
// with the next answer, which it holds back for fetch.wait.max.ms when nothing comes.
bool KafkaReader::at_known_end(const Source& source) const {
  int64_t first = 0, end = 0;
  return rd_kafka_get_watermark_offsets(client_.get(), name_.c_str(),
                                        static_cast<int32_t>(source.partition), &first,
                                        &end) == RD_KAFKA_RESP_ERR_NO_ERROR &&
         end >= 0 && source.next_offset >= end;
}

// Gives the source a head, if its queue has one; never waits.
Status KafkaReader::refill(Source& source) {
  while (!source.head) {
    KafkaMessage message(rd_kafka_consume_queue(source.queue.get(), 0));
    if (!message) {
      source.at_end = source.at_end || at_known_end(source);
      if (source.patience_end_ns == 0) source.patience_end_ns = monotonic_ns() + kPatienceNs;
      return {};
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      source.at_end = true;
      moved_ = moved_ || message->offset > source.next_offset;
      source.next_offset = std::max(source.next_offset, message->offset);
      return {};
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(source, *message);
    if (message->offset < source.next_offset) continue;  // had that one
    source.at_end = false;
    source.patience_end_ns = 0;
    source.head = std::move(message);
  }
  return {};
}

Status KafkaReader::failed(const Source& source, const rd_kafka_message_t& message) {
  const std::string what = name_ + "[" + std::to_string(source.partition) + "] offset " +
                           std::to_string(source.next_offset) + ": " +
                           rd_kafka_message_errstr(&message);
  counters_.note_error(what);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return Error{ErrorCode::kNotFound, what};
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return Error{ErrorCode::kCorrupt, what};
    default:
      return Error{ErrorCode::kIo, what};
  }
}

KafkaReader::Source* KafkaReader::earliest() {
  Source* first = nullptr;
  int64_t first_stamp = 0;
  for (Source& source : sources_) {
    if (!source.head) continue;
    const int64_t stamp = rd_kafka_message_timestamp(source.head.get(), nullptr);
    if (first != nullptr && first_stamp <= stamp) continue;
    first = &source;
    first_stamp = stamp;
  }
  return first;
}

LogRecord KafkaReader::take(Source& source) {
  const rd_kafka_message_t& message = *source.head;
  rd_kafka_timestamp_type_t stamped_by = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  LogRecord record;
  record.partition = source.partition;
  record.offset = message.offset;
  record.accepted_at = Millis(rd_kafka_message_timestamp(&message, &stamped_by));
  if (stamped_by != RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) counters_.foreign_stamps.fetch_add(1);
  record.content = content_of(message);
  record.key = {static_cast<const char*>(message.key), message.key_len};
  record.value = {static_cast<const char*>(message.payload), message.len};
  source.next_offset = message.offset + 1;
  KafkaOffsets::raise(offsets_.at(topic_, source.partition).end, source.next_offset);
  held_.push_back(std::move(source.head));
  return record;
}

}  // namespace shanhuo
