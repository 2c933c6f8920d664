// Deduplicator: has this hash been seen within a window of event time (24 h by default)?
//
// 8-byte slots (48 bits of the hash, 16 bits of hour) in 1,024 open-addressing shards; with the 10
// bits that choose the shard, 58 bits tell hashes apart: among n remembered ones a new hash is
// taken for a duplicate with probability n / 2^58 (50 million: 1.8e-10 an event). Usually one
// probe. A hash is kept under the hour of its ts and is forgotten, hour by hour, once that whole
// hour lies before watermark - window. Forgotten slots are reused in place or dropped when their
// shard is rebuilt; shards grow one at a time (about 0.5 ms at the default budget).
//
// Budget: beyond entries_max the oldest hour is forgotten early and counted in forgotten(). Then ts
// in that hour are new again.
//
// One thread (the fold's) uses an object, counters excepted. One object serves one log partition:
// the watermark is that partition's. Give the two objects of a partition different names.
//
// Checkpoint: only what was added since the last one.
//   "dd" name ":"                              u8 version (1), i64 first remembered hour, u64
//   forgotten "dd" name ":" hour:u64be seq:u32be         hashes, u64 each, little-endian, at most
//   8,192
// hour counts from the epoch with its sign bit flipped, so that keys sort by time. Chunks of
// forgotten hours are erased.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "features/state_machine.h"

namespace shanhuo {

struct DedupOptions {
  size_t entries_max = 50'000'000;  // remembered hashes; each costs 11 to 21 bytes
  Millis window{86'400'000};        // 1 h .. 30 d of event time
};

class Deduplicator final : public Checkpointed {
 public:
  // `name`: 1..16 bytes without ':'.
  explicit Deduplicator(std::string_view name, const DedupOptions& options = {});

  // True when `hash` is new; it is remembered then. `hash` must be well mixed (base/hash.h). A ts
  // whose hour is forgotten already is new, and not remembered. The largest watermark (or ts) ever
  // given counts.
  bool insert(uint64_t hash, Millis ts, Millis watermark);
  // The same answer, remembering nothing.
  bool is_new(uint64_t hash, Millis ts, Millis watermark);

  size_t size() const { return size_.load(std::memory_order_relaxed); }  // remembered now
  uint64_t forgotten() const {
    return forgotten_.load(std::memory_order_relaxed);
  }                                                                        // by the budget
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }  // of the table

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  static constexpr size_t kShards = 1024;
  static constexpr size_t kSlotsMin = 64;
  static constexpr size_t kChunkHashes = 8192;

  struct Shard {
    std::vector<uint64_t> slots;  // size a power of two; 0: free
    size_t used = 0;              // slots that are not free, forgotten ones included
  };
  struct Hour {
    int64_t hour = 0;
    size_t entries = 0;
    uint32_t chunks = 0;            // on disk, or on the way in the running checkpoint
    std::vector<uint64_t> pending;  // hashes since the last begin_checkpoint()
  };
  struct Chunk {
    int64_t hour;
    uint32_t seq;
    std::vector<uint64_t> hashes;
  };
  struct Forgotten {
    int64_t hour;
    uint32_t chunks;
  };

  Hour& hour_at(int64_t hour) { return hours_[static_cast<uint64_t>(hour) & (hours_.size() - 1)]; }
  void advance(Millis ts, Millis watermark);
  void forget_before(int64_t hour, bool over_budget);
  bool live(uint64_t slot) const;
  // The slot that holds the hash, or the one to write it to; second is true when it was found.
  std::pair<uint64_t*, bool> probe(Shard& shard, uint64_t hash) const;
  void remember(uint64_t hash, int64_t hour);
  void rebuild(Shard& shard);
  std::string chunk_key(int64_t hour, uint32_t seq) const;
  Status restore_chunk(std::string_view key, std::string_view value);
  Status restore_head(std::string_view value);

  const DedupOptions options_;
  const std::string prefix_;  // "dd" name ":"
  std::vector<Shard> shards_;
  std::vector<Hour> hours_;  // ring, size a power of two above the hours of the window
  Millis watermark_;         // largest given
  bool started_ = false;     // watermark_ and first_hour_ are set
  int64_t first_hour_ = 0;   // hours before it are forgotten
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> forgotten_{0};
  std::atomic<size_t> bytes_{0};
  std::vector<Forgotten> on_disk_;  // chunks to erase at the next begin_checkpoint()
  StateWriter* writer_ = nullptr;   // not null while a checkpoint runs
  std::vector<Chunk> frozen_;
};

}  // namespace shanhuo
