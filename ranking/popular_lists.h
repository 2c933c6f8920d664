// What the viewers of each segment (features/segment_rates.h) click most, and by how much more than
// viewers elsewhere click it, as one immutable snapshot.
//
//   lift = ln((clicks + k) / (expected + k)),  expected = impressions * rate of the item * level
//
// drawn towards 0 by k = kLiftClicks where little was seen, as in DuMouchel, "Bayesian data mining
// in large frequency tables" (The American Statistician 53(3), 1999), with a single gamma prior.
// `level` is what the segment's viewers click of anything, so that lifts tell items apart and
// nothing else.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "features/segment_rates.h"
#include "ranking/candidate.h"

namespace shanhuo {

class PopularLists {
 public:
  static constexpr double kLiftClicks = 3;

  struct Entry {
    ItemIndex item = kNoItem;
    float lift = 0;
  };

  PopularLists() = default;
  // Of items that belong to a program.
  PopularLists(const SegmentRates& segments, const World& world, const ItemRatesReader& rates);

  // Most clicks first; empty: nothing is known of the segment.
  std::span<const Entry> of(uint64_t segment) const;
  // Of the first segment that lists the item; 0: none does.
  float lift(const Segments& segments, ItemIndex item) const;

 private:
  std::unordered_map<uint64_t, std::vector<Entry>> lists_;
};

}  // namespace shanhuo
