// What retrieval gives to scoring, and scoring to the allocation.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "features/segment_rates.h"
#include "features/viewer.h"
#include "ranking/eligibility.h"
#include "ranking/interests.h"
#include "ranking/options.h"
#include "ranking/request.h"
#include "ranking/world.h"

namespace shanhuo {

struct Retrieved {
  ItemIndex item = kNoItem;
  float similarity = 0;    // similarity_of() the viewer's interests and the item, -1..1
  float segment_lift = 0;  // log-odds by which the viewer's segment clicks it more than others do
};

// The segments (features/segment_rates.h) of a request, narrowest first.
using Segments = std::array<uint64_t, 2>;

inline Segments segments_of(const RankRequest& request) {
  return {segment_key(request.surface, city_hash(request.city)), segment_key(request.surface, 0)};
}

// Finds boostable items for a viewer. Thread-safe. Deterministic: the same arguments give the same
// items in the same order. May return items that are not eligible (they are checked again) but no
// item twice.
class Retriever {
 public:
  virtual ~Retriever() = default;
  // Clears `out` and fills it with at most options.retrieve_k items of world.boostable().
  // `interests`: of the viewer, none when nothing is known of it. `segments`: whose popular items
  // come first. `turn` differs from request to
  // request: where lists that are taken in turns begin.
  virtual void retrieve(std::span<const Vector> interests, const Segments& segments,
                        const World& world, const RankingOptions& options, uint64_t turn,
                        std::vector<Retrieved>& out) = 0;
};

// How well an item's click rate is known (exploration.h).
enum class Novelty : uint8_t { kGraduated, kNew, kRetired };

// One retrieved item that is eligible for at least one program.
struct BoostCandidate {
  ItemIndex item = kNoItem;
  int organic_rank = -1;   // where it already stands in the organic list; -1: nowhere
  float similarity = 0;    // cosine with the nearest interest, -1..1; 0 without any
  float segment_lift = 0;  // see Retrieved
  double p_click = 0;      // for this viewer
  double p_order = 0;      // p_click * P(order | click)
  double value_fen = 0;    // p_click * value_per_click_fen
  double rate = 0;         // smoothed click rate of the item, of all viewers
  double upper_rate = 0;   // the upper end of its interval; of graduated items the rate itself
  double upper_fen = 0;    // value_fen if that were its rate
  double fatigue = 0;      // by how much repetition lowers the log of p_click; 0: not at all
  Novelty novelty = Novelty::kGraduated;
  EligibleItem eligible;  // its programs, and what frequency caps leave
};

}  // namespace shanhuo
