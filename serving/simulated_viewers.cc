#include "serving/simulated_viewers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/hash.h"
#include "base/json_writer.h"
#include "streaming/codec.h"

namespace shanhuo {
namespace {

// Of light, medium and heavy viewers: share of the viewers, share of the visits, pages of a visit.
constexpr double kViewerShare[] = {0.50, 0.35, 0.15};
constexpr double kVisitShare[] = {0.25, 0.40, 0.35};
constexpr double kPagesMean[] = {2, 4, 7};
constexpr double kRoomVisitShare = 0.06;
constexpr double kRoomPagesMean = 3;
constexpr double kFestivalShare = 0.05, kOpeningShare = 0.25;  // of the visits without a room
constexpr int kPagesMax = 60;                                  // of one visit

// So that a page of ten is over before its reservations expire (price_controller.h): what is seen
// later may pass a cap.
constexpr int64_t kDwellMsMax = 150'000;
constexpr double kGlanceMedianMs = 1'700, kGlanceSigma = 0.8;  // what is not clicked
constexpr double kCardMedianMs = 7'000, kCardSigma = 0.6;      // what is clicked and is no video
constexpr int64_t kPlayMsMin = 300;

// After a click.
constexpr double kLike = 0.12, kComment = 0.02, kShareOn = 0.02, kFollow = 0.015;
constexpr double kAddToCart = 0.25, kOrder = 0.10, kRefund = 0.03, kSecondPiece = 0.15;
constexpr double kDeed = 0.3;       // for a cause
constexpr double kDislike = 0.004;  // without one

bool is_video(ItemKind kind) { return kind == ItemKind::kVideo || kind == ItemKind::kScenicVideo; }

int geometric(double mean, Random& random) {
  const double draws = std::log1p(-random.uniform()) / std::log1p(-1 / mean);
  return 1 + static_cast<int>(std::min(draws, static_cast<double>(kPagesMax - 1)));
}

int64_t clamp_ms(double ms) {
  return std::clamp(static_cast<int64_t>(ms), int64_t{50}, kDwellMsMax);
}

}  // namespace

SimulatedViewers::SimulatedViewers(const SimulatedWorld& world, uint64_t seed, uint32_t viewers,
                                   int share, int shares, std::string request_prefix)
    : world_(world), share_(share), shares_(shares), request_prefix_(std::move(request_prefix)) {
  for (uint32_t number = static_cast<uint32_t>(share); number < viewers;
       number += static_cast<uint32_t>(shares)) {
    Random random(hash_combine(seed ^ 0x76696577, number));
    const double u = random.uniform();
    const int tier = u < kViewerShare[0] ? 0 : u < kViewerShare[0] + kViewerShare[1] ? 1 : 2;
    by_tier_[tier].push_back(static_cast<uint32_t>(viewers_.size()));
    viewers_.push_back({random});
  }
}

double SimulatedViewers::pages_of_visit_mean() {
  double feed = 0;
  for (int tier = 0; tier < 3; ++tier) feed += kVisitShare[tier] * kPagesMean[tier];
  return kRoomVisitShare * kRoomPagesMean + (1 - kRoomVisitShare) * feed;
}

Visit SimulatedViewers::begin_visit(Random& random) const {
  const double u = random.uniform();
  size_t tier = u < kVisitShare[0] ? 0 : u < kVisitShare[0] + kVisitShare[1] ? 1 : 2;
  while (by_tier_[tier].empty()) tier = (tier + 1) % 3;  // few viewers: a tier may have none
  Visit visit;
  visit.viewer = by_tier_[tier][random.below(by_tier_[tier].size())];
  if (!world_.rooms().empty() && random.chance(kRoomVisitShare)) {
    visit.room = static_cast<int>(random.below(world_.rooms().size()));
    visit.pages_left = geometric(kRoomPagesMean, random);
  } else {
    visit.pages_left = geometric(kPagesMean[tier], random);
    visit.festival = random.chance(kFestivalShare);
    visit.opening = random.chance(kOpeningShare);
  }
  return visit;
}

void SimulatedViewers::write_request(const Visit& visit, Millis now, bool caller_clock,
                                     std::string& body) {
  visit_ = visit;
  const uint64_t number =
      uint64_t{visit.viewer} * static_cast<uint64_t>(shares_) + static_cast<uint64_t>(share_);
  traits_ = world_.traits(number);
  char text[64];
  user_id_.assign(text,
                  static_cast<size_t>(std::snprintf(text, sizeof text, "viewer-%06llu",
                                                    static_cast<unsigned long long>(number))));
  request_id_.assign(request_prefix_).append("-").append(std::to_string(number));
  request_id_.append("-").append(std::to_string(viewer().pages++));
  surface_ = visit.opening     ? Surface::kOpenScreen
             : visit.room >= 0 ? Surface::kLiveRoom
             : visit.festival  ? Surface::kFestival
                               : Surface::kFeed;

  body.clear();
  JsonWriter json(body);
  json.begin_object();
  json.field("request_id", request_id_);
  json.field("user_id", user_id_);
  json.field("surface", surface_name(surface_));
  if (caller_clock) json.field("now_ms", now.count());
  json.key("context");
  json.begin_object();
  json.field("city", traits_.city);
  json.key("place");
  json.begin_object();
  json.field("lat", traits_.home.lat);
  json.field("lon", traits_.home.lon);
  json.end_object();
  json.end_object();
  organic_.clear();
  if (visit.opening) {
    write_opening(json);
  } else if (visit.room < 0) {
    write_feed(json);
  } else {
    write_room(world_.rooms()[static_cast<size_t>(visit.room)], json);
  }
  json.end_object();
}

void SimulatedViewers::write_feed(JsonWriter& json) {
  world_.pick_organic(traits_, kOrganicCandidates, viewer().random, organic_);
  json.field("count", kPageCount);
  json.key("candidates");
  json.begin_array();
  for (const OrganicCandidate& candidate : organic_) {
    json.begin_object();
    json.field("item_id", world_.items()[candidate.item].id);
    json.field("score", candidate.score);
    json.end_object();
  }
  json.end_array();
}

void SimulatedViewers::write_opening(JsonWriter& json) {
  json.field("count", 1);
  json.key("candidates");
  json.begin_array();
  json.end_array();
}

void SimulatedViewers::write_room(const SimulatedRoom& room, JsonWriter& json) {
  json.field("count", room.lineup.size() + 2);
  json.key("room");
  json.begin_object();
  json.field("room_id", room.id);
  json.key("lineup");
  json.begin_array();
  for (const std::string& good : room.lineup) json.value(good);
  json.end_array();
  json.end_object();
}

Result<PageOutcome> SimulatedViewers::react(json::Value answer, Millis now,
                                            PendingEvents& pending) {
  if (!answer.find("items").is_array()) {
    return Error{ErrorCode::kInvalid, "the engine's answer to /v1/rank has no 'items'"};
  }
  PageOutcome outcome;
  outcome.left_ms = now.count() + 150 + static_cast<int64_t>(viewer().random.below(300));
  double reach = 1;
  for (size_t i = 0; i < organic_.size() && i < kPageCount; ++i, reach *= traits_.patience) {
    outcome.organic_value += reach * world_.p_click(traits_, world_.items()[organic_[i].item]);
  }
  reach = 1;
  bool looking = true;
  int32_t position = -1;
  for (const json::Value shown : answer.find("items").elements()) {
    ++position;
    std::string_view item_id, source, token;
    shown.find("item_id").get(item_id);
    shown.find("source").get(source);
    shown.find("token").get(token);
    if (source != "organic") ++outcome.inserted;
    for (const json::Value program : shown.find("programs").elements()) {
      std::string_view id;
      if (!program.get(id) || std::ranges::count(outcome.programs, id) > 0) continue;
      outcome.programs.emplace_back(id);
    }
    Seen seen;
    seen.item = world_.find(item_id);
    if (seen.item == nullptr) {
      ++outcome.unknown_items;
      continue;
    }
    seen.p_click = world_.p_click(traits_, *seen.item);
    if (!organic_.empty()) outcome.value += reach * seen.p_click;
    reach *= traits_.patience;
    if (!looking) continue;
    seen.at_ms = outcome.left_ms;
    seen.event.surface = surface_;
    seen.event.user_id = user_id_;
    seen.event.item_id = seen.item->id;
    seen.event.request_id = request_id_;
    seen.event.token = token;
    seen.event.position = position;
    look_at(seen, outcome, pending);
    looking = viewer().random.chance(traits_.patience);
  }
  if (surface_ == Surface::kLiveRoom) watch_room(now, outcome, pending);
  return outcome;
}

void SimulatedViewers::look_at(Seen& seen, PageOutcome& outcome, PendingEvents& pending) {
  Random& random = viewer().random;
  const bool video = is_video(seen.item->kind);
  const bool clicked = random.chance(seen.p_click);
  double dwell = random.log_normal(kGlanceMedianMs, kGlanceSigma);
  if (clicked && video) {
    dwell += static_cast<double>(seen.item->duration_ms) * random.log_normal(0.35, 0.6);
  } else if (clicked) {
    dwell += random.log_normal(kCardMedianMs, kCardSigma);
  }
  const int64_t dwell_ms = clamp_ms(dwell);
  const int64_t left_ms = seen.at_ms + dwell_ms;
  seen.event.viewable_ms = dwell_ms;
  emit(seen, EventType::kImpression, seen.at_ms, left_ms, pending);
  seen.event.viewable_ms = -1;
  if (video && dwell_ms >= kPlayMsMin) {
    seen.event.watch_ms = dwell_ms;
    emit(seen, EventType::kPlay, seen.at_ms, left_ms, pending);
    seen.event.watch_ms = -1;
  }
  if (clicked) {
    act_on_click(seen, seen.at_ms + std::min<int64_t>(dwell_ms, 900), outcome, pending);
  } else if (random.chance(kDislike)) {
    emit(seen, EventType::kDislike, left_ms, left_ms, pending);
  }
  outcome.left_ms = left_ms + 100;
}

void SimulatedViewers::act_on_click(Seen& seen, int64_t at_ms, PageOutcome& outcome,
                                    PendingEvents& pending) {
  Random& random = viewer().random;
  emit(seen, EventType::kClick, at_ms, at_ms, pending);
  constexpr std::pair<EventType, double> kAfterwards[] = {{EventType::kLike, kLike},
                                                          {EventType::kComment, kComment},
                                                          {EventType::kShare, kShareOn},
                                                          {EventType::kFollow, kFollow}};
  for (const auto& [type, probability] : kAfterwards) {
    at_ms += 1'000;
    if (random.chance(probability)) emit(seen, type, at_ms, at_ms, pending);
  }
  if (seen.item->kind == ItemKind::kCause && random.chance(kDeed)) {
    do_good(seen, at_ms, pending);
  }
  if (seen.item->kind != ItemKind::kFarmGood || seen.item->price_fen == 0) return;
  const bool orders = random.chance(kOrder);
  if (orders || random.chance(kAddToCart)) {
    emit(seen, EventType::kAddToCart, at_ms, at_ms, pending);
  }
  if (!orders) return;
  ++outcome.orders;
  buy(seen, at_ms + 20'000 + static_cast<int64_t>(random.below(100'000)), pending);
}

// Which deed follows from the page, not from the viewer's random stream: what a viewer does else
// stays the same.
void SimulatedViewers::do_good(Seen& seen, int64_t at_ms, PendingEvents& pending) {
  struct Deed {
    std::string_view name;
    int64_t quantity;  // at least, in the deed's own unit: times, steps, minutes
    uint64_t spread;
  };
  constexpr Deed kDeeds[] = {{"share_cause", 1, 1},  {"answer_quiz", 1, 1},   {"volunteer", 1, 1},
                             {"walk", 2'000, 9'000}, {"steps", 2'000, 9'000}, {"hours", 20, 160}};
  const uint64_t drawn = hash64(request_id_, static_cast<uint64_t>(seen.event.position));
  const Deed& deed = kDeeds[drawn % std::size(kDeeds)];
  seen.event.deed = deed.name;
  seen.event.quantity = deed.quantity + static_cast<int64_t>(drawn / 64 % deed.spread);
  emit(seen, EventType::kDeed, at_ms, at_ms, pending);
  seen.event.deed = {};
  seen.event.quantity = Interaction().quantity;
}

void SimulatedViewers::buy(Seen& seen, int64_t at_ms, PendingEvents& pending) {
  Random& random = viewer().random;
  order_id_.assign(request_id_).append(":").append(std::to_string(seen.event.position));
  seen.event.order_id = order_id_;
  seen.event.quantity = random.chance(kSecondPiece) ? 2 : 1;
  seen.event.amount_fen = seen.item->price_fen * seen.event.quantity;
  emit(seen, EventType::kOrder, at_ms, at_ms, pending);
  if (random.chance(kRefund)) {
    const int64_t back_ms = at_ms + 3'600'000 + static_cast<int64_t>(random.below(4 * 3'600'000));
    emit(seen, EventType::kRefund, back_ms, back_ms, pending);
  }
}

// The room itself is watched until the next call.
void SimulatedViewers::watch_room(Millis now, PageOutcome& outcome, PendingEvents& pending) {
  const int64_t watch_ms = 60'000 + static_cast<int64_t>(viewer().random.below(120'000));
  outcome.left_ms = std::max(outcome.left_ms, now.count() + watch_ms);
  Seen seen;
  seen.event.surface = surface_;
  seen.event.user_id = user_id_;
  seen.event.item_id = world_.rooms()[static_cast<size_t>(visit_.room)].id;
  seen.event.request_id = request_id_;
  seen.event.watch_ms = watch_ms;
  emit(seen, EventType::kPlay, now.count(), outcome.left_ms, pending);
}

void SimulatedViewers::emit(Seen& seen, EventType type, int64_t ts_ms, int64_t sent_ms,
                            PendingEvents& pending) {
  event_id_.assign(request_id_).append(":").append(std::to_string(seen.event.position));
  event_id_.append(":").append(event_type_name(type));
  seen.event.event_id = event_id_;
  seen.event.type = type;
  seen.event.ts = Millis(ts_ms);
  std::string line;
  line.reserve(256 + seen.event.token.size());
  JsonWriter json(line);
  write_event_json(json, seen.event);
  line.push_back('\n');
  pending.emplace(sent_ms, std::move(line));
}

}  // namespace shanhuo
