// Which boosted items go into one page and where: exact slot insertion (allocation.md 3).
//
// Pure arithmetic over what scoring hands in; knows no catalogue. One thread per scratch, no lock;
// no heap allocation once the scratch has seen its largest page. The rule and its cost stand in
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
inline constexpr int kPositionsMax = 250;  // of a page

// One candidate. Its gain at position p is (1 + nu) * (value * d_p - loss) + bonus * e_p.
struct alignas(64) AllocationItem {
  double value = 0;  // v_i: fen to the viewer at full attention; for rank >= 0 organic[rank]
  double bonus = 0;  // B_i: fen per viewable exposure that programs pay; may be negative
  int rank = -1;     // where it stands in the organic list: it may only move up; -1: nowhere
  int first_slot = 0, last_slot = 199;  // legal positions, both included
  int min_gap = 0;                      // positions between two inserted items of the page
  int priority = 0;                     // higher ones choose first
  // What limits count by; 0: no county, no category.
  int32_t county = 0;
  uint32_t creator = 0, category = 0;
  std::array<ProgramIndex, kProgramsPerItemMax> programs{};  // the first program_count
  uint8_t program_count = 0;
  // At most so many inserted items of the same county, creator, category, and in all, on a page
  // that shows this item: what frequency caps leave, and the page's diversity. 0: never inserted.
  int8_t county_max = kNoLimit, creator_max = kNoLimit, category_max = kNoLimit,
         page_max = kNoLimit;
};

struct PageTerms {
  std::span<const double> organic;   // s_r in fen, non-increasing
  std::span<const double> discount;  // d_p, one per position, non-increasing, >= 0
  std::span<const double> examine;   // e_p = P(viewable | p), same length, >= 0
  double viewer_price = 0;           // nu, >= 0
  std::span<const int> program_max;  // per ProgramIndex: items on this page that name it
  int insertions_max = kInsertionsMax;
  int nodes_max = 50'000;  // sets of items weighed; beyond, the best page so far is taken
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
  int pair_count = 0;  // of all candidates, those that gain alone; what others do is not asked
  std::array<PairGain, kPairsMax> pairs{};  // best first
};

// Memory of the search, reused from call to call. What it holds is explained in allocation.cc.
struct AllocationScratch {
  struct Plain {  // a candidate that may gain; most: the larger of low and high, less its place
    double low, high, most;
    int item, priority;
  };
  struct Keys {
    uint64_t programs, county, creator, category;
  };
  struct Kept {
    double low, high;
    Keys keys;
    uint64_t programs;
    int item;
    int next;  // in its shape, worse; -1: the last
  };
  struct Shape {
    uint64_t word = 0;
    uint32_t call = 0;  // of another call: free
    int head = -1, tail = -1;
    double closed = 0;  // nobody who comes later and is no better in `high` is kept
  };
  struct Open {  // a row of a set's search; bound: no page with both gains more
    double bound, leaves;
    const double* worth;  // per position of the window; -infinity where it may not stand
    int item;
  };
  std::vector<double> rest;         // (kInsertionsMax + 1) x (positions + 1), row-major
  std::vector<double> reach;        // per position
  std::vector<double> slide;        // kInsertionsMax x width of the window, row-major
  std::vector<double> by_share;     // per position of the window: 1 / (d + e)
  std::vector<Plain> plain, group;  // all; of one priority
  std::vector<Plain> top, near;     // of those: worth much; that no bound excludes
  std::vector<Kept> kept;
  std::vector<Shape> shapes;
  uint32_t calls = 0;
  std::vector<int> row_of;         // per item: its row, or a sign
  std::vector<double> worth;       // rows
  std::vector<Open> open;          // a stack of lists
  std::vector<double> moved_rest;  // 8 x (positions + 1)
  std::vector<double> walk;        // (positions + 1) x 8
};

// Requires: spans as described, at most kPositionsMax positions, insertions_max in
// 0..kInsertionsMax, ranks below organic.size() and each at most once, program indices below
// program_max.size().
AllocationResult allocate(const PageTerms& terms, std::span<const AllocationItem> items,
                          AllocationScratch& scratch);

// Why a candidate that was not placed was not, looked at alone: kNoSlot, kBelowRelevance,
// kUserBudget (only nu forbids it), or kConflict (it was worth inserting). Requires: the scratch
// was last used by allocate() with these terms.
Cause why_not_placed(const PageTerms& terms, const AllocationItem& item,
                     AllocationScratch& scratch);

// Value of the page to the viewer, sum of v d over its positions, in fen: what the search maximises
// beside the bonus. `placed` ascending by position, without holes.
double page_value(const PageTerms& terms, std::span<const AllocationItem> items,
                  std::span<const PlacedItem> placed);

}  // namespace shanhuo
