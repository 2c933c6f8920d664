// A viewer at rest: one fixed record, and the pure arithmetic that folds an interaction into it.
//
// PackedProfile is trivially copyable, owns nothing, and is its own checkpoint format
// (little-endian, profile_bytes()). All zero means a viewer without events. Time is event time and
// an argument: every decaying number is kept as of `last_event_ms`, the largest ts applied; an
// event older than that enters with its weight already decayed, so the order of arrival changes
// nothing but rounding.
//
// Interest vectors hold sum of w * 2^(-age / half-life) * item vector. A component is an integer of
// 10 bits (8 in `high`, 2 in `low`) times a float scale; decay touches the scale alone. Adding
// rounds down after a dither that is a function of the event counter and the component: no random
// device, same input same bytes, yet unbiased, so that a heavy viewer's vector still moves by
// additions far below one step (rounding to nearest would freeze it). Drift against double
// arithmetic, tested: cosine >= .995 after 1,000 events of any kind and after 20,000 that share a
// taste, >= .94 after 20,000 that share none.
//
// Affinities are space-saving summaries (Metwally, Agrawal, El Abbadi 2005) of 6 keys with decay: a
// key's weight is never below its true decayed sum by more than rounding, and above it by at most
// the smallest weight kept when it came in.
//
// Recent items: the last 30, each once, with the strongest reaction and the minute of the newest
// event; those of the last 726 days. Session: events between which no gap is longer than
// `session_gap`; an event older than the session's start is of none. Week: for each of the 42
// blocks of four hours of a week (UTC+8, from Monday 0:00), how often the viewer entered it, an
// older event apart; all are halved when one would pass 15, so that habits may change. Counts:
// impressions, clicks and orders, sums of 2^(-age / 7 d), right to about an eighth times the root
// of the number of events; all are halved when one would pass 8,191, so that their ratios stay.
//
// Thread safety: values and pure functions. Cost: apply at most about 300 ns.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/ids.h"
#include "base/result.h"
#include "features/catalogue.h"
#include "features/interaction.h"
#include "features/viewer.h"

namespace shanhuo {

struct ProfileOptions {
  Millis half_life_short{86'400'000};        // of interest_short, event time
  Millis half_life_long{30 * 86'400'000LL};  // of interest_long
  Millis half_life_affinity{30 * 86'400'000LL};
  Millis session_gap{30 * 60'000};  // a longer pause ends a session
};

// Component i is (high[i] * 4 + low bits) * scale; the low bits of i are bits 2 * (i / 16) and up
// of low[i % 16].
struct PackedVector {
  float scale;  // > 0 when any component is set
  int8_t high[kDims];
  uint8_t low[kDims / 4];
};

// weight = weights[i] * scale; weights[i] = 0: free place. In no order.
struct PackedAffinities {
  float scale;
  uint32_t keys[kAffinities];
  uint16_t weights[kAffinities];
};

inline constexpr uint8_t kProfileVersion = 2;
// Older ones leave the recent list; it dates by 20 bits of minutes.
inline constexpr Millis kRecentAgeMax{726 * 86'400'000LL};
inline constexpr Millis kViewerRateHalfLife{7 * 86'400'000};

struct PackedProfile {
  int64_t last_event_ms;  // reference time of everything that decays
  uint32_t events;        // applied; stays at its maximum
  PackedVector interest_short;
  PackedVector interest_long;
  PackedAffinities categories;
  PackedAffinities counties;
  PackedAffinities creators;
  // The recent list, newest first, each item once, as three arrays: ItemIndex + 1 (0: free place);
  // minutes since the epoch modulo 2^20, the low 16 bits and, below type * 2^4, the high 4.
  uint32_t recent_items[kRecentItems];
  uint32_t session_ms;  // last_event_ms - start of the session; stays at its maximum
  uint16_t recent_minutes[kRecentItems];
  uint16_t session_events;         // stays at its maximum
  uint16_t counts[kViewerCounts];  // impressions, clicks, orders, in eighths
  uint8_t recent_types[kRecentItems];
  uint8_t week[kWeekBlocks / 2];  // two blocks a byte, the earlier one in the low half
  uint8_t version;                // kProfileVersion once an event was applied
};
static_assert(std::is_trivially_copyable_v<PackedProfile> && sizeof(PackedProfile) == 544);

// What one event says about the viewer's interest in the item. `strength` orders reactions: the
// recent list shows an item's strongest one, a taking-back (refund, dislike) above all.
struct EventWeight {
  float interest;
  uint8_t strength;
};
EventWeight event_weight(EventType type);

// What models that know a viewer by its history (models/vector_model.h) take as having chosen an
// item, in training and in serving alike. A history is what a viewer chose, in order of time, each
// item once, where it stands last; an item that was taken back (refund, dislike) is not in it.
// Of a type alone, for the recent list: everything but impression, refund, dislike and deed.
bool chosen(EventType type);
// The same of an event: a play must have been watched for kViewablePlayMs.
bool chosen(const Interaction& event);
// Whether an event of this type takes a choice back, whenever that was made.
bool taken_back(EventType type);

// The weight of one event: the table's, except for plays, which count by the watched share of
// `duration_ms` (0: unknown, 30 s is taken).
float interest_weight(const Interaction& event, int64_t duration_ms);

// Folds one event in. `item` is null when the catalogue does not know it: then only the recent
// list, the counter and the time change.
void apply_to_profile(PackedProfile& profile, const Interaction& event, ItemIndex index,
                      const CatalogueItem* item, const ProfileOptions& options = {});

// The profile as of its last event. Affinities come heaviest first. `known` is true once an event
// was applied.
ViewerState decode(const PackedProfile& profile);

// The checkpoint format: the record's bytes as they are. read_profile() takes version 1 too (whose
// session, week and counts are zero); it refuses a wrong length, another version and values that no
// fold can have made (kCorrupt); `out` is untouched then.
std::string_view profile_bytes(const PackedProfile& profile);
Status read_profile(std::string_view bytes, PackedProfile& out);

}  // namespace shanhuo
