// The pipeline's loop, in three files: pipeline.cc (start, and what others may ask),
// pipeline_loop.cc (one turn), pipeline_checkpoint.cc (a turn's share of a checkpoint). Internal to
// them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "streaming/dead_letters.h"
#include "streaming/fold.h"
#include "streaming/pipeline.h"

namespace shanhuo {

inline constexpr int64_t kNsPerMs = 1'000'000;
inline constexpr int64_t kItemsPatienceMs = 30'000;  // of items_fetched()

// What an operator reads when the log no longer has what the state stands for.
Error gap_error(ErrorCode code, const std::string& what);

// One topic as the loop reads it: a reader, what it has polled, and how far it was folded.
struct Feed {
  Topic topic;
  std::unique_ptr<LogReader> reader;
  std::vector<LogRecord> records;
  size_t at = 0;
  std::vector<SourcePosition> positions;  // by partition

  bool empty() const { return at == records.size(); }
  const LogRecord& head() const { return records[at]; }

  // `skipped` is set when the log turned out to have no record where the next was expected.
  Status poll(size_t records_max, int timeout_ms, bool& skipped) {
    at = 0;
    const Status polled = reader->poll(records_max, timeout_ms, records);
    if (!records.empty()) return polled;
    for (SourcePosition& position : positions) {
      const int64_t next = reader->position(position.partition);
      if (next <= position.next_offset) continue;
      position.next_offset = next;
      position.last_digest = 0;
      skipped = true;
    }
    return polled;
  }
  void advance() {
    positions[head().partition].next_offset = head().offset + 1;
    ++at;
  }
  // The digest of the last record folded in each partition; views die with the next poll.
  void digest() {
    for (SourcePosition& position : positions) {
      for (size_t i = at; i-- > 0;) {
        if (records[i].partition != position.partition) continue;
        position.last_digest = hash64(records[i].value);
        break;
      }
    }
  }
};

class Pipeline::Loop {
 public:
  Loop(const PipelineParts& parts, const PipelineOptions& options);
  ~Loop();

  Status start();
  Status open();
  Turn turn();
  Status stop();
  void halt();
  bool wait_applied(Topic topic, uint32_t partition, int64_t offset, int timeout_ms);
  Status checkpoint_now(int timeout_ms);
  PipelineStats stats() const;
  Millis watermark() const { return Millis(watermark_ms_.load(std::memory_order_relaxed)); }

 private:
  enum class Ask : uint8_t { kRun, kStop, kHalt };

  Status restore();
  Status check_position(const SourcePosition& position) const;
  Status check_sources(const std::vector<SourcePosition>& sources) const;
  uint32_t partitions(Topic topic) const;
  Status open_feed(Feed& feed);
  void run();
  Ask asked() const;
  bool drained() const;
  bool fenced_now();
  void fence(const Error& refused);
  bool fenced() const;
  Status poll();
  bool items_fetched();
  void fold_polled(bool items_were_waiting);
  void fold_event();
  void fold_item();
  void finish_turn();
  void count_freshness();
  void turn_checkpoint();
  void begin_checkpoint();
  void note_outcome();
  bool checkpoint_due() const;
  Status last_checkpoint();
  void fail(const Error& error);
  void end();
  std::vector<SourcePosition> sources() const;

  // Constant after construction.
  const PipelineParts parts_;
  const PipelineOptions options_;

  // The loop's own.
  Fold fold_;
  DeadLetters letters_;
  std::vector<Checkpointed*> checkpointed_;
  Feed events_{Topic::kInteractions, {}, {}, 0, {}};
  Feed items_{Topic::kItems, {}, {}, 0, {}};
  std::vector<int64_t> items_ends_;  // by partition, when the loop began; empty: passed
  int64_t items_patience_end_ns_ = 0;
  struct Folded {
    Millis accepted_at;
    int64_t durable_ns;
    uint64_t records;
  };
  std::vector<Folded> folded_;  // by accepted_at: of this turn
  bool moved_ = false;          // something was folded since the last finish_turn()
  StateRoom room_ = StateRoom::kEnough;
  bool gathering_ = false, gathered_ = false, committing_ = false;
  uint64_t letters_mark_ = 0;
  int64_t folded_since_checkpoint_ = 0;
  int64_t longest_turn_ns_ = 0;
  int64_t last_begin_ns_ = 0, last_purge_ns_ = 0, retry_commit_ns_ = 0;
  uint64_t forgotten_wiped_ = 0;   // forget records whose traces are gone from the disk
  uint64_t forgotten_frozen_ = 0;  // of those in the running checkpoint
  uint64_t asked_frozen_ = 0;      // checkpoints asked for that the running one answers
  bool purging_ = false;

  std::atomic<int64_t> watermark_ms_{0};
  std::thread thread_;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Ask ask_ = Ask::kRun;
  bool running_ = false;
  std::vector<SourcePosition> targets_;  // of a stop
  uint64_t checkpoints_asked_ = 0, checkpoints_answered_ = 0;
  Status last_outcome_;
  PipelineStats stats_;
};

}  // namespace shanhuo
