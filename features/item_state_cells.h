// Inside item_state.cc and item_state_checkpoint.cc: what the chunks are made of.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
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

inline int32_t slot_of(Millis t, Millis width) {
  const int64_t slot = window_of(t, width);
  return static_cast<int32_t>(std::clamp<int64_t>(slot, -2'000'000'000, 2'000'000'000));
}

struct alignas(64) ItemState::RateSlot {
  std::atomic<uint32_t> sequence{0};  // 0: no event yet
  std::atomic<int64_t> at_ms{0};      // largest ts; the sums are as of then
  std::atomic<double> impressions{0}, clicks{0}, viewable{0}, orders{0};

  std::array<std::atomic<double>*, 4> sums() { return {&impressions, &clicks, &viewable, &orders}; }
};

struct ItemState::Bucket {
  int32_t slot = 0;
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

struct alignas(64) ItemState::History {
  std::vector<Bucket> recent;  // of 5 minutes
  std::vector<Bucket> hours;
  int32_t dirty_from = kNever;  // hours from it on must be written
  int32_t disk_from = kNever;   // the first hour that may be on disk
  uint8_t mark = 0;
};

struct ItemState::Chunk {
  std::array<RateSlot, kChunk> rates;
  std::array<History, kChunk> histories;
};

}  // namespace shanhuo
