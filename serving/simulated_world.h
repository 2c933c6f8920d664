// The truth behind simulated viewers: what they like, which the engine never sees.
//
// A viewer's taste is a number for each category and each province, drawn from the seed; it is
// computed when asked for, so a viewer costs nothing. What a viewer does with an item follows from
// P(click | it is looked at), a logistic function of the taste for its category and province, of
// the item's own quality, and of its kind. The organic list that goes to the engine is picked by
// taste, with scores that are a noisy view of the same probability.
//
// Immutable after load(): read by any number of threads.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "features/item.h"

namespace shanhuo {

struct SimulatedItem {
  std::string id;
  ItemKind kind = ItemKind::kVideo;
  uint64_t category_key = 0;  // hash of the category
  int province = 0;           // 11..65; 0: none
  double quality = 0;         // standard normal
  int64_t price_fen = 0;
  int64_t duration_ms = 0;
};

struct SimulatedRoom {
  std::string id;
  std::vector<std::string> lineup;  // goods of its creator, then of its county, then others
};

// One viewer's hidden traits; a few words, made from the seed and the viewer's number.
struct ViewerTraits {
  uint64_t key = 0;       // of tastes
  double rural = 0;       // liking for farm goods and for videos of the countryside and of food
  double travel = 0;      // liking for places
  double patience = 0.9;  // P(goes on to the next position)
  std::string_view city;
  Place home;  // within some 30 km of the city's centre
};

struct OrganicCandidate {
  uint32_t item = 0;  // index into items()
  double score = 0;   // 0..1, four decimals
};

class SimulatedWorld {
 public:
  SimulatedWorld(SimulatedWorld&&) = default;  // no copies: by_id_ looks into items_
  SimulatedWorld& operator=(SimulatedWorld&&) = default;

  // Items that are not valid (contract 2.1) are an error with the number of the line, and so is a
  // catalogue without videos.
  static Result<SimulatedWorld> load(std::istream& items_ndjson, uint64_t seed);

  const std::vector<SimulatedItem>& items() const { return items_; }
  const std::vector<SimulatedRoom>& rooms() const { return rooms_; }
  // nullptr: not in the catalogue.
  const SimulatedItem* find(std::string_view item_id) const;

  ViewerTraits traits(uint64_t viewer) const;
  double p_click(const ViewerTraits& viewer, const SimulatedItem& item) const;

  // `count` distinct videos (all, when there are fewer), by score, best first.
  void pick_organic(const ViewerTraits& viewer, size_t count, Random& random,
                    std::vector<OrganicCandidate>& out) const;

 private:
  struct VideoCategory {
    uint64_t key = 0;
    std::vector<uint32_t> items;
  };
  SimulatedWorld() = default;
  void add(const Item& item);
  void add_rooms(const std::vector<Item>& all);
  double taste(const ViewerTraits& viewer, uint64_t key) const;

  uint64_t seed_ = 0;
  std::vector<SimulatedItem> items_;
  std::vector<SimulatedRoom> rooms_;
  std::vector<VideoCategory> videos_;
  size_t video_count_ = 0;
  std::unordered_map<std::string_view, uint32_t> by_id_;  // views of ids in items_
};

}  // namespace shanhuo
