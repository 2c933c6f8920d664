// What conditions of programs, audiences and experiments can ask for: the fields of an item, and
// those of a viewer's request (contract 3). Views borrow from what they were made of; both classes
// are built on the stack per evaluation and used by one thread.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "features/attributes.h"
#include "features/catalogue.h"
#include "ranking/request.h"

namespace shanhuo {

// Fields of an item by the contract's names (item_id, kind, title, creator_id, county, category,
// tags, price_fen, stock, place.lat, place.lon, season.from, season.to, published_at_ms,
// duration_ms, available, benefit.households, benefit.income_fen_per_order, donation.cause,
// donation.permille), and three derived ones: in_832, creator_groups, creator_trained_at_ms.
class ItemAttributes final : public AttributeSource {
 public:
  // `creator` may be nullptr: not known, no groups.
  ItemAttributes(const CatalogueItem& item, const Creator* creator);
  AttributeView find(std::string_view dotted_path) const override;

 private:
  const CatalogueItem& item_;
  const Creator* creator_;
  std::array<char, 6> season_from_{}, season_to_{};  // "MM-DD"
};

// Whether conditions over items may name this path (ConditionOptions::attribute_known).
bool item_attribute_known(std::string_view dotted_path);
std::string_view item_attributes_allowed();  // for the error message

// How active a viewer is, by applied events of a lifetime: light below 20, heavy from 200 on.
inline constexpr int64_t kMediumEvents = 20;
inline constexpr int64_t kHeavyEvents = 200;
std::string_view viewer_tier(int64_t events);  // "light", "medium", "heavy"

// Attributes of a request: user_id, city, place.lat, place.lon, surface, tier, interests.<category>
// (share 0..1 of the viewer's category affinities; interests.travel is what the viewer has for
// places of all kinds, the categories travel and scenic together), distance_km(LAT, LON) from the
// request's place, and of the request's time in UTC+8: season (spring from March on, summer,
// autumn, winter; all counties of the catalogue lie north of the equator, so it is the season at
// each), month 1..12, day 1..31, weekday 1..7 from Monday, hour 0..23. Then the request's own
// attributes by their names; the engine's names win. With personalized: false tier and interests
// are missing.
class ViewerAttributes final : public AttributeSource {
 public:
  // Borrows both.
  ViewerAttributes(const RankRequest& request, const ViewerState& viewer);
  AttributeView find(std::string_view dotted_path) const override;

 private:
  AttributeView interest(std::string_view category) const;
  AttributeView of_time(std::string_view name) const;

  const RankRequest& request_;
  const ViewerState& viewer_;
  float category_weight_ = 0;  // sum over the viewer's categories
};

// Whether the engine knows the path itself, and not only requests that carry it; whether any
// request can have it (a distance_km without a place of the earth cannot be).
bool viewer_attribute_known(std::string_view dotted_path);
bool viewer_attribute_possible(std::string_view dotted_path);
std::span<const std::string_view> viewer_attribute_names();
std::string_view viewer_attributes_allowed();  // for messages

}  // namespace shanhuo
