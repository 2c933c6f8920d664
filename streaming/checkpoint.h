// CheckpointStore: the fold's state and the log positions it stands for, as one fact on disk.
//
//   begin(parts, position)  freezes each part as of now (features/state_machine.h)
//   step(n)                 collects about n frozen records; between two polls of the fold
//   commit()                hands the whole to a background thread: ONE synced batch, manifest
//   included
//
// A commit is a compare-and-set: it is refused (kConflict) when the manifest on disk is not the one
// that this process restored or wrote last, offsets included, and when the fence says that the
// state belongs to somebody else now (streaming/state_claim.h). What was refused so is never
// written.
//
// A crash at any moment leaves the last committed checkpoint. One checkpoint runs at a time.
// begin(), step(), commit(), outcome() and restore() belong to the fold's thread; the other calls
// are thread-safe.
//
//   manifest key   := "!manifest"          keys of the parts start with two lower-case letters
//   manifest       := version u32 | sequence u64 | source count u32 | source* | crc32c u32
//   source         := topic u8 | partition u32 | next offset i64 | last record's digest u64
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "features/state_machine.h"
#include "streaming/event_log.h"
#include "streaming/store.h"

namespace shanhuo {

// Where the fold stands in one partition of one topic.
struct SourcePosition {
  Topic topic = Topic::kInteractions;
  uint32_t partition = 0;
  int64_t next_offset = 0;
  uint64_t last_digest = 0;  // hash64 of the value of record next_offset - 1; 0: not known
};

struct CheckpointPosition {
  uint64_t sequence = 0;  // 0: no checkpoint yet
  std::vector<SourcePosition> sources;
};

struct CheckpointStats {
  uint64_t committed = 0;
  uint64_t failed = 0;
  uint64_t fenced = 0;         // of these: refused with kConflict
  uint64_t purges_failed = 0;  // to be tried again with the next commit
  uint64_t last_records = 0;
  uint64_t last_bytes = 0;
  int64_t last_write_us = 0;  // of the synced batch
};

class CheckpointStore {
 public:
  static Result<std::unique_ptr<CheckpointStore>> open(const std::string& path,
                                                       const StoreOptions& options = {});
  // Without a thread of its own: write_pending() is its work. For whoever runs everything on one
  // thread, such as the deterministic simulation.
  static std::unique_ptr<CheckpointStore> on_this_thread(std::unique_ptr<StateStore> store);
  ~CheckpointStore();  // waits for a commit that runs

  // Asked before each write, on the thread that writes; kConflict: somebody else owns the state.
  // Call set_fence() before the first begin().
  using Fence = std::function<Status()>;
  void set_fence(Fence fence);
  // What the fence says now: a checkpoint that would be refused need not be begun.
  Status owned() const;

  // Requires: idle().
  void begin(const std::vector<Checkpointed*>& parts, const std::vector<SourcePosition>& sources);
  // True when nothing frozen is left. Requires: begun and not committed.
  bool step(size_t records_max);
  // Requires: step() has returned true. `purge`: afterwards rewrite the files, so that what was
  // erased (a forgotten viewer) is gone from the disk too.
  void commit(bool purge);
  // True when no checkpoint is begun or being written.
  bool idle() const;
  // The outcome of the last commit, once, when it has ended; the parts then learn of a success
  // (checkpoint_committed()). After a failure the checkpoint is
  // still there, gathered: commit() tries again.
  std::optional<Result<CheckpointPosition>> outcome();
  void wait() const;  // until the background thread is at rest
  // Writes what was committed; false when there is nothing. Requires: on_this_thread().
  bool write_pending();

  // Reads every part from disk, and gives the position they stand for. Requires: fresh parts.
  Result<CheckpointPosition> restore(const std::vector<Checkpointed*>& parts);

  Status backup(const std::string& directory) { return store_->backup(directory); }
  const StateStore& store() const { return *store_; }
  CheckpointStats stats() const;

 private:
  struct State;
  explicit CheckpointStore(std::unique_ptr<StateStore> store);

  const std::unique_ptr<StateStore> store_;
  const std::unique_ptr<State> state_;
};

}  // namespace shanhuo
