#include "features/item_totals.h"

#include <algorithm>

#include "features/packing.h"

namespace shanhuo {

ItemTotals::ItemTotals(size_t items_max, Interner& interner)
    : interner_(interner),
      chunks_max_(items_max / kChunk + 1),
      chunks_(new std::atomic<Chunk*>[chunks_max_]()) {}

ItemTotals::~ItemTotals() = default;

ItemTotals::Entry* ItemTotals::writable(ItemIndex item) {
  if (item / kChunk >= chunks_max_) return nullptr;
  std::atomic<Chunk*>& place = chunks_[item / kChunk];
  if (place.load(std::memory_order_relaxed) == nullptr) {
    own_chunks_.push_back(std::make_unique<Chunk>());
    place.store(own_chunks_.back().get(), std::memory_order_release);
  }
  return &(*place.load(std::memory_order_relaxed))[item % kChunk];
}

void ItemTotals::add(ItemIndex item, TotalUnit unit, int64_t n) {
  Entry* entry = writable(item);
  if (entry == nullptr || n == 0) return;
  dirty_.touch(&entry->mark, item, [&] { save(item); });
  std::atomic<int64_t>& count = entry->counts[static_cast<size_t>(unit)];
  count.store(std::max<int64_t>(0, count.load(std::memory_order_relaxed) + n),
              std::memory_order_relaxed);
}

int64_t ItemTotals::of(ItemIndex item, TotalUnit unit) const {
  if (item / kChunk >= chunks_max_) return 0;
  const Chunk* chunk = chunks_[item / kChunk].load(std::memory_order_acquire);
  if (chunk == nullptr) return 0;
  return (*chunk)[item % kChunk].counts[static_cast<size_t>(unit)].load(std::memory_order_relaxed);
}

void ItemTotals::save(ItemIndex item) {
  std::string key = "lt", value;
  key += interner_.view_of(item);
  for (const auto& count : writable(item)->counts) {
    put_signed(&value, count.load(std::memory_order_relaxed));
  }
  writer_->put(key, value);
}

void ItemTotals::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  dirty_.begin();
}

bool ItemTotals::checkpoint_step(size_t records_max) {
  return dirty_.step(
      records_max, [this](ItemIndex item) { return &writable(item)->mark; },
      [this](ItemIndex item) { save(item); });
}

Status ItemTotals::restore(const StateReader& reader) {
  return reader.scan("lt", [&](std::string_view key, std::string_view value) -> Status {
    key.remove_prefix(2);
    const ItemIndex item = interner_.find(key);
    Entry* entry = item == kNoItem ? nullptr : writable(item);
    bool good = entry != nullptr;
    for (int unit = 0; good && unit < kTotalUnits; ++unit) {
      int64_t count = 0;
      good = take_signed(&value, &count) && count >= 0;
      entry->counts[static_cast<size_t>(unit)].store(count, std::memory_order_relaxed);
    }
    if (good && value.empty()) return {};
    return Error{ErrorCode::kCorrupt, "item totals: malformed record"};
  });
}

}  // namespace shanhuo
