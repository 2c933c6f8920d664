// The idea. A page is the organic list s_0 >= s_1 >= ... with up to m = 3 items put into it;
// whoever stands behind an inserted item slides down, and what an item is worth at p is
//
//   H(i, p) = (1 + nu) v_i d_p + B_i e_p
//
// With R_j(p) = (1 + nu) sum over q >= p of s_(q-j) d_q, the list slid down by j from p on, putting
// an item at p behind j others costs the viewer R_j(p) - R_(j+1)(p+1): suffix sums, made once.
//
// 1. Bounds first (allocation_bounds.cc). All (d_p, e_p) lie between two extreme directions, and an
// item's worth in both bounds it everywhere (where e is proportional to d they are one). Those who
// are worth most make a page at once. Another item i stands on a better one only if, at some p, the
// best page with two others and a place at p plus H(i, p) is more than that page gains; the two
// others are worth at most what the best are, and of a program that has room for one item only one
// is on a page. So a threshold of worth for those who name the best one's program, one for the next
// one's, one for all others, leaves a handful of 200.
//
// An item that already stands at rank r moves up: its own place disappears, the list behind closes
// ranks. That costs at least leaves(), which its bound pays; beyond the page's end a rank is no
// place.
//
// 2. Of those, who replaces whom (allocation_candidates.cc). Take k for i on a best page, k as good
// in both directions: the page loses nothing, unless one of the at most two others forbids k. It
// does so by being k, or by something that k has and i has not: a program, or a county, creator or
// category where those are limited. If the better ones of the same slots and gap ("shape") include
// more that share nothing than two others can forbid (blockers_), i is not needed; nor if as many
// of exactly its programs are better as may stand together. Nobody can take the part of one who
// moves.
//
// 3. The page, by sets of items (allocation_search.cc): for one set the best places are a walk over
// the positions with the subset that is in already, exact, moves and holes included
// (allocation_walk.cc). Sets grow item by item; one walk for a set, with the best that may follow
// in the places of the others, bounds it with each of its next items, and those are tried in that
// order until none may be better than the best page so far.
//
// Priority: programs of the highest priority choose first, exactly; what they chose stays, and the
// next ones choose around it. Equal priorities choose together.
//
// A candidate that gains nothing alone is never inserted. Cost: bench/allocation_bench.cc.
//
// Source: allocation.md 3; the exchange is that of position auctions (Edelman, Ostrovsky, Schwarz
// 2007), giving up is branch and bound with a dynamic program for the bound.
// Tested by: tests/ranking_allocation_test.cc (exhaustive twin: same items, same positions).
#include "ranking/allocation.h"

#include <algorithm>
#include <limits>

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
  const auto positions = static_cast<size_t>(positions_);
  const size_t stride = positions + 1;
  s_.rest.resize((kInsertionsMax + 1) * stride);
  const auto n = static_cast<int>(terms_.organic.size());
  const double *organic = terms_.organic.data(), *discount = terms_.discount.data();
  double* rest = s_.rest.data();
  std::array<double, kInsertionsMax + 1> sum{};
  for (int j = 0; j <= kInsertionsMax; ++j) rest[j * stride + positions] = 0;
  for (int p = positions_ - 1; p >= 0; --p) {
    const double d = weight_ * discount[p];
    if (p >= kInsertionsMax && p < n) {
      for (int j = 0; j <= kInsertionsMax; ++j) sum[j] += organic[p - j] * d;
    } else {
      for (int j = 0; j <= std::min(p, kInsertionsMax); ++j) {
        if (p - j < n) sum[j] += organic[p - j] * d;
      }
    }
    for (int j = 0; j <= kInsertionsMax; ++j) rest[j * stride + p] = sum[j];
  }
}

// What each step of the window costs and is worth.
void AllocationSearch::prepare_window() {
  const auto width = static_cast<size_t>(width_);
  s_.slide.resize(kInsertionsMax * width);
  for (int j = 0; j < kInsertionsMax; ++j) {
    const double *stays = rest(j) + begin_, *slides = rest(j + 1) + begin_ + 1;
    double* cost = s_.slide.data() + j * width;
    for (size_t k = 0; k < width; ++k) cost[k] = stays[k] - slides[k];
  }
  s_.by_share.resize(width);
  for (size_t k = 0; k < width; ++k) {
    const double share = terms_.discount[begin_ + k] + terms_.examine[begin_ + k];
    s_.by_share[k] = share > 0 ? 1 / share : std::numeric_limits<double>::infinity();
  }
  row_size_ = (width_ + 1) & ~1;
  s_.row_of.assign(items_.size(), -1);
  s_.worth.resize((s_.plain.size() + kInsertionsMax) * static_cast<size_t>(row_size_));
  s_.walk.resize((width + 1) << kInsertionsMax);
}

// Leaving rank r costs sum over q >= r of (s_q - s_(q+1)) d_(q+J) if J items are put in above it:
// d falls, and others who leave only widen the steps of s, so it is no less than for J = m.
double AllocationSearch::leaves(const AllocationItem& item) const {
  if (item.rank < 0) return 0;
  const int more = terms_.insertions_max - 1, p = item.rank + more;
  if (p >= std::min(positions_, static_cast<int>(terms_.organic.size()))) return 0;
  const double cost = rest(more)[p] - rest(more + 1)[p + 1];
  return std::max(0.0, weight_ * terms_.organic[item.rank] * terms_.discount[p] - cost);
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
  if (s_.plain.empty()) return result_;
  prepare_window();
  find_pairs();
  for (int64_t below = int64_t{priority_max_} + 1; fixed_count_ < terms_.insertions_max;) {
    find_group(below);
    if (group_.empty()) break;
    below = group_.front().priority;
    run_group();
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
