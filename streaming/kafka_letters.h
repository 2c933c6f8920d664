// KafkaLetters: appends to the dead letters' topic in transactions, so that its owner can tell what
// is there, and be the only one who adds to it. Internal to streaming/kafka_*.cc.
//
// own() fences whoever had the transactional id GROUP.letters before: a process that was killed, is
// stopped, or still has records in a socket. The brokers have ended its last transaction, one way
// or the other, when own() returns, and refuse it from then on. What a reader with read_committed
// then finds up to the topic's end is all there will ever be of it.
//
// A session lasts until something fails (somebody else owns, a transaction ran out of time, a
// broker that said no): everything unanswered is refused then, though some of it may stand in the
// topic. A new own() and a look at the topic tell which.
//
// All appends that wait go into one transaction. A thread of each session's own sends and answers.
// own() and settle() belong to one thread at a time, append() is thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "streaming/kafka_client.h"

namespace shanhuo {

class KafkaLetters {
 public:
  // All given must outlive it.
  KafkaLetters(const KafkaOptions& options, KafkaCounters& counters, KafkaOffsets& offsets);
  ~KafkaLetters();  // settle()

  // Refuses what is unanswered, then begins a session. Waits for the cluster for timeout_ms.
  Status own(int timeout_ms);
  // `done` is called as EventLog::append() says, unless this is an error: there is no session.
  Status append(const std::vector<AppendRecord>& records, EventLog::Done& done);
  // Waits for what is on its way for append_timeout_ms, refuses the rest, ends the session.
  void settle();

 private:
  struct Session;
  struct Letter {
    std::string key, value;
    ContentType content;
  };
  struct Batch {
    std::vector<Letter> letters;
    EventLog::Done done;
  };

  void run();
  Status send(const std::vector<Batch>& batches);
  void end();

  const KafkaOptions& options_;
  KafkaCounters& counters_;
  KafkaOffsets& offsets_;
  std::unique_ptr<Session> session_;
  std::thread thread_;
  std::atomic<bool> ending_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Batch> waiting_;  // guarded by mutex_
  bool sending_ = false;        // guarded by mutex_
  bool lives_ = false;          // guarded by mutex_: the session
};

}  // namespace shanhuo
