// The request behind a decision, as far as a replay of it needs it (streaming/decision.h), and
// back. Pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "features/interner.h"
#include "features/viewer.h"
#include "ranking/recommender.h"
#include "ranking/request.h"
#include "serving/traffic_book.h"
#include "streaming/decision.h"

namespace shanhuo {

// `p_click`: calibrated, one for each candidate.
DecidedContext to_context(const RankRequest& request, const Slate& slate, const ViewerState& viewer,
                          std::span<const double> p_click);

// What was decided for a live room.
DecidedRoom to_record(const RoomDecision& room);
RoomDecision from_record(const DecidedRoom& room, const Interner& interner);

// The key under which insertions of a room are counted: no user id has a control character.
std::string room_key(std::string_view room_id);
// Names a room's window where insertions are recorded, each once per viewer and window.
uint64_t room_window_hash(std::string_view room_id, Millis window_end);

// Requires: decision.context.
SampledRequest sampled_of(const Decision& decision);

// A decision's request again: what stood in the slots of the page, with P(click) for scores.
// Borrows texts from the decision. Requires: decision.context.
struct ReplayedRequest {
  RankRequest request;
  std::vector<double> p_click;
};
ReplayedRequest replayed(const Decision& decision);

}  // namespace shanhuo
