// The idea. A page is the organic list s_0 >= s_1 >= ... with up to m = 3 items put into it;
// whoever stands behind an inserted item slides down, and what an item is worth at p is
//
//   H(i, p) = (1 + nu) v_i d_p + B_i e_p
//
// With R_j(p) = (1 + nu) sum over q >= p of s_(q-j) d_q, the list slid down by j from p on, putting
// an item at p behind j others costs the viewer R_j(p) - R_(j+1)(p+1): suffix sums, made once.
//
// 1. Who may stand on a best page. All (d_p, e_p) lie between two extreme directions, so a
// candidate that is at least as good in both is at least as good at every position (where e is
// proportional to d they are one). Take k for i on a best page: the page loses nothing, unless one
// of the at most two others forbids k. It does so by being k, or by something that k has and i has
// not: a program, or a county, creator or category where those are limited. If the better ones of
// the same slots, gap and priority ("shape") include more that share nothing than two others can
// forbid (blockers_), i is not needed; nor if as many of exactly its programs are better as may
// stand together. A pass over candidates in descending order keeps a few of each shape: O(k).
//
// An item that already stands at rank r moves up: its own place disappears, the list behind closes
// ranks. Nobody can take its part, so these are all kept; beyond the page's end a rank is no place.
//
// (allocation_candidates.cc)
//
// 2. The page, by sets of items (allocation_search.cc): for one set the best places are a walk over
// the positions with the subset that is in already, exact, moves and holes included. Sets grow item
// by item in the order of what each gains alone, and a set is given up when even the relaxed walk
// (the best of all that follow at each position, as often as there is room) beats nothing.
//
// 3. Priority: programs of the highest priority choose first, exactly; what they chose stays, and
// the next ones choose around it. Equal priorities choose together.
//
// A candidate that gains nothing alone is never inserted. Cost: bench/allocation_bench.cc.
//
// Source: allocation.md 3; the exchange is that of position auctions (Edelman, Ostrovsky, Schwarz
// 2007), giving up is branch and bound with a dynamic program for the bound.
// Tested by: tests/ranking_allocation_test.cc (exhaustive twin: same items, same positions).
#include "ranking/allocation.h"

#include <algorithm>

#include "base/check.h"
#include "ranking/allocation_search.h"

namespace shanhuo {
AllocationSearch::AllocationSearch(const PageTerms& terms, std::span<const AllocationItem> items,
                                   AllocationScratch& scratch)
    : terms_(terms),
      items_(items),
      s_(scratch),
      positions_(static_cast<int>(terms.discount.size())),
      weight_(1 + terms.viewer_price) {}

void AllocationSearch::prepare_rest() {
  const size_t stride = static_cast<size_t>(positions_) + 1;
  s_.rest.resize((kInsertionsMax + 1) * stride);
  const auto n = static_cast<int>(terms_.organic.size());
  std::array<double, kInsertionsMax + 1> sum{};
  for (int p = positions_; p >= 0; --p) {
    const double d = p < positions_ ? weight_ * terms_.discount[p] : 0;
    for (int j = 0; j <= kInsertionsMax; ++j) {
      const int r = p - j;
      if (r >= 0 && r < n) sum[j] += terms_.organic[r] * d;
      s_.rest[j * stride + p] = sum[j];
    }
  }
}

double AllocationSearch::own_place(const AllocationItem& item) const {
  if (item.rank < 0 || item.rank >= positions_) return 0;
  return weight_ * terms_.organic[item.rank] * terms_.discount[item.rank] - lost(item.rank);
}

int AllocationSearch::last_position(const AllocationItem& item) const {
  const auto end = std::min(static_cast<unsigned>(positions_), static_cast<unsigned>(item.rank));
  return std::min(item.last_slot, static_cast<int>(end) - 1);
}

AllocationResult AllocationSearch::run() {
  prepare_rest();
  if (terms_.insertions_max == 0 || positions_ == 0) return result_;
  find_directions();
  find_reach();
  collect();
  group_plain();
  keep_best();
  const size_t n = s_.kept.size();
  s_.order.resize(n);
  for (size_t i = 0; i < n; ++i) {
    s_.order[i] = static_cast<uint64_t>(INT32_MAX - int64_t{s_.kept[i].priority}) << 32 | i;
  }
  if (!std::is_sorted(s_.order.begin(), s_.order.end())) {
    std::sort(s_.order.begin(), s_.order.end());
  }
  s_.worth.resize((2 * n + kInsertionsMax + 1) * static_cast<size_t>(positions_));
  for (size_t begin = 0; begin < n;) {
    size_t end = begin;
    while (end < n && s_.order[end] >> 32 == s_.order[begin] >> 32) ++end;
    run_priority({&s_.order[begin], end - begin});
    begin = end;
  }
  result_.count = fixed_count_;
  result_.placed = fixed_;
  result_.gain_fen = fixed_total_;
  return result_;
}

AllocationResult allocate(const PageTerms& terms, std::span<const AllocationItem> items,
                          AllocationScratch& scratch) {
  CHECK(terms.discount.size() == terms.examine.size());
  CHECK(terms.discount.size() <= kPositionsMax);
  CHECK(terms.insertions_max >= 0 && terms.insertions_max <= kInsertionsMax);
  CHECK(terms.pairs >= 0 && terms.pairs <= kPairsMax);
  return AllocationSearch(terms, items, scratch).run();
}

Cause why_not_placed(const PageTerms& terms, const AllocationItem& item,
                     AllocationScratch& scratch) {
  const AllocationSearch search(terms, {&item, 1}, scratch);
  const double weight = 1 + terms.viewer_price;
  const auto n = static_cast<int>(terms.organic.size());
  const int last = std::min(search.last_position(item), n);
  const double own = search.own_place(item), value = item.value;
  Cause cause = item.first_slot > last ? Cause::kNoSlot : Cause::kBelowRelevance;
  for (int p = item.first_slot; p <= last; ++p) {
    const double viewer = weight * value * terms.discount[p] - search.lost(p) - own;
    const double pays = item.bonus * terms.examine[p];
    if (viewer + pays > 0) return Cause::kConflict;
    if (viewer / weight + pays > 0) cause = Cause::kUserBudget;
  }
  return cause;
}

double page_value(const PageTerms& terms, std::span<const AllocationItem> items,
                  std::span<const PlacedItem> placed) {
  const auto moved = [&](int rank) {
    return std::any_of(placed.begin(), placed.end(),
                       [&](const PlacedItem& p) { return items[p.item].rank == rank; });
  };
  double sum = 0;
  int rank = 0;
  size_t next = 0;
  for (int p = 0; p < static_cast<int>(terms.discount.size()); ++p) {
    double value = 0;
    if (next < placed.size() && placed[next].position == p) {
      const AllocationItem& item = items[placed[next++].item];
      value = item.rank >= 0 ? terms.organic[item.rank] : item.value;
    } else {
      while (rank < static_cast<int>(terms.organic.size()) && moved(rank)) ++rank;
      if (rank >= static_cast<int>(terms.organic.size())) {
        if (next >= placed.size()) break;
        continue;
      }
      value = terms.organic[rank++];
    }
    sum += value * terms.discount[p];
  }
  return sum;
}

}  // namespace shanhuo
