#include "features/interaction.h"

#include <array>

namespace shanhuo {
namespace {

constexpr std::array<std::string_view, kEventTypes> kTypeNames = {
    "impression", "click",       "play",  "like",   "comment", "share",
    "follow",     "add_to_cart", "order", "refund", "dislike", "deed"};
constexpr std::array<std::string_view, kSurfaces> kSurfaceNames = {
    "", "feed", "live_room", "search", "detail", "festival", "open_screen"};

template <typename Enum, size_t n>
std::optional<Enum> parse(const std::array<std::string_view, n>& names, std::string_view name) {
  for (size_t i = 0; i < n; ++i) {
    if (names[i] == name && !name.empty()) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view event_type_name(EventType type) { return kTypeNames[static_cast<size_t>(type)]; }
std::string_view surface_name(Surface surface) {
  return kSurfaceNames[static_cast<size_t>(surface)];
}
std::optional<EventType> parse_event_type(std::string_view name) {
  return parse<EventType>(kTypeNames, name);
}
std::optional<Surface> parse_surface(std::string_view name) {
  return parse<Surface>(kSurfaceNames, name);
}

}  // namespace shanhuo
