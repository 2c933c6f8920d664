// Items, creators and blocks: each change is appended to the items topic, and answered when readers
// see it.
#include "ranking/scoring.h"
#include "serving/http_api.h"

namespace shanhuo {
namespace {

constexpr std::string_view kNeverChange = "kind, creator_id and county of an item never change";

std::string accepted(size_t count) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("accepted", count);
  json.end_object();
  return out;
}

// The windows of some items together, with their different viewers unless there are too many
// records to look through.
void write_windows(JsonWriter& json, std::string_view key, const Engine& engine,
                   const Catalogue& catalogue, std::span<const ItemIndex> items) {
  const FeatureStore& features = engine.features();
  const auto unique = features.unique_viewers(items, catalogue, engine.stored());
  const auto write = [&](std::string_view name, const Counts& counts,
                         std::optional<int64_t> viewers) {
    json.key(name);
    json.begin_object();
    json.field("served", counts.served);
    json.field("viewable", counts.viewable);
    json.field("clicks", counts.clicks);
    json.field("plays", counts.plays);
    json.field("watch_ms", counts.watch_ms);
    json.field("likes", counts.likes);
    json.field("orders", counts.orders);
    json.field("amount_fen", counts.amount_fen);
    if (viewers) json.field("unique_viewers", *viewers);
    json.end_object();
  };
  const ItemWindows windows = features.windows(items);
  json.key(key);
  json.begin_object();
  write("1h", windows.hour, std::nullopt);
  write("24h", windows.day, unique.ok() ? std::optional(unique.value().day) : std::nullopt);
  write("7d", windows.week, unique.ok() ? std::optional(unique.value().week) : std::nullopt);
  json.end_object();
}

// Decayed counts, and the rates that ranking makes of them before it knows the viewer.
void write_rates(JsonWriter& json, const RankingOptions& options, ItemKind kind,
                 const ItemRates& rates) {
  json.key("rates");
  json.begin_object();
  json.field("impressions", rates.impressions);
  json.field("viewable", rates.viewable);
  json.field("clicks", rates.clicks);
  json.field("orders", rates.orders);
  json.field("click_rate", smoothed_rate(options, kind, rates));
  json.field("order_rate",
             smoothed_share(rates.orders, rates.clicks, options.prior_order, options.prior_clicks));
  json.end_object();
}

// A walk over the catalogue, about 10 ns an item: for people who look, not for requests.
std::vector<ItemIndex> items_of_county(const Catalogue& catalogue, int32_t county_code) {
  std::vector<ItemIndex> items;
  for (const auto& chunk : catalogue.chunks) {
    if (!chunk) continue;
    for (const auto& item : *chunk) {
      if (item && item->county_code == county_code) items.push_back(item->index);
    }
  }
  return items;
}

// The items that would change what never changes.
std::vector<FieldError> conflicts(const std::vector<Item>& items, const Catalogue& catalogue,
                                  const Interner& interner) {
  std::vector<FieldError> errors;
  for (size_t i = 0; i < items.size(); ++i) {
    const ItemIndex index = interner.find(items[i].id.view());
    const CatalogueItem* known = index == kNoItem ? nullptr : catalogue.at(index);
    if (known == nullptr) continue;
    const std::string at = "/items/" + std::to_string(i);
    if (known->item.kind != items[i].kind) errors.push_back({at + "/kind", "never changes"});
    if (known->item.creator_id != items[i].creator_id)
      errors.push_back({at + "/creator_id", "never changes"});
    if (known->item.county != items[i].county) errors.push_back({at + "/county", "never changes"});
  }
  return errors;
}

}  // namespace

const CatalogueItem* HttpApi::find_item(const Catalogue& catalogue, std::string_view id) const {
  const ItemIndex index = engine_.interner().find(id);
  return index == kNoItem ? nullptr : catalogue.at(index);
}

void HttpApi::change(Call& call, const std::vector<CatalogueChange>& changes, std::string done) {
  const Status status = engine_.change_catalogue(changes);
  if (!status.ok()) {
    call.respond(problem(status.error()));
    return;
  }
  const bool silent = done.empty();
  HttpResponse response = json_answer(silent ? 204 : 200, std::move(done));
  if (silent) response.content_type.clear();
  call.respond(std::move(response));
}

void HttpApi::put_items(Call& call) {
  const auto items_max = static_cast<size_t>(engine_.options().api.items_max);
  json::FieldErrors errors;
  const auto document = documents_.take();
  Result<std::vector<Item>> items = std::vector<Item>();
  if (call.request.content_type == "application/x-protobuf") {
    items = decode_items_protobuf(call.request.body, items_max, errors);
  } else {
    const std::optional<json::Value> body = parse(call, *document);
    if (!body) return;
    items = decode_items(*body, items_max, errors);
  }
  if (!items.ok()) {
    call.respond(errors.empty() ? problem(items.error()) : unprocessable(errors));
    return;
  }
  const std::lock_guard lock(catalogue_mutex_);
  const auto refused = conflicts(items.value(), *engine_.catalogue(), engine_.interner());
  if (!refused.empty()) {
    call.respond(problem(409, "", kNeverChange, refused));
    return;
  }
  const std::string done = accepted(items.value().size());
  std::vector<CatalogueChange> changes;
  for (Item& item : items.value()) changes.emplace_back(std::move(item));
  if (changes.empty()) {
    call.respond(json_answer(200, done));
  } else {
    change(call, changes, done);
  }
}

void HttpApi::get_item(Call& call) {
  const std::shared_ptr<const Catalogue> catalogue = engine_.catalogue();
  const CatalogueItem* item = find_item(*catalogue, call.arguments[0]);
  if (item == nullptr) {
    call.respond(problem(404, "", "no such item"));
    return;
  }
  std::string out;
  JsonWriter json(out);
  if (call.request.param("features").value_or("0") != "1") {
    write_item_json(json, item->item);
  } else {
    json.begin_object();
    json.key("item");
    write_item_json(json, item->item);
    json.field("in_832", item->in_832);
    const ItemIndex index = item->index;
    write_windows(json, "windows", engine_, *catalogue, {&index, 1});
    write_windows(json, "creator_windows", engine_, *catalogue,
                  catalogue->items_of(item->item.creator_id));
    if (item->county_code != 0) {
      write_windows(json, "county_windows", engine_, *catalogue,
                    items_of_county(*catalogue, item->county_code));
    }
    write_rates(json, *engine_.ranking(), item->item.kind, engine_.features().rates(index));
    json.end_object();
  }
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::patch_item(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> body = parse(call, *document);
  if (!body) return;
  const std::lock_guard lock(catalogue_mutex_);
  const std::shared_ptr<const Catalogue> catalogue = engine_.catalogue();
  const CatalogueItem* item = find_item(*catalogue, call.arguments[0]);
  if (item == nullptr) {
    call.respond(problem(404, "", "no such item"));
    return;
  }
  json::FieldErrors errors;
  Result<Item> patched = shanhuo::patch_item(item->item, *body, errors);
  if (!patched.ok()) {
    if (patched.error().code == ErrorCode::kConflict) {
      std::vector<FieldError> fields;
      for (const json::FieldError& error : errors.list()) {
        fields.push_back({error.pointer, error.detail});
      }
      call.respond(problem(409, "", kNeverChange, fields));
    } else {
      call.respond(errors.empty() ? problem(patched.error()) : unprocessable(errors));
    }
    return;
  }
  std::string done;
  JsonWriter json(done);
  write_item_json(json, patched.value());
  change(call, {std::move(patched).value()}, done);
}

void HttpApi::delete_item(Call& call) {
  const std::lock_guard lock(catalogue_mutex_);
  if (find_item(*engine_.catalogue(), call.arguments[0]) == nullptr) {
    call.respond(problem(404, "", "no such item"));
    return;
  }
  change(call, {ItemDeleted{ItemId(call.arguments[0])}}, "");
}

void HttpApi::put_creators(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> body = parse(call, *document);
  if (!body) return;
  json::FieldErrors errors;
  Result<std::vector<Creator>> creators =
      decode_creators(*body, static_cast<size_t>(engine_.options().api.items_max), errors);
  if (!creators.ok()) {
    call.respond(errors.empty() ? problem(creators.error()) : unprocessable(errors));
    return;
  }
  const std::string done = accepted(creators.value().size());
  std::vector<CatalogueChange> changes;
  for (Creator& creator : creators.value()) changes.emplace_back(std::move(creator));
  const std::lock_guard lock(catalogue_mutex_);
  if (changes.empty()) {
    call.respond(json_answer(200, done));
  } else {
    change(call, changes, done);
  }
}

void HttpApi::put_block(Call& call) { change_block(call, true); }
void HttpApi::delete_block(Call& call) { change_block(call, false); }

void HttpApi::change_block(Call& call, bool blocked) {
  const std::optional<BlockKind> kind = parse_block_kind(call.arguments[0]);
  if (!kind || !valid_id(call.arguments[1])) {
    call.respond(problem(404, "", "blocks are of an item, a creator or a program"));
    return;
  }
  const std::lock_guard lock(catalogue_mutex_);
  change(call, {BlockChange{*kind, call.arguments[1], blocked}}, "");
}

void HttpApi::get_creator(Call& call) {
  const std::shared_ptr<const Catalogue> catalogue = engine_.catalogue();
  const CreatorId id(call.arguments[0]);
  const Creator* creator = catalogue->creator(id);
  const std::vector<ItemIndex> items = catalogue->items_of(id);
  if (creator == nullptr && items.empty()) {
    call.respond(problem(404, "", "no such creator"));
    return;
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("creator");
  Creator unnamed;
  unnamed.id = id;
  write_creator_json(json, creator != nullptr ? *creator : unnamed);
  json.field("items", items.size());
  write_windows(json, "windows", engine_, *catalogue, items);
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

}  // namespace shanhuo
