// What the engine decided for one rank request, as it is kept on the decisions topic: enough to
// answer a retry with the same slate, to re-count frequency and reservations after a restart, and
// to learn from. Plain owned values; coded by encode_decision() and decode_decision() in codec.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "features/interaction.h"
#include "features/item.h"

namespace shanhuo {

struct DecidedInsertion {
  std::string item_id;
  int32_t position = 0;
  std::vector<uint32_t> programs;  // program_hash() of each
  double p_viewable = 0;           // the expectation reserved
  double propensity = 1;           // probability with which the policy shows it here
  std::string token;               // empty: none
  double p_click = 0;              // given a view, of click and
  double p_order = 0;              // order goals
};

struct DecidedOrganic {
  std::string item_id;
  double score = 0;  // the caller's
};

// What holds for every viewer of a live room until the window ends (ranking/recommender.h,
// RoomDecision). It travels with each answer in the room, so that the newest ones suffice.
struct DecidedRoom {
  Millis window_end;
  Millis hold_until;
  std::string item_id;  // empty: decided that nothing is shown
  int32_t position = 0;
  std::vector<uint32_t> programs;  // program_hash() of each
  double value_fen = 0;
  double p_viewable = 0;
  double p_click = 0;
  double p_order = 0;
  double organic_value_fen = 0;
  double loss_fen = 0;
};

// The request as it was, so that it can be ranked again (shanhuo simulate --what-if): of its list
// what stood in the page's slots at most. About 5 bytes an item and 30 more; what insertions pushed
// off the page adds its id. Absent in records of before it was kept.
struct DecidedContext {
  int32_t count = 0;
  std::string city;
  std::optional<Place> place;
  std::string attributes;  // JSON object; empty: none
  bool personalized = true;
  int64_t viewer_events = 0;      // applied, lifetime: the tier
  std::vector<float> p_click;     // of the list's first `count`, in its order
  std::vector<int32_t> order;     // where each went on the page, -1: off it; empty: each stayed
  std::vector<std::string> left;  // those that went off it, in order
  double organic_value_fen = 0;  // of the organic page, and what the page as it was cost the viewer
  double loss_fen = 0;
};

struct DecisionVersions {
  uint64_t catalogue = 0;
  std::string model;
  std::string programs;
  uint64_t prices = 0;
  std::string experiments;
};

struct Decision {
  uint64_t seq = 0;  // grows by one with every decision of this engine
  Millis at;         // engine time
  std::string caller;
  std::string user_id;  // empty: a room without a viewer
  std::string request_id;
  uint64_t body_hash = 0;  // of the request, to tell a retry from a conflict
  Surface surface = Surface::kNone;
  std::string room_id;              // empty: no room
  std::optional<DecidedRoom> room;  // absent: no room, or the line-up went back undecided
  std::vector<DecidedInsertion> inserted;
  std::vector<DecidedOrganic> organic;  // of the page, in order
  std::optional<DecidedContext> context;
  DecisionVersions versions;
  std::vector<uint32_t> variations;  // variation_hash() of each that the viewer was in
  std::string response;              // the answer's JSON, byte for byte
};

}  // namespace shanhuo
