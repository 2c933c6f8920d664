// What retrieval gives to scoring, and scoring to the allocation.
#pragma once

#include <vector>

#include "features/viewer.h"
#include "ranking/eligibility.h"
#include "ranking/options.h"
#include "ranking/request.h"
#include "ranking/world.h"

namespace shanhuo {

struct Retrieved {
  ItemIndex item = kNoItem;
  float similarity = 0;  // cosine with the viewer's vector, -1..1
};

// Finds boostable items for a viewer. Thread-safe. Deterministic: the same arguments give the same
// items in the same order. May return items that are not eligible (they are checked again) but no
// item twice.
class Retriever {
 public:
  virtual ~Retriever() = default;
  // Clears `out` and fills it with at most options.retrieve_k items of world.boostable().
  // `viewer`: the viewer's vector (encode_viewer()), all zero when nothing is known of it. `turn`
  // differs from request to request: where lists that are taken in turns begin.
  virtual void retrieve(const Vector& viewer, const World& world, const RankingOptions& options,
                        uint64_t turn, std::vector<Retrieved>& out) = 0;
};

// Cosine of a viewer's vector with an item's: both are of unit length, or zero.
float similarity_of(const Vector& viewer, const CatalogueItem& item);

// How well an item's click rate is known (exploration.h).
enum class Novelty : uint8_t { kGraduated, kNew, kRetired };

// One retrieved item that is eligible for at least one program.
struct BoostCandidate {
  ItemIndex item = kNoItem;
  int organic_rank = -1;  // where it already stands in the organic list; -1: nowhere
  float similarity = 0;   // cosine with the viewer, -1..1; 0 without a profile
  double p_click = 0;     // for this viewer
  double p_order = 0;     // p_click * P(order | click)
  double value_fen = 0;   // p_click * value_per_click_fen
  double rate = 0;        // smoothed click rate of the item, of all viewers
  double upper_rate = 0;  // the upper end of its interval; of graduated items the rate itself
  double upper_fen = 0;   // value_fen if that were its rate
  double fatigue = 0;     // by how much repetition lowers the log of p_click; 0: not at all
  Novelty novelty = Novelty::kGraduated;
  EligibleItem eligible;  // its programs, and what frequency caps leave
};

}  // namespace shanhuo
