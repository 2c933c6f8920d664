// Why a program's items are not on a page: the reasons of eligibility and of the allocation, and
// the causes of a shortfall as operators see them (contract 2.5).
#pragma once

#include <cstdint>
#include <string_view>

namespace shanhuo {

enum class Cause : uint8_t {
  kNone,  // inserted, or nothing to say
  // The contract's causes of a shortfall.
  kNoInventory,      // no item of the program was retrieved for this viewer
  kBelowRelevance,   // its items were worth less than what the viewer would lose
  kFrequencyCapped,  // the viewer has seen enough of it
  kNoSlot,           // no legal slot on the page: slots, gaps, page length
  kUserBudget,       // only the price of viewers' loss (nu) kept it out
  kOutOfStock,       // includes items that are switched off
  kOutOfSeason,
  kConflict,  // another program's item took its place
  kBlocked,
  // Not a shortfall: the program does not ask for this page.
  kNotRunning,  // disabled, before its start or after its end; or the item left by `until`
  kSurface,
  kAudience,
  kArea,
  kCapReached,  // delivered + outstanding stands at the goal's cap
  kPaced,       // at its whole missed value it would stand there: its price keeps its pace
};
inline constexpr int kCauses = 16;
inline constexpr int kShortfallCauses = 10;  // the first ones, kNone included

// "no_inventory", "below_relevance", ...; "" for kNone.
std::string_view cause_name(Cause cause);

}  // namespace shanhuo
