// The counted words of contract 2.2 as numbers: what one event adds, and sums of it.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace shanhuo {

struct Counts {
  int64_t served = 0;    // applied impressions
  int64_t viewable = 0;  // see feature_store.h
  int64_t clicks = 0;
  int64_t plays = 0;
  int64_t watch_ms = 0;
  int64_t likes = 0;
  int64_t orders = 0;
  int64_t amount_fen = 0;        // orders minus their refunds
  int64_t boosted_viewable = 0;  // those carried by a valid token
  int64_t boosted_orders = 0;

  Counts& operator+=(const Counts& other) {
    served += other.served;
    viewable += other.viewable;
    clicks += other.clicks;
    plays += other.plays;
    watch_ms += other.watch_ms;
    likes += other.likes;
    orders += other.orders;
    amount_fen += other.amount_fen;
    boosted_viewable += other.boosted_viewable;
    boosted_orders += other.boosted_orders;
    return *this;
  }
  Counts& operator-=(const Counts& other) {
    served -= other.served;
    viewable -= other.viewable;
    clicks -= other.clicks;
    plays -= other.plays;
    watch_ms -= other.watch_ms;
    likes -= other.likes;
    orders -= other.orders;
    amount_fen -= other.amount_fen;
    boosted_viewable -= other.boosted_viewable;
    boosted_orders -= other.boosted_orders;
    return *this;
  }
  friend Counts operator-(Counts a, const Counts& b) { return a -= b; }
  bool operator==(const Counts&) const = default;
};

// The number of an hour since the epoch, and of a day of the counties' time zone (UTC+8).
constexpr int64_t hour_of(Millis t) { return window_of(t, kHour); }
inline constexpr Millis kChinaOffset{8 * 3'600'000};
constexpr int64_t day_of(Millis t) { return window_of(t + kChinaOffset, kDay); }
constexpr Millis start_of_hour(int64_t hour) { return Millis(hour * kHour.count()); }
constexpr Millis start_of_day(int64_t day) {
  return Millis(day * kDay.count() - kChinaOffset.count());
}

}  // namespace shanhuo
