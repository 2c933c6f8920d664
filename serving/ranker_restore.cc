// What a restart and the wish to be forgotten make of what the ranker remembers.
#include <algorithm>

#include "serving/decision_context.h"
#include "serving/ranker.h"

namespace shanhuo {

void Ranker::forget(std::string_view user_id) {
  slates_.forget(user_id);
  parts_.features.frequency().forget(user_id);
  parts_.requests.forget(user_id);
}

void Ranker::restore(const Decision& decision) {
  RankRequest request;
  request.request_id = decision.request_id;
  request.user_id = decision.user_id;
  request.room_id = decision.room_id;
  SlateBook::Slate slate{hash64(decision.caller), decision.body_hash, hash64(decision.user_id),
                         decision.surface,        decision.response,  {}};
  for (const DecidedOrganic& item : decision.organic) {
    slate.organic.emplace_back(hash64(item.item_id), item.score);
  }
  slates_.put(slate_key(request), std::move(slate), decision.at);
  if (decision.context) parts_.requests.add(sampled_of(decision));
  if (decision.room) {
    rooms_.put(decision.room_id, from_record(*decision.room, parts_.interner), decision.at);
  }
  for (const DecidedInsertion& inserted : decision.inserted) {
    Insertion insertion;
    insertion.at = decision.at;
    insertion.request_hash = decision.room
                                 ? room_window_hash(decision.room_id, decision.room->window_end)
                                 : slate_key(request);
    insertion.item = parts_.interner.find(inserted.item_id);
    std::copy_n(inserted.programs.begin(),
                std::min<size_t>(inserted.programs.size(), kProgramsPerItemMax),
                insertion.programs.begin());
    FrequencyLedger& frequency = parts_.features.frequency();
    const bool known = insertion.item != kNoItem;  // otherwise its records have left the log
    if (known && !decision.user_id.empty()) frequency.record(decision.user_id, insertion);
    if (known && decision.room) frequency.record(room_key(decision.room_id), insertion);
    Reservation reservation;
    reservation.surface = decision.surface;
    reservation.programs = insertion.programs;
    reservation.p_viewable = inserted.p_viewable;
    reservation.p_click = inserted.p_click;
    reservation.p_order = inserted.p_order;
    parts_.prices.replay({&reservation, 1}, decision.at);
  }
}

}  // namespace shanhuo
