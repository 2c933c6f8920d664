// Inside user_state.cc: the part of a profile that is neither a vector nor an affinity. What the
// viewer met lately, the present session, when in the week the viewer comes, how often impressions
// become clicks and orders. Pure functions on a PackedProfile; user_state.h says what each field
// means.
//
// Each is called by apply_to_profile() before `last_event_ms` moves to the new event, with
// `newer` >= 0 the time by which the event is newer than it (0: the event is older, or the first).
// Cost: at most about 40 ns together.
#pragma once

#include <string_view>

#include "features/user_state.h"

namespace shanhuo {

// Puts the item first in the recent list. An event that is kRecentAgeMax older than the newest one
// changes nothing.
void remember(PackedProfile& profile, const Interaction& event, ItemIndex index);
// Drops what the list cannot date any more once the newest event is at `now`.
void drop_ancient(PackedProfile& profile, Millis now);
void note_session(PackedProfile& profile, Millis ts, Millis newer, Millis gap);
void note_week(PackedProfile& profile, Millis ts, Millis newer);
// By what the profile decays, and the event, until the newer of their times; one of them is 1.
struct Decay {
  float state, event;
};
void note_counts(PackedProfile& profile, const Interaction& event, Decay decay);

void decode_habits(const PackedProfile& profile, ViewerState& state);
// Whether some fold can have made them.
bool plausible_habits(const PackedProfile& profile);
// A record of version 1 as one of version 2: the recent list repacked, the rest as if the viewer
// had done nothing yet. Requires: bytes.size() == sizeof(PackedProfile).
bool is_version_1(std::string_view bytes);
PackedProfile upgrade_version_1(std::string_view bytes);

}  // namespace shanhuo
