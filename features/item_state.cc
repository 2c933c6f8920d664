// Two things per item, in chunks that never move. A RateSlot is read without a lock: the writer
// makes its sequence number odd, stores, and makes it even again; a reader that saw an odd or a
// changed number reads once more. Every field is an atomic, so there is no race even in name. A
// History is a pair of short vectors of buckets, ascending by time, guarded by the mutex.
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

ItemState::Chunk* ItemState::chunk_of(ItemIndex item) const {
  if (item >= options_.items_max) return nullptr;
  return chunks_[item / kChunk].load(std::memory_order_acquire);
}

ItemState::Chunk& ItemState::writable_chunk(ItemIndex item) {
  CHECK(item < options_.items_max);
  std::atomic<Chunk*>& place = chunks_[item / kChunk];
  if (Chunk* chunk = place.load(std::memory_order_relaxed)) return *chunk;
  own_chunks_.push_back(new (memory_.allocate(sizeof(Chunk), alignof(Chunk))) Chunk);
  place.store(own_chunks_.back(), std::memory_order_release);
  chunk_count_.fetch_add(1, std::memory_order_relaxed);
  return *own_chunks_.back();
}

void ItemState::prefetch(ItemIndex item) const {
  const Chunk* chunk = chunk_of(item);
  if (chunk == nullptr) return;
  __builtin_prefetch(&chunk->rates[item % kChunk], 1);
  __builtin_prefetch(&chunk->histories[item % kChunk], 1);
}

void ItemState::prefetch_rates(ItemIndex item) const {
  const Chunk* chunk = chunk_of(item);
  if (chunk != nullptr) __builtin_prefetch(&chunk->rates[item % kChunk]);
}

void ItemState::prefetch_buckets(ItemIndex item) const {
  const Chunk* chunk = chunk_of(item);
  if (chunk == nullptr) return;
  const History& history = chunk->histories[item % kChunk];
  if (!history.recent.empty()) __builtin_prefetch(&history.recent.back(), 1);
  if (!history.hours.empty()) __builtin_prefetch(&history.hours.back(), 1);
}

void ItemState::add(ItemIndex item, Millis ts, Millis watermark, const Counts& counts) {
  Chunk& chunk = writable_chunk(item);
  History& history = chunk.histories[item % kChunk];
  dirty_.touch(&history.mark, item, [&] { save(item); });
  add_rates(&chunk.rates[item % kChunk], ts, counts, 1);
  if (item >= items_end_.load(std::memory_order_relaxed)) items_end_.store(item + 1);
  const int32_t hour = slot_of(ts, kHour);
  {
    const std::lock_guard lock(mutex_);
    add_bucket(&history.recent, slot_of(ts, kBucket), kRecentKept, counts);
    add_bucket(&history.hours, hour, kHoursKept, counts);
  }
  history.dirty_from = std::min(history.dirty_from, hour);
  pass(watermark);
}

void ItemState::pass(Millis watermark) {
  if (watermark.count() > watermark_ms_.load(std::memory_order_relaxed)) {
    watermark_ms_.store(watermark.count(), std::memory_order_relaxed);
  }
  if (slot_of(watermark, kHour) > swept_hour_) sweep(watermark);
}

void ItemState::subtract(ItemIndex item, Millis ts, const Counts& counts) {
  Chunk& chunk = writable_chunk(item);
  History& history = chunk.histories[item % kChunk];
  dirty_.touch(&history.mark, item, [&] { save(item); });
  add_rates(&chunk.rates[item % kChunk], ts, counts, -1);
  const auto take_from = [&](std::vector<Bucket>& buckets, int32_t slot) {
    const auto found = std::ranges::find(buckets, slot, &Bucket::slot);
    if (found != buckets.end()) found->subtract(counts);
  };
  const int32_t hour = slot_of(ts, kHour);
  const std::lock_guard lock(mutex_);
  take_from(history.recent, slot_of(ts, kBucket));
  take_from(history.hours, hour);
  history.dirty_from = std::min(history.dirty_from, hour);
}

void ItemState::add_rates(RateSlot* slot, Millis ts, const Counts& counts, int sign) {
  const uint32_t sequence = slot->sequence.load(std::memory_order_relaxed);
  const Millis at = sequence == 0 ? ts : Millis(slot->at_ms.load(std::memory_order_relaxed));
  const double keep = half_life_decay(ts - at, kRateHalfLife);
  const double weight = half_life_decay(at - ts, kRateHalfLife);
  const std::array<int64_t, 4> added = {counts.served, counts.clicks, counts.viewable,
                                        counts.orders};
  // Release on each store keeps it behind the odd number; readers load with acquire, in turn.
  slot->sequence.store(sequence + 1, std::memory_order_relaxed);
  const auto sums = slot->sums();
  for (size_t i = 0; i < sums.size(); ++i) {
    const double before = sums[i]->load(std::memory_order_relaxed);
    const double after = before * keep + weight * static_cast<double>(sign * added[i]);
    sums[i]->store(std::max(0.0, after), std::memory_order_release);
  }
  slot->at_ms.store(std::max(ts, at).count(), std::memory_order_release);
  // An even number, never again 0.
  const uint32_t next = sequence + 2;
  slot->sequence.store(next == 0 ? 2 : next, std::memory_order_release);
}

void ItemState::add_bucket(std::vector<Bucket>* buckets, int32_t slot, int32_t keep,
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

void ItemState::sweep(Millis watermark) {
  swept_hour_ = slot_of(watermark, kHour);
  const int64_t recent_end = int64_t{slot_of(watermark, kBucket)} - kRecentKept -
                             kLateHours * (kHour.count() / kBucket.count());
  const int64_t hours_end = int64_t{swept_hour_} - kHoursKept - kLateHours;
  const std::lock_guard lock(mutex_);
  size_t freed = 0;
  for (Chunk* chunk : own_chunks_) {
    for (History& history : chunk->histories) {
      if (history.mark != 0) continue;  // what is to be written stays as it is
      for (auto [buckets, end] :
           {std::pair(&history.recent, recent_end), std::pair(&history.hours, hours_end)}) {
        if (buckets->empty() || buckets->front().slot > end) continue;
        const size_t before = buckets->size();
        drop_expired(buckets, end);
        freed += before - buckets->size();
        if (buckets->empty()) std::vector<Bucket>().swap(*buckets);
      }
    }
  }
  buckets_.fetch_sub(freed, std::memory_order_relaxed);
}

ItemRates ItemState::rates(ItemIndex item) const {
  Chunk* chunk = chunk_of(item);
  if (chunk == nullptr) return {};
  RateSlot& slot = chunk->rates[item % kChunk];
  std::array<double, 4> sums{};
  int64_t at = 0;
  uint32_t sequence = 0;
  do {
    sequence = slot.sequence.load(std::memory_order_acquire);
    if (sequence == 0) return {};
    const auto places = slot.sums();
    for (size_t i = 0; i < places.size(); ++i) sums[i] = places[i]->load(std::memory_order_acquire);
    at = slot.at_ms.load(std::memory_order_acquire);
  } while (sequence % 2 != 0 || slot.sequence.load(std::memory_order_relaxed) != sequence);
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
  const Chunk* chunk = chunk_of(item);
  if (chunk == nullptr) return;
  const History& history = chunk->histories[item % kChunk];
  const int32_t bucket = slot_of(now, kBucket), hour = slot_of(now, kHour);
  const std::lock_guard lock(mutex_);
  for (const Bucket& b : history.recent) {
    if (b.slot > bucket - kRecentKept) windows->hour += b.counts();
  }
  for (const Bucket& b : history.hours) {
    if (b.slot > hour - kDayHours) windows->day += b.counts();
    if (b.slot > hour - kHoursKept) windows->week += b.counts();
  }
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
