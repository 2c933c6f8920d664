// Items, creators and blocks as protobuf: for callers that prefer it, for the items topic and for
// the checkpoint. A caller's batch goes through the JSON reader, so that there is one set of rules;
// what we wrote ourselves is only checked for what later code takes for granted.
#include <cmath>
#include <string>
#include <utility>

#include "base/ids.h"
#include "streaming/codec.h"
#include "streaming/codec_season.h"
#include "streaming/codec_wire.h"
#include "streaming/shanhuo.pb.h"

namespace shanhuo {
namespace {

void item_to_wire(const Item& item, wire::Item& wire) {
  wire.set_item_id(item.id.str());
  wire.set_kind(std::string(item_kind_name(item.kind)));
  wire.set_title(item.title);
  wire.set_creator_id(item.creator_id.str());
  wire.set_county(item.county);
  wire.set_category(item.category);
  for (const std::string& tag : item.tags) wire.add_tags(tag);
  if (item.price) wire.set_price_fen(item.price->count());
  if (item.stock) wire.set_stock(*item.stock);
  if (item.place) {
    wire.mutable_place()->set_lat(item.place->lat);
    wire.mutable_place()->set_lon(item.place->lon);
  }
  if (item.season) {
    wire.mutable_season()->set_from(month_day(item.season->from_month, item.season->from_day));
    wire.mutable_season()->set_to(month_day(item.season->to_month, item.season->to_day));
  }
  if (item.published_at) wire.set_published_at_ms(item.published_at->count());
  if (item.duration) wire.set_duration_ms(item.duration->count());
  if (!item.available) wire.set_available(false);
  wire.mutable_embedding()->Add(item.embedding.begin(), item.embedding.end());
  if (item.benefit) {
    wire.mutable_benefit()->set_households(item.benefit->households);
    wire.mutable_benefit()->set_income_fen_per_order(item.benefit->income_per_order.count());
  }
  if (item.donation) {
    wire.mutable_donation()->set_cause(item.donation->cause);
    wire.mutable_donation()->set_permille(item.donation->permille);
  }
}

void details_from_wire(const wire::Item& wire, Item& item) {
  if (wire.has_place()) item.place = Place{wire.place().lat(), wire.place().lon()};
  if (wire.has_benefit()) {
    item.benefit = Benefit{wire.benefit().households(), Fen(wire.benefit().income_fen_per_order())};
  }
  if (wire.has_donation()) {
    item.donation = Donation{wire.donation().cause(), wire.donation().permille()};
  }
  if (wire.has_price_fen()) item.price = Fen(wire.price_fen());
  if (wire.has_stock()) item.stock = wire.stock();
  if (wire.has_published_at_ms()) item.published_at = Millis(wire.published_at_ms());
  if (wire.has_duration_ms()) item.duration = Millis(wire.duration_ms());
  item.available = !wire.has_available() || wire.available();
}

// Empty text: taken. Otherwise "field: what is wrong".
std::string item_from_wire(const wire::Item& wire, Item& item) {
  const std::optional<ItemKind> kind = parse_item_kind(wire.kind());
  if (!valid_id(wire.item_id())) return "item_id: is no id";
  if (!valid_id(wire.creator_id())) return "creator_id: is no id";
  if (!kind) return "kind: unknown";
  item.id = ItemId(wire.item_id());
  item.kind = *kind;
  item.title = wire.title();
  item.creator_id = CreatorId(wire.creator_id());
  item.county = wire.county();
  item.category = wire.category();
  item.tags.assign(wire.tags().begin(), wire.tags().end());
  item.embedding.assign(wire.embedding().begin(), wire.embedding().end());
  details_from_wire(wire, item);
  if (!item.embedding.empty() && item.embedding.size() != kDims) return "embedding: wrong length";
  for (const float x : item.embedding) {
    if (!std::isfinite(x)) return "embedding: not finite";
  }
  if (item.place && !(std::isfinite(item.place->lat) && std::isfinite(item.place->lon))) {
    return "place: not finite";
  }
  if (!wire.has_season()) return "";
  Season& season = item.season.emplace();
  if (!parse_month_day(wire.season().from(), season.from_month, season.from_day) ||
      !parse_month_day(wire.season().to(), season.to_month, season.to_day)) {
    return "season: is no pair of MM-DD";
  }
  return "";
}

// What only one alternative of a change needs.
struct ToWire {
  wire::ItemRecord& record;

  void operator()(const Item& item) const { item_to_wire(item, *record.mutable_item()); }
  void operator()(const ItemDeleted& deleted) const {
    record.set_deleted_item_id(deleted.id.str());
  }
  void operator()(const Creator& creator) const {
    wire::Creator& wire = *record.mutable_creator();
    wire.set_creator_id(creator.id.str());
    wire.set_name(creator.name);
    for (const std::string& group : creator.groups) wire.add_groups(group);
    if (creator.trained_at) wire.set_trained_at_ms(creator.trained_at->count());
  }
  void operator()(const BlockChange& change) const {
    wire::Block& wire = *record.mutable_block();
    wire.set_kind(std::string(block_kind_name(change.kind)));
    wire.set_id(change.id);
    wire.set_blocked(change.blocked);
  }
};

Error bad_change(const std::string& what) {
  return {ErrorCode::kInvalid, "catalogue change: " + what};
}

Result<CatalogueChange> creator_from_wire(const wire::Creator& wire) {
  if (!valid_id(wire.creator_id())) return bad_change("creator_id: is no id");
  Creator creator;
  creator.id = CreatorId(wire.creator_id());
  creator.name = wire.name();
  creator.groups.assign(wire.groups().begin(), wire.groups().end());
  if (wire.has_trained_at_ms()) creator.trained_at = Millis(wire.trained_at_ms());
  return CatalogueChange(std::move(creator));
}

Result<CatalogueChange> block_from_wire(const wire::Block& wire) {
  const std::optional<BlockKind> kind = parse_block_kind(wire.kind());
  if (!kind || !valid_id(wire.id())) return bad_change("malformed block");
  return CatalogueChange(BlockChange{*kind, wire.id(), wire.blocked()});
}

}  // namespace

Result<std::vector<Item>> decode_items_protobuf(std::string_view body, size_t items_max,
                                                json::FieldErrors& errors) {
  const auto count = count_wire_parts(body, wire::ItemBatch::kItemsFieldNumber);
  if (count && *count > items_max) {
    return Error{ErrorCode::kTooLarge,
                 std::to_string(*count) + " items, at most " + std::to_string(items_max)};
  }
  wire::ItemBatch batch;
  if (!count || !batch.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return Error{ErrorCode::kInvalid, "not a protobuf ItemBatch"};
  }
  const json::Pointer at;
  const json::Pointer at_items(at, "items");
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  writer.key("items");
  writer.begin_array();
  size_t index = 0;
  for (const wire::Item& wire : batch.items()) {
    Item item;
    const std::string wrong = item_from_wire(wire, item);
    if (!wrong.empty()) errors.add(json::Pointer(at_items, index), wrong);
    ++index;
    if (wrong.empty()) write_item_json(writer, item);
  }
  writer.end_array();
  writer.end_object();
  if (!errors.empty()) return errors.as_error();
  json::Document document({.bytes_max = SIZE_MAX});
  const Result<json::Value> value = document.parse(text);
  if (!value.ok()) return value.error();
  return decode_items(value.value(), items_max, errors);
}

std::string encode_catalogue_change(const CatalogueChange& change) {
  wire::ItemRecord record;
  std::visit(ToWire{record}, change);
  return record.SerializeAsString();
}

Result<CatalogueChange> decode_catalogue_change(std::string_view bytes) {
  wire::ItemRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return bad_change("not a protobuf ItemRecord");
  }
  switch (record.change_case()) {
    case wire::ItemRecord::kItem: {
      Item item;
      const std::string wrong = item_from_wire(record.item(), item);
      if (!wrong.empty()) return bad_change(wrong);
      return CatalogueChange(std::move(item));
    }
    case wire::ItemRecord::kDeletedItemId:
      if (!valid_id(record.deleted_item_id())) return bad_change("item_id: is no id");
      return CatalogueChange(ItemDeleted{ItemId(record.deleted_item_id())});
    case wire::ItemRecord::kCreator:
      return creator_from_wire(record.creator());
    case wire::ItemRecord::kBlock:
      return block_from_wire(record.block());
    case wire::ItemRecord::CHANGE_NOT_SET:
      break;
  }
  return bad_change("of an unknown kind");
}

Result<CatalogueChange> decode_catalogue_record(const LogRecord& record) {
  if (record.content == ContentType::kUnknown) return bad_change("of an unknown content type");
  if (record.content == ContentType::kNewerSchema)
    return bad_change("of an unknown schema version");
  if (record.value.empty()) {
    if (!valid_id(record.key)) return bad_change("a tombstone without an item's id");
    return CatalogueChange(ItemDeleted{ItemId(record.key)});
  }
  if (record.content != ContentType::kJson) return decode_catalogue_change(record.value);
  Result<Item> item = decode_item(record.value);
  if (!item.ok()) return item.error();
  if (item.value().id.view() != record.key) return bad_change("the key is not the item_id");
  return CatalogueChange(std::move(item).value());
}

std::string catalogue_key(const CatalogueChange& change) {
  if (const auto* item = std::get_if<Item>(&change)) return item->id.str();
  if (const auto* deleted = std::get_if<ItemDeleted>(&change)) return deleted->id.str();
  if (const auto* creator = std::get_if<Creator>(&change)) return "creator\t" + creator->id.str();
  const auto& block = std::get<BlockChange>(change);
  return "block\t" + std::string(block_kind_name(block.kind)) + "\t" + block.id;
}

}  // namespace shanhuo
