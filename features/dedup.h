// Deduplicator: has this hash been seen within a window of event time (24 h by default)?
//
// 8-byte slots (48 bits of the hash, 16 bits of time) in 1,024 open-addressing shards; with the 10
// bits that choose the shard, 58 bits tell hashes apart: among n remembered ones a new hash is
// taken for a duplicate with probability n / 2^58 (50 million: 1.8e-10 an event). Usually one
// probe. A hash is kept under the five-minute bucket of its ts and is forgotten, bucket by bucket,
// once that whole bucket lies before watermark - window. Forgotten slots are reused in place or
// dropped when their shard is rebuilt; shards are rebuilt one at a time, so no insert waits for
// more than one of them.
//
// Budget: beyond entries_max the oldest bucket is forgotten early and counted in forgotten(). A ts
// in it is new from then on, and not remembered.
//
// One thread (the fold's) uses an object, counters excepted. One object serves one log partition:
// the watermark is that partition's. Objects of one process have different names.
//
// Checkpoint: only what was added since the last one.
//   "dd" name ":"                            u8 version (1), i64 first remembered bucket,
//                                            i64 watermark, u64 forgotten; little-endian
//   "dd" name ":" bucket:u64be seq:u32be     hashes, u64 each, little-endian, at most 8,192
// bucket counts from the epoch with its sign bit flipped, so that keys sort by time. Chunks of
// forgotten buckets are erased.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/huge_pool.h"
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
  ~Deduplicator() override;
  Deduplicator(const Deduplicator&) = delete;
  Deduplicator& operator=(const Deduplicator&) = delete;

  // True when `hash` is new; it is remembered then. `hash` must be well mixed (base/hash.h). The
  // largest watermark (or ts) ever given counts.
  bool insert(uint64_t hash, Millis ts, Millis watermark);
  // A hint that insert() of it comes, some events later. Hints take effect four at a time: one
  // whose page the processor does not know holds it up, four of them no longer than one.
  void prefetch(uint64_t hash);

  size_t size() const { return size_.load(std::memory_order_relaxed); }  // remembered now
  uint64_t forgotten() const {
    return forgotten_.load(std::memory_order_relaxed);
  }                                                                        // by the budget
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }  // of the table

  void begin_checkpoint(StateWriter& writer) override;
  // Hashes count as records.
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

  static constexpr Millis kBucket{300'000};

 private:
  static constexpr size_t kShards = 1024;
  static constexpr size_t kSlotsMin = 16;
  static constexpr size_t kChunkHashes = 8192;
  static constexpr size_t kTogether = 4;

  // Small, so that all of them stay in the cache beside everything else.
  struct Shard {
    uint64_t* slots = nullptr;  // of memory_; 0: free
    uint32_t capacity = 0;      // a power of two, or 0
    uint32_t used = 0;          // slots that are not free, forgotten ones included
  };
  struct Bucket {
    size_t entries = 0;
    uint32_t chunks = 0;            // on disk, or on the way in the running checkpoint
    std::vector<uint64_t> pending;  // hashes since the last begin_checkpoint()
  };
  struct FrozenBucket {
    int64_t bucket;
    uint32_t first_seq;
    std::vector<uint64_t> hashes;
  };
  struct ForgottenBucket {
    int64_t bucket;
    uint32_t chunks;
  };

  Bucket& at(int64_t bucket) { return ring_[static_cast<uint64_t>(bucket) & (ring_.size() - 1)]; }
  int64_t last_bucket() const { return window_of(watermark_, kBucket); }
  bool live(uint64_t slot) const;
  void advance(Millis watermark);
  void forget_before(int64_t bucket);
  void clear();
  void enforce_budget();
  bool remember(uint64_t hash, int64_t bucket);
  void rebuild(Shard& shard);
  void set_capacity(Shard& shard, uint32_t capacity);
  std::string chunk_key(int64_t bucket, uint32_t seq) const;
  void put_head();
  void put_chunk(const FrozenBucket& frozen, size_t from, size_t count);
  Status restore_head(std::string_view value);
  Status restore_chunk(std::string_view key, std::string_view value);

  const DedupOptions options_;
  const std::string prefix_;  // "dd" name ":"
  HugePool memory_;
  std::vector<Shard> shards_;
  std::vector<Bucket> ring_;  // by bucket number; size a power of two above the window's buckets
  bool started_ = false;      // the two below are set
  Millis watermark_;          // largest given
  int64_t first_ = 0;         // buckets before it are forgotten
  size_t scrubbed_ = 0;       // next shard to rid of forgotten slots
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> forgotten_{0};
  std::atomic<size_t> bytes_{0};
  std::array<uint64_t, kTogether> expected_{};  // the last ones given to prefetch()
  size_t expected_count_ = 0;
  std::vector<uint64_t> kept_;  // scratch of rebuild()

  StateWriter* writer_ = nullptr;          // not null while a checkpoint runs
  std::vector<ForgottenBucket> to_erase_;  // their chunks go with the next checkpoint
  std::vector<ForgottenBucket> erasing_;
  std::vector<FrozenBucket> frozen_;
  size_t frozen_done_ = 0;  // hashes of frozen_.back() that are written
};

}  // namespace shanhuo
