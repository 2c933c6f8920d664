#include "serving/observers.h"

#include <algorithm>

#include "base/hash.h"
#include "models/viewer_encoder.h"
#include "ranking/candidate.h"

namespace shanhuo {

void PriceObserver::observe(const Counted& counted) {
  if (counted.token == nullptr) return;
  const Interaction& event = counted.event;
  for (size_t i = 0; i < counted.token->programs.size(); ++i) {
    const uint32_t program = counted.token->programs[i];
    if (program == 0) break;
    const auto deliver = [&](GoalUnit unit) {
      prices_.observe(program, unit, event.ts, counted.token->issued_at);
    };
    if (counted.program_viewable[i]) deliver(GoalUnit::kViewable);
    if (event.type == EventType::kClick) deliver(GoalUnit::kClick);
    if (event.type == EventType::kOrder) deliver(GoalUnit::kOrder);
  }
}

void PriceObserver::take_back(const Contribution& contribution) {
  for (size_t i = 0; i < contribution.programs.size() && contribution.programs[i] != 0; ++i) {
    const uint32_t program = contribution.programs[i];
    if (contribution.program_viewable[i]) {
      prices_.withdraw(program, GoalUnit::kViewable, contribution.ts);
    }
    if (contribution.type == EventType::kClick) {
      prices_.withdraw(program, GoalUnit::kClick, contribution.ts);
    }
  }
}

void TotalsObserver::observe(const Counted& counted) {
  const EventType type = counted.event.type;
  if (counted.viewable) totals_.add(counted.item, TotalUnit::kViewable, 1);
  if (type == EventType::kClick) totals_.add(counted.item, TotalUnit::kClick, 1);
  if (type == EventType::kOrder) totals_.add(counted.item, TotalUnit::kOrder, 1);
  if (type == EventType::kDeed) totals_.add(counted.item, TotalUnit::kDeed, 1);
}

void TotalsObserver::take_back(const Contribution& contribution) {
  if (contribution.viewable) totals_.add(contribution.item, TotalUnit::kViewable, -1);
  if (contribution.type == EventType::kClick) totals_.add(contribution.item, TotalUnit::kClick, -1);
  if (contribution.type == EventType::kDeed) totals_.add(contribution.item, TotalUnit::kDeed, -1);
}

void SegmentObserver::observe(const Counted& counted) {
  const EventType type = counted.event.type;
  const bool click = type == EventType::kClick;
  if (counted.token == nullptr || (!click && type != EventType::kImpression)) return;
  const uint64_t surface = segment_key(counted.token->surface, 0);
  const uint64_t city = segment_key(counted.token->surface, counted.token->city);
  for (const uint64_t segment : {surface, city}) {
    if (click) {
      segments_.click(segment, counted.item, counted.event.ts);
    } else {
      segments_.impression(segment, counted.item, counted.event.ts);
    }
    if (city == surface) return;
  }
}

void LabelObserver::observe(const Counted& counted) {
  const Interaction& event = counted.event;
  const bool click = event.type == EventType::kClick;
  if ((!click && event.type != EventType::kImpression) || event.request_id.empty() ||
      counted.token != nullptr) {
    return;
  }
  const auto scored =
      slates_.score(request_hash(event.user_id, event.request_id), hash64(event.item_id));
  if (!scored) return;
  if (click) {
    learner_.click(scored->first, scored->second);
  } else {
    learner_.impression(scored->first, scored->second);
  }
}

void ValueObserver::observe(const Counted& counted) {
  learner_.pass(counted.context.watermark);
  if (counted.known == nullptr) return;
  const Interaction& event = counted.event;
  const uint64_t user = hash64(event.user_id), item = hash64(event.item_id);
  const uint64_t key = hash_combine(user, item) | 1U;
  switch (event.type) {
    case EventType::kImpression:
      return learner_.impression(key, seen(counted, user, item));
    case EventType::kClick:
      return learner_.click(key);
    case EventType::kPlay:
      if (event.watch_ms >= long_watch_.count()) learner_.long_watch(key);
      return;
    case EventType::kOrder:
      return learner_.order(key);
    default:
      return;
  }
}

// The store has counted this impression already: it is taken out again where that shows.
ImpressionContext ValueObserver::seen(const Counted& counted, uint64_t user_hash,
                                      uint64_t item_hash) const {
  const Interaction& event = counted.event;
  const auto one_less = [](float count) { return std::max(0.0F, count - 1); };
  ViewerState viewer = features_.viewer(event.user_id);
  viewer.rates.impressions = one_less(viewer.rates.impressions);
  viewer.session.events = std::max<int64_t>(0, viewer.session.events - 1);
  const CatalogueItem& known = *counted.known;
  ItemContext item{.id_hash = item_hash,
                   .creator_hash = known.creator_hash,
                   .category_hash = known.category_hash,
                   .county_code = known.county_code,
                   .kind = known.item.kind,
                   .rates = features_.rates(counted.item)};
  item.rates.impressions = one_less(item.rates.impressions);
  const Vector taste = encode_viewer(viewer, short_share_);
  item.similarity = similarity_of({&taste, 1}, known.vector);
  const bool boosted = counted.token != nullptr;
  const Surface surface = boosted ? counted.token->surface : event.surface;
  const uint32_t city = boosted ? counted.token->city : 0;
  return impression_context(viewer_context(viewer, user_hash, surface, event.ts, city), item,
                            boosted ? counted.token->position : event.position);
}

}  // namespace shanhuo
