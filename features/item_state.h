// What every item has done lately, by event time: decayed rates for scoring, and sliding windows.
//
// Rates (viewer.h, ItemRates): sums of 2^(-age / 7 d), read by ranking for every candidate without
// a lock and without waiting (a sequence number per item; a reader that meets a writer tries
// again). Windows: the last hour in 5-minute buckets, the last 24 h and 7 d in hours. A window ends
// with the watermark and holds the present bucket and the 11 (23, 167) before it, so its length is
// right to one bucket. Creator and county windows are sums over their items, made when read.
//
// One writer (the fold). rates() and windows() from any thread; windows() takes a mutex that the
// writer holds for the length of one event, and only when a bucket comes or goes.
//
// Memory: 192 bytes an item with its newest buckets, 48 bytes each of the others; buckets in which
// nothing happened do not exist. Beyond `buckets_max` an item's oldest bucket makes room for its
// newest, which is counted (buckets_dropped).
//
// Checkpointed: "it" + item id -> rates and 5-minute buckets; "it" + item id + 0x00 + hour (8
// bytes, big-endian, sign flipped) -> the counts of that hour; "it" + 0x00 -> the watermark. Equal
// events give equal bytes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/huge_pool.h"
#include "features/counts.h"
#include "features/dirty_list.h"
#include "features/interner.h"
#include "features/state_machine.h"
#include "features/viewer.h"

namespace shanhuo {

inline constexpr Millis kRateHalfLife{7 * 86'400'000};

struct ItemStateOptions {
  size_t items_max = 16'000'000;    // as the interner's; 8 bytes a thousand items
  size_t buckets_max = 20'000'000;  // of 48 bytes, over all items
};

struct ItemWindows {
  Counts hour, day, week;  // boosted_* stay 0
};

class ItemState final : public Checkpointed {
 public:
  ItemState(const ItemStateOptions& options, Interner& interner);
  ~ItemState() override;

  // Adds what one event counts. `watermark` is the largest event time seen, for readers.
  void add(ItemIndex item, Millis ts, Millis watermark, const Counts& counts);

  // Takes back what an earlier add() of the same item and time counted. Sums stay at 0 or above;
  // what has left the windows is not touched.
  void subtract(ItemIndex item, Millis ts, const Counts& counts);
  // Time goes on, for readers and in the checkpoint, though nothing was counted.
  void pass(Millis watermark);

  // Hints to the processor that add(), or rates(), of this item comes soon.
  void prefetch(ItemIndex item) const;
  void prefetch_rates(ItemIndex item) const;

  // Decayed to the watermark; all zero for an item without events.
  ItemRates rates(ItemIndex item) const;
  ItemWindows windows(ItemIndex item) const;
  ItemWindows windows(std::span<const ItemIndex> items) const;
  // Up to `n` items with the most decayed clicks, best first; those without a click are left out.
  // Scans all items (about 10 ns each): call it once a second and keep the answer.
  std::vector<ItemIndex> popular(size_t n) const;

  Millis watermark() const { return Millis(watermark_ms_.load(std::memory_order_relaxed)); }
  size_t bytes() const;
  uint64_t buckets_dropped() const { return buckets_dropped_.load(std::memory_order_relaxed); }

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  static constexpr size_t kChunk = 1024;
  struct Bucket;
  class Newest;
  struct Older;
  struct Cell;
  struct Chunk;
  class Writing;

  Cell* cell_of(ItemIndex item) const;  // nullptr: none has been made
  Cell& writable_cell(ItemIndex item);
  void add_bucket(Cell* cell, Newest Cell::*newest, std::vector<Bucket> Older::*older, int32_t slot,
                  int32_t keep, const Counts& counts);
  void insert_bucket(std::vector<Bucket>* buckets, int32_t slot, int32_t keep,
                     const Counts& counts);
  // `sign` is 1, or -1 to take back; `first`: nothing was counted before.
  static void add_rates(Cell* cell, Millis ts, const Counts& counts, int sign, bool first);
  static void drop_expired(std::vector<Bucket>* buckets, int64_t last_expired);
  static size_t drop_expired(Cell* cell, Newest Cell::*newest, std::vector<Bucket> Older::*older,
                             int64_t last_expired);
  void sweep(Millis watermark);
  void save(ItemIndex item);
  static std::string encode_head(Cell& cell);
  Status restore_record(std::string_view key, std::string_view value);
  bool restore_head(Cell* cell, std::string_view value);
  bool restore_hour(Cell* cell, std::string_view key, std::string_view value);
  void sum_windows(ItemIndex item, Millis now, ItemWindows* windows) const;

  const ItemStateOptions options_;
  Interner& interner_;

  std::unique_ptr<std::atomic<Chunk*>[]> chunks_;  // each written once
  HugePool memory_;                                // writer only, as the next
  std::vector<Chunk*> own_chunks_;                 // in memory_
  std::atomic<int64_t> watermark_ms_{INT64_MIN};
  std::atomic<size_t> items_end_{0};  // items at and after it have no counts
  std::atomic<size_t> chunk_count_{0};
  std::atomic<size_t> buckets_{0};
  std::atomic<uint64_t> buckets_dropped_{0};

  mutable std::mutex mutex_;    // guards which buckets the cells have
  DirtyList<ItemIndex> dirty_;  // writer only, as all below
  StateWriter* writer_ = nullptr;
  Millis swept_until_{INT64_MIN};  // the end of the hour in which the last sweep was
  Millis saved_watermark_{INT64_MIN};
};

}  // namespace shanhuo
