// Items and creators out, as the contract's JSON. What is absent is left out; `available` and
// creators' `groups` are always there.
#include "streaming/codec.h"
#include "streaming/codec_season.h"

namespace shanhuo {
namespace {

void write_details(JsonWriter& json, const Item& item) {
  if (item.place) {
    json.key("place");
    json.begin_object();
    json.field("lat", item.place->lat);
    json.field("lon", item.place->lon);
    json.end_object();
  }
  if (item.season) {
    json.key("season");
    json.begin_object();
    json.field("from", month_day(item.season->from_month, item.season->from_day));
    json.field("to", month_day(item.season->to_month, item.season->to_day));
    json.end_object();
  }
  if (item.benefit) {
    json.key("benefit");
    json.begin_object();
    json.field("households", item.benefit->households);
    json.field("income_fen_per_order", item.benefit->income_per_order.count());
    json.end_object();
  }
  if (item.donation) {
    json.key("donation");
    json.begin_object();
    json.field("cause", item.donation->cause);
    json.field("permille", item.donation->permille);
    json.end_object();
  }
}

template <typename Elements>
void write_array(JsonWriter& json, std::string_view name, const Elements& elements) {
  json.key(name);
  json.begin_array();
  for (const auto& element : elements) json.value(element);
  json.end_array();
}

}  // namespace

void write_item_json(JsonWriter& json, const Item& item) {
  json.begin_object();
  json.field("item_id", item.id.view());
  json.field("kind", item_kind_name(item.kind));
  json.field("title", item.title);
  json.field("creator_id", item.creator_id.view());
  if (!item.county.empty()) json.field("county", item.county);
  if (!item.category.empty()) json.field("category", item.category);
  if (!item.tags.empty()) write_array(json, "tags", item.tags);
  if (item.price) json.field("price_fen", item.price->count());
  if (item.stock) json.field("stock", *item.stock);
  write_details(json, item);
  if (item.published_at) json.field("published_at_ms", item.published_at->count());
  if (item.duration) json.field("duration_ms", item.duration->count());
  json.field("available", item.available);
  if (!item.embedding.empty()) write_array(json, "embedding", item.embedding);
  json.end_object();
}

void write_creator_json(JsonWriter& json, const Creator& creator) {
  json.begin_object();
  json.field("creator_id", creator.id.view());
  json.field("name", creator.name);
  write_array(json, "groups", creator.groups);
  if (creator.trained_at) json.field("trained_at_ms", creator.trained_at->count());
  json.end_object();
}

}  // namespace shanhuo
