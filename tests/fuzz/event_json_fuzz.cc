// Everything that ingest callers send: events in the three body formats and as records, items,
// creators and patches. The first byte chooses the reader:
//
//   j n p   an event body: JSON, NDJSON, protobuf       r   one record, JSON
//   i q     items: JSON, protobuf     c   creators     m   a merge patch of an item
//
// Holds whatever the bytes are: an answer is given once, in order and never half; what was taken
// reads back, through each of our own writers, as the same thing.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "streaming/codec.h"

namespace shanhuo {
namespace {

std::string json_of(const Interaction& event) {
  std::string out;
  JsonWriter json(out);
  write_event_json(json, event);
  return out;
}

std::string json_of(const Item& item) {
  std::string out;
  JsonWriter json(out);
  write_item_json(json, item);
  return out;
}

std::string json_of(const Creator& creator) {
  std::string out;
  JsonWriter json(out);
  write_creator_json(json, creator);
  return out;
}

bool same(const Interaction& a, const Interaction& b) {
  return a.type == b.type && a.surface == b.surface && a.event_id == b.event_id &&
         a.user_id == b.user_id && a.item_id == b.item_id && a.ts == b.ts &&
         a.request_id == b.request_id && a.token == b.token && a.order_id == b.order_id &&
         a.deed == b.deed && a.position == b.position && a.viewable_ms == b.viewable_ms &&
         a.watch_ms == b.watch_ms && a.quantity == b.quantity && a.amount_fen == b.amount_fen;
}

// Through both encodings of the log.
void check_round_trip(const Interaction& event) {
  CHECK(valid_id(event.event_id) && valid_id(event.user_id) && valid_id(event.item_id));
  static EventDecoder decoder;
  std::string wire;
  encode_event(event, wire);
  const std::string json = json_of(event);
  for (const bool as_json : {false, true}) {
    LogRecord record;
    record.content = as_json ? ContentType::kJson : ContentType::kProtobuf;
    record.value = as_json ? json : wire;
    Interaction again;
    CHECK(decoder.decode_record(record, again).empty());
    CHECK(same(event, again));
  }
  CHECK(decoder.unknown_fields().empty());
}

void decode_events(BodyFormat format, std::string_view body) {
  EventDecoder decoder({.events_max = 100, .event_bytes_max = 2048, .unknown_names_max = 8});
  json::FieldErrors errors;
  size_t next = 0;
  const Status status = decoder.decode_body(
      format, body, errors, [&](size_t index, Reason reason, const Interaction& event) {
        CHECK(index == next++);
        if (reason.empty()) check_round_trip(event);
      });
  CHECK(next <= 100);
  CHECK(status.ok() || next == 0);
  CHECK(errors.empty() || !status.ok());
  CHECK(decoder.unknown_fields().size() <= 9);  // and "(other)"
}

void decode_one_record(std::string_view value) {
  static EventDecoder decoder;
  LogRecord record;
  record.content = ContentType::kJson;
  record.value = value;
  Interaction event;
  if (decoder.decode_record(record, event).empty()) check_round_trip(event);
}

// As JSON and as a record of the items topic.
void check_round_trip(const Item& item) {
  const std::string json = json_of(item), body = "{\"items\":[" + json + "]}";
  json::Document document;
  json::FieldErrors errors;
  const Result<json::Value> root = document.parse(body);
  CHECK(root.ok());
  const Result<std::vector<Item>> again = decode_items(root.value(), 1, errors);
  CHECK(again.ok() && again.value().size() == 1);
  CHECK(json_of(again.value().front()) == json);

  const Result<CatalogueChange> change =
      decode_catalogue_change(encode_catalogue_change(CatalogueChange(item)));
  CHECK(change.ok());
  CHECK(json_of(std::get<Item>(change.value())) == json);
}

void check_all(const Result<std::vector<Item>>& items, const json::FieldErrors& errors) {
  CHECK(!items.ok() || errors.empty());
  if (!items.ok()) return;
  for (const Item& item : items.value()) check_round_trip(item);
}

void check_creators(const Result<std::vector<Creator>>& creators) {
  if (!creators.ok()) return;
  for (const Creator& creator : creators.value()) {
    const Result<CatalogueChange> change =
        decode_catalogue_change(encode_catalogue_change(CatalogueChange(creator)));
    CHECK(change.ok());
    CHECK(json_of(std::get<Creator>(change.value())) == json_of(creator));
  }
}

// A patch that was taken leaves a valid item, of the same identity, and changes nothing the second
// time.
void check_patch(json::Value patch) {
  Item item;
  item.id = ItemId(std::string_view("kiwi"));
  item.kind = ItemKind::kFarmGood;
  item.title = "十八洞猕猴桃";
  item.creator_id = CreatorId(std::string_view("village"));
  item.county = "433124";
  item.tags = {"fruit", "new"};
  item.place = Place{28.5, 109.4};
  item.stock = 12;
  json::FieldErrors errors;
  const Result<Item> once = patch_item(item, patch, errors);
  if (!once.ok()) return;
  CHECK(once.value().id == item.id && once.value().county == item.county);
  check_round_trip(once.value());
  const Result<Item> twice = patch_item(once.value(), patch, errors);
  CHECK(twice.ok() && json_of(twice.value()) == json_of(once.value()));
}

void decode_catalogue(char reader, std::string_view body) {
  json::FieldErrors errors;
  if (reader == 'q') return check_all(decode_items_protobuf(body, 100, errors), errors);
  json::Document document;
  const Result<json::Value> root = document.parse(body);
  if (!root.ok()) return;
  if (reader == 'i') check_all(decode_items(root.value(), 100, errors), errors);
  if (reader == 'c') check_creators(decode_creators(root.value(), 100, errors));
  if (reader == 'm') check_patch(root.value());
}

void run(std::string_view input) {
  if (input.empty()) return;
  const char reader = input.front();
  const std::string_view body = input.substr(1);
  switch (reader) {
    case 'j':
      return decode_events(BodyFormat::kJson, body);
    case 'n':
      return decode_events(BodyFormat::kNdjson, body);
    case 'p':
      return decode_events(BodyFormat::kProtobuf, body);
    case 'r':
      return decode_one_record(body);
    default:
      return decode_catalogue(reader, body);
  }
}

}  // namespace
}  // namespace shanhuo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shanhuo::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
