#include "features/counties.h"

#include <algorithm>
#include <array>

namespace shanhuo {
namespace {

constexpr auto kCounties = std::to_array<County>({
#include "features/counties_832.inc"
});
static_assert(kCounties.size() == 832);
static_assert(std::ranges::is_sorted(kCounties, std::ranges::less{}, &County::code));

// First two digits of GB/T 2260 codes.
constexpr std::array<std::string_view, 34> kProvinces = {
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34",
    "35", "36", "37", "41", "42", "43", "44", "45", "46", "50", "51", "52",
    "53", "54", "61", "62", "63", "64", "65", "71", "81", "82"};

}  // namespace

std::span<const County> counties_832() { return kCounties; }

const County* find_county_832(std::string_view code) {
  const auto* found = std::lower_bound(
      kCounties.data(), kCounties.data() + kCounties.size(), code,
      [](const County& county, std::string_view key) { return county.code < key; });
  return found != kCounties.data() + kCounties.size() && found->code == code ? found : nullptr;
}

bool valid_county_code(std::string_view code) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return code.size() == 6 && std::ranges::all_of(code, digit) &&
         std::ranges::binary_search(kProvinces, code.substr(0, 2));
}

}  // namespace shanhuo
