// All viewers' profiles: 256 shards, each a slab store of fixed records under an open-addressing
// index, each with one mutex. The coldest live in the state store alone (keep_cold_in()).
//
// One writer: update(), erase(), make_room() and the Checkpointed calls come from the fold's
// thread. The other calls from any thread; readers copy under the shard lock (544 bytes) and work
// outside it. Records live in slabs and never move, so growth costs no doubling; the index grows a
// few slots per insertion (record_index.h), so no update waits for a rehash. At most 600 bytes a
// viewer with an id of up to 38 bytes; longer ids are kept beside.
//
// Memory. Beyond memory_bytes_max a new or returning viewer takes the place of one whose profile is
// in a durable checkpoint, by second chance: the hand of each shard passes over records that
// changed since the last checkpoint or are not durable, and spares once what changed since it came
// by. A viewer who is not in memory is read back before an event of theirs is folded (one point
// lookup on the fold's thread), so eviction changes no byte of the state. When too much is not
// durable yet, each shard grows by up to a quarter and the table asks for a checkpoint; beyond
// that, nothing is folded before it is durable (make_room()): bytes() <= memory_bytes_max * 5 / 4 +
// 8 MiB, the 8 MiB for slabs in use by halves, shards that fill unevenly, and the events of one
// poll. A reader of a cold viewer reads the store itself, outside the lock, and brings nobody into
// memory: looking must not evict.
//
// Keys "vp" + user_id, values of user_state.h; and "vp": the number of viewers, u64 little-endian.
// viewers_max bounds how many there are in memory and on disk; a viewer beyond it is not stored,
// and counted in refused().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/huge_pool.h"
#include "features/record_index.h"
#include "features/state_machine.h"
#include "features/user_state.h"

namespace shanhuo {

struct ViewerTableOptions {
  size_t viewers_max = 20'000'000;  // each costs 600 bytes, in memory or on disk
  // Of profiles in memory, once keep_cold_in() was called.
  size_t memory_bytes_max = 2'000'000'000;
};

// Counters since the start of the process.
struct ViewerTableStats {
  uint64_t cold = 0;           // viewers who are on disk alone, now
  uint64_t cold_reads = 0;     // of the fold
  uint64_t cold_looks = 0;     // of readers
  uint64_t cold_failures = 0;  // of readers: the disk did not answer, "no such viewer" was said
  uint64_t evicted = 0;
  uint64_t grown = 0;   // came in although nobody could be evicted
  uint64_t stalls = 0;  // batches that waited for a checkpoint
};

class ViewerTable final : public Checkpointed {
 public:
  explicit ViewerTable(const ViewerTableOptions& options = {});
  ~ViewerTable() override;
  ViewerTable(const ViewerTable&) = delete;
  ViewerTable& operator=(const ViewerTable&) = delete;

  // Where the checkpoints of this table can be read back, which lets memory_bytes_max take effect.
  // Before restore() and any update; `store` must outlive the table.
  void keep_cold_in(const StateReader& store);

  // Calls change(PackedProfile&) under the shard lock, on a profile of zeros when the viewer is
  // new. False, without a call, when the viewer is new and there is no room, or is on disk and
  // cannot be read: make_room() fails from then on.
  template <typename Change>
  bool update(std::string_view user_id, Change&& change) {
    return update(user_id, hash64(user_id), std::forward<Change>(change));
  }
  // The same for who has hash64(user_id) at hand.
  template <typename Change>
  bool update(std::string_view user_id, uint64_t hash, Change&& change) {
    {
      Shard& shard = shard_of(hash);
      std::unique_lock lock(shard.mutex);
      PackedProfile* profile = writable(shard, hash, user_id, lock);
      if (profile == nullptr) return false;
      change(*profile);
    }
    pass_turn(hash);
    return true;
  }

  // A hint that an update of the viewer with this hash64(user_id) comes, kExpectedAhead calls
  // later. Call it for each event to come, in their order; the fold's thread only.
  void expect(uint64_t hash);
  static constexpr size_t kExpectedAhead = 10;

  // False, `out` untouched, when there is no such viewer.
  bool copy(std::string_view user_id, PackedProfile& out) const;

  // Forgets a viewer; the next checkpoint erases the key. False when there was none.
  bool erase(std::string_view user_id);

  // See state_machine.h. Also evicts what an earlier want of room has left too much.
  Result<StateRoom> make_room();

  size_t size() const { return size_.load(std::memory_order_relaxed); }  // on disk alone, too
  size_t bytes() const;  // memory of records, index and ids
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  ViewerTableStats stats() const;

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  void checkpoint_committed() override;
  // Loads as many as may be in memory, in the order of their ids.
  Status restore(const StateReader& reader) override;

 private:
  static constexpr size_t kShards = 256;
  static constexpr size_t kSlabRecords = 16;
  static constexpr size_t kInlineIdBytes = 38;
  static constexpr size_t kViewerBytes = 600;  // what one is taken to cost, a long id aside
  static constexpr std::string_view kPrefix = "vp";
  // A dirty record is named by shard * 2^24 + number.
  static constexpr int kShardShift = 24;
  static constexpr uint32_t kNumberMask = (1U << kShardShift) - 1;
  // Of Record::mark.
  static constexpr uint8_t kFirstSavedMark = 3, kSavedMarks = 124, kSpared = 0x80;
  // Of expect().
  static constexpr size_t kExpected = 16, kTogether = 4, kAskedAhead = 2;

  struct Record {
    PackedProfile profile;
    uint8_t id_size;  // 0: the record is free
    uint8_t mark;  // how it stands to checkpoints, see viewer_table_checkpoint.cc; fold thread only
    char id[kInlineIdBytes];  // the id, or its number in long_ids (u32) when it is longer
  };
  static_assert(sizeof(Record) + RecordIndex::kBytesPerRecordMax <= kViewerBytes);

  struct alignas(64) Shard {
    using allocator_type = std::pmr::polymorphic_allocator<>;  // of slabs and index
    explicit Shard(const allocator_type& memory) : index(memory.resource()), slabs(memory) {}

    mutable std::mutex mutex;
    // Guarded by mutex:
    RecordIndex index;
    std::pmr::vector<Record*> slabs;
    uint32_t records = 0;  // handed out of the slabs, free ones included
    std::vector<uint32_t> free;
    std::vector<std::string> long_ids;
    std::vector<uint32_t> free_long_ids;
    // Forgotten, but not yet on disk: the number of the checkpoint that will erase them.
    std::map<std::string, uint64_t, std::less<>> gone;
    // Fold thread only:
    size_t bytes = 0;  // what its viewers are taken to cost
    uint32_t hand = 0;

    Record& at(uint32_t number) const {
      return slabs[number / kSlabRecords][number % kSlabRecords];
    }
    std::string_view id_of(const Record& record) const;
    uint32_t find(uint64_t hash, std::string_view user_id) const;
  };

  // An event to come, as far as its viewer's record is found.
  struct Expected {
    uint64_t hash = 0;
    uint32_t number = RecordIndex::kNone;
    const char* record = nullptr;
  };

  static constexpr size_t shard_number(uint64_t hash) { return hash >> 56; }
  Shard& shard_of(uint64_t hash) { return shards_[shard_number(hash)]; }
  const Shard& shard_of(uint64_t hash) const { return shards_[shard_number(hash)]; }

  Expected& expected(size_t n) { return expected_[n % kExpected]; }
  void pass_turn(uint64_t hash);
  static void prefetch_lines(const char* record);
  using Lock = std::unique_lock<std::mutex>;
  PackedProfile* writable(Shard& shard, uint64_t hash, std::string_view user_id, Lock& lock);
  uint32_t bring(Shard& shard, uint64_t hash, std::string_view user_id, Lock& lock);
  uint32_t create(Shard& shard, uint64_t hash, std::string_view user_id);
  void remove(Shard& shard, uint64_t hash, uint32_t number);
  void save(const Shard& shard, Record& record);
  bool may_be_cold(const Shard& shard, std::string_view user_id) const;
  Result<bool> read_cold(std::string_view user_id, PackedProfile& out) const;
  bool durable(uint8_t mark) const;
  static uint8_t saved_mark(uint64_t checkpoint) {
    return static_cast<uint8_t>(kFirstSavedMark + checkpoint % kSavedMarks);
  }
  bool evict(Shard& shard);
  bool over(const Shard& shard) const { return shard.bytes > budget_ / kShards; }
  bool crowded(const Shard& shard) const {
    return shard.bytes > budget_ / kShards / 4 * 5 + kSlabRecords * kViewerBytes;
  }
  void weigh(Shard& shard, size_t id_size, bool added);
  Status restore_one(std::string_view user_id, std::string_view value);

  const ViewerTableOptions options_;
  HugePool memory_;  // asked by the fold's thread alone
  std::pmr::vector<Shard> shards_;
  std::atomic<size_t> size_{0};
  std::atomic<size_t> cold_{0};  // of these, on disk alone
  std::atomic<uint64_t> refused_{0}, cold_reads_{0}, evicted_{0}, grown_{0}, stalls_{0};
  mutable std::atomic<uint64_t> cold_looks_{0}, cold_failures_{0};

  // Constant after keep_cold_in():
  const StateReader* store_ = nullptr;
  size_t budget_ = SIZE_MAX;  // of the bytes of all shards

  // Fold thread only.
  size_t crowded_ = 0;             // shards that hold too much to go on
  size_t bytes_ = 0;               // of all shards
  Status unreadable_;              // why a cold viewer's event could not be folded
  size_t next_shard_ = 0;          // to be relieved
  StateWriter* writer_ = nullptr;  // not null while a checkpoint runs
  uint64_t checkpoint_ = 0;        // number of the one that was begun last
  bool committed_ = true;          // it is durable
  uint8_t dirty_mark_ =
      1;  // of records changed since begin_checkpoint(); the frozen ones have 3 - it
  std::vector<uint32_t> dirty_;
  std::vector<uint32_t> frozen_;
  size_t frozen_done_ = 0;
  std::array<Expected, kExpected> expected_;  // the last ones, by expected_count_
  size_t expected_count_ = 0, turn_ = 0;      // the next turn is that of turn_, or later
  size_t asked_ = 0;                          // so many of their records have been asked for
  std::vector<std::string> erased_;           // user ids, since the last begin_checkpoint()
  std::vector<std::string> erasing_;          // by the checkpoint that was begun last
  std::string key_;                           // scratch
};

}  // namespace shanhuo
