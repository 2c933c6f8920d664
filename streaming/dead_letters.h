// DeadLetters: brings what the fold could not take to the dead-letters topic, once each.
//
// The key of a letter says where its record stood ("shanhuo.interactions/0/42"). After a restart
// the fold meets the same records again; resume() reads which of their letters are already there,
// and these are not appended again. Letters that the log refuses are kept and tried again.
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
#include <vector>

#include "base/clock.h"
#include "streaming/codec.h"
#include "streaming/event_log.h"

namespace shanhuo {

class DeadLetters {
 public:
  DeadLetters(EventLog& log, const Clock& clock);
  ~DeadLetters();

  // Remembers the letters from `offset` on whose records are still to come, to leave them out then.
  using ToCome = std::function<bool(Topic source, uint32_t partition, int64_t offset)>;
  Status resume(int64_t offset, const ToCome& to_come);
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
  };
  void send(uint64_t number, const Letters& letters);

  EventLog& log_;
  const Clock& clock_;
  const std::shared_ptr<Outbox> outbox_;
  std::vector<Letter> added_;
  uint64_t next_ = 0;
  std::unordered_map<std::string, int64_t> known_;  // by key: the letter's own offset
  int64_t last_retry_ns_ = 0;
};

}  // namespace shanhuo
