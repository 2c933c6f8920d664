// Which boosted items go into one page and where: exact slot insertion (allocation.md 3).
//
// Pure arithmetic over what scoring hands in; knows no catalogue. One thread per scratch; no heap
// allocation once the scratch has seen its largest page. The rule and its cost stand in
// allocation.cc, its slow twin in tests/ranking_allocation_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "features/viewer.h"
#include "ranking/cause.h"
#include "ranking/world.h"

namespace shanhuo {

inline constexpr int kInsertionsMax = 3;
inline constexpr int kNoLimit = 127;

// One candidate. Its gain at position p is (1 + nu) * (value * d_p - loss) + bonus * e_p.
struct AllocationItem {
  double value = 0;  // v_i: fen to the viewer at full attention; for rank >= 0 the organic value
  double bonus = 0;  // B_i: fen per viewable exposure that programs pay; may be negative
  int rank = -1;     // where it stands in the organic list: it may only move up; -1: nowhere
  int first_slot = 0, last_slot = 199;  // legal positions, both included
  int min_gap = 0;                      // positions between two inserted items of the page
  int priority = 0;                     // higher ones choose first
  int program_count = 0;
  std::array<ProgramIndex, kProgramsPerItemMax> programs{};
  // Frequency caps that the page itself could pass: at most so many inserted items of the same
  // county, the same creator, and in all, on a page that shows this item.
  int32_t county = 0;  // 0: none
  uint32_t creator = 0;
  int county_max = kNoLimit, creator_max = kNoLimit, page_max = kNoLimit;
};

struct PageTerms {
  std::span<const double> organic;   // s_r in fen, non-increasing
  std::span<const double> discount;  // d_p, one per position, non-increasing, >= 0
  std::span<const double> examine;   // e_p = P(viewable | p), same length, >= 0
  double viewer_price = 0;           // nu, >= 0
  std::span<const int> program_max;  // per ProgramIndex: items on this page that name it
  int insertions_max = kInsertionsMax;
  int nodes_max = 50'000;  // of the search; beyond, the best page so far is taken
  int pairs = 0;           // best single insertions to list for exploration, at most kPairsMax
};
inline constexpr int kPairsMax = 8;

struct PlacedItem {
  int item = 0;  // index into the candidates
  int position = 0;
};
struct PairGain {
  PlacedItem placed;
  double gain_fen = 0;
};

struct AllocationResult {
  int count = 0;
  std::array<PlacedItem, kInsertionsMax> placed{};  // ascending by position
  double gain_fen = 0;                              // of the whole page against the organic one
  bool exact = true;                                // false: nodes_max was reached
  int pair_count = 0;
  std::array<PairGain, kPairsMax> pairs{};  // best first
};

// Memory of the search, reused from call to call.
struct AllocationScratch {
  struct Live {
    double value, bonus;  // (1 + nu) v, B
    double worth;         // at the position being looked at
    double own_place;
    int item, first, last;
  };
  struct Entry {
    double worth;
    int item;
  };
  std::vector<uint8_t> kept;  // per candidate: not dominated
  std::vector<int> alive;     // the kept ones
  std::vector<int> class_head, class_most, next_in_class;
  std::vector<Live> live;            // of one priority
  std::vector<Entry> entries;        // columns, best first
  std::vector<int> column;           // position -> first entry; size positions + 1
  std::vector<double> loss;          // kInsertionsMax x (positions + 1), row-major
  std::vector<double> bound;         // (1 + candidates) x kInsertionsMax x (positions + 2)
  std::vector<uint8_t> bound_known;  // per candidate
};

// Requires: spans as described, insertions_max in 0..kInsertionsMax, ranks below organic.size(),
// program indices below program_max.size().
AllocationResult allocate(const PageTerms& terms, std::span<const AllocationItem> items,
                          AllocationScratch& scratch);

// Why a candidate that was not placed was not, looked at alone: kNoSlot, kBelowRelevance,
// kUserBudget (only nu forbids it), or kConflict (it was worth inserting).
Cause why_not_placed(const PageTerms& terms, const AllocationItem& item,
                     AllocationScratch& scratch);

// Value of the page to the viewer, sum of v d over its positions, in fen: what the search maximises
// beside the bonus. `placed` ascending by position, without holes.
double page_value(const PageTerms& terms, std::span<const AllocationItem> items,
                  std::span<const PlacedItem> placed);

}  // namespace shanhuo
