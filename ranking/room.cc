// Live rooms. All viewers of a room get the same good at the same place (contract 2.3), so the
// decision looks at no viewer: it is a page of one insertion over the line-up, ranked for nobody,
// among programs that have a room policy. The answer for each viewer then only lays the line-up
// around it.
#include <algorithm>

#include "ranking/page.h"

namespace shanhuo {
namespace {

// The request without whoever sent it.
RankRequest anonymous(const RankRequest& request) {
  RankRequest copy = request;
  copy.user_id = {};
  copy.city = {};
  copy.place.reset();
  copy.attributes = Value();
  copy.personalized = false;
  copy.explain = false;
  return copy;
}

// Shortest room window of the programs that run: how long a decision for nothing holds.
Millis shortest_window(const World& world, Millis now) {
  Millis shortest = kHour;
  for (const auto& program : world.programs().programs) {
    if (program->room && program->runs_at(now)) {
      shortest = std::min(shortest, program->room->window);
    }
  }
  return std::max(shortest, kSecond);
}

Millis end_of_window(Millis now, Millis width) {
  return Millis((window_of(now, width) + 1) * width.count());
}

// Indices of the decision's programs in this world that still may be named.
std::vector<int> present_programs(const RankContext& context, const RoomDecision& decision) {
  std::vector<int> present;
  const bool priced = prices_match(context.prices, context.world);
  for (const ProgramIndex p : context.world.programs_of(decision.item)) {
    const Program& program = context.world.program(p);
    const auto& named = decision.programs;
    if (std::find(named.begin(), named.end(), program_hash(program.id.view())) == named.end() ||
        !program.enabled || context.world.catalogue().program_blocked(program.id) ||
        (priced && context.prices.programs[p].exhausted)) {
      continue;
    }
    present.push_back(p);
  }
  return present;
}

// Programs that want a good in every room pay more for one than anything could be worth.
void lift_every(const RankContext& context, RankScratch::Parts& parts) {
  constexpr double kEveryFen = 1e9;
  for (AllocationItem& item : parts.items) {
    const std::span programs(item.programs.data(), static_cast<size_t>(item.program_count));
    for (const ProgramIndex p : programs) {
      const Program& program = context.world.program(p);
      if (program.room->every) item.bonus = std::max(item.bonus, 0.0) + kEveryFen;
    }
  }
}

}  // namespace

RoomDecision rank_room(const RankRequest& request, const RankContext& context,
                       RankScratch& scratch) {
  static const ViewerState kNobody;
  RankScratch::Parts& parts = scratch.parts();
  const RankRequest room = anonymous(request);
  parts.ranks.begin(room);
  parts.eligibility.begin(room, kNobody, context.insertions, context.world, context.prices,
                          context.graduates);
  find_candidates(room, context, {true, false}, parts);
  PageTerms terms = make_terms(room, context, parts);
  terms.insertions_max = std::min(terms.insertions_max, 1);
  make_items(context, parts);
  lift_every(context, parts);
  const AllocationResult best = allocate(terms, parts.items, parts.allocation);

  RoomDecision decision;
  if (best.count == 0) {
    decision.window_end = end_of_window(request.now, shortest_window(context.world, request.now));
    decision.hold_until = request.now;
    return decision;
  }
  const BoostCandidate& candidate = parts.candidates[best.placed[0].item];
  const EligibleItem& eligible = candidate.eligible;
  const RoomPolicy& policy = *context.world.program(eligible.programs[0]).room;
  decision.window_end = end_of_window(request.now, std::max(policy.window, kSecond));
  decision.hold_until = std::min(request.now + policy.hold, decision.window_end);
  decision.item = candidate.item;
  decision.item_id = context.world.item(candidate.item)->item.id.str();
  decision.position = best.placed[0].position;
  decision.value_fen = candidate.value_fen;
  decision.p_viewable = parts.examine[decision.position];
  decision.p_click = candidate.p_click;
  decision.p_order = candidate.p_order;
  decision.organic_value_fen = page_value(terms, parts.items, {});
  decision.loss_fen =
      decision.organic_value_fen - page_value(terms, parts.items, {best.placed.data(), 1});
  for (int k = 0; k < eligible.program_count; ++k) {
    decision.programs.push_back(
        program_hash(context.world.program(eligible.programs[k]).id.view()));
  }
  return decision;
}

Slate room_slate(const RankRequest& request, const RankContext& context,
                 const RoomDecision& decision) {
  Slate slate = organic_slate(request, {});
  slate.price_version = context.prices.version;
  const bool off = context.options.insertions_max == 0;  // all boosting, since it was decided
  if (decision.item == kNoItem || off) return slate;
  Eligibility eligibility;
  static const ViewerState kNobody;
  eligibility.begin(request, kNobody, context.insertions, context.world, context.prices);
  if (eligibility.item(decision.item) != Cause::kNone) return slate;

  std::erase_if(slate.items,
                [&](const SlateItem& item) { return item.item_id == decision.item_id; });
  const size_t position = std::min<size_t>(decision.position, slate.items.size());
  SlateItem good;
  good.item_id = decision.item_id;
  good.index = decision.item;
  good.source = ItemSource::kBoost;
  good.score = decision.value_fen;
  good.p_viewable = decision.p_viewable;
  good.p_click = decision.p_click;
  good.p_order = decision.p_order;
  good.hold = std::max(Millis(0), decision.hold_until - request.now);
  good.programs = present_programs(context, decision);
  slate.organic_value_fen = decision.organic_value_fen;
  slate.loss_fen = decision.loss_fen;
  if (request.explain) {
    good.reason_code = "room_window";
    good.reason_text = "the room's one more farm good of this window";
  }
  slate.items.insert(slate.items.begin() + static_cast<std::ptrdiff_t>(position), std::move(good));
  if (slate.items.size() > static_cast<size_t>(request.count)) slate.items.pop_back();
  return slate;
}

}  // namespace shanhuo
