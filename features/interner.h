// Item ids <-> dense indices. An index is given once, never reused, and the same after a restart,
// so profiles, counters and the vector index may keep indices instead of ids. An id has an index as
// soon as an event or an item names it; whether there is such an item is the catalogue's knowledge.
//
// Thread-safe. find(), view_of() and size() take no lock and never wait for a writer: the hash
// table is open-addressed, its places are atomics that are written once, and a table that became
// too small is kept until the end (all old tables together are smaller than the present one). A
// lookup touches two cache lines, the slot and the id's bytes. intern() of a new id takes a mutex;
// of a known id it is find().
//
// Memory: the id's bytes + about 60 bytes an id. At most `ids_max` ids: beyond it intern() answers
// kNoItem and counts the refusal.
//
// Checkpointed under "in": key "in" + index (4 bytes, big-endian) -> id. Restore it before whatever
// keeps indices.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/huge_pool.h"
#include "features/state_machine.h"

namespace shanhuo {

using ItemIndex = uint32_t;
inline constexpr ItemIndex kNoItem = 0xFFFFFFFF;

struct InternerOptions {
  size_t ids_max = 16'000'000;  // each costs its bytes + 60; a full interner makes events dead
};

class Interner final : public Checkpointed {
 public:
  explicit Interner(InternerOptions options = {});
  ~Interner() override;
  Interner(const Interner&) = delete;
  Interner& operator=(const Interner&) = delete;

  ItemIndex intern(std::string_view id);      // its index, given now if it has none; kNoItem: full
  ItemIndex find(std::string_view id) const;  // kNoItem when it has none
  // Hints that find() of an id, or of the one with this hash64(), comes soon; likely(), some work
  // later, also says what it probably finds.
  void prefetch(std::string_view id) const { prefetch(hash64(id)); }
  void prefetch(uint64_t hash) const;
  ItemIndex likely(uint64_t hash) const;
  std::string_view view_of(
      ItemIndex index) const;  // Requires: index < size(). Lives as long as this
  std::string id_of(ItemIndex index) const { return std::string(view_of(index)); }
  size_t size() const { return size_.load(std::memory_order_acquire); }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  struct Table;
  static constexpr size_t kEntriesPerChunk = 4096;

  static ItemIndex find_in(const Table& table, uint64_t hash, std::string_view id);
  ItemIndex append(uint64_t hash, std::string_view id);
  const char* copy(std::string_view id);
  void grow();

  const size_t ids_max_;

  std::atomic<const Table*> table_{nullptr};
  std::unique_ptr<std::atomic<const char**>[]> chunks_;  // of kEntriesPerChunk, written once
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<size_t> bytes_{0};

  std::mutex mutex_;  // guards what follows
  HugePool memory_;
  std::vector<std::unique_ptr<Table>> tables_;  // the last one is table_
  std::vector<std::unique_ptr<const char*[]>> own_chunks_;
  char* block_ = nullptr;  // where the bytes of the next id go
  size_t block_left_ = 0;

  StateWriter* writer_ = nullptr;  // the fold's thread only, as the two below
  size_t written_ = 0;             // ids below are checkpointed
  size_t frozen_ = 0;              // ids below belong to the running checkpoint
};

}  // namespace shanhuo
