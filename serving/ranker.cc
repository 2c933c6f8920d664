#include "serving/ranker.h"

#include <algorithm>
#include <array>
#include <exception>

#include "base/hash.h"
#include "ranking/attributes.h"
#include "serving/decision_context.h"
#include "serving/model_shelf.h"
#include "serving/page_experiments.h"
#include "serving/rank_proto.h"

namespace shanhuo {
namespace {

constexpr int kReserveTries = 3;
// A page costs less than this; with less time left the organic list goes back at once.
constexpr int64_t kPageNs = 1'000'000;

std::array<uint32_t, kProgramsPerItemMax> hashes_of(const SlateItem& item, const ProgramSet& set) {
  std::array<uint32_t, kProgramsPerItemMax> hashes{};
  const size_t count = std::min(item.programs.size(), hashes.size());
  for (size_t i = 0; i < count; ++i) {
    hashes[i] = program_hash(set.programs[static_cast<size_t>(item.programs[i])]->id.view());
  }
  return hashes;
}

}  // namespace

uint64_t slate_key(const RankRequest& request) {
  return request_hash(request.user_id.empty() ? std::string_view(request.room_id) : request.user_id,
                      request.request_id);
}

struct Ranker::Scratch {
  RankScratch rank;
  std::vector<double> scores, p_click;
  PageExperiments experiments;
};

struct Ranker::Page {
  Page(Scratch& s, const RankerParts& parts)
      : scratch(s),
        base(parts.ranking.get()),
        world(parts.world.get()),
        graduates(parts.graduates.get()),
        prices(parts.prices.table()),
        experiments(s.experiments),
        retriever(&parts.retriever) {
    experiments.begin(parts.experiments.get(), base.get(), parts.imported.get());
  }

  Scratch& scratch;
  std::shared_ptr<const RankingOptions> base;  // before experiments
  std::shared_ptr<const World> world;
  std::shared_ptr<const Graduates> graduates;
  std::shared_ptr<const PriceTable> prices;
  ViewerState viewer;
  Insertions insertions;
  Slate slate;
  std::vector<std::string> tokens;
  std::optional<RoomDecision> room;  // what holds in the room
  bool first_in_room = false;        // this call decided it
  std::string body;
  PageExperiments& experiments;
  bool experiments_failed = false;
  const int64_t began_ns = monotonic_ns();
  Retriever* retriever;

  RankContext context(const RankerParts& parts, const RankRequest& request) const {
    return {viewer,
            insertions,
            *world,
            *prices,
            parts.features,
            *retriever,
            experiments.options(),
            scratch.p_click,
            slate_key(request),
            graduates.get(),
            nullptr,
            parts.values};
  }
};

Ranker::Ranker(const RankerParts& parts)
    : parts_(parts),
      slates_(static_cast<size_t>(parts.options.api.slates_max),
              Millis(parts.options.api.slate_memory_ms)),
      exposures_(static_cast<size_t>(parts.options.api.exposures_max)),
      scratch_([] { return std::make_unique<Scratch>(); }) {}

Ranker::~Ranker() = default;

RankAnswer Ranker::answer(RankCall& call, std::string_view caller, uint64_t body_hash,
                          int64_t deadline_ns) {
  RankRequest& request = call.request;
  RankAnswer answer;
  const uint64_t viewer = request.user_id.empty() ? slate_key(request) : hash64(request.user_id);
  const std::lock_guard in_turn(turns_[viewer % turns_.size()]);
  const SlateBook::Found found =
      slates_.find(slate_key(request), hash64(caller), body_hash, request.now, answer.body);
  if (found == SlateBook::Found::kSame) return answer;
  if (found == SlateBook::Found::kOther) return {true, {}};

  const auto scratch = scratch_.take();
  Page page(*scratch, parts_);
  try {
    decide(call, deadline_ns, page);
    if (monotonic_ns() > deadline_ns) page.slate = organic_slate(request, "timeout");
  } catch (const std::exception&) {
    // Out of memory is the one that is known; whatever it was, viewers get their feed.
    page.slate = organic_slate(request, "internal");
  }
  if (page.experiments_failed) page.slate.degraded.push_back("experiments");
  mint_tokens(call, page);
  write_answer(call, page);
  answer.body = page.body;
  record_insertions(request, page);
  count(call.request, page);
  record(call, page, caller, body_hash);
  if (parts_.time.by_caller()) {
    parts_.prices.step(request.now);
    parts_.prices.resolve(request.now);
  }
  return answer;
}

void Ranker::decide(RankCall& call, int64_t deadline_ns, Page& page) {
  RankRequest& request = call.request;
  if (monotonic_ns() + kPageNs > deadline_ns) {
    page.slate = organic_slate(request, "timeout");
    return;
  }
  const bool boosting = parts_.boosting == nullptr || parts_.boosting->enabled();
  look_up(call, page, boosting);
  if (!boosting) {
    page.slate = organic_slate(request, {});
  } else if (request.room_id.empty()) {
    rank_feed(call, page);
  } else {
    rank_in_room(call, page);
  }
}

Slate Ranker::rank_aside(RankCall& call, const RankSide& side) {
  const auto scratch = scratch_.take();
  Page page(*scratch, parts_);
  page.world = side.world;
  page.graduates = side.graduates;
  page.prices = side.prices;
  page.retriever = side.retriever;
  page.experiments.begin(side.experiments, page.base.get(), parts_.imported.get());
  look_up(call, page, true);
  page.insertions = parts_.features.frequency().recent(call.request.user_id, call.request.now);
  return rank(call.request, page.context(parts_, call.request), page.scratch.rank);
}

// What is known of the viewer and of the list.
void Ranker::look_up(RankCall& call, Page& page, bool boosting) {
  RankRequest& request = call.request;
  if (request.personalized && !request.user_id.empty()) {
    page.viewer = parts_.features.viewer(request.user_id);
  }
  if (boosting) join_experiments(request, page);
  Scratch& scratch = page.scratch;
  scratch.scores.clear();
  for (const RankCandidate& candidate : request.candidates) {
    parts_.interner.prefetch(candidate.item_id);
  }
  for (RankCandidate& candidate : request.candidates) {
    candidate.index = parts_.interner.find(candidate.item_id);
    scratch.scores.push_back(candidate.score);
  }
  scratch.p_click.assign(scratch.scores.size(), 0.0);
  if (call.scored) {
    parts_.calibration.current()->apply(scratch.scores, request.surface, parts_.options.calibration,
                                        scratch.p_click);
  } else {
    double p_click = parts_.options.calibration.first_click_rate;
    for (double& p : scratch.p_click) {
      p = p_click;
      p_click *= parts_.options.calibration.position_decay;
    }
  }
}

// Whatever breaks here, the request goes on with the engine's own options.
void Ranker::join_experiments(const RankRequest& request, Page& page) {
  page.experiments_failed = page.experiments.set().missing();
  if (!request.room_id.empty()) return;
  try {
    page.experiments.assign(ViewerAttributes(request, page.viewer), request.now);
  } catch (const std::exception&) {
    page.experiments.begin(parts_.experiments.get(), page.base.get(), nullptr);
    page.experiments_failed = true;
  }
}

void Ranker::rank_feed(const RankCall& call, Page& page) {
  const RankRequest& request = call.request;
  page.insertions = parts_.features.frequency().recent(request.user_id, request.now);
  for (int tries = 0; tries < kReserveTries; ++tries) {
    RankContext context = page.context(parts_, request);
    RequestSnapshot snapshot;
    const bool wanted = parts_.prices.resolver().wants(request.now);
    if (wanted) context.snapshot = &snapshot;
    page.slate = rank(request, context, page.scratch.rank);
    if (wanted) parts_.prices.resolver().add(std::move(snapshot), request.now);
    if (reserve(page, request.surface, request.now)) return;
    page.prices = parts_.prices.table();  // says now which cap was reached
    if (page.slate.tried_new && !page.prices->tries_new) parts_.metrics.new_items_refused.add();
  }
  page.slate = organic_slate(request, "reserve");
}

void Ranker::rank_in_room(const RankCall& call, Page& page) {
  const RankRequest& request = call.request;
  std::optional<RoomDecision> decision = rooms_.find(request.room_id, request.now);
  if (!decision) {
    page.insertions = parts_.features.frequency().recent(room_key(request.room_id), request.now);
    RoomDecision mine = rank_room(request, page.context(parts_, request), page.scratch.rank);
    const ItemIndex item = mine.item;
    decision = rooms_.put(request.room_id, std::move(mine), request.now);
    page.first_in_room = decision->item == item && item != kNoItem;
  }
  page.room = std::move(decision);
  page.slate = room_slate(request, page.context(parts_, request), *page.room);
  // Everybody in the room sees the same good, but an exposure past a program's cap is not counted
  // for the program.
  if (!reserve(page, request.surface, request.now)) {
    for (SlateItem& item : page.slate.items) item.programs.clear();
  }
}

bool Ranker::reserve(const Page& page, Surface surface, Millis now) {
  const Slate& slate = page.slate;
  std::array<Reservation, kCountMax> reservations;
  size_t count = 0;
  for (const SlateItem& item : slate.items) {
    if (item.programs.empty()) continue;
    Reservation& reservation = reservations[count++];
    reservation.programs = hashes_of(item, page.world->programs());
    reservation.p_viewable = item.p_viewable;
    reservation.p_click = item.p_click;
    reservation.p_order = item.p_order;
    reservation.surface = surface;
    if (item.index != kNoItem) reservation.county = page.world->listing(item.index).county_code;
  }
  const PageLoss loss{slate.organic_value_fen, slate.loss_fen, surface, page.room.has_value(),
                      slate.tried_new ? slate.explored_loss_fen : 0};
  return parts_.prices.reserve({reservations.data(), count}, loss, slate.missed, now);
}

void Ranker::mint_tokens(const RankCall& call, Page& page) {
  const RankRequest& request = call.request;
  const bool room = !request.room_id.empty();
  page.tokens.assign(page.slate.items.size(), {});
  const std::shared_ptr<const TokenKeys> keys = parts_.keys.get();
  ExposureToken token;
  token.room = room;
  token.room_hash = room ? hash64(request.room_id) : 0;
  token.request_hash =
      request_hash(room ? std::string_view() : request.user_id, request.request_id);
  token.surface = request.surface;
  if (!room && request.personalized) token.city = city_hash(request.city);
  token.variations = page.experiments.of_token();
  token.price_version = page.slate.price_version;
  token.issued_at = request.now;
  for (size_t i = 0; i < page.slate.items.size(); ++i) {
    const SlateItem& item = page.slate.items[i];
    if (item.programs.empty()) continue;
    token.position = static_cast<int32_t>(i);
    token.programs = hashes_of(item, page.world->programs());
    token.propensity = static_cast<float>(item.propensity);
    page.tokens[i] = keys->mint(token, request.user_id, item.item_id);
  }
}

// In the request's format; what a repeated request gets again.
void Ranker::write_answer(const RankCall& call, Page& page) {
  const ProgramSet& programs = page.world->programs();
  const RankVersions versions = {page.world->catalogue().version, model_version(*page.world),
                                 programs.version, page.slate.price_version,
                                 page.experiments.set().version()};
  const auto& shown = page.experiments.shown();
  if (call.format == RankFormat::kProtobuf) {
    encode_rank_answer(call.request, page.slate, page.tokens, programs, versions, page.body, shown);
  } else {
    JsonWriter json(page.body);
    write_rank_answer(json, call.request, page.slate, page.tokens, programs, versions, shown);
  }
}

// Frequency caps count what was put into an answer; in a room once per viewer and window.
void Ranker::record_insertions(const RankRequest& request, const Page& page) {
  for (const SlateItem& item : page.slate.items) {
    if (item.programs.empty() || item.index == kNoItem) continue;
    Insertion insertion;
    insertion.at = request.now;
    insertion.request_hash =
        page.room ? room_window_hash(request.room_id, page.room->window_end) : slate_key(request);
    insertion.item = item.index;
    insertion.programs = hashes_of(item, page.world->programs());
    if (!request.user_id.empty()) parts_.features.frequency().record(request.user_id, insertion);
    if (page.first_in_room) {
      parts_.features.frequency().record(room_key(request.room_id), insertion);
    }
  }
}

// Of who wants no profile nothing is written down.
void Ranker::count_exposures(const RankRequest& request, const Page& page) {
  PageExperiments::OnMet met;
  if (request.personalized && !request.user_id.empty()) {
    met = [&](const Experiment& experiment, const ExperimentVariation& variation) {
      parts_.exposures.record(request.user_id, {.experiment = experiment.id,
                                                .variation = variation.key,
                                                .phase = experiment.phase,
                                                .at = request.now});
    };
  }
  page.experiments.count(exposures_, parts_.metrics, request.user_id, met);
}

void Ranker::count(const RankRequest& request, const Page& page) {
  uint64_t inserted = 0;
  for (const SlateItem& item : page.slate.items) inserted += item.programs.empty() ? 0 : 1;
  Metrics& metrics = parts_.metrics;
  metrics.boosts_inserted.add(inserted);
  const Slate& slate = page.slate;
  if (slate.degraded.empty()) count_exposures(request, page);
  if (const auto table = parts_.meters == nullptr ? nullptr : parts_.meters->table()) {
    page.experiments.meter(*table, !slate.degraded.empty(), monotonic_ns() - page.began_ns);
  }
  metrics.new_items_tried.add(slate.tried_new ? 1 : 0);
  metrics.new_items_waiting.add(static_cast<uint64_t>(slate.new_items));
  metrics.new_items_retired.add(static_cast<uint64_t>(slate.retired_items));
  metrics.exploration_pages.add(slate.explored ? 1 : 0);
  const auto milli = [](double fen) { return static_cast<uint64_t>(std::max(0.0, fen) * 1e3); };
  metrics.loss_milli_fen.add(milli(slate.loss_fen));
  metrics.exploration_loss_milli_fen.add(milli(slate.explored_loss_fen));
  for (const std::string_view stage : page.slate.degraded) parts_.metrics.degraded.at(stage).add();
}

void Ranker::record(const RankCall& call, Page& page, std::string_view caller, uint64_t body_hash) {
  const RankRequest& request = call.request;
  SlateBook::Slate slate{hash64(caller),  body_hash, hash64(request.user_id),
                         request.surface, page.body, {}};
  Decision decision;
  decision.at = request.now;
  decision.caller = caller;
  decision.user_id = request.user_id;
  decision.request_id = request.request_id;
  decision.body_hash = body_hash;
  decision.surface = request.surface;
  decision.room_id = request.room_id;
  if (page.room) decision.room = to_record(*page.room);
  for (size_t i = 0; i < page.slate.items.size(); ++i) {
    const SlateItem& item = page.slate.items[i];
    if (item.programs.empty()) {
      if (call.scored && item.source == ItemSource::kOrganic) {
        slate.organic.emplace_back(hash64(item.item_id), item.score);
      }
      decision.organic.push_back({item.item_id, item.score});
      continue;
    }
    DecidedInsertion inserted;
    inserted.item_id = item.item_id;
    inserted.position = static_cast<int32_t>(i);
    for (const uint32_t hash : hashes_of(item, page.world->programs())) {
      if (hash != 0) inserted.programs.push_back(hash);
    }
    inserted.p_viewable = item.p_viewable;
    inserted.propensity = item.propensity;
    inserted.token = page.tokens[i];
    inserted.p_click = item.p_click;
    inserted.p_order = item.p_order;
    decision.inserted.push_back(std::move(inserted));
  }
  decision.versions = {page.world->catalogue().version, std::string(model_version(*page.world)),
                       page.world->programs().version, page.slate.price_version,
                       page.experiments.set().version()};
  decision.variations = page.experiments.variations();
  decision.context = to_context(request, page.slate, page.viewer, page.scratch.p_click);
  slates_.put(slate_key(request), std::move(slate), request.now);
  parts_.requests.add(request);
  decision.response = std::move(page.body);
  parts_.decisions.append(std::move(decision));
}

}  // namespace shanhuo
