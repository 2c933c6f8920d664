#include "ranking/popular_lists.h"

#include <algorithm>
#include <cmath>

#include "ranking/world.h"

namespace shanhuo {
namespace {

constexpr double kPriorClick = 0.05, kPriorImpressions = 20;  // of an item's rate

}  // namespace

PopularLists::PopularLists(const SegmentRates& segments, const World& world,
                           const ItemRatesReader& rates) {
  for (SegmentRates::Segment& segment : segments.top()) {
    std::erase_if(segment.items, [&](const SegmentRates::ItemCounts& counts) {
      return world.programs_of(counts.item).empty();
    });
    std::vector<double> expected;
    double clicks = 0, of_all = 0;
    for (const SegmentRates::ItemCounts& counts : segment.items) {
      const ItemRates all = rates.rates(counts.item);
      expected.push_back(counts.impressions * smoothed_share(all.clicks, all.impressions,
                                                             kPriorClick, kPriorImpressions));
      clicks += counts.clicks;
      of_all += expected.back();
    }
    const double level = of_all > 0 ? clicks / of_all : 0;
    std::vector<Entry>& list = lists_[segment.key];
    for (size_t i = 0; i < segment.items.size(); ++i) {
      const SegmentRates::ItemCounts& counts = segment.items[i];
      const double ratio = (counts.clicks + kLiftClicks) / (expected[i] * level + kLiftClicks);
      list.push_back({counts.item, static_cast<float>(std::log(ratio))});
    }
  }
}

std::span<const PopularLists::Entry> PopularLists::of(uint64_t segment) const {
  const auto found = lists_.find(segment);
  return found == lists_.end() ? std::span<const Entry>() : std::span<const Entry>(found->second);
}

float PopularLists::lift(const Segments& segments, ItemIndex item) const {
  for (const uint64_t segment : segments) {
    for (const Entry& entry : of(segment)) {
      if (entry.item == item) return entry.lift;
    }
  }
  return 0;
}

}  // namespace shanhuo
