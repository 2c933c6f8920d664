// The page: one rank request as a pure function. Stages in order: programs that run for this
// viewer, retrieval, eligibility, scoring, allocation, the slate. No clock, no random device, no
// state: the same arguments give the same bytes. Everything is passed in; nothing is kept but the
// scratch, which only spares allocations and never changes an answer.
//
// Thread-safe as long as each thread has its own RankScratch. Failure does not exist here: a
// request that the edge let through always gets a slate; what breaks around it (retriever, prices)
// is the caller's to catch with organic_slate().
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "features/viewer.h"
#include "models/value_variations.h"
#include "ranking/candidate.h"
#include "ranking/options.h"
#include "ranking/prices.h"
#include "ranking/request.h"
#include "ranking/resolve.h"
#include "ranking/world.h"

namespace shanhuo {

// What a request is ranked with; borrowed for the length of the call.
struct RankContext {
  const ViewerState& viewer;     // ignored when !request.personalized
  const Insertions& insertions;  // of this viewer (room: of the room), oldest first
  const World& world;
  const PriceTable& prices;  // made for world.programs(); a table of another set counts as
                             // all-zero prices without caps reached
  const ItemRatesReader& rates;
  Retriever& retriever;
  const RankingOptions& options;
  // Calibrated P(click) of each organic candidate, same length as request.candidates; made
  // non-increasing here. Empty: scores in 0..1 stand as they are, others count 0.1 * 0.95^position.
  std::span<const double> organic_p_click;
  uint64_t seed = 0;  // of the exploration draw; the caller derives it from (user, request)
  const Graduates* graduates = nullptr;  // nullptr: no item has left its program
  RequestSnapshot* snapshot = nullptr;   // filled for re-solving, when it is set
  ValueModels values{};                  // nullptr, or not ready: rates and lifts make values
};

// Reusable memory of one thread.
class RankScratch {
 public:
  RankScratch();
  ~RankScratch();
  RankScratch(RankScratch&&) noexcept;
  RankScratch& operator=(RankScratch&&) noexcept;

  struct Parts;
  Parts& parts() { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

// The page of a request without a room. With candidates: the organic list with at most
// options.insertions_max boosted items. Without: eligible boostable items by value (kRetrieved).
Slate rank(const RankRequest& request, const RankContext& context, RankScratch& scratch);

// The organic list alone, at most `count` of it: what goes back whatever happens. Names `stage` in
// degraded unless it is empty; `stage` must be a literal.
Slate organic_slate(const RankRequest& request, std::string_view stage);

// --- rooms ---

// Which one more farm good a live room shows during a window, and where. The same for all viewers.
struct RoomDecision {
  Millis window_end;         // the decision holds until then
  Millis hold_until;         // "three more minutes in the front row"
  ItemIndex item = kNoItem;  // kNoItem: decided that nothing is shown
  std::string item_id;
  int position = 0;
  double value_fen = 0;
  double p_viewable = 0;
  double p_click = 0;
  double organic_value_fen = 0;  // of the line-up, and what the good costs each viewer
  double loss_fen = 0;
  double p_order = 0;
  std::vector<uint32_t> programs;  // program_hash() of the named ones: survives a change of the set
};

// Decides for the window of request.now. Pure; looks at no viewer, only at programs with a room
// policy; `context.insertions` are those of the room. Windows start at multiples of the chosen
// program's window_s since the epoch; a decision for nothing holds for the shortest such window.
RoomDecision rank_room(const RankRequest& request, const RankContext& context,
                       RankScratch& scratch);

// The answer for one viewer of the room: the line-up with the decided good at its place. Falls back
// to the line-up when the good has meanwhile been blocked, sold out or deleted.
Slate room_slate(const RankRequest& request, const RankContext& context,
                 const RoomDecision& decision);

}  // namespace shanhuo
