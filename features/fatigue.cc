#include "features/fatigue.h"

#include <algorithm>

#include "features/decay.h"

namespace shanhuo {
namespace {

bool is_reaction(EventType type) {
  switch (type) {
    case EventType::kImpression:
    case EventType::kPlay:
    case EventType::kRefund:
    case EventType::kDislike:
      return false;
    default:
      return true;
  }
}

// When the viewer last reacted to the item: the end of that minute; INT64_MIN: not that we know.
int64_t reacted_until(const ViewerState& viewer, ItemIndex item) {
  for (int i = 0; i < viewer.recent_count; ++i) {
    const RecentItem& recent = viewer.recent[static_cast<size_t>(i)];
    if (recent.item == item && is_reaction(recent.type)) {
      return recent.at.count() + kMinute.count() - 1;
    }
  }
  return INT64_MIN;
}

void add(std::vector<Exposed>& all, const Exposed& one) {
  const auto place = std::ranges::lower_bound(all, one.key, {}, &Exposed::key);
  if (place == all.end() || place->key != one.key) {
    all.insert(place, one);
    return;
  }
  place->times += one.times;
  place->fatigue += one.fatigue;
  place->last = std::max(place->last, one.last);
}

}  // namespace

Fatigue::Fatigue(const ViewerState& viewer, const Insertions& insertions,
                 const Catalogue& catalogue, Millis now) {
  for (const Insertion& insertion : insertions) {
    const bool wanted = reacted_until(viewer, insertion.item) >= insertion.at.count();
    const double weight = wanted ? 0 : half_life_decay(now - insertion.at, kFatigueHalfLife);
    Exposed one{insertion.item, 1, static_cast<float>(weight), insertion.at};
    add(items_, one);
    const CatalogueItem* item = catalogue.at(insertion.item);
    one.key = item == nullptr ? 0 : item->creator_hash;
    if (one.key != 0) add(creators_, one);
    for (const uint32_t program : insertion.programs) {
      one.key = program;
      if (program != 0) add(programs_, one);
    }
  }
}

Exposed Fatigue::look_up(const std::vector<Exposed>& all, uint32_t key) {
  const auto place = std::ranges::lower_bound(all, key, {}, &Exposed::key);
  return place != all.end() && place->key == key ? *place : Exposed{key, 0, 0, Millis()};
}

}  // namespace shanhuo
