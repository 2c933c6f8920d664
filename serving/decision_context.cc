#include "serving/decision_context.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "base/check.h"
#include "base/json_writer.h"
#include "features/attributes_json.h"
#include "serving/program_status.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

Value attributes_of(const DecidedContext& context) {
  if (context.attributes.empty()) return Value::Object{};
  json::Document document;
  const Result<json::Value> parsed = document.parse(context.attributes);
  if (!parsed.ok()) return Value::Object{};
  Result<Value> value = json::to_value(parsed.value());
  return value.ok() ? std::move(value).value() : Value::Object{};
}

// Where each of the list's first items went, for pages with something inserted.
void note_order(const RankRequest& request, const Slate& slate, size_t shown,
                DecidedContext& context) {
  std::unordered_map<std::string_view, int32_t> place;
  for (size_t i = 0; i < slate.items.size(); ++i) {
    place.emplace(slate.items[i].item_id, static_cast<int32_t>(i));
  }
  for (size_t rank = 0; rank < shown; ++rank) {
    const std::string_view id = request.candidates[rank].item_id;
    const auto found = place.find(id);
    context.order.push_back(found == place.end() ? -1 : found->second);
    if (found == place.end()) context.left.emplace_back(id);
  }
}

}  // namespace

DecidedContext to_context(const RankRequest& request, const Slate& slate, const ViewerState& viewer,
                          std::span<const double> p_click) {
  DecidedContext context;
  context.count = request.count;
  context.city = request.city;
  context.place = request.place;
  if (request.attributes.is_object() && !request.attributes.as_object().empty()) {
    JsonWriter json(context.attributes);
    write_value(json, request.attributes);
  }
  context.personalized = request.personalized;
  context.viewer_events = viewer.events;
  context.organic_value_fen = slate.organic_value_fen;
  context.loss_fen = slate.loss_fen;
  const size_t shown = std::min(request.candidates.size(), static_cast<size_t>(request.count));
  for (size_t rank = 0; rank < shown; ++rank) {
    context.p_click.push_back(static_cast<float>(rank < p_click.size() ? p_click[rank] : 0));
  }
  const bool as_listed =
      std::all_of(slate.items.begin(), slate.items.end(),
                  [](const SlateItem& item) { return item.source == ItemSource::kOrganic; });
  if (!as_listed) note_order(request, slate, shown, context);
  return context;
}

SampledRequest sampled_of(const Decision& decision) {
  CHECK(decision.context.has_value());
  const DecidedContext& context = *decision.context;
  SampledRequest sampled;
  sampled.at = decision.at;
  sampled.user_id = decision.user_id;
  sampled.surface = decision.surface;
  sampled.count = context.count;
  sampled.listed = static_cast<int>(context.p_click.size());
  sampled.city = context.city;
  sampled.place = context.place;
  sampled.attributes = attributes_of(context);
  sampled.personalized = context.personalized;
  sampled.room = !decision.room_id.empty();
  return sampled;
}

ReplayedRequest replayed(const Decision& decision) {
  CHECK(decision.context.has_value());
  const DecidedContext& context = *decision.context;
  ReplayedRequest replay;
  RankRequest& request = replay.request;
  request.request_id = decision.request_id;
  request.user_id = decision.user_id;
  request.room_id = decision.room_id;
  request.surface = decision.surface;
  request.count = context.count;
  request.city = context.city;
  request.place = context.place;
  request.attributes = attributes_of(context);
  request.personalized = context.personalized;
  request.now = decision.at;
  // The page by position: what was inserted, and the organic rest in order.
  std::unordered_map<int32_t, std::string_view> inserted;
  for (const DecidedInsertion& item : decision.inserted) inserted[item.position] = item.item_id;
  std::unordered_map<int32_t, std::string_view> page = inserted;
  int32_t position = 0;
  for (const DecidedOrganic& item : decision.organic) {
    while (inserted.contains(position)) ++position;
    page[position++] = item.item_id;
  }
  size_t left = 0;
  for (size_t rank = 0; rank < context.p_click.size(); ++rank) {
    const int32_t at =
        rank < context.order.size() ? context.order[rank] : static_cast<int32_t>(rank);
    std::string_view id;
    if (at >= 0 && page.contains(at)) id = page[at];
    if (at < 0 && left < context.left.size()) id = context.left[left++];
    if (id.empty()) continue;
    replay.p_click.push_back(context.p_click[rank]);
    request.candidates.push_back({id, replay.p_click.back()});
  }
  return replay;
}

DecidedRoom to_record(const RoomDecision& room) {
  return {room.window_end, room.hold_until,        room.item_id,    room.position,
          room.programs,   room.value_fen,         room.p_viewable, room.p_click,
          room.p_order,    room.organic_value_fen, room.loss_fen};
}

RoomDecision from_record(const DecidedRoom& room, const Interner& interner) {
  RoomDecision decision;
  decision.window_end = room.window_end;
  decision.hold_until = room.hold_until;
  decision.item = room.item_id.empty() ? kNoItem : interner.find(room.item_id);
  decision.item_id = room.item_id;
  decision.position = room.position;
  decision.programs = room.programs;
  decision.value_fen = room.value_fen;
  decision.p_viewable = room.p_viewable;
  decision.p_click = room.p_click;
  decision.p_order = room.p_order;
  decision.organic_value_fen = room.organic_value_fen;
  decision.loss_fen = room.loss_fen;
  return decision;
}

std::string room_key(std::string_view room_id) { return "\x01room:" + std::string(room_id); }

uint64_t room_window_hash(std::string_view room_id, Millis window_end) {
  return hash_combine(hash64(room_id), static_cast<uint64_t>(window_end.count()));
}

}  // namespace shanhuo
