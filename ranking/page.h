// The pieces that recommender.cc (pages) and room.cc (live rooms) share: internal to ranking/.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "ranking/allocation.h"
#include "ranking/candidate.h"
#include "ranking/eligibility.h"
#include "ranking/recommender.h"
#include "ranking/scoring.h"

namespace shanhuo {

// The organic list's ids, to find an item's rank. Borrows the request.
class OrganicRanks {
 public:
  void begin(const RankRequest& request);
  // Where the item stands in the list; -1: nowhere.
  int rank_of(ItemIndex item, const World& world) const;

 private:
  struct Slot {
    uint64_t id_hash = 0;
    int32_t rank = -1;  // -1: free
  };
  const RankRequest* request_ = nullptr;
  std::vector<Slot> table_;  // open addressing
  size_t mask_ = 0;
};

struct RankScratch::Parts {
  Eligibility eligibility;
  OrganicRanks ranks;
  AllocationScratch allocation;
  std::vector<Retrieved> retrieved;
  std::vector<ItemIndex> listed;  // boostable items of the organic list
  std::vector<BoostCandidate> candidates;
  std::vector<AllocationItem> items;  // same order as candidates
  int retired = 0;                    // of the candidates
  std::vector<uint8_t> programs;      // what note_missed() knows of each
  std::vector<double> organic, discount, examine;
};

// What to do with the candidates that are found.
struct Selection {
  bool room = false;  // only programs with a room policy
  bool personalized = true;
  bool tries_new = false;  // exploration.h
};

// Retrieval, eligibility and scoring: fills parts.candidates, and parts.eligibility as a side
// effect. Requires: parts.ranks and parts.eligibility have begun.
void find_candidates(const RankRequest& request, const RankContext& context, Selection selection,
                     RankScratch::Parts& parts);

// parts.items from parts.candidates, with the prices of context.prices.
void make_items(const RankContext& context, RankScratch::Parts& parts);

// The page's arithmetic, over parts.organic / discount / examine and the candidates' programs.
PageTerms make_terms(const RankRequest& request, const RankContext& context,
                     RankScratch::Parts& parts);

// The slate of the organic list with `placed` (ascending by position) put in.
void fill_slate(const RankRequest& request, const RankContext& context,
                std::span<const PlacedItem> placed, RankScratch::Parts& parts, Slate& slate);

// One inserted item of a slate.
SlateItem boosted_item(const RankContext& context, const BoostCandidate& candidate, double examine);

// True when `prices` was made for this world's programs.
bool prices_match(const PriceTable& prices, const World& world);

}  // namespace shanhuo
