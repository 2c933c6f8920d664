// The idea. A page is the organic list s_0 >= s_1 >= ... with up to m = 3 items put into it;
// whoever stands behind an inserted item slides down, and what an item is worth at p is its value
// times d_p.
//
//   loss_j[p] = sum over q >= p of s_(q-j) (d_q - d_(q+1))      d past the page = 0
//
// is what the viewer loses when everything from p on slides down once more, j items having been put
// in before p. So for items that are not in the list, the page's gain is a sum, left to right:
//
//   sum_j  H(i_j, p_j) - (1 + nu) loss_j[p_j],      H(i, p) = (1 + nu) v_i d_p + B_i e_p
//
// An item that already stands at rank r moves up: its own place disappears. That page is valued by
// walking it (page_value), and the sum above is an upper bound: a page with a copy left at r is
// worth no less. Losses only grow with j, so a pair (i, p) whose gain alone is not positive never
// belongs to a best page, and is dropped first.
//
// Cost. 1. Candidates with the same programs, slots and limits form a class; within it only items
// that fewer others beat in both value and bonus than may stand on the page can matter (an exchange
// for one of those loses nothing): O(k). 2. Columns: for each position the surviving items by H;
// the order hardly changes from one position to the next, so insertion sort is near linear: O(k'
// P). 3. Depth-first over positions left to right, items best first, cut by the relaxed best
// completion (column maxima, spacing kept, items compatible with the first choice): exact, and on
// ordinary pages a few hundred steps. nodes_max bounds the rest. Measured by
// bench/allocation_bench.cc: k = 200, P = 20.
//
// Priority: programs of the highest priority choose first, exactly; what they chose stays, and the
// next ones choose around it. Equal priorities choose together.
//
// Steps 1 stands here, 2 and 3 in allocation_search.cc.
//
// Source: allocation.md 3; the dominance argument is the exchange argument of position auctions.
// Tested by: tests/ranking_allocation_test.cc (exhaustive twin: same items, same positions).
#include "ranking/allocation.h"

#include <algorithm>
#include <cstring>

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

void AllocationSearch::prepare_losses() {
  s_.loss.resize(static_cast<size_t>(kInsertionsMax) * (positions_ + 1));
  const auto n = static_cast<int>(terms_.organic.size());
  for (int j = 0; j < kInsertionsMax; ++j) {
    double* row = &s_.loss[j * (positions_ + 1)];
    row[positions_] = 0;
    for (int p = positions_ - 1; p >= 0; --p) {
      const double next = p + 1 < positions_ ? terms_.discount[p + 1] : 0;
      const int r = p - j;
      row[p] = row[p + 1] + (r >= 0 && r < n ? terms_.organic[r] * (terms_.discount[p] - next) : 0);
    }
  }
}

double AllocationSearch::own_place(const AllocationItem& item) const {
  if (item.rank < 0 || item.rank >= positions_) return 0;
  return weight_ * (terms_.organic[item.rank] * terms_.discount[item.rank] - loss(0, item.rank));
}

int AllocationSearch::last_position(const AllocationItem& item) const {
  const int end = item.rank >= 0 ? std::min(positions_, item.rank) : positions_;
  return std::min(item.last_slot, end - 1);
}

bool AllocationSearch::same_class(const AllocationItem& a, const AllocationItem& b) const {
  return a.first_slot == b.first_slot && a.last_slot == b.last_slot && a.min_gap == b.min_gap &&
         a.priority == b.priority && a.program_count == b.program_count &&
         std::memcmp(a.programs.data(), b.programs.data(), sizeof(a.programs)) == 0 &&
         a.page_max == b.page_max && a.county_max == b.county_max &&
         a.creator_max == b.creator_max && (!county_matters_ || a.county == b.county) &&
         (!creator_matters_ || a.creator == b.creator);
}

uint64_t AllocationSearch::class_hash(const AllocationItem& item) const {
  uint64_t programs = 0;
  std::memcpy(&programs, item.programs.data(), sizeof(programs));
  const auto slots = (static_cast<uint64_t>(item.first_slot) << 40) ^
                     (static_cast<uint64_t>(item.last_slot) << 20) ^
                     static_cast<uint64_t>(item.min_gap + 1000 * item.priority);
  uint64_t h = programs * 0x9e3779b97f4a7c15ULL ^ slots * 0xd6e8feb86659fd93ULL;
  if (county_matters_) h ^= static_cast<uint64_t>(item.county) * 0xa0761d6478bd642fULL;
  if (creator_matters_) h ^= static_cast<uint64_t>(item.creator) * 0xe7037ed1a0b428dbULL;
  return h ^ (h >> 29);
}

// How many items of one class can stand on a page together.
int AllocationSearch::class_max(const AllocationItem& item) const {
  int most = std::min(terms_.insertions_max, item.page_max);
  for (int k = 0; k < item.program_count; ++k) {
    most = std::min(most, terms_.program_max[item.programs[k]]);
  }
  return most;
}

// True when `most` other items of the class are at least as good in value and bonus.
bool AllocationSearch::dominated(int item, int head, int most) const {
  const AllocationItem& it = items_[item];
  for (int other = head; other >= 0; other = s_.next_in_class[other]) {
    const AllocationItem& o = items_[other];
    const bool same = o.value == it.value && o.bonus == it.bonus;
    if (other == item || o.value < it.value || o.bonus < it.bonus || (same && other > item))
      continue;
    if (--most <= 0) return true;
  }
  return false;
}

// Adds an item to its class, unless dominated, and drops members that now are.
void AllocationSearch::add_to_class(int item, int most, int& head) {
  if (dominated(item, head, most)) return;
  s_.next_in_class[item] = head;
  head = item;
  s_.kept[item] = 1;
  int* link = &s_.next_in_class[item];
  while (*link >= 0) {
    const int member = *link;
    if (dominated(member, head, most)) {
      s_.kept[member] = 0;
      *link = s_.next_in_class[member];
    } else {
      link = &s_.next_in_class[member];
    }
  }
}

void AllocationSearch::keep_undominated() {
  constexpr size_t kTable = 1024;  // open addressing; past half full, classes are not looked for
  s_.class_head.assign(kTable, -1);
  s_.class_most.resize(kTable);
  s_.next_in_class.assign(items_.size(), -1);
  s_.kept.assign(items_.size(), 0);
  for (const AllocationItem& item : items_) {
    county_matters_ = county_matters_ || item.county_max < kInsertionsMax;
    creator_matters_ = creator_matters_ || item.creator_max < kInsertionsMax;
  }
  size_t used = 0;
  for (int i = 0; i < static_cast<int>(items_.size()); ++i) {
    if (items_[i].first_slot > last_position(items_[i])) continue;
    if (items_[i].rank >= 0 || used * 2 >= kTable) {
      s_.kept[i] = class_max(items_[i]) > 0;
      continue;
    }
    size_t slot = class_hash(items_[i]) % kTable;
    while (s_.class_head[slot] >= 0 && !same_class(items_[s_.class_head[slot]], items_[i])) {
      slot = (slot + 1) % kTable;
    }
    if (s_.class_head[slot] < 0) {
      s_.class_most[slot] = class_max(items_[i]);
      if (s_.class_most[slot] <= 0) continue;  // stays free: the next of the class comes here too
      ++used;
    }
    add_to_class(i, s_.class_most[slot], s_.class_head[slot]);
  }
  s_.alive.clear();
  for (int i = 0; i < static_cast<int>(items_.size()); ++i) {
    if (s_.kept[i]) s_.alive.push_back(i);
  }
}

AllocationResult AllocationSearch::run() {
  prepare_losses();
  if (terms_.insertions_max == 0 || positions_ == 0) return result_;
  keep_undominated();
  std::sort(s_.alive.begin(), s_.alive.end(), [this](int a, int b) {
    if (items_[a].priority != items_[b].priority) return items_[a].priority > items_[b].priority;
    return a < b;
  });
  for (size_t begin = 0; begin < s_.alive.size();) {
    size_t end = begin;
    const int priority = items_[s_.alive[begin]].priority;
    while (end < s_.alive.size() && items_[s_.alive[end]].priority == priority) ++end;
    run_priority({&s_.alive[begin], end - begin});
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
  CHECK(terms.insertions_max >= 0 && terms.insertions_max <= kInsertionsMax);
  CHECK(terms.pairs >= 0 && terms.pairs <= kPairsMax);
  return AllocationSearch(terms, items, scratch).run();
}

Cause why_not_placed(const PageTerms& terms, const AllocationItem& item,
                     AllocationScratch& scratch) {
  AllocationSearch search(terms, {&item, 1}, scratch);
  search.prepare_losses();
  PageTerms free_terms = terms;
  free_terms.viewer_price = 0;
  const AllocationSearch without_price(free_terms, {&item, 1}, scratch);
  const auto n = static_cast<int>(terms.organic.size());
  const int last = std::min(search.last_position(item), n);
  Cause cause = item.first_slot > last ? Cause::kNoSlot : Cause::kBelowRelevance;
  for (int p = item.first_slot; p <= last; ++p) {
    if (search.single_gain(item, p) > 0) return Cause::kConflict;
    if (without_price.single_gain(item, p) > 0) {
      cause = Cause::kUserBudget;
    }
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
