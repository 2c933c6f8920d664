// Rows of candidates and the sets that are tried: part 3 of allocation.cc, which explains it.
#include "ranking/allocation_search.h"

#include <algorithm>
#include <limits>

namespace shanhuo {
namespace {

constexpr double kNowhere = -std::numeric_limits<double>::infinity();
constexpr ProgramIndex kNobodys = kProgramsMax;
constexpr int kUnknown = -1, kGainsNowhere = -2;  // instead of a row

// Two doubles of an array, wherever it begins.
using Two [[gnu::vector_size(16), gnu::aligned(8), gnu::may_alias]] = double;
const Two& two_at(const double* values) { return *reinterpret_cast<const Two*>(values); }
Two& two_at(double* values) { return *reinterpret_cast<Two*>(values); }

// Requires: n is even.
double largest_sum(const double* a, const double* b, int n) {
  Two most = {kNowhere, kNowhere};
  for (int k = 0; k < n; k += 2) {
    const Two sum = two_at(a + k) + two_at(b + k);
    most = sum > most ? sum : most;
  }
  return std::max(most[0], most[1]);
}

}  // namespace

// --- rows: what each candidate is worth at each position of the window ---

bool AllocationSearch::fill_row(const AllocationItem& item, double* row) const {
  const int first = std::max(0, item.first_slot) - begin_;
  const int end = last_position(item) - begin_ + 1;
  const double value = weight_ * item.value, bonus = item.bonus, own = own_place(item);
  const double *d = &terms_.discount[begin_], *e = &terms_.examine[begin_], *lost = slide(0);
  std::fill(row, row + first, kNowhere);
  constexpr Two kNone = {kNowhere, kNowhere}, kZero = {0, 0};
  Two most = kNone;
  int k = first;
  for (; k + 1 < end; k += 2) {
    const Two worth = value * two_at(d + k) + bonus * two_at(e + k);
    const Two gain = worth - two_at(lost + k) - own;
    two_at(row + k) = gain > kZero ? worth : kNone;
    most = gain > most ? gain : most;
  }
  double last = kNowhere;
  if (k < end) {
    const double worth = value * d[k] + bonus * e[k];
    last = worth - lost[k] - own;
    row[k++] = last > 0 ? worth : kNowhere;
  }
  std::fill(row + k, row + row_size_, kNowhere);
  return most[0] > 0 || most[1] > 0 || last > 0;
}

// nullptr: it gains nowhere.
const double* AllocationSearch::row_of(int item) {
  int& at = s_.row_of[item];
  if (at == kUnknown) {
    at = fill_row(items_[item], &s_.worth[static_cast<size_t>(rows_) * row_size_]) ? rows_++
                                                                                   : kGainsNowhere;
  }
  return at == kGainsNowhere ? nullptr : &s_.worth[static_cast<size_t>(at) * row_size_];
}

void AllocationSearch::note_pairs(int item) {
  const double* row = row_of(item);
  if (row == nullptr) return;
  const double own = own_place(items_[item]);
  int& count = result_.pair_count;
  auto& pairs = result_.pairs;
  const int end = std::min(width_, static_cast<int>(terms_.organic.size()) - begin_ + 1);
  for (int k = 0; k < end; ++k) {
    const double gain = row[k] - slide(0)[k] - own;
    if (row[k] == kNowhere || (count == terms_.pairs && pairs[count - 1].gain_fen >= gain)) {
      continue;
    }
    int at = count < terms_.pairs ? count++ : count - 1;
    for (; at > 0 && pairs[at - 1].gain_fen < gain; --at) pairs[at] = pairs[at - 1];
    pairs[at] = {{item, begin_ + k}, gain};
  }
}

// Who is worth no more has no place among the best pairs.
double AllocationSearch::least_of_pairs() const {
  if (result_.pair_count < terms_.pairs) return 0;
  const double gain = result_.pairs[terms_.pairs - 1].gain_fen;
  double least = std::numeric_limits<double>::infinity();
  for (int k = 0; k < width_; ++k) least = std::min(least, (gain + slide(0)[k]) * s_.by_share[k]);
  return least * (1 - 1e-9);
}

// The one that is worth most first, so that few of the others are looked at.
void AllocationSearch::find_pairs() {
  if (terms_.pairs == 0 || s_.plain.empty()) return;
  const auto best =
      std::max_element(s_.plain.begin(), s_.plain.end(),
                       [](const Plain& a, const Plain& b) { return a.most < b.most; });
  if (together({}, best->item)) note_pairs(best->item);
  double least = least_of_pairs();
  for (const Plain& plain : s_.plain) {
    if (plain.most <= least || plain.item == best->item || !together({}, plain.item)) continue;
    note_pairs(plain.item);
    least = least_of_pairs();
  }
}

// --- sets ---

AllocationSearch::Set AllocationSearch::with(const Set& set, int item, const double* worth) const {
  Set next = set;
  next.item[next.count] = item;
  next.worth[next.count++] = worth;
  next.gap = std::max(set.gap, items_[item].min_gap);
  next.leaves += leaves(items_[item]);
  return next;
}

// Bounds of the list's rows beside the set; returns the end of those that may be better than the
// best page so far, best first.
size_t AllocationSearch::bound_all(const Set& set, size_t begin, size_t end) {
  double following[kPositionsMax + 2], best[kPositionsMax + 2];
  Set relaxed = set;
  relaxed.gap = std::max(set.gap, gap_min_);
  if (set.count + 1 < terms_.insertions_max) {
    std::fill(following, following + row_size_, kNowhere);
    for (size_t t = begin; t < end; ++t) {
      const auto& [bound, leaves, row, item] = s_.open[t];
      const Two less = {leaves, leaves};
      for (int k = 0; k < row_size_; k += 2) {
        const Two here = two_at(row + k) - less, most = two_at(following + k);
        two_at(following + k) = here > most ? here : most;
      }
    }
  }
  while (relaxed.count + 1 < terms_.insertions_max) relaxed.worth[relaxed.count++] = following;
  ++nodes_;
  best_with_one_more(relaxed, best);
  size_t kept = begin;
  for (size_t t = begin; t < end; ++t) {
    Open open = s_.open[t];
    open.bound = largest_sum(open.worth, best, row_size_) - open.leaves - set.leaves;
    if (open.bound <= best_total_) continue;
    size_t at = kept++;
    for (; at > begin && s_.open[at - 1].bound < open.bound; --at) s_.open[at] = s_.open[at - 1];
    s_.open[at] = open;
  }
  return kept;
}

// Tries the set with each row of the list, and with more of those behind. A set's own walk includes
// its subsets at its gap: returns the least gap of those weighed.
int AllocationSearch::extend(const Set& set, size_t begin, size_t end) {
  constexpr int kNone = std::numeric_limits<int>::max();
  int least = kNone;
  end = bound_all(set, begin, end);
  for (size_t t = begin; t < end && s_.open[t].bound > best_total_; ++t) {
    if (nodes_ >= terms_.nodes_max) {
      result_.exact = false;
      return least;
    }
    const Set next = with(set, s_.open[t].item, s_.open[t].worth);
    int gap = kNone;
    s_.open.resize(end);
    for (size_t after = t + 1; after < end && next.count < terms_.insertions_max; ++after) {
      const Open open = s_.open[after];
      if (open.bound > best_total_ && together(next, open.item)) s_.open.push_back(open);
    }
    if (s_.open.size() > end) gap = extend(next, end, s_.open.size());
    if (gap > next.gap) {
      weigh(next);
      gap = next.gap;
    }
    least = std::min(least, gap);
  }
  return least;
}

void AllocationSearch::open_row(int item) {
  if (const double* row = row_of(item); row != nullptr) {
    s_.open.push_back({0, leaves(items_[item]), row, item});
  }
}

// A good page at once, so that most candidates need no second look: who is worth most, then who is
// beside it, and so on.
void AllocationSearch::try_best(const Set& set, const Plain* best) {
  Set page = set;
  while (best != nullptr) {
    const double* row = row_of(best->item);
    if (row == nullptr) break;
    page = with(page, best->item, row);
    if (page.count == terms_.insertions_max) break;
    best = best_without(page, kNobodys, kNobodys).plain;
  }
  if (page.count > set.count) weigh(page);
}

void AllocationSearch::run_group() {
  Set set;
  for (int k = 0; k < fixed_count_; ++k) {
    const auto [item, p] = fixed_[k];
    double* row = &s_.worth[(s_.plain.size() + k) * row_size_];
    std::fill(row, row + row_size_, kNowhere);
    row[p - begin_] =
        weight_ * items_[item].value * terms_.discount[p] + items_[item].bonus * terms_.examine[p];
    set = with(set, item, row);
  }
  set.must = (1U << set.count) - 1;

  const Best best = find_top(set);
  if (best.worth.low <= 0 && best.worth.high <= 0) return;
  try_best(set, best.plain);
  find_near(set, apart_of(set, best));
  keep_best(set);
  s_.open.clear();
  for (const Kept& kept : s_.kept) open_row(kept.item);
  if (!s_.open.empty()) extend(set, 0, s_.open.size());
  fixed_ = best_;
  fixed_count_ = best_count_;
  fixed_total_ = best_total_;
}

}  // namespace shanhuo
