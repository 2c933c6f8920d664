#include "ranking/attributes.h"

#include <algorithm>
#include <cstdio>

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
  constexpr std::string_view kInterests = "interests.";
  if (dotted_path.starts_with(kInterests)) {
    if (!request_.personalized || category_weight_ <= 0) return {};
    const uint32_t key = key_hash(dotted_path.substr(kInterests.size()));
    for (const Affinity& affinity : viewer_.categories) {
      if (affinity.key == key && affinity.weight > 0) {
        return AttributeView::number(affinity.weight / category_weight_);
      }
    }
    return {};
  }
  return AttributeView::of(request_.attributes).walk(dotted_path);
}

}  // namespace shanhuo
