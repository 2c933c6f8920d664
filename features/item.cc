#include "features/item.h"

#include <chrono>
#include <cmath>
#include <numbers>

#include "features/counts.h"

namespace shanhuo {
namespace {

constexpr double kEarthRadiusKm = 6'371.0088;

constexpr std::array<std::string_view, kItemKinds> kKindNames = {
    "farm_good", "scenic_video", "live_room", "video", "article", "cause", "notice"};
constexpr std::array<std::string_view, 3> kBlockNames = {"item", "creator", "program"};

template <typename Enum, size_t n>
std::optional<Enum> parse(const std::array<std::string_view, n>& names, std::string_view name) {
  for (size_t i = 0; i < n; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

double radians(double degrees) { return degrees * std::numbers::pi / 180; }

}  // namespace

std::string_view item_kind_name(ItemKind kind) { return kKindNames[static_cast<size_t>(kind)]; }
std::optional<ItemKind> parse_item_kind(std::string_view name) {
  return parse<ItemKind>(kKindNames, name);
}

std::string_view block_kind_name(BlockKind kind) { return kBlockNames[static_cast<size_t>(kind)]; }
std::optional<BlockKind> parse_block_kind(std::string_view name) {
  return parse<BlockKind>(kBlockNames, name);
}

double distance_km(const Place& a, const Place& b) {
  const double half_lat = std::sin(radians(b.lat - a.lat) / 2);
  const double half_lon = std::sin(radians(b.lon - a.lon) / 2);
  const double h = half_lat * half_lat +
                   std::cos(radians(a.lat)) * std::cos(radians(b.lat)) * half_lon * half_lon;
  return 2 * kEarthRadiusKm * std::asin(std::sqrt(std::fmin(1.0, h)));
}

bool Season::contains(Millis now) const {
  using std::chrono::days, std::chrono::sys_days, std::chrono::year_month_day;
  const year_month_day date{sys_days{days{day_of(now)}}};
  const auto number = [](int month, int day) { return month * 32 + day; };
  const int today = number(static_cast<int>(static_cast<unsigned>(date.month())),
                           static_cast<int>(static_cast<unsigned>(date.day())));
  const int from = number(from_month, from_day), to = number(to_month, to_day);
  return from <= to ? from <= today && today <= to : from <= today || today <= to;
}

}  // namespace shanhuo
