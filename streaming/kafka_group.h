// KafkaGroup: a member of the consumer group GROUP.members, by which engines that share a data
// folder agree on one that leads.
//
// What the members share out is the one partition of the dead letters: with range assignment
// exactly one of them has it. Sharing out the interactions instead would make each member the
// owner of some viewers, but caps, goals and prices count in one place, and ranking needs the
// counters of every partition. Nothing is read by way of the group: readers of the log are
// assigned by hand, from the offsets of the checkpoint (streaming/kafka_reader.h).
//
// Range assignment goes by member id, which begins with the client id: here the time of joining.
// So the member that has been there longest leads, and one that joins or leaves moves nobody else.
//
// The group proposes; streaming/state_claim.h disposes: a broker that takes a member for dead, or
// is away itself, cannot make two states of one.
//
// One thread uses it. Heartbeats are librdkafka's own, on a thread of its own; they stop when
// nobody has polled for five minutes, and with the process.
#pragma once

#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "streaming/kafka_options.h"

namespace shanhuo {

class KafkaGroup {
 public:
  // What the group said last. kUnknown until it has answered.
  enum class Role : uint8_t { kUnknown, kLead, kStandBy };

  // Answers at once; the brokers do later. `now` orders the members by age.
  static Result<std::unique_ptr<KafkaGroup>> join(const KafkaOptions& options, Millis now);
  // Leaves, so that the others need not wait for the session's end; for two seconds at most.
  ~KafkaGroup();

  // Waits for news, for timeout_ms at most.
  Role poll(int timeout_ms);
  std::string last_error() const;

 private:
  struct State;
  explicit KafkaGroup(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace shanhuo
