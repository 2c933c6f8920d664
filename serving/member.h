// Member: one of several engines on one data folder and one Kafka cluster, of which one leads.
//
// A whole Engine lives here while this member leads, and none otherwise: the leader folds all
// partitions and answers the API; the others answer /healthz 200, /readyz 503 with who leads,
// /metrics with what a member counts, and everything else 503 with retry-after.
//
//   the group says lead   claim the next epoch of the state (streaming/state_claim.h), fill it from
//                         the last one, open an engine on it, serve
//   ... stand by          a last checkpoint, then give the engine up
//   a newer claim         the fold is fenced: give the engine up without writing, join again as the
//                         youngest
//   the group is silent   go on; whoever may claim has a word from the group, so nobody does
//
// A member that cannot look at its claim for half a session answers as one that stands by: one that
// was stopped and wakes up thus answers nothing before it has looked, however long it slept. Only a
// leader that the group has wrongly given up may answer beside its successor, for kPollMs.
//
// A failure to lead is shown in /readyz and on stderr, the claim is given back, and the member
// joins again a second later: meanwhile another may try.
//
// start() and stop() belong to one owner; the other public calls are thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include "serving/http_api.h"
#include "streaming/kafka_group.h"
#include "streaming/state_claim.h"

namespace shanhuo {

struct MemberParts {
  // Opens an engine on these folders of the data folder, with this fence.
  std::function<Result<std::unique_ptr<Engine>>(const std::string& state_folder,
                                                const std::string& counter_file,
                                                CheckpointStore::Fence fence)>
      open_engine;
  const Access* access = nullptr;  // borrowed, as is the clock
  const Clock* clock = nullptr;
};

class Member {
 public:
  // `address` is what the others say of it while it leads.
  Member(const EngineOptions& options, MemberParts parts);
  ~Member();  // stop()

  void start(const std::string& address);
  // Gives up what it leads, with a last checkpoint, and leaves the group. Idempotent.
  void stop();

  void handle(HttpRequest&& request, Responder respond);
  // Calls `use` with the engine, if this member leads.
  void with_engine(const std::function<void(Engine&)>& use);
  MemberMetric metric() const;

 private:
  struct Led;
  enum class End : uint8_t { kHandedOver, kFenced };

  void run();
  void turn();
  bool join();
  void take_over();
  Status open(const StateClaim& claim);
  void watch(KafkaGroup::Role role);
  void give_up(End end);
  bool fresh() const;
  void stand_by(const HttpRequest& request, const Responder& respond);
  std::string standing() const;
  void look_around(const std::string& trouble);
  void fail(const std::string& why);
  void say(const std::string& what) const;

  // Constant after start():
  const EngineOptions options_;
  const MemberParts parts_;
  std::string address_;

  // Of the member's thread:
  std::unique_ptr<KafkaGroup> group_;
  int64_t join_at_ns_ = 0;
  bool tidied_ = false;  // older states are gone

  // Own synchronization:
  std::atomic<bool> stopping_{false};
  std::atomic<bool> serving_{false};   // cleared before led_ is taken away
  std::atomic<int64_t> looked_ns_{0};  // when the claim was last seen to hold
  std::atomic<uint64_t> epoch_{0}, led_count_{0}, fenced_{0}, writes_refused_{0};
  std::thread thread_;

  mutable std::shared_mutex led_mutex_;  // shared: a request is in a handler
  std::unique_ptr<Led> led_;             // guarded by led_mutex_; set by the member's thread alone

  mutable std::mutex standing_mutex_;
  std::string leader_ = "nobody leads yet";  // guarded by standing_mutex_: who leads
  std::string why_;  // guarded by standing_mutex_: why this one could not; empty: it never tried
};

}  // namespace shanhuo
