// What every item has brought in all its life: viewable exposures, clicks, orders and deeds, net of
// invalid traffic. What programs ask with `until`.
//
// One writer (the fold); of() from any thread, without a lock. 41 bytes an item; indices beyond
// items_max are not counted.
// Checkpointed: "lt" + item id := the four counts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "features/dirty_list.h"
#include "features/interner.h"
#include "features/state_machine.h"

namespace shanhuo {

enum class TotalUnit : uint8_t { kViewable, kClick, kOrder, kDeed };
inline constexpr int kTotalUnits = 4;

class ItemTotals final : public Checkpointed {
 public:
  ItemTotals(size_t items_max, Interner& interner);
  ~ItemTotals() override;

  void add(ItemIndex item, TotalUnit unit, int64_t n);
  int64_t of(ItemIndex item, TotalUnit unit) const;

  void begin_checkpoint(StateWriter& writer) override;
  bool checkpoint_step(size_t records_max) override;
  Status restore(const StateReader& reader) override;

 private:
  static constexpr size_t kChunk = 1024;
  struct Entry {
    std::array<std::atomic<int64_t>, kTotalUnits> counts{};
    uint8_t mark = 0;
  };
  using Chunk = std::array<Entry, kChunk>;

  Entry* writable(ItemIndex item);
  void save(ItemIndex item);

  Interner& interner_;
  const size_t chunks_max_;
  std::unique_ptr<std::atomic<Chunk*>[]> chunks_;   // each written once
  std::vector<std::unique_ptr<Chunk>> own_chunks_;  // writer only, as all below
  DirtyList<ItemIndex> dirty_;
  StateWriter* writer_ = nullptr;
};

}  // namespace shanhuo
