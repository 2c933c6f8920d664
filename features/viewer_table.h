// All viewers' profiles: 256 shards, each a slab store of fixed records under an open-addressing
// index, each with one mutex.
//
// One writer: update(), erase() and the Checkpointed calls come from the fold's thread. copy(),
// size() and bytes() from any thread; readers copy under the shard lock (544 bytes) and work
// outside it. Records live in slabs and never move, so growth costs no doubling; the index grows a
// few slots per insertion (record_index.h), so no update waits for a rehash. At most 600 bytes a
// viewer with an id of up to 38 bytes; longer ids are kept beside.
//
// Keys "vp" + user_id, values of user_state.h. viewers_max bounds memory; a viewer beyond it is not
// stored, and counted in refused().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "features/record_index.h"
#include "features/state_machine.h"
#include "features/user_state.h"

namespace shanhuo {

struct ViewerTableOptions {
  size_t viewers_max = 20'000'000;  // each costs 600 bytes
};

class ViewerTable final : public Checkpointed {
 public:
  explicit ViewerTable(const ViewerTableOptions& options = {});
  ~ViewerTable() override;
  ViewerTable(const ViewerTable&) = delete;
  ViewerTable& operator=(const ViewerTable&) = delete;

  // Calls change(PackedProfile&) under the shard lock, on a profile of zeros when the viewer is
  // new. False, without a call, when the viewer is new and there is no room.
  template <typename Change>
  bool update(std::string_view user_id, Change&& change) {
    const uint64_t hash = hash64(user_id);
    Shard& shard = shard_of(hash);
    const std::lock_guard lock(shard.mutex);
    PackedProfile* profile = writable(shard, hash, user_id);
    if (profile == nullptr) return false;
    change(*profile);
    return true;
  }

  // Hints that an update of the viewer with this hash64(user_id) comes soon: first the index, then,
  // some work later, the record. The fold's thread only.
  void prefetch_index(uint64_t hash) const { shard_of(hash).index.prefetch(hash); }
  void prefetch_record(uint64_t hash) const;

  // False, `out` untouched, when there is no such viewer.
  bool copy(std::string_view user_id, PackedProfile& out) const;

  // Forgets a viewer; the next checkpoint erases the key. False when there was none.
  bool erase(std::string_view user_id);

  size_t size() const { return size_.load(std::memory_order_relaxed); }
  size_t bytes() const;  // memory of records, index and ids
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  static constexpr size_t kShards = 256;
  static constexpr size_t kSlabRecords = 16;
  static constexpr size_t kInlineIdBytes = 38;

  struct Record {
    PackedProfile profile;
    uint8_t id_size;  // 0: the record is free
    uint8_t mark;     // the checkpoint that it belongs to, see begin_checkpoint(); fold thread only
    char id[kInlineIdBytes];  // the id, or its number in long_ids (u32) when it is longer
  };
  static_assert(sizeof(Record) + RecordIndex::kBytesPerRecordMax <= 600);

  struct alignas(64) Shard {
    mutable std::mutex mutex;
    // Guarded by mutex:
    RecordIndex index;
    std::vector<std::unique_ptr<Record[]>> slabs;
    uint32_t records = 0;  // handed out of the slabs, free ones included
    std::vector<uint32_t> free;
    std::vector<std::string> long_ids;
    std::vector<uint32_t> free_long_ids;

    Record& at(uint32_t number) const {
      return slabs[number / kSlabRecords][number % kSlabRecords];
    }
    std::string_view id_of(const Record& record) const;
    uint32_t find(uint64_t hash, std::string_view user_id) const;
  };

  static constexpr size_t shard_number(uint64_t hash) { return hash >> 56; }
  Shard& shard_of(uint64_t hash) { return shards_[shard_number(hash)]; }
  const Shard& shard_of(uint64_t hash) const { return shards_[shard_number(hash)]; }

  PackedProfile* writable(Shard& shard, uint64_t hash, std::string_view user_id);
  uint32_t create(Shard& shard, uint64_t hash, std::string_view user_id);
  void save(const Shard& shard, Record& record);

  const ViewerTableOptions options_;
  std::vector<Shard> shards_;
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> refused_{0};

  // Fold thread only. A dirty record is named by shard * 2^24 + number.
  StateWriter* writer_ = nullptr;  // not null while a checkpoint runs
  uint8_t dirty_mark_ =
      1;  // of records changed since begin_checkpoint(); the frozen ones have 3 - it
  std::vector<uint32_t> dirty_;
  std::vector<uint32_t> frozen_;
  size_t frozen_done_ = 0;
  std::vector<std::string> erased_;  // user ids, since the last begin_checkpoint()
  std::string key_;                  // scratch
};

}  // namespace shanhuo
