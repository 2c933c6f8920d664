// A cell per item, in chunks that never move. Rates and the newest buckets are read without a lock:
// the writer makes the cell's sequence number odd, stores, and makes it even again; a reader that
// saw an odd or a changed number reads once more. Every field is an atomic, so there is no race
// even in name. The older buckets are short vectors, ascending by time, guarded by the mutex, which
// also whoever adds or removes a bucket takes: most events only add to the two newest.
//
// What is on disk must be a function of the events alone, not of when checkpoints or sweeps were.
// So buckets expire relative to the item's own newest event, when the item changes. The sweep that
// frees the memory of idle items takes only what such a change would drop anyway: an event that is
// not late is at most 24 h older than the watermark.
//
// Tested by tests/features_item_state_test.cc.
#include "features/item_state.h"

#include <algorithm>

#include "base/check.h"
#include "features/decay.h"
#include "features/item_state_cells.h"

namespace shanhuo {
ItemState::ItemState(const ItemStateOptions& options, Interner& interner)
    : options_(options),
      interner_(interner),
      chunks_(new std::atomic<Chunk*>[options.items_max / kChunk + 1]()) {}

ItemState::~ItemState() {
  for (Chunk* chunk : own_chunks_) std::destroy_at(chunk);
}

ItemState::Cell* ItemState::cell_of(ItemIndex item) const {
  if (item >= options_.items_max) return nullptr;
  Chunk* const chunk = chunks_[item / kChunk].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &chunk->cells[item % kChunk];
}

ItemState::Cell& ItemState::writable_cell(ItemIndex item) {
  CHECK(item < options_.items_max);
  std::atomic<Chunk*>& place = chunks_[item / kChunk];
  if (place.load(std::memory_order_relaxed) == nullptr) {
    own_chunks_.push_back(new (memory_.allocate(sizeof(Chunk), alignof(Chunk))) Chunk);
    place.store(own_chunks_.back(), std::memory_order_release);
    chunk_count_.fetch_add(1, std::memory_order_relaxed);
  }
  return place.load(std::memory_order_relaxed)->cells[item % kChunk];
}

void ItemState::prefetch(ItemIndex item) const {
  const Cell* const cell = cell_of(item);
  if (cell == nullptr) return;
  __builtin_prefetch(&cell->sequence, 1);
  __builtin_prefetch(&cell->recent, 1);
  __builtin_prefetch(&cell->hours, 1);
}

void ItemState::prefetch_rates(ItemIndex item) const {
  if (const Cell* const cell = cell_of(item)) __builtin_prefetch(&cell->sequence);
}

void ItemState::add(ItemIndex item, Millis ts, Millis watermark, const Counts& counts) {
  Cell& cell = writable_cell(item);
  dirty_.touch(&cell.mark, item, [&] { save(item); });
  const int32_t recent = slot_of(ts, kBucket), hour = slot_of(ts, kHour);
  if (cell.recent.slot() == recent && cell.hours.slot() == hour) {
    const Writing writing(&cell);
    add_rates(&cell, ts, counts, 1, writing.first());
    cell.recent.add(counts);
    cell.hours.add(counts);
  } else {
    const std::lock_guard lock(mutex_);
    const Writing writing(&cell);
    add_rates(&cell, ts, counts, 1, writing.first());
    add_bucket(&cell, &Cell::recent, &Older::recent, recent, kRecentKept, counts);
    add_bucket(&cell, &Cell::hours, &Older::hours, hour, kHoursKept, counts);
  }
  if (item >= items_end_.load(std::memory_order_relaxed)) items_end_.store(item + 1);
  cell.dirty_from = std::min(cell.dirty_from, hour);
  pass(watermark);
}

void ItemState::pass(Millis watermark) {
  if (watermark.count() > watermark_ms_.load(std::memory_order_relaxed)) {
    watermark_ms_.store(watermark.count(), std::memory_order_relaxed);
  }
  if (watermark >= swept_until_) sweep(watermark);
}

void ItemState::subtract(ItemIndex item, Millis ts, const Counts& counts) {
  Cell& cell = writable_cell(item);
  dirty_.touch(&cell.mark, item, [&] { save(item); });
  const int32_t hour = slot_of(ts, kHour);
  const std::lock_guard lock(mutex_);
  const Writing writing(&cell);
  add_rates(&cell, ts, counts, -1, writing.first());
  const auto take_from = [&](Newest* newest, std::vector<Bucket> Older::*older, int32_t slot) {
    if (newest->slot() == slot) return newest->subtract(counts);
    if (cell.older == nullptr) return;
    auto& buckets = *cell.older.*older;
    const auto found = std::ranges::find(buckets, slot, &Bucket::slot);
    if (found != buckets.end()) found->subtract(counts);
  };
  take_from(&cell.recent, &Older::recent, slot_of(ts, kBucket));
  take_from(&cell.hours, &Older::hours, hour);
  cell.dirty_from = std::min(cell.dirty_from, hour);
}

void ItemState::add_rates(Cell* cell, Millis ts, const Counts& counts, int sign, bool first) {
  const Millis at = first ? ts : Millis(cell->at_ms.load(std::memory_order_relaxed));
  const double keep = half_life_decay(ts - at, kRateHalfLife);
  const double weight = half_life_decay(at - ts, kRateHalfLife);
  const std::array<int64_t, 4> added = {counts.served, counts.clicks, counts.viewable,
                                        counts.orders};
  const auto sums = cell->sums();
  for (size_t i = 0; i < sums.size(); ++i) {
    const double before = sums[i]->load(std::memory_order_relaxed);
    const double after = before * keep + weight * static_cast<double>(sign * added[i]);
    sums[i]->store(std::max(0.0, after), std::memory_order_release);
  }
  cell->at_ms.store(std::max(ts, at).count(), std::memory_order_release);
}

// Of a series that is `older` and then `newest`.
void ItemState::add_bucket(Cell* cell, Newest Cell::*newest, std::vector<Bucket> Older::*older,
                           int32_t slot, int32_t keep, const Counts& counts) {
  Newest& last = cell->*newest;
  if (last.slot() == slot) return last.add(counts);
  std::vector<Bucket> alone;
  std::vector<Bucket>& all = last.empty() ? alone : cell->make_older().*older;
  if (!last.empty()) all.push_back(last.load());
  insert_bucket(&all, slot, keep, counts);
  if (all.empty()) return;  // the budget refused the first one
  last.store(all.back());
  all.pop_back();
}

void ItemState::insert_bucket(std::vector<Bucket>* buckets, int32_t slot, int32_t keep,
                              const Counts& counts) {
  if (!buckets->empty() && slot <= buckets->back().slot - keep) return;  // before the window
  auto place = buckets->end();
  while (place != buckets->begin() && std::prev(place)->slot >= slot) --place;
  if (place != buckets->end() && place->slot == slot) return place->add(counts);
  const auto at = place - buckets->begin();
  const size_t before = buckets->size();
  if (buckets_.load(std::memory_order_relaxed) >= options_.buckets_max) {
    buckets_dropped_.fetch_add(1, std::memory_order_relaxed);
    if (at == 0) return;  // itself the oldest
    buckets->erase(buckets->begin());
    place = buckets->begin() + (at - 1);
  }
  buckets->insert(place, Bucket{.slot = slot})->add(counts);
  drop_expired(buckets, buckets->back().slot - keep);
  buckets_.fetch_add(buckets->size() - before,
                     std::memory_order_relaxed);  // may wrap: a difference
}

void ItemState::drop_expired(std::vector<Bucket>* buckets, int64_t last_expired) {
  const auto live = [&](const Bucket& bucket) { return bucket.slot > last_expired; };
  buckets->erase(buckets->begin(), std::find_if(buckets->begin(), buckets->end(), live));
}

// Says how many went.
size_t ItemState::drop_expired(Cell* cell, Newest Cell::*newest, std::vector<Bucket> Older::*older,
                               int64_t last_expired) {
  Newest& last = cell->*newest;
  size_t dropped = 0;
  if (cell->older != nullptr) {
    std::vector<Bucket>& buckets = *cell->older.*older;
    dropped = buckets.size();
    drop_expired(&buckets, last_expired);
    dropped -= buckets.size();
    if (dropped > 0 && buckets.empty()) std::vector<Bucket>().swap(buckets);
  }
  if (last.empty() || last.slot() > last_expired) return dropped;
  const Writing writing(cell);
  last.store(Bucket());
  return dropped + 1;
}

void ItemState::sweep(Millis watermark) {
  const int32_t hour = slot_of(watermark, kHour);
  swept_until_ = Millis((int64_t{hour} + 1) * kHour.count());
  const int64_t recent_end = int64_t{slot_of(watermark, kBucket)} - kRecentKept -
                             kLateHours * (kHour.count() / kBucket.count());
  const int64_t hours_end = int64_t{hour} - kHoursKept - kLateHours;
  const std::lock_guard lock(mutex_);
  size_t freed = 0;
  for (Chunk* chunk : own_chunks_) {
    for (Cell& cell : chunk->cells) {
      if (cell.mark != 0) continue;  // what is to be written stays as it is
      freed += drop_expired(&cell, &Cell::recent, &Older::recent, recent_end) +
               drop_expired(&cell, &Cell::hours, &Older::hours, hours_end);
    }
  }
  buckets_.fetch_sub(freed, std::memory_order_relaxed);
}

ItemRates ItemState::rates(ItemIndex item) const {
  Cell* const cell = cell_of(item);
  if (cell == nullptr) return {};
  std::array<double, 4> sums{};
  int64_t at = 0;
  uint32_t sequence = 0;
  do {
    sequence = cell->sequence.load(std::memory_order_acquire);
    if (sequence == 0) return {};
    const auto places = cell->sums();
    for (size_t i = 0; i < places.size(); ++i) sums[i] = places[i]->load(std::memory_order_acquire);
    at = cell->at_ms.load(std::memory_order_acquire);
  } while (sequence % 2 != 0 || cell->sequence.load(std::memory_order_relaxed) != sequence);
  const double keep = half_life_decay(watermark() - Millis(at), kRateHalfLife);
  return {.impressions = static_cast<float>(sums[0] * keep),
          .clicks = static_cast<float>(sums[1] * keep),
          .viewable = static_cast<float>(sums[2] * keep),
          .orders = static_cast<float>(sums[3] * keep)};
}

ItemWindows ItemState::windows(ItemIndex item) const { return windows(std::span(&item, 1)); }

ItemWindows ItemState::windows(std::span<const ItemIndex> items) const {
  ItemWindows windows;
  for (const ItemIndex item : items) sum_windows(item, watermark(), &windows);
  return windows;
}

void ItemState::sum_windows(ItemIndex item, Millis now, ItemWindows* windows) const {
  const Cell* const cell = cell_of(item);
  if (cell == nullptr) return;
  const int32_t bucket = slot_of(now, kBucket), hour = slot_of(now, kHour);
  const auto add_recent = [&](const Bucket& b) {
    if (b.slot > bucket - kRecentKept) windows->hour += b.counts();
  };
  const auto add_hour = [&](const Bucket& b) {
    if (b.slot > hour - kDayHours) windows->day += b.counts();
    if (b.slot > hour - kHoursKept) windows->week += b.counts();
  };
  const std::lock_guard lock(mutex_);
  if (cell->older != nullptr) {
    std::ranges::for_each(cell->older->recent, add_recent);
    std::ranges::for_each(cell->older->hours, add_hour);
  }
  Bucket last_recent, last_hour;
  uint32_t sequence = 0;
  do {
    sequence = cell->sequence.load(std::memory_order_acquire);
    last_recent = cell->recent.load();
    last_hour = cell->hours.load();
  } while (sequence % 2 != 0 || cell->sequence.load(std::memory_order_relaxed) != sequence);
  if (last_recent.slot != kNoSlot) add_recent(last_recent);
  if (last_hour.slot != kNoSlot) add_hour(last_hour);
}

std::vector<ItemIndex> ItemState::popular(size_t n) const {
  std::vector<std::pair<float, ItemIndex>> found;
  const size_t end = items_end_.load();
  for (size_t item = 0; item < end; ++item) {
    const float clicks = rates(static_cast<ItemIndex>(item)).clicks;
    if (clicks > 0) found.emplace_back(clicks, static_cast<ItemIndex>(item));
  }
  const auto better = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  const auto middle = found.begin() + static_cast<ptrdiff_t>(std::min(n, found.size()));
  std::partial_sort(found.begin(), middle, found.end(), better);
  std::vector<ItemIndex> items;
  for (auto it = found.begin(); it != middle; ++it) items.push_back(it->second);
  return items;
}

size_t ItemState::bytes() const {
  return (options_.items_max / kChunk + 1) * sizeof(Chunk*) +
         chunk_count_.load(std::memory_order_relaxed) * sizeof(Chunk) +
         buckets_.load(std::memory_order_relaxed) * sizeof(Bucket);
}

}  // namespace shanhuo
