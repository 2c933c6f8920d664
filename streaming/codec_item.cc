// Items and creators as JSON: the one place where their rules (contract 2.1) are checked. Every
// complaint is collected with its pointer. PATCH goes through the same reader: the item is written
// as JSON, merged (RFC 7396), and read again. Protobuf items too: codec_item_wire.cc.
#include <cfloat>
#include <charconv>
#include <string>
#include <unordered_map>

#include "features/counties.h"
#include "streaming/codec.h"
#include "streaming/codec_season.h"

namespace shanhuo {
namespace {

using json::FieldErrors;
using json::Pointer;

enum ItemField : size_t {
  kItemId,
  kKind,
  kTitle,
  kCreatorId,
  kCounty,
  kCategory,
  kTags,
  kPriceFen,
  kStock,
  kPlace,
  kSeason,
  kPublishedAt,
  kDuration,
  kAvailable,
  kEmbedding,
  kBenefit,
  kDonation,
  kItemFields,
};
constexpr std::string_view kItemNames[kItemFields] = {
    "item_id",     "kind",      "title",     "creator_id", "county",  "category",
    "tags",        "price_fen", "stock",     "place",      "season",  "published_at_ms",
    "duration_ms", "available", "embedding", "benefit",    "donation"};

// One object being read: its members by position in `names`, and where it stands.
class ObjectReader {
 public:
  ObjectReader(json::Value value, std::span<const std::string_view> names, const Pointer& at,
               FieldErrors& errors)
      : names_(names), at_(at), errors_(errors), values_(names.size()) {
    is_object_ = value.is_object();
    json::read_fields(value, names, values_, at, errors);
  }

  bool is_object() const { return is_object_; }
  json::Value operator[](size_t field) const { return values_[field]; }
  bool has(size_t field) const { return values_[field].present(); }
  // Calls read(value, pointer) for a field; an optional one that is absent is left out.
  template <typename Read>
  void required(size_t field, const Read& read) const {
    read(values_[field], Pointer(at_, names_[field]));
  }
  template <typename Read>
  void optional(size_t field, const Read& read) const {
    if (has(field)) required(field, read);
  }
  FieldErrors& errors() const { return errors_; }

  void id(size_t field, std::string& out) const {
    required(field, [&](json::Value value, const Pointer& at) {
      if (const auto text = json::id_of(value, at, errors_)) out = *text;
    });
  }
  void text(size_t field, size_t bytes_max, std::string& out) const {
    required(field, [&](json::Value value, const Pointer& at) {
      if (const auto text = json::text_of(value, bytes_max, at, errors_)) out = *text;
    });
  }
  template <typename T>
  void integer(size_t field, int64_t most, T& out) const {
    required(field, [&](json::Value value, const Pointer& at) {
      if (const auto number = json::integer_of(value, 0, most, at, errors_)) {
        out = static_cast<T>(*number);
      }
    });
  }
  template <typename T>
  void optional_integer(size_t field, int64_t most, std::optional<T>& out) const {
    optional(field, [&](json::Value value, const Pointer& at) {
      if (const auto number = json::integer_of(value, 0, most, at, errors_)) out = T(*number);
    });
  }
  void number(size_t field, double bound, double& out) const {
    required(field, [&](json::Value value, const Pointer& at) {
      if (const auto number = json::number_of(value, -bound, bound, at, errors_)) out = *number;
    });
  }
  void texts(size_t field, size_t count_max, size_t bytes_max,
             std::vector<std::string>& out) const {
    required(field, [&](json::Value value, const Pointer& at) {
      if (!json::is_array_of(value, count_max, at, errors_)) return;
      for (const json::Value element : value.elements()) {
        const auto text = json::text_of(element, bytes_max, Pointer(at, out.size()), errors_);
        out.emplace_back(text.value_or(""));
      }
    });
  }

 private:
  std::span<const std::string_view> names_;
  const Pointer& at_;
  FieldErrors& errors_;
  std::vector<json::Value> values_;
  bool is_object_ = false;
};

void read_kind(json::Value value, const Pointer& at, FieldErrors& errors, Item& item) {
  const auto text = json::text_of(value, SIZE_MAX, at, errors);
  if (!text) return;
  const std::optional<ItemKind> kind = parse_item_kind(*text);
  if (kind) {
    item.kind = *kind;
  } else {
    errors.add(at,
               "must be one of farm_good, scenic_video, live_room, video, article, cause, "
               "notice");
  }
}

void read_county(json::Value value, const Pointer& at, FieldErrors& errors, Item& item) {
  const auto text = json::text_of(value, SIZE_MAX, at, errors);
  if (!text) return;
  item.county = *text;
  if (!valid_county_code(*text)) errors.add(at, "is no county code: six digits of GB/T 2260");
}

void read_place(json::Value value, const Pointer& at, FieldErrors& errors, Item& item) {
  constexpr std::string_view kNames[] = {"lat", "lon"};
  const ObjectReader reader(value, kNames, at, errors);
  if (!reader.is_object()) return;
  item.place.emplace();
  reader.number(0, 90, item.place->lat);
  reader.number(1, 180, item.place->lon);
}

void read_season(json::Value value, const Pointer& at, FieldErrors& errors, Item& item) {
  constexpr std::string_view kNames[] = {"from", "to"};
  const ObjectReader reader(value, kNames, at, errors);
  if (!reader.is_object()) return;
  item.season.emplace();
  const auto read_day = [&](json::Value day, const Pointer& at_day, int& month, int& day_of_month) {
    const auto text = json::text_of(day, SIZE_MAX, at_day, errors);
    if (text && !parse_month_day(*text, month, day_of_month)) {
      errors.add(at_day, "is no day of the year, must be MM-DD");
    }
  };
  reader.required(0, [&](json::Value day, const Pointer& at_day) {
    read_day(day, at_day, item.season->from_month, item.season->from_day);
  });
  reader.required(1, [&](json::Value day, const Pointer& at_day) {
    read_day(day, at_day, item.season->to_month, item.season->to_day);
  });
}

void read_embedding(json::Value value, const Pointer& at, FieldErrors& errors, Item& item) {
  if (!value.is_array() || value.size() != kDims) {
    errors.add(at, "must be an array of " + std::to_string(kDims) + " numbers");
    return;
  }
  item.embedding.reserve(kDims);
  for (const json::Value element : value.elements()) {
    const Pointer at_element(at, item.embedding.size());
    const auto number = json::number_of(element, -FLT_MAX, FLT_MAX, at_element, errors);
    item.embedding.push_back(static_cast<float>(number.value_or(0)));
  }
}

void read_benefit(json::Value value, const Pointer& at, FieldErrors& errors, Item& item) {
  constexpr std::string_view kNames[] = {"households", "income_fen_per_order"};
  const ObjectReader reader(value, kNames, at, errors);
  if (!reader.is_object()) return;
  item.benefit.emplace();
  reader.integer(0, kHouseholdsMax, item.benefit->households);
  reader.integer(1, kAmountFenMax, item.benefit->income_per_order);
}

void read_donation(json::Value value, const Pointer& at, FieldErrors& errors, Item& item) {
  constexpr std::string_view kNames[] = {"cause", "permille"};
  const ObjectReader reader(value, kNames, at, errors);
  if (!reader.is_object()) return;
  item.donation.emplace();
  reader.id(0, item.donation->cause);
  reader.integer(1, 1000, item.donation->permille);
}

Item read_item(json::Value value, const Pointer& at, FieldErrors& errors) {
  Item item;
  const ObjectReader reader(value, kItemNames, at, errors);
  if (!reader.is_object()) return item;
  std::string id, creator;
  reader.id(kItemId, id);
  reader.id(kCreatorId, creator);
  item.id = ItemId(std::move(id));
  item.creator_id = CreatorId(std::move(creator));
  reader.text(kTitle, kTitleBytesMax, item.title);
  if (reader.has(kCategory)) reader.text(kCategory, kCategoryBytesMax, item.category);
  if (reader.has(kTags)) reader.texts(kTags, kTagsMax, kTagBytesMax, item.tags);
  reader.optional_integer(kPriceFen, kAmountFenMax, item.price);
  reader.optional_integer(kStock, kStockMax, item.stock);
  reader.optional_integer(kPublishedAt, kEventTimeMsMax, item.published_at);
  reader.optional_integer(kDuration, kDurationMsMax, item.duration);
  const auto with = [&](auto read) {
    return [&errors, &item, read](json::Value field, const Pointer& at_field) {
      read(field, at_field, errors, item);
    };
  };
  reader.required(kKind, with(read_kind));
  reader.optional(kCounty, with(read_county));
  reader.optional(kPlace, with(read_place));
  reader.optional(kSeason, with(read_season));
  reader.optional(kEmbedding, with(read_embedding));
  reader.optional(kBenefit, with(read_benefit));
  reader.optional(kDonation, with(read_donation));
  reader.optional(kAvailable, [&](json::Value flag, const Pointer& at_flag) {
    item.available = json::bool_of(flag, at_flag, errors).value_or(true);
  });
  return item;
}

Creator read_creator(json::Value value, const Pointer& at, FieldErrors& errors) {
  constexpr std::string_view kNames[] = {"creator_id", "name", "groups", "trained_at_ms"};
  Creator creator;
  const ObjectReader reader(value, kNames, at, errors);
  if (!reader.is_object()) return creator;
  std::string id;
  reader.id(0, id);
  creator.id = CreatorId(std::move(id));
  reader.text(1, kNameBytesMax, creator.name);
  reader.texts(2, kGroupsMax, kGroupBytesMax, creator.groups);
  reader.optional_integer(3, kEventTimeMsMax, creator.trained_at);
  return creator;
}

// Reads {"<name>":[...]} element by element, and refuses an id that comes twice.
template <typename T, typename Read>
Result<std::vector<T>> read_list(json::Value body, std::string_view name, std::string_view id_name,
                                 size_t count_max, FieldErrors& errors, const Read& read) {
  const Pointer at;
  const Pointer at_list(at, name);
  json::Value list;
  json::read_fields(body, {&name, 1}, {&list, 1}, at, errors);
  if (list.size() > count_max) {
    return Error{ErrorCode::kTooLarge, std::to_string(list.size()) + " " + std::string(name) +
                                           ", at most " + std::to_string(count_max)};
  }
  std::vector<T> all;
  if (body.is_object() && json::is_array_of(list, count_max, at_list, errors)) {
    all.reserve(list.size());
    std::unordered_map<std::string, size_t> first;
    for (const json::Value element : list.elements()) {
      const Pointer at_element(at_list, all.size());
      all.push_back(read(element, at_element, errors));
      const auto [seen, is_new] = first.try_emplace(all.back().id.str(), all.size() - 1);
      if (!is_new && !all.back().id.empty()) {
        errors.add(Pointer(at_element, id_name),
                   "is the same as that of element " + std::to_string(seen->second));
      }
    }
  }
  if (!errors.empty()) return errors.as_error();
  return all;
}

// RFC 7396: members of `patch` over those of `target`.
void write_merged(JsonWriter& out, json::Value target, json::Value patch) {
  if (!patch.is_object()) return json::write(out, patch);
  out.begin_object();
  for (const json::Member member : target.members()) {
    if (patch.find(member.name).present()) continue;
    out.key(member.name);
    json::write(out, member.value);
  }
  for (const json::Member member : patch.members()) {
    if (member.value.is_null()) continue;
    out.key(member.name);
    write_merged(out, target.find(member.name), member.value);
  }
  out.end_object();
}

void check_unchanged(const Item& before, const Item& after, const Pointer& at,
                     FieldErrors& errors) {
  const auto keep = [&](size_t field, bool same) {
    if (!same) errors.add(Pointer(at, kItemNames[field]), "never changes");
  };
  keep(kItemId, after.id == before.id);
  keep(kKind, after.kind == before.kind);
  keep(kCreatorId, after.creator_id == before.creator_id);
  keep(kCounty, after.county == before.county);
}

}  // namespace

Result<std::vector<Item>> decode_items(json::Value body, size_t items_max, FieldErrors& errors) {
  return read_list<Item>(body, "items", "item_id", items_max, errors, read_item);
}

Result<std::vector<Creator>> decode_creators(json::Value body, size_t creators_max,
                                             FieldErrors& errors) {
  return read_list<Creator>(body, "creators", "creator_id", creators_max, errors, read_creator);
}

Result<Item> decode_item(std::string_view text) {
  json::Document document;
  const Result<json::Value> value = document.parse(text);
  if (!value.ok()) return value.error();
  FieldErrors errors;
  Item item = read_item(value.value(), Pointer(), errors);
  if (!errors.empty()) return errors.as_error();
  return item;
}

Result<Item> patch_item(const Item& item, json::Value patch, FieldErrors& errors) {
  const Pointer at;
  if (!patch.is_object()) {
    errors.add(at, "must be an object");
    return errors.as_error();
  }
  std::string before, merged;
  JsonWriter writer(before);
  write_item_json(writer, item);
  json::Document document, merged_document;
  const Result<json::Value> target = document.parse(before);
  CHECK(target.ok());
  JsonWriter merged_writer(merged);
  write_merged(merged_writer, target.value(), patch);
  const Result<json::Value> value = merged_document.parse(merged);
  if (!value.ok()) return value.error();
  Item after = read_item(value.value(), at, errors);
  // An unknown field that is null left nothing in what was merged.
  std::vector<json::Value> given(kItemFields);
  if (errors.empty()) json::read_fields(patch, kItemNames, given, at, errors);
  if (!errors.empty()) return errors.as_error();
  check_unchanged(item, after, at, errors);
  if (!errors.empty()) return Error{ErrorCode::kConflict, errors.as_error().message};
  return after;
}

}  // namespace shanhuo
