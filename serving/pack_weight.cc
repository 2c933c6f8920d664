#include "serving/pack_weight.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace shanhuo {
namespace {

struct Unit {
  std::string_view name;
  double grams;
};
// Longer names before those that they begin with.
constexpr Unit kUnits[] = {{"公斤", 1000}, {"千克", 1000}, {"斤", 500},  {"克", 1},
                           {"kg", 1000},   {"KG", 1000},   {"Kg", 1000}, {"g", 1}};
constexpr double kGramsMax = 1e6;

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Grams of a unit that `text` begins with; 0: none. A Latin one ends where its letters do.
double unit_of(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (!text.starts_with(unit.name)) continue;
    const std::string_view rest = text.substr(unit.name.size());
    if (is_letter(unit.name.back()) && !rest.empty() && is_letter(rest.front())) continue;
    return unit.grams;
  }
  return 0;
}

}  // namespace

int64_t pack_grams(std::string_view title) {
  for (size_t at = 0; at < title.size(); ++at) {
    if (!is_digit(title[at])) continue;
    double number = 0;
    const char* const end = title.data() + title.size();
    const auto [stop, error] =
        std::from_chars(title.data() + at, end, number, std::chars_format::fixed);
    at = std::max(at, static_cast<size_t>(stop - title.data()));
    std::string_view rest = title.substr(at);
    if (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    const double grams = error == std::errc() ? number * unit_of(rest) : 0;
    if (grams > 0) return grams <= kGramsMax ? std::llround(grams) : 0;
  }
  return 0;
}

}  // namespace shanhuo
