// A rank request and its answer (contract 2.3), as values. The edge (serving/) validates and fills
// the request; ranking never sees JSON. Views in a RankRequest borrow from the caller's buffers for
// the length of the call.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "features/attributes.h"
#include "features/catalogue.h"
#include "features/interaction.h"
#include "features/viewer.h"
#include "ranking/cause.h"
#include "ranking/prices.h"
#include "ranking/program.h"

namespace shanhuo {

struct RankCandidate {
  std::string_view item_id;
  double score = 0;           // finite
  ItemIndex index = kNoItem;  // of the interner, when the edge looked it up; lets a boostable item
                              // of the list be boosted without having been retrieved
};

struct RankRequest {
  std::string_view request_id;
  std::string_view user_id;  // empty only with a room
  Surface surface = Surface::kFeed;
  int count = 10;                         // 1..200: slots of the page
  std::vector<RankCandidate> candidates;  // organic list, best first; ids distinct
  std::string_view city;
  std::optional<Place> place;
  Value attributes;  // object of the request's own attributes
  bool personalized = true;
  std::string_view room_id;  // empty: no room; otherwise candidates is the line-up
  Millis now;                // engine time
  bool explain = false;
};

enum class ItemSource : uint8_t { kOrganic, kBoost, kRetrieved };
std::string_view item_source_name(ItemSource source);  // "organic", "boost", "retrieved"

struct SlateItem {
  std::string item_id;
  ItemIndex index = kNoItem;  // kNoItem: not in the catalogue
  ItemSource source = ItemSource::kOrganic;
  double score = 0;       // organic: the caller's; else the value in fen
  double p_viewable = 0;  // P(viewable | position), the expectation reserved
  double propensity = 1;  // probability with which the policy shows it here
  std::vector<int>
      programs;        // indices into the ProgramSet, best first; at most kProgramsPerItemMax
  double p_click = 0;  // of boosted and retrieved items: given a view, the expectation of
  double p_order = 0;  // click goals; orders given a view, that of order goals
  Millis hold;         // rooms: what is left of hold_ms; 0: none
  std::string_view reason_code;  // literal; empty unless asked
  std::string reason_text;
};

// Why a program that items of this page's retrieval belong to is not on the page.
struct MissedProgram {
  int program = 0;  // index into the ProgramSet
  Cause cause = Cause::kNone;
  ItemIndex item = kNoItem;  // of its items the one that came closest, when none was eligible
  float viewable = 0;        // expected units that the page would have brought
};

struct Slate {
  std::vector<SlateItem> items;            // position = index
  std::vector<std::string_view> degraded;  // stage names, literals
  double organic_value_fen = 0;            // value of the organic page
  double loss_fen = 0;  // organic value minus value of this page to the viewer; < 0: worth more
  uint64_t price_version = 0;
  std::vector<MissedProgram> missed;     // ascending by program
  bool explored = false;                 // a draw decided, not the best page
  int new_items = 0, retired_items = 0;  // candidates that wait to be tried, and will not be
  bool tried_new = false;                // the page has the new item that its draw allowed
  // Of loss_fen: what the draw cost beside the best page; < 0: that would have cost more.
  double explored_loss_fen = 0;
  bool exact = true;  // false: the search stopped at search_nodes_max
};

}  // namespace shanhuo
