// The search of allocation.cc and of the allocation_*.cc beside it; internal to them.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "ranking/allocation.h"

namespace shanhuo {

inline bool names(const AllocationItem& item, ProgramIndex program) {
  bool any = false;
  for (int k = 0; k < item.program_count; ++k) any = any || item.programs[k] == program;
  return any;
}

class AllocationSearch {
 public:
  AllocationSearch(const PageTerms& terms, std::span<const AllocationItem> items,
                   AllocationScratch& scratch);

  void prepare_rest();
  AllocationResult run();

  // What the viewer loses, times (1 + nu), when everything from p on slides down once.
  double lost(int p) const { return rest(0)[p] - rest(1)[p + 1]; }
  // What moving an item up costs beside the slide: its own place in the list disappears.
  double own_place(const AllocationItem& item) const;
  int last_position(const AllocationItem& item) const;
  // The least that leaving its place costs, whoever else is put in (allocation.cc).
  double leaves(const AllocationItem& item) const;

 private:
  using Keys = AllocationScratch::Keys;
  using Kept = AllocationScratch::Kept;
  using Open = AllocationScratch::Open;
  using Plain = AllocationScratch::Plain;
  using Shape = AllocationScratch::Shape;
  struct Direction {
    double d = 0, e = 0;
  };
  // Items put in, or rows that stand for more than one; mask: who is in before.
  struct Set {
    int count = 0;
    std::array<int, kInsertionsMax> item{};
    std::array<const double*, kInsertionsMax> worth{};
    int gap = 0;
    double leaves = 0;  // of all
    unsigned must = 0;  // mask of those that may not be left out
  };
  // What a set's items leave of the list, per mask.
  struct Remains {
    std::array<const double*, 1 << kInsertionsMax> rest{};
    std::array<int, 1 << kInsertionsMax> last{};  // the last step without hole
    bool plain = true;                            // rest by the number in the mask alone, no holes
  };
  struct Worth {
    double low = 0, high = 0;  // in the two directions
  };
  // The best of some, in each direction by itself; plain: in
  // the better one, of those whom leaving their place costs nothing; nullptr if nobody.
  struct Best {
    Worth worth;
    const Plain* plain = nullptr;
  };
  // Programs of which the page has room for one more item; kProgramsMax: none.
  struct Apart {
    ProgramIndex first = kProgramsMax, second = kProgramsMax;
    Worth all, not_first, neither;  // of all, of those that do not name the first, nor the second
  };

  // (1 + nu) times the value of positions p.. of the organic list slid down by j.
  const double* rest(int j) const { return &s_.rest[static_cast<size_t>(j) * (positions_ + 1)]; }
  // What one more item costs when j stand before it, by step of the window.
  const double* slide(int j) const { return &s_.slide[static_cast<size_t>(j) * width_]; }

  void prepare_window();
  void find_directions();
  void find_reach();

  // Who is worth enough (allocation_bounds.cc).
  void collect();
  void find_group(int64_t below);
  ProgramIndex with_room_for_one(const Set& set, const AllocationItem& item) const;
  Best best_of(std::span<const Plain> some, const Set& set, ProgramIndex first,
               ProgramIndex second) const;
  Best best_without(const Set& set, ProgramIndex first, ProgramIndex second) const;
  Best find_top(const Set& set);
  Apart apart_of(const Set& set, const Best& best) const;
  void row_of_worth(Worth worth, double* row) const;
  double least_units(Set set, std::array<Worth, 2> others, const double* by_unit) const;
  void find_near(const Set& set, const Apart& apart);

  // Who replaces whom, and who may stand on one page (allocation_candidates.cc).
  void find_limits(const Set& set);
  void keep_best(const Set& set);
  void keep(const Plain& plain);
  Shape* shape_of(const AllocationItem& item);
  int together_max(const AllocationItem& item) const;
  Keys keys_of(const AllocationItem& item) const;
  Keys keys_beside(const Kept& kept, const AllocationItem& item, uint64_t programs) const;
  bool together(const Set& set, int added) const;
  bool limits_hold(const Set& set, const AllocationItem& added) const;

  // Rows and the best pairs (allocation_search.cc).
  const double* row_of(int item);
  bool fill_row(const AllocationItem& item, double* row) const;
  void find_pairs();
  void note_pairs(int item);
  double least_of_pairs() const;

  // Sets of one priority (allocation_search.cc).
  void run_group();
  void try_best(const Set& set, const Plain* best);
  void open_row(int item);
  Set with(const Set& set, int item, const double* worth) const;
  int extend(const Set& set, size_t begin, size_t end);
  size_t bound_all(const Set& set, size_t begin, size_t end);

  // The walk over the positions (allocation_walk.cc).
  void best_with_one_more(const Set& set, double* best) const;
  void weigh(const Set& set);
  double walk(const Set& set, const Remains& remains);
  void plain_rest(const Set& set, Remains& remains) const;
  void moved_rest(const Set& set, Remains& remains);

  const PageTerms& terms_;
  const std::span<const AllocationItem> items_;
  AllocationScratch& s_;
  const int positions_;
  const double weight_;  // 1 + nu
  Direction low_, high_;
  double det_ = 0, share_max_ = 0;
  int begin_ = 0, width_ = 0;  // positions that anybody may take
  int row_size_ = 0, rows_ = 0;
  int priority_min_ = 0, priority_max_ = 0;

  AllocationResult result_;
  std::array<PlacedItem, kInsertionsMax> fixed_{};  // of higher priorities, ascending by position
  int fixed_count_ = 0;
  double fixed_total_ = 0;
  std::array<PlacedItem, kInsertionsMax> best_{};  // fixed_ and more
  int best_count_ = 0;
  double best_total_ = 0;
  int nodes_ = 0;
  // Of the priority:
  std::span<const Plain> group_;
  double cut_ = 0;
  int blockers_ = 0;  // see allocation.cc
  bool county_matters_ = false, creator_matters_ = false, category_matters_ = false;
  int gap_min_ = 0;
};

}  // namespace shanhuo
