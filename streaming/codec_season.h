// Days of the year as the contract writes them, "MM-DD". Internal to streaming/codec*.cc.
#pragma once

#include <string>
#include <string_view>

namespace shanhuo {

// False, and nothing set, unless `text` is a day of a leap year.
inline bool parse_month_day(std::string_view text, int& month, int& day) {
  constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != '-') return false;
  if (!digit(0) || !digit(1) || !digit(3) || !digit(4)) return false;
  const int m = (text[0] - '0') * 10 + (text[1] - '0');
  const int d = (text[3] - '0') * 10 + (text[4] - '0');
  if (m < 1 || m > 12 || d < 1 || d > kDays[m - 1]) return false;
  month = m;
  day = d;
  return true;
}

inline std::string month_day(int month, int day) {
  const auto two = [](int n) { return std::string{char('0' + n / 10), char('0' + n % 10)}; };
  return two(month) + "-" + two(day);
}

}  // namespace shanhuo
