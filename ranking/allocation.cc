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
// Source: allocation.md 3; the dominance argument is the exchange argument of position auctions.
// Tested by: tests/ranking_allocation_test.cc (exhaustive twin: same items, same positions).
#include "ranking/allocation.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace shanhuo {
namespace {

using Set = std::array<PlacedItem, kInsertionsMax>;

class Search {
 public:
  Search(const PageTerms& terms, std::span<const AllocationItem> items, AllocationScratch& scratch)
      : terms_(terms),
        items_(items),
        s_(scratch),
        positions_(static_cast<int>(terms.discount.size())),
        weight_(1 + terms.viewer_price) {}

  void prepare_losses();
  AllocationResult run();
  // Gain of one insertion alone; `loss` of the organic item's own place included.
  double single_gain(const AllocationItem& item, double worth, int p) const;
  double worth(const AllocationItem& item, int p) const {
    return weight_ * value_of(item) * terms_.discount[p] + item.bonus * terms_.examine[p];
  }
  int last_position(const AllocationItem& item) const {
    const int end = item.rank >= 0 ? std::min(positions_, item.rank) : positions_;
    return std::min(item.last_slot, end - 1);
  }

 private:
  double value_of(const AllocationItem& item) const {
    return item.rank >= 0 ? terms_.organic[item.rank] : item.value;
  }
  double loss(int j, int p) const { return s_.loss[j * (positions_ + 1) + p]; }
  double& bound(int first, int c, int p) {
    return s_.bound[((first + 1) * kInsertionsMax + c) * (positions_ + 2) + p];
  }

  void keep_undominated();
  bool same_class(const AllocationItem& a, const AllocationItem& b) const;
  uint64_t class_hash(const AllocationItem& item) const;
  int class_max(const AllocationItem& item) const;
  bool dominated(int item, int head, int most) const;
  void add_to_class(int item, int& head);

  void run_priority(std::span<const int> group);
  void build_columns(std::span<const int> group);
  void note_pair(int item, int p, double gain);
  void fill_bound(int first, int from);
  bool fits(const Set& set, int count) const;
  double total(const Set& set, int count) const;
  bool full(const Set& set, int count) const;
  void consider(const Set& chosen, int count);
  void greedy();
  void descend(Set& chosen, int count, double sum, int from);

  const PageTerms& terms_;
  const std::span<const AllocationItem> items_;
  AllocationScratch& s_;
  const int positions_;
  const double weight_;
  bool county_matters_ = false, creator_matters_ = false;

  AllocationResult result_;
  Set fixed_{};  // chosen by higher priorities, ascending by position
  int fixed_count_ = 0;
  double fixed_total_ = 0;
  int picks_ = 0;    // still to choose in this round
  int gap_min_ = 0;  // smallest min_gap of the round
  Set best_{};       // with fixed_
  int best_count_ = 0;
  double best_total_ = 0;
  int nodes_ = 0;
};

void Search::prepare_losses() {
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

double Search::single_gain(const AllocationItem& item, double worth, int p) const {
  double lost = loss(0, p);
  if (item.rank >= 0 && item.rank < positions_) {
    lost += terms_.organic[item.rank] * terms_.discount[item.rank] - loss(0, item.rank);
  }
  return worth - weight_ * lost;
}

// --- 1. classes ---

bool Search::same_class(const AllocationItem& a, const AllocationItem& b) const {
  return a.first_slot == b.first_slot && a.last_slot == b.last_slot && a.min_gap == b.min_gap &&
         a.priority == b.priority && a.program_count == b.program_count &&
         a.programs == b.programs && a.page_max == b.page_max && a.county_max == b.county_max &&
         a.creator_max == b.creator_max && (!county_matters_ || a.county == b.county) &&
         (!creator_matters_ || a.creator == b.creator);
}

uint64_t Search::class_hash(const AllocationItem& item) const {
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
int Search::class_max(const AllocationItem& item) const {
  int most = std::min(terms_.insertions_max, item.page_max);
  for (int k = 0; k < item.program_count; ++k) {
    most = std::min(most, terms_.program_max[item.programs[k]]);
  }
  return most;
}

// True when `most` other items of the class are at least as good in value and bonus.
bool Search::dominated(int item, int head, int most) const {
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
void Search::add_to_class(int item, int& head) {
  const int most = class_max(items_[item]);
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

void Search::keep_undominated() {
  constexpr size_t kTable = 1024;  // open addressing; past half full, classes are not looked for
  s_.class_head.assign(kTable, -1);
  s_.next_in_class.assign(items_.size(), -1);
  s_.kept.assign(items_.size(), 0);
  for (const AllocationItem& item : items_) {
    county_matters_ = county_matters_ || item.county_max < kInsertionsMax;
    creator_matters_ = creator_matters_ || item.creator_max < kInsertionsMax;
  }
  size_t used = 0;
  for (int i = 0; i < static_cast<int>(items_.size()); ++i) {
    if (items_[i].first_slot > last_position(items_[i]) || class_max(items_[i]) <= 0) continue;
    if (items_[i].rank >= 0 || used * 2 >= kTable) {
      s_.kept[i] = 1;
      continue;
    }
    size_t slot = class_hash(items_[i]) % kTable;
    while (s_.class_head[slot] >= 0 && !same_class(items_[s_.class_head[slot]], items_[i])) {
      slot = (slot + 1) % kTable;
    }
    used += s_.class_head[slot] < 0 ? 1 : 0;
    add_to_class(i, s_.class_head[slot]);
  }
  s_.alive.clear();
  for (int i = 0; i < static_cast<int>(items_.size()); ++i) {
    if (s_.kept[i]) s_.alive.push_back(i);
  }
}

// --- 2. columns ---

void Search::note_pair(int item, int p, double gain) {
  int& count = result_.pair_count;
  if (count == terms_.pairs && (count == 0 || result_.pairs[count - 1].gain_fen >= gain)) return;
  int at = count < terms_.pairs ? count++ : count - 1;
  for (; at > 0 && result_.pairs[at - 1].gain_fen < gain; --at) {
    result_.pairs[at] = result_.pairs[at - 1];
  }
  result_.pairs[at] = {{item, p}, gain};
}

void Search::build_columns(std::span<const int> group) {
  s_.order.assign(group.begin(), group.end());
  s_.worth.resize(group.size());
  s_.entries.clear();
  s_.column.assign(positions_ + 1, 0);
  const auto n = static_cast<int>(terms_.organic.size());
  for (int p = 0; p < positions_; ++p) {
    s_.column[p] = static_cast<int>(s_.entries.size());
    for (size_t k = 0; k < s_.order.size(); ++k) {  // insertion sort, best first
      const int item = s_.order[k];
      const double w = worth(items_[item], p);
      size_t at = k;
      for (; at > 0 && s_.worth[at - 1] < w; --at) {
        s_.worth[at] = s_.worth[at - 1];
        s_.order[at] = s_.order[at - 1];
      }
      s_.worth[at] = w;
      s_.order[at] = item;
    }
    for (size_t k = 0; k < s_.order.size(); ++k) {
      const AllocationItem& item = items_[s_.order[k]];
      if (p < item.first_slot || p > last_position(item)) continue;
      const double gain = single_gain(item, s_.worth[k], p);
      if (gain <= 0) {
        if (item.rank < 0) break;  // the others of this column are worth less, and lose no less
        continue;
      }
      s_.entries.push_back({s_.worth[k], s_.order[k]});
      if (p <= n && terms_.pairs > 0) note_pair(s_.order[k], p, gain);
    }
  }
  s_.column[positions_] = static_cast<int>(s_.entries.size());
}

// --- 3. the search ---

// Limits that hold for any subset too: programs, counties, creators, the page, spacing.
bool Search::fits(const Set& set, int count) const {
  int gap = 0;
  for (int a = 0; a < count; ++a) gap = std::max(gap, items_[set[a].item].min_gap);
  for (int a = 0; a < count; ++a) {
    const AllocationItem& item = items_[set[a].item];
    int county = 0, creator = 0;
    std::array<int, kProgramsPerItemMax> named{};
    for (int b = 0; b < count; ++b) {
      const AllocationItem& other = items_[set[b].item];
      const int apart = std::abs(set[a].position - set[b].position);
      if (a != b && (set[a].item == set[b].item || apart <= gap)) return false;
      county += item.county != 0 && other.county == item.county;
      creator += other.creator == item.creator;
      for (int k = 0; k < item.program_count; ++k) {
        for (int l = 0; l < other.program_count; ++l) {
          named[k] += item.programs[k] == other.programs[l];
        }
      }
    }
    if (county > item.county_max || creator > item.creator_max || count > item.page_max) {
      return false;
    }
    for (int k = 0; k < item.program_count; ++k) {
      if (named[k] > terms_.program_max[item.programs[k]]) return false;
    }
  }
  return true;
}

// True when no position before an inserted one stays empty.
bool Search::full(const Set& set, int count) const {
  int left = static_cast<int>(terms_.organic.size());
  for (int j = 0; j < count; ++j) left -= items_[set[j].item].rank >= 0 ? 1 : 0;
  for (int j = 0; j < count; ++j) {
    if (set[j].position - j > left) return false;
  }
  return true;
}

double Search::total(const Set& set, int count) const {
  double sum = 0;
  bool moved = false;
  for (int j = 0; j < count; ++j) {
    const AllocationItem& item = items_[set[j].item];
    moved = moved || item.rank >= 0;
    sum += worth(item, set[j].position) - weight_ * loss(j, set[j].position);
  }
  if (!moved) return sum;
  sum = weight_ * (page_value(terms_, items_, {set.data(), static_cast<size_t>(count)}) -
                   page_value(terms_, items_, {}));
  for (int j = 0; j < count; ++j) {
    sum += items_[set[j].item].bonus * terms_.examine[set[j].position];
  }
  return sum;
}

// fixed_ and chosen in one set, ascending by position.
Set merged(const Set& fixed, int fixed_count, const Set& chosen, int count) {
  Set set{};
  std::merge(fixed.begin(), fixed.begin() + fixed_count, chosen.begin(), chosen.begin() + count,
             set.begin(),
             [](const PlacedItem& a, const PlacedItem& b) { return a.position < b.position; });
  return set;
}

void Search::consider(const Set& chosen, int count) {
  const Set set = merged(fixed_, fixed_count_, chosen, count);
  const int size = fixed_count_ + count;
  if (!full(set, size)) return;
  const double value = total(set, size);
  if (value <= best_total_) return;
  best_total_ = value;
  best_ = set;
  best_count_ = size;
}

// A good first page, so that the search cuts early: again and again the best addition.
void Search::greedy() {
  Set chosen{};
  for (int count = 0; count < picks_; ++count) {
    const int before = best_count_;
    const Set base = chosen;
    for (int p = 0; p < positions_; ++p) {
      for (int e = s_.column[p]; e < s_.column[p + 1]; ++e) {
        Set next = base;
        int at = count;
        for (; at > 0 && next[at - 1].position > p; --at) next[at] = next[at - 1];
        next[at] = {s_.entries[e].item, p};
        if (!fits(merged(fixed_, fixed_count_, next, count + 1), fixed_count_ + count + 1))
          continue;
        const int size = best_count_;
        const double value = best_total_;
        consider(next, count + 1);
        if (best_total_ > value || best_count_ != size) chosen = next;
        if (items_[s_.entries[e].item].rank < 0) break;  // the column's best that fits
      }
    }
    if (best_count_ == before) return;
  }
}

// bound(first, c, p): the most that picks c, c+1, ... can still add from position p on, when they
// must each be compatible with item `first` (-1: with nothing) but may repeat each other.
void Search::fill_bound(int first, int from) {
  for (int c = picks_ - 1; c >= from; --c) {
    bound(first, c, positions_) = 0;
    for (int p = positions_ - 1; p >= 0; --p) {
      double here = 0;
      for (int e = s_.column[p]; e < s_.column[p + 1]; ++e) {
        const Set pair{PlacedItem{first, -100'000}, PlacedItem{s_.entries[e].item, p}};
        if (first >= 0 && !fits(pair, 2)) continue;
        here = s_.entries[e].worth - weight_ * loss(c, p);
        break;
      }
      if (c + 1 < picks_) here += bound(first, c + 1, std::min(positions_, p + 1 + gap_min_));
      bound(first, c, p) = std::max(bound(first, c, p + 1), here);
    }
  }
}

void Search::descend(Set& chosen, int count, double sum, int from) {
  const int first = count == 0 ? -1 : chosen[0].item;
  for (int p = from; p < positions_; ++p) {
    if (fixed_total_ + sum + bound(first, count, p) <= best_total_) return;
    const double lost = weight_ * loss(count, p);
    const int next = std::min(positions_, p + 1 + gap_min_);
    const bool last = count + 1 >= picks_;
    for (int e = s_.column[p]; e < s_.column[p + 1]; ++e) {
      const auto& [worth, item] = s_.entries[e];
      const double with = sum + worth - lost;
      if (fixed_total_ + with + (last ? 0 : bound(first, count + 1, next)) <= best_total_) break;
      if (++nodes_ > terms_.nodes_max) {
        result_.exact = false;
        return;
      }
      chosen[count] = {item, p};
      if (!fits(merged(fixed_, fixed_count_, chosen, count + 1), fixed_count_ + count + 1))
        continue;
      consider(chosen, count + 1);
      if (last) continue;
      if (count == 0 && !s_.bound_known[item]) {
        fill_bound(item, 1);
        s_.bound_known[item] = 1;
      }
      descend(chosen, count + 1, with, next);
      if (!result_.exact) return;
    }
  }
}

void Search::run_priority(std::span<const int> group) {
  build_columns(group);
  picks_ = terms_.insertions_max - fixed_count_;
  if (picks_ == 0 || s_.entries.empty()) return;
  gap_min_ = items_[group[0]].min_gap;
  for (const int item : group) gap_min_ = std::min(gap_min_, items_[item].min_gap);
  s_.bound.resize((items_.size() + 1) * kInsertionsMax * static_cast<size_t>(positions_ + 2));
  s_.bound_known.assign(items_.size(), 0);
  greedy();
  fill_bound(-1, 0);
  Set chosen{};
  descend(chosen, 0, 0, 0);
  fixed_ = best_;
  fixed_count_ = best_count_;
  fixed_total_ = best_total_;
}

AllocationResult Search::run() {
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

}  // namespace

AllocationResult allocate(const PageTerms& terms, std::span<const AllocationItem> items,
                          AllocationScratch& scratch) {
  CHECK(terms.discount.size() == terms.examine.size());
  CHECK(terms.insertions_max >= 0 && terms.insertions_max <= kInsertionsMax);
  CHECK(terms.pairs >= 0 && terms.pairs <= kPairsMax);
  return Search(terms, items, scratch).run();
}

Cause why_not_placed(const PageTerms& terms, const AllocationItem& item,
                     AllocationScratch& scratch) {
  Search search(terms, {&item, 1}, scratch);
  search.prepare_losses();
  PageTerms free_terms = terms;
  free_terms.viewer_price = 0;
  const Search without_price(free_terms, {&item, 1}, scratch);
  const auto n = static_cast<int>(terms.organic.size());
  const int last = std::min(search.last_position(item), n);
  Cause cause = item.first_slot > last ? Cause::kNoSlot : Cause::kBelowRelevance;
  for (int p = item.first_slot; p <= last; ++p) {
    if (search.single_gain(item, search.worth(item, p), p) > 0) return Cause::kConflict;
    if (without_price.single_gain(item, without_price.worth(item, p), p) > 0) {
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
