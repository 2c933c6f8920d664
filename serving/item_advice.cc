#include "serving/item_advice.h"

#include <algorithm>

namespace shanhuo {
namespace {

// Of valid UTF-8: bytes that begin a character.
size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::vector<std::string_view> item_advice(const World& world, ItemIndex index, Millis now) {
  const CatalogueItem* const found = world.item(index);
  if (found == nullptr) return {};
  const Item& item = found->item;
  std::vector<std::string_view> reasons;
  if (world.catalogue().blocked(*found)) reasons.emplace_back("blocked");
  if (!item.available) reasons.emplace_back("unavailable");
  if (item.stock && *item.stock <= 0) reasons.emplace_back("out_of_stock");
  if (item.season && !item.season->contains(now)) reasons.emplace_back("out_of_season");
  if (world.programs_of(index).empty()) reasons.emplace_back("no_program");
  if (characters(item.title) < kTitleCharsMin) reasons.emplace_back("title_too_short");
  return reasons;
}

}  // namespace shanhuo
