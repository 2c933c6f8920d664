// Repeat exposure and fatigue: how often a viewer was shown the same item, creator or program
// lately without wanting it.
//
//   times    insertions that the frequency ledger remembers (frequency.h)
//   fatigue  sum over them of 2^(-age / 1 d), but 0 for those after which, or with which, the
//   viewer
//            reacted to that very item (a click or more; a dislike or a refund is no such reaction)
//
// A reaction is what the viewer's recent list says of the item, to the minute. Programs go by their
// 32-bit hash, creators by CatalogueItem::creator_hash; an item that the catalogue does not have is
// of no creator. Time is engine time, as that of the insertions, and an argument.
//
// Made per request from what was copied for it; a value, not thread-safe. Cost: about 30 ns an
// insertion to make (of at most 256, frequency.h), a binary search to look up. Organic repeats are
// not in it: of those only the last time is known, in the recent list.
#pragma once

#include <cstdint>
#include <vector>

#include "features/catalogue.h"
#include "features/viewer.h"

namespace shanhuo {

inline constexpr Millis kFatigueHalfLife{86'400'000};

struct Exposed {
  uint32_t key = 0;  // ItemIndex, creator hash or program hash
  int32_t times = 0;
  float fatigue = 0;
  Millis last;  // the newest of the times
};

class Fatigue {
 public:
  Fatigue(const ViewerState& viewer, const Insertions& insertions, const Catalogue& catalogue,
          Millis now);

  // Never exposed: all zero but the key.
  Exposed item(ItemIndex item) const { return look_up(items_, item); }
  Exposed creator(uint32_t creator_hash) const { return look_up(creators_, creator_hash); }
  Exposed program(uint32_t program_hash) const { return look_up(programs_, program_hash); }

  // Ascending by key.
  const std::vector<Exposed>& items() const { return items_; }
  const std::vector<Exposed>& creators() const { return creators_; }
  const std::vector<Exposed>& programs() const { return programs_; }

 private:
  static Exposed look_up(const std::vector<Exposed>& all, uint32_t key);

  std::vector<Exposed> items_, creators_, programs_;
};

}  // namespace shanhuo
