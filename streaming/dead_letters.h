// DeadLetters: brings what the fold could not take to the dead-letters topic, once each.
//
// The key of a letter says where its record stood ("shanhuo.interactions/0/42"). After a restart
// the fold meets the same records again; resume() reads which of their letters are already there,
// and these are not appended again. It owns the topic first (EventLog::own()), so that a process
// that died or sleeps adds nothing behind that look.
//
// Letters that the log refuses are kept. Some may stand in the topic all the same, and the topic
// may have another owner: so they are appended again only while `owned` says that the state is
// ours, the topic is owned again, and what is new in it was read.
//
// One thread uses it; the log's answers come from the log's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "streaming/codec.h"
#include "streaming/event_log.h"

namespace shanhuo {

class DeadLetters {
 public:
  using Owned = std::function<Status()>;
  DeadLetters(EventLog& log, const Clock& clock, Owned owned);
  ~DeadLetters();

  // Remembers the letters from `offset` on whose records are still to come, to leave them out then.
  // `to_come` is asked later too, whenever the topic is owned again.
  using ToCome = std::function<bool(Topic source, uint32_t partition, int64_t offset)>;
  Status resume(int64_t offset, ToCome to_come);
  // Where a restart from a checkpoint of this moment must resume: before the first letter whose
  // record has not come again yet.
  int64_t resume_offset() const;
  void add(Topic source, const LogRecord& record, DeadReason reason);
  // Hands what was added to the log, and what it had refused before.
  void flush();

  // Letters that are not durable yet.
  size_t unwritten() const;
  // A mark now, and later whether everything added before it is durable.
  uint64_t mark() const { return next_; }
  bool durable_before(uint64_t mark) const;

 private:
  struct Letter {
    std::string key;
    std::string value;
  };
  using Letters = std::shared_ptr<const std::vector<Letter>>;
  // Outlives this object while the log still has answers to give.
  struct Outbox {
    std::mutex mutex;
    std::map<uint64_t, Letters> unwritten;  // by number of the flush
    std::vector<uint64_t> refused;          // of them, to be sent again
    int64_t known_below = 0;                // letters below this offset are ours, or known_
  };
  using Sending = std::vector<std::pair<uint64_t, Letters>>;
  Status read_new(std::unordered_set<std::string>& there);
  void take_refused(Sending& to_send);
  void send(uint64_t number, const Letters& letters);

  EventLog& log_;
  const Clock& clock_;
  const Owned owned_;
  ToCome to_come_;
  const std::shared_ptr<Outbox> outbox_;
  std::vector<Letter> added_;
  uint64_t next_ = 0;
  std::unordered_map<std::string, int64_t> known_;  // by key: the letter's own offset
  int64_t last_retry_ns_ = 0;
};

}  // namespace shanhuo
