#include "streaming/kafka_group.h"

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "streaming/kafka_client.h"

namespace shanhuo {
namespace {

constexpr int kHeartbeatsPerSession = 6;
constexpr int kPollIntervalMaxMs = 300'000;  // opening a state may take minutes
constexpr int64_t kLeaveNs = 2'000'000'000;
constexpr int kServeMs = 20;

// Texts of equal length, so that they sort as the times do.
std::string client_id(Millis now) {
  char text[64];
  std::snprintf(text, sizeof text, "shanhuo-%015lld", static_cast<long long>(now.count()));
  return text;
}

// Serves what leaving asks for; false when the coordinator did not answer in time.
bool leave(rd_kafka_t* client) {
  const KafkaQueue queue(rd_kafka_queue_new(client));
  const KafkaError refused(rd_kafka_consumer_close_queue(client, queue.get()));
  const int64_t deadline_ns = monotonic_ns() + kLeaveNs;
  while (!refused && rd_kafka_consumer_closed(client) == 0 && monotonic_ns() < deadline_ns) {
    const KafkaEvent event(rd_kafka_queue_poll(queue.get(), kServeMs));
    if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) {
      rd_kafka_assign(client, nullptr);
    }
  }
  return rd_kafka_consumer_closed(client) != 0;
}

}  // namespace

// The counters are what make_client()'s callbacks are given; the role rides with them.
struct KafkaGroup::State : KafkaCounters {
  KafkaHandle client;
  Role role = Role::kUnknown;

  static void on_rebalanced(rd_kafka_t* client, rd_kafka_resp_err_t what,
                            rd_kafka_topic_partition_list_t* partitions, void* opaque);
};

// A partition that is taken away (for a rebalance, or because the brokers were away for too long)
// changes no role: only the next assignment says who leads. Until then nobody else may claim the
// state by the group's word.
void KafkaGroup::State::on_rebalanced(rd_kafka_t* client, rd_kafka_resp_err_t what,
                                      rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  auto& state = *static_cast<State*>(static_cast<KafkaCounters*>(opaque));
  if (what != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    rd_kafka_assign(client, nullptr);
    return;
  }
  for (int i = 0; i < partitions->cnt; ++i) partitions->elems[i].offset = RD_KAFKA_OFFSET_END;
  rd_kafka_assign(client, partitions);
  rd_kafka_pause_partitions(client, partitions);
  state.role = partitions->cnt > 0 ? Role::kLead : Role::kStandBy;
}

KafkaGroup::KafkaGroup(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<KafkaGroup>> KafkaGroup::join(const KafkaOptions& options, Millis now) {
  auto state = std::make_unique<State>();
  const int session_ms = options.session_timeout_ms;
  const int heartbeat_ms = std::max(session_ms / kHeartbeatsPerSession, 1);
  KafkaSettings settings;
  settings.extra = {
      {"client.id", client_id(now)},
      {"group.id", options.group + ".members"},
      {"partition.assignment.strategy", "range"},
      {"session.timeout.ms", std::to_string(session_ms)},
      {"heartbeat.interval.ms", std::to_string(heartbeat_ms)},
      {"max.poll.interval.ms", std::to_string(std::max(kPollIntervalMaxMs, session_ms))},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"}};
  settings.rebalanced = &State::on_rebalanced;
  Result<KafkaHandle> made = make_client(options, settings, *state);
  if (!made.ok()) return made.error();
  state->client = std::move(made).value();
  rd_kafka_poll_set_consumer(state->client.get());
  const KafkaPartitions topic(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topic.get(), kafka_topic(options, Topic::kDeadLetters).c_str(),
                                    RD_KAFKA_PARTITION_UA);
  const rd_kafka_resp_err_t failed = rd_kafka_subscribe(state->client.get(), topic.get());
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Error{ErrorCode::kUnavailable, std::string("kafka: ") + rd_kafka_err2str(failed)};
  }
  return std::unique_ptr<KafkaGroup>(new KafkaGroup(std::move(state)));
}

KafkaGroup::~KafkaGroup() {
  const bool left = leave(state_->client.get());
  rd_kafka_t* client = state_->client.release();
  // Destruction might wait for a coordinator that is away, without end: the client then goes with
  // the process. Nobody polls it any more, so that nothing of ours is called by it.
  if (left) rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

KafkaGroup::Role KafkaGroup::poll(int timeout_ms) {
  const KafkaMessage event(rd_kafka_consumer_poll(state_->client.get(), timeout_ms));
  if (event && event->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    state_->note_error(rd_kafka_message_errstr(event.get()));
  }
  return state_->role;
}

std::string KafkaGroup::last_error() const { return state_->last_error(); }

}  // namespace shanhuo
