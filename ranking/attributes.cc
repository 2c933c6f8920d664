#include "ranking/attributes.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

namespace shanhuo {
namespace {

// The item's fields by name, in one table: what conditions may name and how each is read.
using ItemReader = AttributeView (*)(const Item&);

AttributeView text_or_null(std::string_view text) {
  return text.empty() ? AttributeView() : AttributeView::text(text);
}

template <typename T>
AttributeView number_or_null(const std::optional<T>& quantity) {
  if (!quantity) return {};
  if constexpr (requires { quantity->count(); }) {
    return AttributeView::number(static_cast<double>(quantity->count()));
  } else {
    return AttributeView::number(static_cast<double>(*quantity));
  }
}

struct ItemField {
  std::string_view path;
  ItemReader read;
};

constexpr ItemField kItemFields[] = {
    {"item_id", [](const Item& i) { return AttributeView::text(i.id.view()); }},
    {"kind", [](const Item& i) { return AttributeView::text(item_kind_name(i.kind)); }},
    {"title", [](const Item& i) { return AttributeView::text(i.title); }},
    {"creator_id", [](const Item& i) { return AttributeView::text(i.creator_id.view()); }},
    {"county", [](const Item& i) { return text_or_null(i.county); }},
    {"category", [](const Item& i) { return text_or_null(i.category); }},
    {"tags", [](const Item& i) { return AttributeView::texts(i.tags); }},
    {"price_fen", [](const Item& i) { return number_or_null(i.price); }},
    {"stock", [](const Item& i) { return number_or_null(i.stock); }},
    {"place.lat",
     [](const Item& i) { return i.place ? AttributeView::number(i.place->lat) : AttributeView(); }},
    {"place.lon",
     [](const Item& i) { return i.place ? AttributeView::number(i.place->lon) : AttributeView(); }},
    {"published_at_ms", [](const Item& i) { return number_or_null(i.published_at); }},
    {"duration_ms", [](const Item& i) { return number_or_null(i.duration); }},
    {"available", [](const Item& i) { return AttributeView::boolean(i.available); }},
    {"benefit.households",
     [](const Item& i) {
       return i.benefit ? AttributeView::number(static_cast<double>(i.benefit->households))
                        : AttributeView();
     }},
    {"benefit.income_fen_per_order",
     [](const Item& i) {
       return i.benefit
                  ? AttributeView::number(static_cast<double>(i.benefit->income_per_order.count()))
                  : AttributeView();
     }},
    {"donation.cause",
     [](const Item& i) {
       return i.donation ? AttributeView::text(i.donation->cause) : AttributeView();
     }},
    {"donation.permille",
     [](const Item& i) {
       return i.donation ? AttributeView::number(i.donation->permille) : AttributeView();
     }},
};

constexpr std::string_view kOtherPaths[] = {"season.from", "season.to", "in_832", "creator_groups",
                                            "creator_trained_at_ms"};

const ItemField* find_field(std::string_view path) {
  const auto* found = std::find_if(std::begin(kItemFields), std::end(kItemFields),
                                   [&](const ItemField& field) { return field.path == path; });
  return found == std::end(kItemFields) ? nullptr : found;
}

void write_day(int month, int day, std::array<char, 6>& out) {
  const auto digit = [](int value) { return static_cast<char>('0' + value % 10); };
  out = {digit(month / 10), digit(month), '-', digit(day / 10), digit(day), '\0'};
}

constexpr std::string_view kInterests = "interests.";
constexpr std::string_view kDistance = "distance_km(";
constexpr std::string_view kTimeNames[] = {"season", "month", "day", "weekday", "hour"};
constexpr std::string_view kViewerNames[] = {"user_id", "city",    "place.lat", "place.lon",
                                             "surface", "tier",    "season",    "month",
                                             "day",     "weekday", "hour"};

bool is_one_of(std::string_view path, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), path) != names.end();
}

// Of "distance_km(28.58, 109.48)"; nullopt when it is none, or no place on earth.
std::optional<Place> distance_place(std::string_view path) {
  if (!path.starts_with(kDistance) || !path.ends_with(')')) return std::nullopt;
  const char* at = path.data() + kDistance.size();
  const char* const end = path.data() + path.size() - 1;
  Place place;
  const auto lat = std::from_chars(at, end, place.lat);
  at = lat.ptr;
  if (lat.ec != std::errc() || at == end || *at++ != ',') return std::nullopt;
  while (at != end && *at == ' ') ++at;
  const auto lon = std::from_chars(at, end, place.lon);
  const bool on_earth = std::abs(place.lat) <= 90 && std::abs(place.lon) <= 180;
  if (lon.ec != std::errc() || lon.ptr != end || !on_earth) return std::nullopt;
  return place;
}

// An element of an array by its path: "tags.0" of "tags".
AttributeView step_into(std::string_view path, std::string_view name, const AttributeView& array) {
  if (path.size() <= name.size() || !path.starts_with(name) || path[name.size()] != '.') return {};
  return array.walk(path.substr(name.size() + 1));
}

}  // namespace

ItemAttributes::ItemAttributes(const CatalogueItem& item, const Creator* creator)
    : item_(item), creator_(creator) {
  if (!item.item.season) return;
  write_day(item.item.season->from_month, item.item.season->from_day, season_from_);
  write_day(item.item.season->to_month, item.item.season->to_day, season_to_);
}

AttributeView ItemAttributes::find(std::string_view dotted_path) const {
  if (const ItemField* field = find_field(dotted_path)) return field->read(item_.item);
  if (dotted_path == "in_832") return AttributeView::boolean(item_.in_832);
  if (dotted_path == "season.from") return text_or_null(season_from_.data());
  if (dotted_path == "season.to") return text_or_null(season_to_.data());
  const AttributeView groups =
      creator_ != nullptr ? AttributeView::texts(creator_->groups) : AttributeView();
  if (dotted_path == "creator_groups") return groups;
  if (dotted_path == "creator_trained_at_ms") {
    return creator_ != nullptr ? number_or_null(creator_->trained_at) : AttributeView();
  }
  const AttributeView tag = step_into(dotted_path, "tags", AttributeView::texts(item_.item.tags));
  return tag.is_null() ? step_into(dotted_path, "creator_groups", groups) : tag;
}

bool item_attribute_known(std::string_view dotted_path) {
  const auto is = [&](std::string_view path) { return path == dotted_path; };
  if (find_field(dotted_path) != nullptr) return true;
  if (std::any_of(std::begin(kOtherPaths), std::end(kOtherPaths), is)) return true;
  return dotted_path.starts_with("tags.") || dotted_path.starts_with("creator_groups.");
}

std::string_view item_attributes_allowed() {
  static const std::string kAllowed = [] {
    std::string text;
    for (const ItemField& field : kItemFields) text += std::string(field.path) + ", ";
    for (const std::string_view path : kOtherPaths) text += std::string(path) + ", ";
    text.resize(text.size() - 2);
    return text;
  }();
  return kAllowed;
}

std::string_view viewer_tier(int64_t events) {
  return events >= kHeavyEvents ? "heavy" : events >= kMediumEvents ? "medium" : "light";
}

ViewerAttributes::ViewerAttributes(const RankRequest& request, const ViewerState& viewer)
    : request_(request), viewer_(viewer) {
  for (const Affinity& affinity : viewer.categories) category_weight_ += affinity.weight;
}

AttributeView ViewerAttributes::interest(std::string_view category) const {
  if (!request_.personalized || category_weight_ <= 0) return {};
  const uint32_t key = key_hash(category);
  const uint32_t also = category == "travel" ? key_hash("scenic") : key;
  float weight = 0;
  for (const Affinity& affinity : viewer_.categories) {
    if (affinity.key == key || affinity.key == also) weight += affinity.weight;
  }
  return weight > 0 ? AttributeView::number(weight / category_weight_) : AttributeView();
}

AttributeView ViewerAttributes::of_time(std::string_view name) const {
  const Millis local = request_.now + Millis(8 * kHour.count());
  const int64_t day = window_of(local, kDay);
  if (name == "hour") {
    return AttributeView::number(static_cast<double>(window_of(local, kHour) - 24 * day));
  }
  const std::chrono::sys_days date{std::chrono::days(day)};
  if (name == "weekday") {
    return AttributeView::number(std::chrono::weekday(date).iso_encoding());
  }
  const std::chrono::year_month_day civil(date);
  const auto month = static_cast<unsigned>(civil.month());
  if (name == "month") return AttributeView::number(month);
  if (name == "day") return AttributeView::number(static_cast<unsigned>(civil.day()));
  static constexpr std::string_view kSeasons[] = {"winter", "spring", "summer", "autumn"};
  return AttributeView::text(kSeasons[month % 12 / 3]);
}

AttributeView ViewerAttributes::find(std::string_view dotted_path) const {
  if (dotted_path == "user_id") return text_or_null(request_.user_id);
  if (dotted_path == "city") return text_or_null(request_.city);
  if (dotted_path == "surface") return text_or_null(surface_name(request_.surface));
  if (dotted_path == "place.lat" || dotted_path == "place.lon") {
    if (!request_.place) return {};
    return AttributeView::number(dotted_path.back() == 't' ? request_.place->lat
                                                           : request_.place->lon);
  }
  if (dotted_path == "tier") {
    return request_.personalized ? AttributeView::text(viewer_tier(viewer_.events))
                                 : AttributeView();
  }
  if (dotted_path.starts_with(kInterests)) {
    return interest(dotted_path.substr(kInterests.size()));
  }
  if (const std::optional<Place> place = distance_place(dotted_path)) {
    if (!request_.place) return {};
    return AttributeView::number(distance_km(*place, *request_.place));
  }
  if (is_one_of(dotted_path, kTimeNames)) return of_time(dotted_path);
  return AttributeView::of(request_.attributes).walk(dotted_path);
}

bool viewer_attribute_known(std::string_view dotted_path) {
  return is_one_of(dotted_path, kViewerNames) || dotted_path.starts_with(kInterests) ||
         distance_place(dotted_path).has_value();
}

bool viewer_attribute_possible(std::string_view dotted_path) {
  return !dotted_path.starts_with(kDistance) || distance_place(dotted_path).has_value();
}

std::span<const std::string_view> viewer_attribute_names() { return kViewerNames; }

std::string_view viewer_attributes_allowed() {
  return "user_id, city, place.lat, place.lon, surface, tier, interests.<category>, "
         "distance_km(LAT, LON), season, month, day, weekday, hour";
}

}  // namespace shanhuo
