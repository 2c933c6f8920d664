// Why an item is not shown more, as far as its owner can change it: reasons with a name that pages
// turn into words and into what to do. What the ranking found is another matter (ranking/cause.h).
// Pure.
#pragma once

#include <string_view>
#include <vector>

#include "ranking/world.h"

namespace shanhuo {

// Fewer characters say too little of an item: viewers do not know what it is, nor does the ranking,
// which reads titles.
constexpr size_t kTitleCharsMin = 8;

// In this order: blocked, unavailable, out_of_stock, out_of_season, no_program (nothing boosts it),
// title_too_short. Empty: nothing, or the catalogue does not have the item.
std::vector<std::string_view> item_advice(const World& world, ItemIndex index, Millis now);

}  // namespace shanhuo
