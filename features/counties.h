// The 832 counties that were delisted from poverty between 2016 and 2020: code (GB/T 2260), name,
// province, year, representative point. A shipped table; membership is by code alone.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace shanhuo {

struct County {
  std::string_view code;  // six digits
  std::string_view name;
  std::string_view province;
  int16_t delisted_year;
  double lat, lon;  // degrees
};

std::span<const County> counties_832();                // ascending by code
const County* find_county_832(std::string_view code);  // nullptr: not one of them

// True for six digits whose province part is one that GB/T 2260 has. Not every such code is in use.
bool valid_county_code(std::string_view code);

}  // namespace shanhuo
