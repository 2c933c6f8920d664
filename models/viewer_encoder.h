// The vector that retrieval searches with and scoring compares with: what this viewer likes now,
// from the two decayed sums of the profile. Pure, thread-safe.
#pragma once

#include "features/viewer.h"

namespace shanhuo {

// `short_share`: 0..1, weight of the last day's interest against the last month's. Unit length; all
// zero for a viewer without interests (then similarity says nothing and other sources decide).
Vector encode_viewer(const ViewerState& viewer, float short_share);

}  // namespace shanhuo
