#include "serving/what_if_replay.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/hash.h"
#include "features/counts.h"
#include "serving/decision_context.h"

namespace shanhuo {
namespace {

constexpr int kReserveTries = 3;

PriceControllerOptions price_options(const Engine& engine) {
  PriceControllerOptions prices = engine.options().prices;
  prices.user_loss_budget = engine.ranking()->user_loss_budget;
  prices.explore_new_budget = engine.ranking()->explore_new_budget;
  return prices;
}

int64_t window_max_ms(const ProgramSet& programs) {
  int64_t longest = kDay.count();
  for (const auto& program : programs.programs) {
    for (const FrequencyCap& cap : program->frequency) {
      longest = std::max(longest, cap.window.count());
    }
  }
  return longest;
}

double units_of(const ProgramCounts& counts, GoalUnit unit) {
  return static_cast<double>(unit == GoalUnit::kViewable ? counts.viewable
                             : unit == GoalUnit::kClick  ? counts.clicks
                                                         : counts.orders);
}

// Uniform in [0, 1), the same for an item of a request in every run.
double draw(const Slate& slate, size_t position, std::string_view request, uint64_t what) {
  const uint64_t item = hash_combine(hash64(slate.items[position].item_id), hash64(request));
  return static_cast<double>(hash_combine(item, what) >> 11) / 9007199254740992.0;
}

}  // namespace

void add_units(WhatIfOutcome::Units& units, double p_viewable, double p_click, double p_order) {
  ++units.inserted;
  units.viewable += p_viewable;
  units.clicks += p_viewable * p_click;
  units.orders += p_viewable * p_order;
}

WhatIfReplay::WhatIfReplay(const Engine& engine, const std::shared_ptr<const ProgramSet>& programs,
                           Millis from)
    : engine_(engine),
      options_(engine.ranking()),
      world_(build_world(engine.catalogue(), programs, engine.world().get())),
      retriever_(engine.options().retrieval),
      prices_(price_options(engine), make_price_law(engine.options().price_law)) {
  retriever_.refresh(world_, engine.features());
  frequency_.set_window_max(window_max_ms(*programs));
  const DeliveredReader delivered = [&](const ProgramId& id, GoalUnit unit, Millis begin,
                                        Millis end) {
    double sum = 0;
    for (const auto& [day, counts] : engine.features().programs().days(program_hash(id.view()))) {
      if (day < day_of(begin) || start_of_day(day) >= end || day >= day_of(from)) continue;
      sum += units_of(counts, unit);
    }
    return sum;
  };
  prices_.set_programs(programs, delivered, from);
}

void WhatIfReplay::page(const Decision& decision) {
  ReplayedRequest replay = replayed(decision);
  RankRequest& request = replay.request;
  for (RankCandidate& candidate : request.candidates) {
    candidate.index = engine_.interner().find(candidate.item_id);
  }
  ViewerState viewer;
  if (request.personalized && !request.user_id.empty()) {
    viewer = engine_.features().viewer(request.user_id);
    viewer.events = decision.context->viewer_events;
  }
  prices_.step(request.now);
  table_ = prices_.table();
  const bool room = !request.room_id.empty();
  const std::string viewers(room ? "\x01room:" + std::string(request.room_id)
                                 : std::string(request.user_id));
  const Insertions insertions = frequency_.recent(viewers, request.now);
  const RankContext context{viewer,    insertions,         *world_,
                            *table_,   engine_.features(), retriever_,
                            *options_, replay.p_click,     hash64(request.request_id)};
  bool first_in_room = false;
  const Slate slate =
      room ? rank_in_room(request, context, first_in_room) : rank_page(request, context);
  count(request, slate, first_in_room);
}

Slate WhatIfReplay::rank_page(const RankRequest& request, const RankContext& context) {
  for (int tries = 0; tries < kReserveTries; ++tries) {
    const RankContext now{context.viewer,  context.insertions,      context.world,
                          *table_,         context.rates,           context.retriever,
                          context.options, context.organic_p_click, context.seed};
    Slate slate = rank(request, now, scratch_);
    if (reserve(request, slate)) return slate;
    table_ = prices_.table();
  }
  return organic_slate(request, "reserve");
}

Slate WhatIfReplay::rank_in_room(const RankRequest& request, const RankContext& context,
                                 bool& first) {
  std::optional<RoomDecision> decision = rooms_.find(request.room_id, request.now);
  if (!decision) {
    decision = rooms_.put(request.room_id, rank_room(request, context, scratch_), request.now);
    first = decision->item != kNoItem;
  }
  Slate slate = room_slate(request, context, *decision);
  if (!reserve(request, slate)) {
    for (SlateItem& item : slate.items) item.programs.clear();
  }
  return slate;
}

bool WhatIfReplay::reserve(const RankRequest& request, const Slate& slate) {
  std::vector<Reservation> reservations;
  for (const SlateItem& item : slate.items) {
    if (item.programs.empty()) continue;
    Reservation reservation;
    reservation.surface = request.surface;
    for (size_t k = 0; k < std::min(item.programs.size(), reservation.programs.size()); ++k) {
      const auto program = static_cast<ProgramIndex>(item.programs[k]);
      reservation.programs[k] = program_hash(world_->program(program).id.view());
    }
    reservation.p_viewable = item.p_viewable;
    reservation.p_click = item.p_click;
    reservation.p_order = item.p_order;
    if (item.index != kNoItem) reservation.county = world_->listing(item.index).county_code;
    reservations.push_back(reservation);
  }
  const PageLoss loss{slate.organic_value_fen, slate.loss_fen, request.surface,
                      !request.room_id.empty(), slate.tried_new ? slate.explored_loss_fen : 0};
  return prices_.reserve(reservations, loss, slate.missed, request.now);
}

void WhatIfReplay::count(const RankRequest& request, const Slate& slate, bool first_in_room) {
  ++outcome_.pages;
  outcome_.organic_fen += slate.organic_value_fen;
  outcome_.loss_fen += slate.loss_fen;
  for (size_t position = 0; position < slate.items.size(); ++position) {
    const SlateItem& item = slate.items[position];
    if (item.programs.empty() || item.index == kNoItem) continue;
    Insertion insertion;
    insertion.at = request.now;
    insertion.request_hash = hash_combine(hash64(request.user_id), hash64(request.request_id));
    insertion.item = item.index;
    const bool seen = draw(slate, position, request.request_id, 1) < item.p_viewable;
    const bool clicked = draw(slate, position, request.request_id, 2) < item.p_click;
    const bool ordered = draw(slate, position, request.request_id, 3) < item.p_order;
    for (size_t k = 0; k < std::min(item.programs.size(), insertion.programs.size()); ++k) {
      const Program& program = world_->program(static_cast<ProgramIndex>(item.programs[k]));
      const uint32_t hash = program_hash(program.id.view());
      insertion.programs[k] = hash;
      add_units(outcome_.programs[program.id.str()], item.p_viewable, item.p_click, item.p_order);
      if (!seen) continue;
      prices_.observe(hash, GoalUnit::kViewable, request.now, request.now);
      if (clicked) prices_.observe(hash, GoalUnit::kClick, request.now, request.now);
      if (ordered) prices_.observe(hash, GoalUnit::kOrder, request.now, request.now);
    }
    const std::string& county = world_->item(item.index)->item.county;
    if (!county.empty()) outcome_.counties[county] += item.p_viewable;
    if (!request.user_id.empty()) frequency_.record(request.user_id, insertion);
    if (first_in_room) {
      frequency_.record("\x01room:" + std::string(request.room_id), insertion);
    }
  }
}

}  // namespace shanhuo
