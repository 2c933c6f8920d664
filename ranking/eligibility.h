// Whether a program asks for this page, and whether an item may be inserted into it now. Each check
// returns the first reason against it, in the order of the checks below, or kNone.
//
// Programs: blocked, running, surface, cap reached, audience, area.
// Items: there, blocked, available and in stock, in season; then for each of its programs the
// frequency caps of that program.
//
// Programs are judged once per request, on first use. One thread, borrowed arguments.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "features/viewer.h"
#include "ranking/attributes.h"
#include "ranking/cause.h"
#include "ranking/prices.h"
#include "ranking/request.h"
#include "ranking/world.h"

namespace shanhuo {

// The radius of an area at `now`: between two corners of radius_km linearly, before the first and
// after the last one constant. Requires: radius_km is not empty.
double area_radius_km(const Area& area, Millis start, Millis now);

// Causes of the items and programs that were looked at, for the status page.
struct CauseCounts {
  std::array<uint32_t, kCauses> count{};
};

class Eligibility {
 public:
  // Starts over for a request. `prices` may be of another set (ignored then). `window_key` items of
  // `insertions` are counted per sliding window of engine time ending at request.now.
  void begin(const RankRequest& request, const ViewerState& viewer, const Insertions& insertions,
             const World& world, const PriceTable& prices);

  // Why the program does not ask for this page.
  Cause program(ProgramIndex index);
  // Why the item cannot be inserted for any program: availability, stock, season, blocks.
  Cause item(const CatalogueItem* item) const;
  // Why this program's frequency caps forbid one more insertion of the item.
  Cause frequency(ProgramIndex index, const CatalogueItem& item) const;
  // All three: fills `eligible` with the item's programs that may name it, best first, at most
  // kProgramsPerItemMax, and returns their number; for 0, `first` says why not.
  int programs_of(ItemIndex item, std::array<ProgramIndex, kProgramsPerItemMax>& eligible,
                  Cause& first);

  // What was counted by programs_of() since begin(): the worst cause per program that was looked at.
  std::span<const MissedProgram> missed() const { return missed_; }

 private:
  Cause judge(ProgramIndex index) const;
  void miss(ProgramIndex index, Cause cause);

  const RankRequest* request_ = nullptr;
  const ViewerState* viewer_ = nullptr;
  const Insertions* insertions_ = nullptr;
  const World* world_ = nullptr;
  const PriceTable* prices_ = nullptr;  // nullptr: of another set
  std::vector<uint8_t> judged_;         // per program: 0 not yet, else 1 + Cause
  std::vector<MissedProgram> missed_;
};

}  // namespace shanhuo
