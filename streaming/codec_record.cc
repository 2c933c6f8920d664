// Decisions and dead letters, as they stand on their topics.
#include <string>

#include "streaming/codec.h"
#include "streaming/shanhuo.pb.h"

namespace shanhuo {
namespace {

void insertions_to_wire(const Decision& decision, wire::DecisionRecord& wire) {
  for (const DecidedInsertion& from : decision.inserted) {
    wire::DecisionRecord::Insertion& to = *wire.add_inserted();
    to.set_item_id(from.item_id);
    to.set_position(from.position);
    to.mutable_programs()->Add(from.programs.begin(), from.programs.end());
    to.set_p_viewable(from.p_viewable);
    to.set_propensity(from.propensity);
    to.set_token(from.token);
    to.set_p_click(from.p_click);
    to.set_p_order(from.p_order);
  }
  for (const DecidedOrganic& from : decision.organic) {
    wire::DecisionRecord::Organic& to = *wire.add_organic();
    to.set_item_id(from.item_id);
    to.set_score(from.score);
  }
}

void insertions_from_wire(const wire::DecisionRecord& wire, Decision& decision) {
  for (const wire::DecisionRecord::Insertion& from : wire.inserted()) {
    DecidedInsertion& to = decision.inserted.emplace_back();
    to.item_id = from.item_id();
    to.position = from.position();
    to.programs.assign(from.programs().begin(), from.programs().end());
    to.p_viewable = from.p_viewable();
    to.propensity = from.propensity();
    to.token = from.token();
    to.p_click = from.p_click();
    to.p_order = from.p_order();
  }
  for (const wire::DecisionRecord::Organic& from : wire.organic()) {
    decision.organic.push_back({from.item_id(), from.score()});
  }
}

void room_to_wire(const DecidedRoom& from, wire::DecisionRecord::Room& to) {
  to.set_window_end_ms(from.window_end.count());
  to.set_hold_until_ms(from.hold_until.count());
  to.set_item_id(from.item_id);
  to.set_position(from.position);
  to.mutable_programs()->Add(from.programs.begin(), from.programs.end());
  to.set_value_fen(from.value_fen);
  to.set_p_viewable(from.p_viewable);
  to.set_p_click(from.p_click);
  to.set_p_order(from.p_order);
  to.set_organic_value_fen(from.organic_value_fen);
  to.set_loss_fen(from.loss_fen);
}

DecidedRoom room_from_wire(const wire::DecisionRecord::Room& from) {
  DecidedRoom to;
  to.window_end = Millis(from.window_end_ms());
  to.hold_until = Millis(from.hold_until_ms());
  to.item_id = from.item_id();
  to.position = from.position();
  to.programs.assign(from.programs().begin(), from.programs().end());
  to.value_fen = from.value_fen();
  to.p_viewable = from.p_viewable();
  to.p_click = from.p_click();
  to.p_order = from.p_order();
  to.organic_value_fen = from.organic_value_fen();
  to.loss_fen = from.loss_fen();
  return to;
}

void context_to_wire(const DecidedContext& from, wire::DecisionRecord::Context& to) {
  to.set_count(from.count);
  to.set_city(from.city);
  if (from.place) {
    to.add_place(from.place->lat);
    to.add_place(from.place->lon);
  }
  to.set_attributes(from.attributes);
  to.set_not_personalized(!from.personalized);
  to.set_viewer_events(from.viewer_events);
  to.mutable_p_click()->Add(from.p_click.begin(), from.p_click.end());
  to.mutable_order()->Add(from.order.begin(), from.order.end());
  for (const std::string& id : from.left) to.add_left(id);
  to.set_organic_value_fen(from.organic_value_fen);
  to.set_loss_fen(from.loss_fen);
}

DecidedContext context_from_wire(const wire::DecisionRecord::Context& from) {
  DecidedContext to;
  to.count = from.count();
  to.city = from.city();
  if (from.place_size() == 2) to.place = Place{from.place(0), from.place(1)};
  to.attributes = from.attributes();
  to.personalized = !from.not_personalized();
  to.viewer_events = from.viewer_events();
  to.p_click.assign(from.p_click().begin(), from.p_click().end());
  to.order.assign(from.order().begin(), from.order().end());
  to.left.assign(from.left().begin(), from.left().end());
  to.organic_value_fen = from.organic_value_fen();
  to.loss_fen = from.loss_fen();
  return to;
}

}  // namespace

void encode_decision(const Decision& decision, std::string& out) {
  wire::DecisionRecord wire;
  wire.set_seq(decision.seq);
  wire.set_at_ms(decision.at.count());
  wire.set_caller(decision.caller);
  wire.set_user_id(decision.user_id);
  wire.set_request_id(decision.request_id);
  wire.set_body_hash(decision.body_hash);
  wire.set_surface(std::string(surface_name(decision.surface)));
  wire.set_room_id(decision.room_id);
  if (decision.room) room_to_wire(*decision.room, *wire.mutable_room());
  if (decision.context) context_to_wire(*decision.context, *wire.mutable_context());
  insertions_to_wire(decision, wire);
  wire.set_catalogue_version(decision.versions.catalogue);
  wire.set_model_version(decision.versions.model);
  wire.set_programs_version(decision.versions.programs);
  wire.set_price_version(decision.versions.prices);
  wire.set_experiments_version(decision.versions.experiments);
  for (const uint32_t hash : decision.variations) wire.add_variations(hash);
  wire.set_response(decision.response);
  wire.SerializeToString(&out);
}

Result<Decision> decode_decision(std::string_view bytes) {
  wire::DecisionRecord wire;
  if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Error{ErrorCode::kInvalid, "not a protobuf DecisionRecord"};
  }
  Decision decision;
  decision.seq = wire.seq();
  decision.at = Millis(wire.at_ms());
  decision.caller = wire.caller();
  decision.user_id = wire.user_id();
  decision.request_id = wire.request_id();
  decision.body_hash = wire.body_hash();
  decision.surface = parse_surface(wire.surface()).value_or(Surface::kNone);
  decision.room_id = wire.room_id();
  if (wire.has_room()) decision.room = room_from_wire(wire.room());
  if (wire.has_context()) decision.context = context_from_wire(wire.context());
  insertions_from_wire(wire, decision);
  decision.versions.catalogue = wire.catalogue_version();
  decision.versions.model = wire.model_version();
  decision.versions.programs = wire.programs_version();
  decision.versions.prices = wire.price_version();
  decision.versions.experiments = wire.experiments_version();
  decision.variations.assign(wire.variations().begin(), wire.variations().end());
  decision.response = wire.response();
  return decision;
}

void encode_dead_letter(const DeadLetter& letter, std::string& out) {
  wire::DeadLetter wire;
  wire.set_reason(letter.reason);
  wire.set_source_topic(static_cast<uint32_t>(letter.source));
  wire.set_source_partition(letter.partition);
  wire.set_source_offset(letter.offset);
  wire.set_accepted_at_ms(letter.accepted_at.count());
  wire.set_content(static_cast<uint32_t>(letter.content));
  wire.set_key(letter.key);
  wire.set_value(letter.value);
  wire.SerializeToString(&out);
}

Result<DeadLetter> decode_dead_letter(std::string_view bytes) {
  wire::DeadLetter wire;
  if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      wire.source_topic() >= kTopics ||
      wire.content() > static_cast<uint32_t>(ContentType::kControl)) {
    return Error{ErrorCode::kInvalid, "not a protobuf DeadLetter"};
  }
  DeadLetter letter;
  letter.reason = wire.reason();
  letter.source = static_cast<Topic>(wire.source_topic());
  letter.partition = wire.source_partition();
  letter.offset = wire.source_offset();
  letter.accepted_at = Millis(wire.accepted_at_ms());
  letter.content = static_cast<ContentType>(wire.content());
  letter.key = wire.key();
  letter.value = wire.value();
  return letter;
}

}  // namespace shanhuo
