// Items and creators as the contract (2.1) has them: plain values, owned, without behaviour beyond
// what every folder needs to know about them. Validity (ranges, codes, lengths) is checked once, by
// streaming/codec.h, before one exists.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace shanhuo {

enum class ItemKind : uint8_t {
  kFarmGood,
  kScenicVideo,
  kLiveRoom,
  kVideo,
  kArticle,
  kCause,
  kNotice,
};
inline constexpr int kItemKinds = 7;
std::string_view item_kind_name(ItemKind kind);  // "farm_good", ...
std::optional<ItemKind> parse_item_kind(std::string_view name);

// Vectors of items and viewers have this many components, and unit length unless they are all zero.
inline constexpr int kDims = 64;
using Vector = std::array<float, kDims>;

struct Place {
  double lat = 0;  // degrees north, -90..90
  double lon = 0;  // degrees east, -180..180
};

// Great-circle distance (haversine, mean earth radius 6,371.0088 km).
double distance_km(const Place& a, const Place& b);

// A yearly interval of days, both ends included; from > to wraps the year (11-15 .. 02-10).
struct Season {
  int from_month = 1, from_day = 1, to_month = 12, to_day = 31;
  // `now` is read in UTC+8, the one time zone of the counties.
  bool contains(Millis now) const;
};

struct Benefit {
  int64_t households = 0;
  Fen income_per_order;
};

struct Donation {
  std::string cause;
  int32_t permille = 0;  // 0..1000 of an order's amount
};

struct Item {
  // What the fold reads of the item of each event, together.
  ItemKind kind = ItemKind::kVideo;
  std::optional<Millis> duration;
  CreatorId creator_id;
  std::string category;

  ItemId id;
  std::string title;
  std::string county;  // GB/T 2260, six digits; empty: none
  std::vector<std::string> tags;
  std::optional<Fen> price;
  std::optional<int64_t> stock;
  std::optional<Place> place;
  std::optional<Season> season;
  std::optional<Millis> published_at;
  bool available = true;
  std::vector<float> embedding;  // given by the caller: kDims finite floats, or empty
  std::optional<Benefit> benefit;
  std::optional<Donation> donation;
};

struct Creator {
  CreatorId id;
  std::string name;
  std::vector<std::string> groups;
  std::optional<Millis> trained_at;
};

enum class BlockKind : uint8_t { kItem, kCreator, kProgram };
std::string_view block_kind_name(BlockKind kind);  // "item", "creator", "program"
std::optional<BlockKind> parse_block_kind(std::string_view name);

}  // namespace shanhuo
