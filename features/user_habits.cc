// The recent list keeps minutes modulo 2^20, two years: the newest event says which two years are
// meant, and what grows older than that is dropped (a look at the list once a day of the viewer's
// time, not at each event).
//
// Counts are integers in eighths that decay; rounding down after the dither of user_state.cc keeps
// their sums right although most steps of decay are far below an eighth.
//
// Tested by tests/features_user_habits_test.cc against lists of all events.
#include "features/user_habits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "features/counts.h"
#include "features/decay.h"

namespace shanhuo {
namespace {

constexpr int64_t kMinuteMax = (1 << 28) - 1;
constexpr int64_t kMinuteMask = (1 << 20) - 1;
constexpr int64_t kAgeMinutesMax = kRecentAgeMax.count() / kMinute.count();
static_assert(kAgeMinutesMax + 2 * 1'440 <= kMinuteMask);

constexpr float kCountUnits = 8;  // of a count's integer to one event
constexpr uint8_t kBlockMax = 15;

int64_t minute_of(Millis t) { return std::clamp<int64_t>(window_of(t, kMinute), 0, kMinuteMax); }

// What the recent list says at place `i`, the newest event being in minute `last`.
int64_t recent_minute(const PackedProfile& profile, int i, int64_t last) {
  const int64_t kept = (profile.recent_types[i] & 0xF) << 16 | profile.recent_minutes[i];
  return last - ((last - kept) & kMinuteMask);
}

void set_recent(PackedProfile& profile, int i, uint32_t item_plus_1, uint32_t type,
                int64_t minute) {
  profile.recent_items[i] = item_plus_1;
  profile.recent_minutes[i] = static_cast<uint16_t>(minute);
  profile.recent_types[i] = static_cast<uint8_t>(type << 4 | (minute >> 16 & 0xF));
}

// Where the item is, else the first free place, else the last one. Without branches, four at a time
// by the compiler: how far the search goes is anyone's guess.
int place_in_recent(const PackedProfile& profile, uint32_t item_plus_1) {
  std::array<uint8_t, 32> end{};  // where the search ends
  end[kRecentItems - 1] = 1;
  for (int i = 0; i < kRecentItems - 1; ++i) {
    const uint32_t at = profile.recent_items[i];
    end[i] = static_cast<uint8_t>((at == item_plus_1) | (at == 0));
  }
  int place = 0;
  for (;; place += 8) {
    uint64_t eight;
    std::memcpy(&eight, &end[place], 8);
    if (eight != 0) return place + std::countr_zero(eight) / 8;
  }
}

int block_of_week(Millis t) {
  constexpr int64_t kPerDay = kDay.count() / kWeekBlock.count();
  const int64_t block = window_of(t + kChinaOffset, kWeekBlock);
  const int64_t in_week = (block + 3 * kPerDay) % (7 * kPerDay);  // 1970-01-01 was a Thursday
  return static_cast<int>(in_week < 0 ? in_week + 7 * kPerDay : in_week);
}

uint8_t block_at(const PackedProfile& profile, int block) {
  return profile.week[block / 2] >> (4 * (block % 2)) & 0xF;
}

// A recent item of version 1, whose list began 240 bytes before the version at its end.
struct RecentV1 {
  uint32_t item_plus_1;
  uint32_t type_and_minute;  // type * 2^28 + minutes since the epoch
};
constexpr size_t kRecentV1At = sizeof(PackedProfile) - 4 - kRecentItems * sizeof(RecentV1);

}  // namespace

int week_block(Millis t) { return block_of_week(t); }

void remember(PackedProfile& profile, const Interaction& event, ItemIndex index) {
  const int64_t last = minute_of(Millis(profile.last_event_ms));
  int64_t minute = minute_of(event.ts);
  if (last - minute > kAgeMinutesMax) return;
  const int place = place_in_recent(profile, index + 1);
  auto type = static_cast<uint32_t>(event.type);
  if (profile.recent_items[place] == index + 1) {
    const uint32_t before = profile.recent_types[place] >> 4;
    if (event_weight(static_cast<EventType>(before)).strength >
        event_weight(static_cast<EventType>(type)).strength) {
      type = before;
    }
    minute = std::max(minute, recent_minute(profile, place, last));
  }
  const auto shift = [&](auto* list) {
    std::memmove(list + 1, list, static_cast<size_t>(place) * sizeof(*list));
  };
  shift(profile.recent_items);
  shift(profile.recent_minutes);
  shift(profile.recent_types);
  set_recent(profile, 0, index + 1, type, minute);
}

void drop_ancient(PackedProfile& profile, Millis now) {
  const int64_t last = minute_of(Millis(profile.last_event_ms)), next = minute_of(now);
  if (next / 1'440 == last / 1'440) return;
  int kept = 0;
  for (int i = 0; i < kRecentItems && profile.recent_items[i] != 0; ++i) {
    const int64_t minute = recent_minute(profile, i, last);
    if (next - minute > kAgeMinutesMax) continue;
    set_recent(profile, kept++, profile.recent_items[i], profile.recent_types[i] >> 4, minute);
  }
  for (; kept < kRecentItems; ++kept) set_recent(profile, kept, 0, 0, 0);
}

void note_session(PackedProfile& profile, Millis ts, Millis newer, Millis gap) {
  if (profile.session_events == 0 || newer > gap) {
    profile.session_ms = 0;
    profile.session_events = 1;
    return;
  }
  profile.session_ms = static_cast<uint32_t>(
      std::min<int64_t>(UINT32_MAX, int64_t{profile.session_ms} + newer.count()));
  const bool before = ts.count() < profile.last_event_ms + newer.count() - profile.session_ms;
  if (!before && profile.session_events != UINT16_MAX) ++profile.session_events;
}

void note_week(PackedProfile& profile, Millis ts, Millis newer) {
  const Millis last(profile.last_event_ms);
  const auto block = [](Millis t) { return window_of(t + kChinaOffset, kWeekBlock); };
  const bool first = profile.events == 1;
  if (!first && (newer.count() == 0 || block(ts) == block(last))) return;
  const int place = block_of_week(ts);
  if (block_at(profile, place) == kBlockMax) {
    for (uint8_t& pair : profile.week) pair = pair >> 1 & 0x77;
  }
  profile.week[place / 2] = static_cast<uint8_t>(profile.week[place / 2] + (1 << 4 * (place % 2)));
}

void note_counts(PackedProfile& profile, const Interaction& event, Decay decay) {
  const EventType types[] = {EventType::kImpression, EventType::kClick, EventType::kOrder};
  std::array<float, kViewerCounts> units;
  for (int i = 0; i < kViewerCounts; ++i) {
    const float added = event.type == types[i] ? kCountUnits * decay.event : 0;
    units[i] = static_cast<float>(profile.counts[i]) * decay.state + added;
  }
  const bool full = std::ranges::any_of(units, [](float x) { return x >= UINT16_MAX - 1; });
  for (uint32_t i = 0; i < kViewerCounts; ++i) {
    const uint32_t phase = profile.events * 0x9E3779B9U + i * 0xC2B2AE35U;
    const float dither = static_cast<float>(phase >> 20) * (1.0F / 4096) + (0.5F / 4096);
    profile.counts[i] = static_cast<uint16_t>((full ? units[i] / 2 : units[i]) + dither);
  }
}

void decode_habits(const PackedProfile& profile, ViewerState& state) {
  const int64_t last = minute_of(Millis(profile.last_event_ms));
  for (int i = 0; i < kRecentItems && profile.recent_items[i] != 0; ++i) {
    state.recent[state.recent_count++] = {
        profile.recent_items[i] - 1, static_cast<EventType>(profile.recent_types[i] >> 4),
        Millis(recent_minute(profile, i, last) * kMinute.count())};
  }
  state.session = {profile.session_events, Millis(profile.last_event_ms - profile.session_ms)};
  for (int i = 0; i < kWeekBlocks / 2; ++i) {
    state.week[2 * i] = profile.week[i] & 0xF;
    state.week[2 * i + 1] = profile.week[i] >> 4;
  }
  state.rates = {static_cast<float>(profile.counts[0]) / kCountUnits,
                 static_cast<float>(profile.counts[1]) / kCountUnits,
                 static_cast<float>(profile.counts[2]) / kCountUnits};
}

bool plausible_habits(const PackedProfile& profile) {
  bool ends = false;  // a free place was seen
  for (int i = 0; i < kRecentItems; ++i) {
    if (profile.recent_items[i] == 0) {
      ends = true;
    } else if (ends || (profile.recent_types[i] >> 4) >= kEventTypes) {
      return false;
    }
  }
  return true;
}

bool is_version_1(std::string_view bytes) {
  uint32_t version = 0;
  std::memcpy(&version, bytes.data() + bytes.size() - sizeof(version), sizeof(version));
  return version == 1;
}

PackedProfile upgrade_version_1(std::string_view bytes) {
  PackedProfile profile{};
  std::memcpy(&profile, bytes.data(), kRecentV1At);
  const int64_t last = minute_of(Millis(profile.last_event_ms));
  int kept = 0;
  for (int i = 0; i < kRecentItems; ++i) {
    RecentV1 recent;
    std::memcpy(&recent, bytes.data() + kRecentV1At + i * sizeof(recent), sizeof(recent));
    if (recent.item_plus_1 == 0) break;
    const int64_t minute = recent.type_and_minute & kMinuteMax;
    if (last - minute > kAgeMinutesMax) continue;
    set_recent(profile, kept++, recent.item_plus_1, recent.type_and_minute >> 28, minute);
  }
  profile.version = kProfileVersion;
  return profile;
}

}  // namespace shanhuo
