// The search of allocation.cc, allocation_candidates.cc and allocation_search.cc; internal to them.
#pragma once

#include <span>

#include "ranking/allocation.h"

namespace shanhuo {

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

 private:
  using Keys = AllocationScratch::Keys;
  using Class = AllocationScratch::Class;
  using Kept = AllocationScratch::Kept;
  using Plain = AllocationScratch::Plain;
  using Row = AllocationScratch::Row;
  using Shape = AllocationScratch::Shape;
  struct Direction {
    double d = 0, e = 0;
  };
  // Of a candidate: it may stand on a best page; among the best pairs; none worse of its shape may.
  struct Standing {
    bool competes, listed, closes;
  };
  // Items put in and what the walk over the positions needs of them; mask: who is in before.
  struct Set {
    int count = 0;
    std::array<int, kInsertionsMax> item{};
    std::array<const double*, kInsertionsMax> worth{};
    std::array<const double*, 1 << kInsertionsMax> rest{};  // per mask
    std::array<int, 1 << kInsertionsMax> last{};            // per mask: the last step without hole
    bool plain = true;  // rest by the number in the mask alone, no holes
    int gap = 0;
    unsigned must = 0;  // mask of those that may not be left out
  };

  // (1 + nu) times the value of positions p.. of the organic list slid down by j.
  const double* rest(int j) const { return &s_.rest[static_cast<size_t>(j) * (positions_ + 1)]; }

  // Who may stand on a best page (allocation_candidates.cc).
  void find_directions();
  void find_reach();
  void collect();
  void group_plain();
  void keep_best();
  Shape* shape_of(uint64_t word);
  Class& class_of(const Plain& plain);
  int together_max(const AllocationItem& item) const;
  Keys keys_of(const AllocationItem& item) const;
  Keys keys_beside(const Kept& kept, const AllocationItem& item, uint64_t programs) const;
  template <bool kLimits>
  Standing stand(const Plain& plain, const Shape& shape, int most) const;
  void keep(const Plain& plain);
  void add_kept(const Plain& plain, bool competes, Shape* shape);

  bool together(const Set& set, int added) const;
  bool limits_hold(const Set& set, const AllocationItem& added) const;

  // One priority (allocation_search.cc).
  void run_priority(std::span<const uint64_t> group);
  void find_window(std::span<const uint64_t> group);
  void make_rows(std::span<const uint64_t> group);
  bool may_gain(const Kept& kept, double least) const;
  double add_pairs(const Kept& kept, double* worth);
  double fill_row(const AllocationItem& item, double* row) const;
  void note_pairs(int item, const double* row, double own);
  void fix_rows(double* worth);
  int extend(const Set& set, size_t from);
  Set with(const Set& set, int item, const double* worth) const;
  double bound(Set set, size_t from);
  double walk(const Set& set);
  void weigh(Set& set);
  void plain_rest(Set& set) const;
  void moved_rest(Set& set);

  const PageTerms& terms_;
  const std::span<const AllocationItem> items_;
  AllocationScratch& s_;
  const int positions_;
  const double weight_;  // 1 + nu
  Direction low_, high_;
  int blockers_ = 0;  // see allocation.cc
  bool county_matters_ = false, creator_matters_ = false, category_matters_ = false;
  int limits_ = 0;  // how many of these

  Shape* last_shape_ = nullptr;  // that was looked up

  AllocationResult result_;
  std::array<PlacedItem, kInsertionsMax> fixed_{};  // of higher priorities, ascending by position
  int fixed_count_ = 0;
  double fixed_total_ = 0;
  std::array<PlacedItem, kInsertionsMax> best_{};  // fixed_ and more
  int best_count_ = 0;
  double best_total_ = 0;
  // Of the round:
  int begin_ = 0, width_ = 0;  // positions that anybody may take
  int gap_min_ = 0;
  const double* following_ = nullptr;  // row t: the best of rows t, t + 1, ... at each step
  int nodes_ = 0;
};

}  // namespace shanhuo
