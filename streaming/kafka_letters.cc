// Every failure ends the session, its client included: librdkafka 2.0.2 cannot always tell an error
// that aborting would mend from one that it would not, and a new client begins by finding out.
#include "streaming/kafka_letters.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"

namespace shanhuo {
namespace {

constexpr int kStepMs = 100;  // so often a wait for the cluster looks whether it is over
constexpr int64_t kNsPerMs = 1'000'000;

constexpr const char* kNoCoordinator =
    "nobody coordinates transactions; has the cluster as many brokers as "
    "transaction.state.log.replication.factor asks for?";

Error unavailable(const std::string& what) {
  return {ErrorCode::kUnavailable, "kafka: dead letters: " + what};
}

}  // namespace

// The counters are what make_client()'s callbacks are given; the rest rides with them. They are not
// the log's: a fatal error here is no reason for another producer of events.
struct KafkaLetters::Session : KafkaCounters {
  KafkaHandle client;
  KafkaTopic topic;  // dies before client

  // Of the transaction; the session's thread alone.
  LogSpan span;
  size_t delivered = 0;

  // What went wrong, with the cause that came by the callback, if one did.
  Error failed(const rd_kafka_error_t* error) const {
    const std::string why = last_error();
    const bool timed_out = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (timed_out && why.empty()) return unavailable(kNoCoordinator);
    return unavailable(std::string(rd_kafka_error_string(error)) +
                       (why.empty() ? "" : " (" + why + ")"));
  }

  static void on_delivered(rd_kafka_t* /*client*/, const rd_kafka_message_t* message,
                           void* opaque) {
    auto& session = *static_cast<Session*>(static_cast<KafkaCounters*>(opaque));
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      session.note_error(rd_kafka_err2str(message->err));
      return;
    }
    if (session.delivered++ == 0) session.span.first_offset = message->offset;
    session.span.last_offset = message->offset;
  }
};

KafkaLetters::KafkaLetters(const KafkaOptions& options, KafkaCounters& counters,
                           KafkaOffsets& offsets)
    : options_(options), counters_(counters), offsets_(offsets) {}
KafkaLetters::~KafkaLetters() { settle(); }

Status KafkaLetters::own(int timeout_ms) {
  end();
  const int64_t deadline_ns = monotonic_ns() + timeout_ms * kNsPerMs;
  auto session = std::make_unique<Session>();
  KafkaSettings settings;
  settings.type = RD_KAFKA_PRODUCER;
  const std::string id = options_.group + ".letters";
  settings.extra = {{"transactional.id", id},
                    {"linger.ms", "0"},
                    {"statistics.interval.ms", "0"},
                    {"message.max.bytes", "8388608"}};
  settings.delivered = &Session::on_delivered;
  Result<KafkaHandle> made = make_client(options_, settings, *session);
  if (!made.ok()) return made.error();
  session->client = std::move(made).value();
  while (const KafkaError failed{rd_kafka_init_transactions(session->client.get(), kStepMs)}) {
    rd_kafka_poll(session->client.get(), 0);
    if (rd_kafka_error_is_retriable(failed.get()) == 0 || monotonic_ns() >= deadline_ns) {
      return session->failed(failed.get()).within("transactional id " + id);
    }
  }
  session->topic.reset(rd_kafka_topic_new(
      session->client.get(), kafka_topic(options_, Topic::kDeadLetters).c_str(), nullptr));
  if (!session->topic) return unavailable(rd_kafka_err2str(rd_kafka_last_error()));
  session_ = std::move(session);
  ending_.store(false);
  {
    const std::lock_guard lock(mutex_);
    lives_ = true;
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

Status KafkaLetters::append(const std::vector<AppendRecord>& records, EventLog::Done& done) {
  Batch batch;
  for (const AppendRecord& record : records) {
    batch.letters.push_back({std::string(record.key), std::string(record.value), record.content});
  }
  {
    const std::lock_guard lock(mutex_);
    if (!lives_) return unavailable("the session has ended");
    batch.done = std::move(done);
    waiting_.push_back(std::move(batch));
  }
  changed_.notify_all();
  return {};
}

void KafkaLetters::run() {
  Status sent;
  while (sent.ok() && !ending_.load()) {
    std::vector<Batch> batches;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(kStepMs),
                        [&] { return !waiting_.empty() || ending_.load(); });
      batches.swap(waiting_);
      sending_ = !batches.empty();
    }
    if (batches.empty()) {
      rd_kafka_poll(session_->client.get(), 0);
      continue;
    }
    sent = send(batches);
    for (const Batch& batch : batches) {
      (sent.ok() ? counters_.delivered : counters_.refused).fetch_add(batch.letters.size());
      batch.done(sent.ok() ? Result<Appended>(Appended{session_->span}) : sent.error());
    }
    const std::lock_guard lock(mutex_);
    sending_ = false;
    changed_.notify_all();
  }
  if (!sent.ok()) counters_.note_error(sent.error().message);
  std::vector<Batch> refused;
  {
    const std::lock_guard lock(mutex_);
    lives_ = false;
    refused.swap(waiting_);
    changed_.notify_all();
  }
  for (const Batch& batch : refused) {
    counters_.refused.fetch_add(batch.letters.size());
    batch.done(unavailable("the session has ended"));
  }
}

// One transaction. An error: nobody knows whether it took place.
Status KafkaLetters::send(const std::vector<Batch>& batches) {
  rd_kafka_t* client = session_->client.get();
  session_->span = {};
  session_->delivered = 0;
  size_t letters = 0;
  if (const KafkaError failed{rd_kafka_begin_transaction(client)}) {
    return session_->failed(failed.get());
  }
  for (const Batch& batch : batches) {
    for (const Letter& letter : batch.letters) {
      const rd_kafka_resp_err_t taken =
          kafka_produce(client, session_->topic.get(), 0,
                        {letter.key, letter.value, letter.content}, false, nullptr);
      if (taken != RD_KAFKA_RESP_ERR_NO_ERROR) return unavailable(rd_kafka_err2str(taken));
      ++letters;
    }
  }
  while (rd_kafka_flush(client, kStepMs) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (ending_.load()) return unavailable("the session has ended");
  }
  if (session_->delivered < letters) return unavailable(session_->last_error());
  while (const KafkaError failed{rd_kafka_commit_transaction(client, kStepMs)}) {
    if (rd_kafka_error_is_retriable(failed.get()) == 0) return session_->failed(failed.get());
    if (ending_.load()) return unavailable("the session has ended");
  }
  KafkaOffsets::raise(offsets_.at(Topic::kDeadLetters, 0).end, session_->span.last_offset + 1);
  return {};
}

void KafkaLetters::settle() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(options_.append_timeout_ms),
                      [&] { return !lives_ || (waiting_.empty() && !sending_); });
  }
  end();
}

void KafkaLetters::end() {
  ending_.store(true);
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (!session_) return;
  rd_kafka_purge(session_->client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  session_.reset();
}

}  // namespace shanhuo
