// The search of allocation.cc and allocation_search.cc; internal to both.
#pragma once

#include <span>

#include "ranking/allocation.h"

namespace shanhuo {

class AllocationSearch {
 public:
  using Set = std::array<PlacedItem, kInsertionsMax>;

  AllocationSearch(const PageTerms& terms, std::span<const AllocationItem> items,
                   AllocationScratch& scratch);

  void prepare_losses();
  AllocationResult run();

  double worth(const AllocationItem& item, int p) const {
    return weight_ * value_of(item) * terms_.discount[p] + item.bonus * terms_.examine[p];
  }
  // Gain of one insertion alone.
  double single_gain(const AllocationItem& item, int p) const {
    return worth(item, p) - weight_ * loss(0, p) - own_place(item);
  }
  int last_position(const AllocationItem& item) const;

 private:
  using Live = AllocationScratch::Live;

  double value_of(const AllocationItem& item) const {
    return item.rank >= 0 ? terms_.organic[item.rank] : item.value;
  }
  double loss(int j, int p) const { return s_.loss[j * (positions_ + 1) + p]; }
  double& bound(int first, int c, int p) {
    return s_.bound[((first + 1) * kInsertionsMax + c) * (positions_ + 2) + p];
  }
  // What moving an item up costs beside the slide: its own place in the list disappears.
  double own_place(const AllocationItem& item) const;

  // Classes (allocation.cc).
  void keep_undominated();
  bool same_class(const AllocationItem& a, const AllocationItem& b) const;
  uint64_t class_hash(const AllocationItem& item) const;
  int class_max(const AllocationItem& item) const;
  bool dominated(int item, int head, int most) const;
  void add_to_class(int item, int most, int& head);

  // One priority (allocation_search.cc).
  void run_priority(std::span<const int> group);
  void build_columns(std::span<const int> group);
  void sort_column(int p);
  void note_pair(int item, int p, double gain);
  void fill_bound(int first, int from);
  bool fits(const Set& set, int count, PlacedItem added) const;
  bool limits_hold(const Set& set, int count, const AllocationItem& added) const;
  bool compatible(int first, int item) const;
  double total(const Set& set, int count) const;
  bool full(const Set& set, int count) const;
  bool consider(const Set& set, int count);
  void greedy();
  bool add_best(Set& set, int count);
  void descend(const Set& set, int count, int chosen, int first, double sum, int from);

  const PageTerms& terms_;
  const std::span<const AllocationItem> items_;
  AllocationScratch& s_;
  const int positions_;
  const double weight_;  // 1 + nu
  bool county_matters_ = false, creator_matters_ = false;

  AllocationResult result_;
  Set fixed_{};  // chosen by higher priorities, ascending by position
  int fixed_count_ = 0;
  double fixed_total_ = 0;
  int picks_ = 0;    // still to choose in this round
  int gap_min_ = 0;  // smallest min_gap of the round
  Set best_{};       // fixed_ and more
  int best_count_ = 0;
  double best_total_ = 0;
  int nodes_ = 0;
};

}  // namespace shanhuo
