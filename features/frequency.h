// FrequencyLedger: what was inserted for each viewer lately, for the frequency caps (contract 2.3).
//
// Thread-safe: 1,024 shards, one mutex each. Rank threads record() after they have decided and copy
// with recent() before; the fold's thread sweeps, forgets and checkpoints. Recording is idempotent
// by (request_hash, item): the same slate recorded again, by a replayed decision record or a
// repeated request, changes nothing.
//
// Entries older than window_max are trimmed whenever their viewer is touched, and by sweep().
// insertions_max bounds a viewer (the oldest goes first) and viewers_max the ledger (the new viewer
// is not recorded); both are counted in dropped().
//
// Checkpoint: "fr" user_id -> u8 version (1), then per insertion, oldest first, little-endian:
// i64 at, u64 request_hash, u32 item, u32 programs[4]. Rank threads do not wait for a checkpoint,
// so a record may hold insertions newer than begin_checkpoint(). That is fine here: they will be
// recorded again from the decision records after the checkpoint's offsets, which changes nothing.
// An ItemIndex among them is at most one that the same replay gives out again.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "features/state_machine.h"
#include "features/viewer.h"

namespace shanhuo {

struct FrequencyOptions {
  int64_t window_max_ms = 7 * 86'400'000LL;  // the largest cap window of any program
  size_t insertions_max = 256;               // per viewer, 40 bytes each
  size_t viewers_max = 20'000'000;
};

class FrequencyLedger final : public Checkpointed {
 public:
  explicit FrequencyLedger(const FrequencyOptions& options = {});

  // `insertion.at` is engine time; entries of a viewer stay sorted by it.
  void record(std::string_view user_id, const Insertion& insertion);
  // Those with at > now - window_max, oldest first. Empty for an unknown viewer.
  Insertions recent(std::string_view user_id, Millis now) const;
  void forget(std::string_view user_id);

  // Programs change their windows at run time; a longer one cannot bring back what was trimmed.
  void set_window_max(int64_t window_max_ms) { window_max_ms_.store(window_max_ms); }

  // Drops expired entries and viewers without any of the next shard. Fold's thread, now and then.
  void sweep(Millis now);

  size_t size() const { return size_.load(std::memory_order_relaxed); }  // viewers
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  static constexpr size_t kShards = 1024;

  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const;
  };
  struct Viewer {
    Insertions insertions;  // oldest first
    bool dirty = false;     // its id stands in dirty or frozen
  };
  using Viewers = std::unordered_map<std::string, Viewer, TextHash, std::equal_to<>>;
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    // Guarded by mutex:
    Viewers viewers;
    std::vector<std::string> dirty;   // ids changed since begin_checkpoint(), some perhaps twice
    std::vector<std::string> frozen;  // ids that the running checkpoint has yet to write
  };

  Shard& shard_of(std::string_view user_id) const;
  void trim(Insertions& insertions, Millis now) const;
  void write_next(Shard& shard);

  const FrequencyOptions options_;
  std::atomic<int64_t> window_max_ms_;
  mutable std::vector<Shard> shards_;
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> dropped_{0};

  // Fold thread only.
  StateWriter* writer_ = nullptr;  // not null while a checkpoint runs
  size_t step_shard_ = 0;
  size_t sweep_shard_ = 0;
};

}  // namespace shanhuo
