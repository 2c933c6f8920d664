// Inside item_state.cc and item_state_checkpoint.cc: what the chunks are made of.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "features/item_state.h"
#include "features/packing.h"

namespace shanhuo {

inline constexpr Millis kBucket{5 * 60'000};
inline constexpr int32_t kRecentKept = 12;  // buckets of 5 minutes
inline constexpr int32_t kHoursKept = 168;
inline constexpr int32_t kDayHours = 24;
inline constexpr int32_t kLateHours =
    25;  // how much older than the watermark an event's hour may be
inline constexpr int32_t kNever = std::numeric_limits<int32_t>::max();
inline constexpr int32_t kNoSlot = std::numeric_limits<int32_t>::min();  // below every slot

inline int32_t slot_of(Millis t, Millis width) {
  const int64_t slot = window_of(t, width);
  return static_cast<int32_t>(std::clamp<int64_t>(slot, -2'000'000'000, 2'000'000'000));
}

struct ItemState::Bucket {
  int32_t slot = kNoSlot;
  uint32_t served = 0, viewable = 0, clicks = 0, plays = 0, likes = 0, orders = 0;
  int64_t watch_ms = 0;
  int64_t amount_fen = 0;

  void add(const Counts& counts) {
    served += static_cast<uint32_t>(counts.served);
    viewable += static_cast<uint32_t>(counts.viewable);
    clicks += static_cast<uint32_t>(counts.clicks);
    plays += static_cast<uint32_t>(counts.plays);
    likes += static_cast<uint32_t>(counts.likes);
    orders += static_cast<uint32_t>(counts.orders);
    watch_ms += counts.watch_ms;
    amount_fen += counts.amount_fen;
  }
  void subtract(const Counts& counts) {
    const auto lower = [](uint32_t* count, int64_t by) {
      *count -= static_cast<uint32_t>(std::min<int64_t>(*count, by));
    };
    lower(&served, counts.served);
    lower(&viewable, counts.viewable);
    lower(&clicks, counts.clicks);
    lower(&plays, counts.plays);
    lower(&likes, counts.likes);
    lower(&orders, counts.orders);
    watch_ms -= std::min(watch_ms, counts.watch_ms);
    amount_fen -= counts.amount_fen;
  }
  Counts counts() const {
    return {.served = served,
            .viewable = viewable,
            .clicks = clicks,
            .plays = plays,
            .watch_ms = watch_ms,
            .likes = likes,
            .orders = orders,
            .amount_fen = amount_fen};
  }
  void append_to(std::string* out) const {
    for (const uint32_t n : {served, viewable, clicks, plays, likes, orders}) put_varint(out, n);
    put_signed(out, watch_ms);
    put_signed(out, amount_fen);
  }
  bool take_from(std::string_view* in) {
    for (uint32_t* n : {&served, &viewable, &clicks, &plays, &likes, &orders}) {
      uint64_t value = 0;
      if (!take_varint(in, &value) || value > UINT32_MAX) return false;
      *n = static_cast<uint32_t>(value);
    }
    return take_signed(in, &watch_ms) && take_signed(in, &amount_fen);
  }
};

// A bucket that readers may look at while it is written.
class alignas(64) ItemState::Newest {
 public:
  int32_t slot() const { return slot_.load(std::memory_order_relaxed); }
  bool empty() const { return slot() == kNoSlot; }
  Bucket load() const {
    Bucket bucket;
    each(*this, bucket,
         [](const auto& place, auto& field) { field = place.load(std::memory_order_acquire); });
    return bucket;
  }
  void store(const Bucket& bucket) {
    each(*this, bucket,
         [](auto& place, const auto& field) { place.store(field, std::memory_order_release); });
  }
  void add(const Counts& counts) {
    Bucket bucket = load();
    bucket.add(counts);
    store(bucket);
  }
  void subtract(const Counts& counts) {
    Bucket bucket = load();
    bucket.subtract(counts);
    store(bucket);
  }

 private:
  // visit(place, field) for each of them, the slot first.
  template <typename Places, typename Fields, typename Visit>
  static void each(Places& places, Fields& fields, const Visit& visit) {
    visit(places.slot_, fields.slot);
    visit(places.served_, fields.served);
    visit(places.viewable_, fields.viewable);
    visit(places.clicks_, fields.clicks);
    visit(places.plays_, fields.plays);
    visit(places.likes_, fields.likes);
    visit(places.orders_, fields.orders);
    visit(places.watch_ms_, fields.watch_ms);
    visit(places.amount_fen_, fields.amount_fen);
  }

  std::atomic<int32_t> slot_{kNoSlot};
  std::atomic<uint32_t> served_{0}, viewable_{0}, clicks_{0}, plays_{0}, likes_{0}, orders_{0};
  std::atomic<int64_t> watch_ms_{0}, amount_fen_{0};
};

// Ascending by slot, all below the newest; empty when there is no newest.
struct ItemState::Older {
  std::vector<Bucket> recent;  // of 5 minutes
  std::vector<Bucket> hours;
};

// What is known of an item, in three cache lines that an event finds without looking anywhere else.
struct alignas(64) ItemState::Cell {
  std::atomic<uint32_t> sequence{0};  // odd: being written; 0: no event yet
  uint8_t mark = 0;                   // writer only, as dirty_from and disk_from
  std::atomic<int64_t> at_ms{0};      // largest ts; the sums are as of then
  std::atomic<double> impressions{0}, clicks{0}, viewable{0}, orders{0};
  int32_t dirty_from = kNever;   // hours from it on must be written
  int32_t disk_from = kNever;    // the first hour that may be on disk
  std::unique_ptr<Older> older;  // guarded by the mutex
  Newest recent;
  Newest hours;

  std::array<std::atomic<double>*, 4> sums() { return {&impressions, &clicks, &viewable, &orders}; }
  Older& make_older() {
    if (older == nullptr) older = std::make_unique<Older>();
    return *older;
  }
  // Ascending by slot; under the mutex, or by the writer.
  template <typename Visit>
  void each_recent(const Visit& visit) const {
    if (older != nullptr) std::ranges::for_each(older->recent, visit);
    if (!recent.empty()) visit(recent.load());
  }
  template <typename Visit>
  void each_hour(const Visit& visit) const {
    if (older != nullptr) std::ranges::for_each(older->hours, visit);
    if (!hours.empty()) visit(hours.load());
  }
  int32_t first_hour() const {
    return older == nullptr || older->hours.empty() ? hours.slot() : older->hours.front().slot;
  }
  size_t recent_count() const {
    return (older == nullptr ? 0 : older->recent.size()) + (recent.empty() ? 0 : 1);
  }
};

struct ItemState::Chunk {
  static_assert(sizeof(Cell) == 192);
  std::array<Cell, kChunk> cells;
};

// The sequence number of a cell is odd as long as one of these lives.
class ItemState::Writing {
 public:
  explicit Writing(Cell* cell)
      : sequence_(cell->sequence), before_(sequence_.load(std::memory_order_relaxed)) {
    // What follows is stored with release, and so stays behind the odd number.
    sequence_.store(before_ + 1, std::memory_order_relaxed);
  }
  ~Writing() {
    const uint32_t next = before_ + 2;  // never again 0
    sequence_.store(next == 0 ? 2 : next, std::memory_order_release);
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

  bool first() const { return before_ == 0; }

 private:
  std::atomic<uint32_t>& sequence_;
  const uint32_t before_;
};

}  // namespace shanhuo
