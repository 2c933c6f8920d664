#include "ranking/cause.h"

#include <array>

namespace shanhuo {

std::string_view cause_name(Cause cause) {
  static constexpr std::array<std::string_view, kCauses> kNames = {
      "",         "no_inventory", "below_relevance", "frequency_capped",
      "no_slot",  "user_budget",  "out_of_stock",    "out_of_season",
      "conflict", "blocked",      "not_running",     "surface",
      "audience", "area",         "cap_reached",     "paced"};
  return kNames[static_cast<size_t>(cause)];
}

}  // namespace shanhuo
