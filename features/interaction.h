// What a viewer did, decoded: the one currency of the write walk. codec -> Interaction -> fold
// (contract 2.2).
//
// An Interaction borrows: its string_views point into the decoder's buffers and are valid until the
// decoder's next call (streaming/codec.h). The fold copies what it keeps. Invariants, checked once
// by the codec: user_id, item_id and event_id are valid ids (base/ids.h), order and refund carry an
// order_id, numbers are in the ranges below.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ids.h"

namespace shanhuo {

enum class EventType : uint8_t {
  kImpression,
  kClick,
  kPlay,
  kLike,
  kComment,
  kShare,
  kFollow,
  kAddToCart,
  kOrder,
  kRefund,
  kDislike,
  kDeed,
};
inline constexpr int kEventTypes = 12;

enum class Surface : uint8_t { kNone, kFeed, kLiveRoom, kSearch, kDetail, kFestival, kOpenScreen };
inline constexpr int kSurfaces = 7;

// The contract's spelling ("add_to_cart", "live_room"; "" for Surface::kNone), and back.
std::string_view event_type_name(EventType type);
std::string_view surface_name(Surface surface);
std::optional<EventType> parse_event_type(std::string_view name);
std::optional<Surface> parse_surface(std::string_view name);

inline constexpr int64_t kPositionMax = 100'000;
inline constexpr int64_t kQuantityMax = 1'000'000;
inline constexpr int64_t kAmountFenMax = 1'000'000'000'000;  // ten billion yuan
inline constexpr int64_t kDurationMsMax = 7 * 86'400'000LL;  // watch_ms, viewable_ms

struct Interaction {
  EventType type = EventType::kImpression;
  Surface surface = Surface::kNone;
  std::string_view event_id;
  std::string_view user_id;
  std::string_view item_id;
  Millis ts;                    // when it happened, by the app's clock; event time
  std::string_view request_id;  // empty: absent
  std::string_view token;       // opaque text of features/exposure_token.h; empty: absent
  std::string_view order_id;    // empty: absent
  std::string_view deed;        // empty: absent
  int32_t position = -1;        // 0..kPositionMax; -1: absent
  int64_t viewable_ms = -1;     // 0..kDurationMsMax; -1: absent
  int64_t watch_ms = -1;        // 0..kDurationMsMax; -1: absent
  int64_t quantity = 1;         // 1..kQuantityMax
  int64_t amount_fen = 0;       // 0..kAmountFenMax
};

// An impression of a video counts as viewable from 2 s on, of any other kind from 1 s, a play from
// 2 s (contract 2.2).
inline constexpr int64_t kViewableVideoMs = 2'000;
inline constexpr int64_t kViewableCardMs = 1'000;
inline constexpr int64_t kViewablePlayMs = 2'000;
// A viewable exposure counts once per (user, item, program or none) and slot of this length.
inline constexpr Millis kExposureSlot{1'800'000};

}  // namespace shanhuo
