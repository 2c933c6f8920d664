// The log itself: topics at the start, their ends once a second, and who appends and reads.
#include "streaming/kafka_log.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/clock.h"
#include "streaming/kafka_client.h"
#include "streaming/kafka_letters.h"
#include "streaming/kafka_producer.h"
#include "streaming/kafka_reader.h"

namespace shanhuo {
namespace {

constexpr int kRefreshMs = 1'000;
constexpr int kAskTimeoutMs = 1'500;
constexpr int64_t kAwayAfterNs = 4'000'000'000;  // without an answer
constexpr int kServeMs = 50;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr std::array kAllTopics = {Topic::kItems, Topic::kInteractions, Topic::kDecisions,
                                   Topic::kDeadLetters};

bool is_lazy(Topic topic) { return topic == Topic::kDecisions || topic == Topic::kDeadLetters; }

}  // namespace

struct KafkaLog::State {
  explicit State(const KafkaOptions& given) : options(given) {}
  ~State();

  Status open();
  Status find_topics(int64_t deadline_ns);
  Result<size_t> partitions_of(Topic topic);
  bool away() const { return monotonic_ns() - answered_ns.load() >= kAwayAfterNs; }
  Status probe();
  Status ask_ends(Topic topic, uint32_t partition);
  Status refresh();
  void run();
  void renew_producer();
  std::shared_ptr<KafkaProducer> current_producer() const {
    const std::lock_guard lock(mutex);
    return producer;
  }

  // Constant after open().
  const KafkaOptions options;
  KafkaHandle client;  // asks for metadata and ends, commits for display
  std::thread thread;

  // Own synchronization.
  KafkaCounters counters;
  mutable KafkaOffsets offsets;
  KafkaLetters letters{options, counters, offsets};
  std::atomic<bool> owned{false};  // the letters, before
  std::atomic<bool> stopping{false};
  std::atomic<int64_t> answered_ns{0};  // when the cluster last said where its logs end

  // Guarded by mutex.
  mutable std::mutex mutex;
  std::shared_ptr<KafkaProducer> producer;
};

KafkaLog::State::~State() {
  stopping.store(true);
  if (thread.joinable()) thread.join();
  producer.reset();
  letters.settle();
  if (!client) return;
  rd_kafka_t* last = client.release();
  // librdkafka's destruction waits for a coordinator that is away, without end: the client then
  // goes with the process. Nothing of ours is called by it any more.
  if (away()) return;
  rd_kafka_destroy_flags(last, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Status KafkaLog::State::open() {
  Result<KafkaHandle> made =
      make_client(options,
                  {RD_KAFKA_CONSUMER,
                   {{"group.id", options.group},
                    {"enable.auto.commit", "false"},
                    // A question for the ends of a log heeds no other time-out.
                    {"socket.timeout.ms", "3000"},
                    {"isolation.level", "read_committed"}},
                   nullptr},
                  counters);
  if (!made.ok()) return made.error();
  client = std::move(made).value();
  rd_kafka_poll_set_consumer(client.get());
  const Status found = find_topics(monotonic_ns() + options.open_timeout_ms * kNsPerMs);
  if (!found.ok()) return found;
  auto opened = KafkaProducer::open(options, counters, offsets);
  if (!opened.ok()) return opened.error();
  producer = std::move(opened).value();
  thread = std::thread([this] { run(); });
  return {};
}

// Asks again until everything is there: a broker that starts knows its topics a little later.
Status KafkaLog::State::find_topics(int64_t deadline_ns) {
  while (true) {
    Status missing;
    for (const Topic topic : kAllTopics) {
      const Result<size_t> found = partitions_of(topic);
      if (!found.ok()) {
        missing = found.error();
        break;
      }
      if (is_lazy(topic) && found.value() != 1) {
        return Error{ErrorCode::kInvalid, kafka_topic(options, topic) + " must have 1 partition"};
      }
      offsets.make(topic, found.value());
    }
    if (missing.ok()) missing = refresh();
    if (missing.ok()) return {};
    if (monotonic_ns() >= deadline_ns) return missing;
    const KafkaMessage event(rd_kafka_consumer_poll(client.get(), kServeMs));
  }
}

Result<size_t> KafkaLog::State::partitions_of(Topic topic) {
  const std::string name = kafka_topic(options, topic);
  const KafkaTopic handle(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
  const rd_kafka_metadata_t* raw = nullptr;
  const rd_kafka_resp_err_t failed =
      rd_kafka_metadata(client.get(), 0, handle.get(), &raw, kAskTimeoutMs);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // Why a connection failed comes by the callback; a time-out would hide it.
    while (const KafkaMessage event{rd_kafka_consumer_poll(client.get(), 0)}) {
    }
    const std::string why = counters.last_error();
    return Error{ErrorCode::kUnavailable, "kafka: " + options.bootstrap + ": " +
                                              (why.empty() ? rd_kafka_err2str(failed) : why)};
  }
  const std::unique_ptr<const rd_kafka_metadata_t, KafkaFree<rd_kafka_metadata_destroy>> metadata(
      raw);
  if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    return static_cast<size_t>(metadata->topics[0].partition_cnt);
  }
  return Error{
      ErrorCode::kInvalid,
      "kafka: topic " + name + ": " +
          (metadata->topic_cnt == 1 ? rd_kafka_err2str(metadata->topics[0].err) : "not known") +
          "; scripts/kafka.sh topics makes what is missing"};
}

Status KafkaLog::State::ask_ends(Topic topic, uint32_t partition) {
  int64_t first = 0, end = 0;
  const std::string name = kafka_topic(options, topic);
  const rd_kafka_resp_err_t failed = rd_kafka_query_watermark_offsets(
      client.get(), name.c_str(), static_cast<int32_t>(partition), &first, &end, kAskTimeoutMs);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Error{ErrorCode::kUnavailable,
                 "kafka: " + name + " does not answer: " + rd_kafka_err2str(failed)};
  }
  KafkaOffsets::Ends& ends = offsets.at(topic, partition);
  KafkaOffsets::raise(ends.first, first);
  KafkaOffsets::raise(ends.end, end);
  return {};
}

// Whether any broker answers, in time.
Status KafkaLog::State::probe() {
  const KafkaTopic handle(
      rd_kafka_topic_new(client.get(), kafka_topic(options, Topic::kItems).c_str(), nullptr));
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t failed =
      rd_kafka_metadata(client.get(), 0, handle.get(), &metadata, kAskTimeoutMs);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Error{ErrorCode::kUnavailable, rd_kafka_err2str(failed)};
  }
  rd_kafka_metadata_destroy(metadata);
  return {};
}

// The ends of every partition, as long as they answer.
Status KafkaLog::State::refresh() {
  const Status answers = probe();
  if (!answers.ok()) return answers;
  for (const Topic topic : kAllTopics) {
    for (uint32_t partition = 0; partition < offsets.partitions(topic); ++partition) {
      const Status asked = ask_ends(topic, partition);
      if (!asked.ok()) return asked;
    }
  }
  answered_ns.store(monotonic_ns());
  return {};
}

void KafkaLog::State::run() {
  int64_t next_ns = monotonic_ns() + kRefreshMs * kNsPerMs;
  while (!stopping.load()) {
    { const KafkaMessage event(rd_kafka_consumer_poll(client.get(), kServeMs)); }
    if (counters.fatal.load()) renew_producer();
    if (monotonic_ns() < next_ns) continue;
    const Status asked = refresh();
    if (!asked.ok()) counters.note_error(asked.error().message);
    next_ns = monotonic_ns() + kRefreshMs * kNsPerMs;
  }
}

void KafkaLog::State::renew_producer() {
  auto opened = KafkaProducer::open(options, counters, offsets);
  if (!opened.ok()) return counters.note_error(opened.error().message);
  counters.fatal.store(false);
  counters.producers_renewed.fetch_add(1);
  std::shared_ptr<KafkaProducer> fresh = std::move(opened).value();
  {
    const std::lock_guard lock(mutex);
    producer.swap(fresh);
  }
  // The old one answers what it still holds, here.
}

Result<std::unique_ptr<KafkaLog>> KafkaLog::open(const KafkaOptions& options) {
  auto state = std::make_unique<State>(options);
  const Status opened = state->open();
  if (!opened.ok()) return opened.error();
  return std::unique_ptr<KafkaLog>(new KafkaLog(std::move(state)));
}

KafkaLog::KafkaLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
KafkaLog::~KafkaLog() = default;

uint32_t KafkaLog::partitions(Topic topic) const { return state_->offsets.partitions(topic); }

Status KafkaLog::reachable() const {
  const int64_t silent_ns = monotonic_ns() - state_->answered_ns.load();
  if (silent_ns < kAwayAfterNs) return {};
  return Error{ErrorCode::kUnavailable, "kafka: " + state_->options.bootstrap + " is silent for " +
                                            std::to_string(silent_ns / (1'000 * kNsPerMs)) +
                                            " s: " + state_->counters.last_error()};
}

void KafkaLog::append(Topic topic, uint32_t partition, const std::vector<AppendRecord>& records,
                      Done done) {
  CHECK(partition == kByKey || partition < partitions(topic));
  const std::shared_ptr<KafkaProducer> producer = state_->current_producer();
  if (topic == Topic::kDeadLetters) {
    const Status sending = state_->letters.append(records, done);
    if (!sending.ok()) producer->refuse(std::move(done), sending.error());
    return;
  }
  if (Status status = reachable(); !status.ok() && !is_lazy(topic)) {
    state_->counters.refused.fetch_add(records.size());
    return producer->refuse(std::move(done), status.error());
  }
  producer->append(topic, partition, records, std::move(done));
}

Status KafkaLog::own(Topic topic) {
  CHECK(topic == Topic::kDeadLetters);
  // A start has the time to wait for the cluster; a fold that runs does not.
  const KafkaOptions& options = state_->options;
  const Status owned =
      state_->letters.own(state_->owned ? options.append_timeout_ms : options.open_timeout_ms);
  if (!owned.ok()) return owned;
  state_->owned = true;
  return state_->ask_ends(topic, 0);
}

Result<std::unique_ptr<LogReader>> KafkaLog::read(Topic topic,
                                                  const std::vector<LogPosition>& from) {
  for (const LogPosition& position : from) {
    if (position.partition >= partitions(topic) || position.next_offset < 0) {
      return Error{ErrorCode::kInvalid, "log: no such position"};
    }
  }
  return KafkaReader::open(state_->options, topic, from, state_->counters, state_->offsets);
}

int64_t KafkaLog::first_offset(Topic topic, uint32_t partition) const {
  return state_->offsets.at(topic, partition).first.load();
}

int64_t KafkaLog::end_offset(Topic topic, uint32_t partition) const {
  return state_->offsets.at(topic, partition).end.load();
}

void KafkaLog::settle() {
  state_->letters.settle();
  state_->current_producer()->settle();
}

void KafkaLog::release(Topic topic, const std::vector<LogPosition>& below) {
  if (state_->away()) return;
  const KafkaPartitions list(rd_kafka_topic_partition_list_new(static_cast<int>(below.size())));
  const std::string name = kafka_topic(state_->options, topic);
  for (const LogPosition& position : below) {
    rd_kafka_topic_partition_list_add(list.get(), name.c_str(),
                                      static_cast<int32_t>(position.partition))
        ->offset = position.next_offset;
  }
  // Whether it arrives changes nothing but a display.
  static_cast<void>(rd_kafka_commit(state_->client.get(), list.get(), 1));
}

KafkaStats KafkaLog::stats() const {
  const KafkaCounters& counters = state_->counters;
  KafkaStats stats;
  stats.delivered = counters.delivered.load();
  stats.refused = counters.refused.load();
  stats.errors = counters.errors.load();
  stats.reconnects = counters.reconnects();
  stats.producers_renewed = counters.producers_renewed.load();
  stats.foreign_stamps = counters.foreign_stamps.load();
  stats.queued_bytes = counters.queued_bytes.load();
  return stats;
}

}  // namespace shanhuo
