#include "serving/observers.h"

#include "base/hash.h"

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

}  // namespace shanhuo
