// Sets of items and their places: part 2 of allocation.cc, which explains it.
//
// The walk. f[p][S] = what can still be gained from step p on when the items of S are in:
//
//   f[p][S] = max of f[p+1][S] and, for i not in S,
//             H(i, p) - R_S(p) + R_(S+i)(p+1) + f[p+1+gap][S+i]
//
// R_S(p): the list that remains from p on, slid down by |S| less the ranks of S that are passed. f
// stops at any step unless somebody who must be in is not. O(positions x 2^m m), m <= 3.
#include "ranking/allocation_search.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace shanhuo {
namespace {

constexpr double kNowhere = -std::numeric_limits<double>::infinity();

}  // namespace

// --- rows: what each candidate is worth at each position of the window ---

double AllocationSearch::fill_row(const AllocationItem& item, double* row) const {
  const int first = std::max(0, item.first_slot) - begin_;
  const int end = last_position(item) - begin_ + 1;
  const double value = weight_ * item.value, bonus = item.bonus, own = own_place(item);
  const double *d = &terms_.discount[begin_], *e = &terms_.examine[begin_];
  const double *stays = rest(0) + begin_, *slides = rest(1) + begin_ + 1;
  double most = 0;
  std::fill(row, row + first, kNowhere);
  for (int k = first; k < end; ++k) {
    const double worth = value * d[k] + bonus * e[k];
    const double gain = worth - (stays[k] - slides[k]) - own;
    row[k] = gain > 0 ? worth : kNowhere;
    most = std::max(most, gain);
  }
  std::fill(row + end, row + width_, kNowhere);
  return most;
}

void AllocationSearch::note_pairs(int item, const double* row, double own) {
  int& count = result_.pair_count;
  auto& pairs = result_.pairs;
  const int end = std::min(width_, static_cast<int>(terms_.organic.size()) - begin_ + 1);
  for (int k = 0; k < end; ++k) {
    const double gain = row[k] - lost(begin_ + k) - own;
    if (row[k] == kNowhere || (count == terms_.pairs && pairs[count - 1].gain_fen >= gain)) {
      continue;
    }
    int at = count < terms_.pairs ? count++ : count - 1;
    for (; at > 0 && pairs[at - 1].gain_fen < gain; --at) pairs[at] = pairs[at - 1];
    pairs[at] = {{item, begin_ + k}, gain};
  }
}

void AllocationSearch::find_window(std::span<const uint64_t> group) {
  begin_ = positions_;
  int end = 0;
  gap_min_ = positions_;
  for (const uint64_t entry : group) {
    const AllocationItem& item = items_[s_.kept[static_cast<uint32_t>(entry)].item];
    begin_ = std::min(begin_, std::max(0, item.first_slot));
    end = std::max(end, last_position(item) + 1);
    gap_min_ = std::min(gap_min_, item.min_gap);
  }
  for (int k = 0; k < fixed_count_; ++k) {
    begin_ = std::min(begin_, fixed_[k].position);
    end = std::max(end, fixed_[k].position + 1);
  }
  width_ = end - begin_;
}

// Whether an item may gain more than `least` alone somewhere.
bool AllocationSearch::may_gain(const Kept& kept, double least) const {
  const double most = std::max(kept.low, kept.high);
  const int last = last_position(items_[kept.item]);
  for (int p = std::max(0, items_[kept.item].first_slot); p <= last; ++p) {
    if (most > (least + lost(p)) * s_.by_share[p]) return true;
  }
  return false;
}

// Notes the item's pairs; the next row is at `worth` still if it has no place in the search.
double AllocationSearch::add_pairs(const Kept& kept, double* worth) {
  const int pairs = result_.pair_count;
  const double least = pairs == terms_.pairs && pairs > 0 ? result_.pairs[pairs - 1].gain_fen : 0;
  const bool searched = kept.competes && fixed_count_ < terms_.insertions_max;
  if (!searched && (terms_.pairs == 0 || !may_gain(kept, least))) return 0;
  const AllocationItem& item = items_[kept.item];
  const double gain = fill_row(item, worth);
  if (gain > least && terms_.pairs > 0) note_pairs(kept.item, worth, own_place(item));
  return searched ? gain : 0;
}

// rows, best alone first, and behind them what follows each.
void AllocationSearch::make_rows(std::span<const uint64_t> group) {
  s_.rows.clear();
  double* worth = s_.worth.data();
  for (const bool competes : {true, false}) {
    for (const uint64_t entry : group) {
      const Kept& kept = s_.kept[static_cast<uint32_t>(entry)];
      const double gain = kept.competes == competes ? add_pairs(kept, worth) : 0;
      if (gain <= 0) continue;
      size_t at = s_.rows.size();
      s_.rows.push_back({});
      for (; at > 0 && s_.rows[at - 1].gain < gain; --at) s_.rows[at] = s_.rows[at - 1];
      s_.rows[at] = {gain, worth, kept.item};
      worth += width_;
    }
  }
  double* following = worth + s_.rows.size() * width_;
  fix_rows(following + width_);
  std::fill(following, following + width_, kNowhere);
  for (size_t t = s_.rows.size(); t-- > 0;) {
    following -= width_;
    const double* row = s_.rows[t].worth;
    for (int k = 0; k < width_; ++k) following[k] = std::max(row[k], following[width_ + k]);
  }
  following_ = following;
}

// Rows of what higher priorities chose: each at its place alone.
void AllocationSearch::fix_rows(double* worth) {
  for (int k = 0; k < fixed_count_; ++k, worth += width_) {
    const auto [item, p] = fixed_[k];
    std::fill(worth, worth + width_, kNowhere);
    worth[p - begin_] =
        weight_ * items_[item].value * terms_.discount[p] + items_[item].bonus * terms_.examine[p];
  }
}

// --- the walk ---

namespace {

using Steps = double (*)[1 << kInsertionsMax];

struct Inputs {
  const double* const* worth;
  const double* const* rest;
  const int* last;
  int gap, width;
};

// What putting `i` in at step k gains with `mask` in before.
inline double put(const Inputs& in, Steps f, int k, unsigned mask, int i) {
  const unsigned next = mask | 1U << i;
  return in.worth[i][k] - (in.rest[mask][k] - in.rest[next][k + 1]) +
         f[std::min(in.width, k + 1 + in.gap)][next];
}

template <int kCount>
void end_steps(const Inputs& in, unsigned must, Steps f) {
  for (unsigned mask = 0; mask < 1U << kCount; ++mask) {
    f[in.width][mask] = (mask & must) == must ? 0 : kNowhere;
  }
}

template <int kCount>
void fill_steps(const Inputs& in, unsigned must, Steps f) {
  constexpr unsigned kAll = (1U << kCount) - 1;
  end_steps<kCount>(in, must, f);
  for (int k = in.width - 1; k >= 0; --k) {
    f[k][kAll] = 0;
    for (unsigned mask = 0; mask < kAll; ++mask) {
      double most = f[k + 1][mask];
      for (int i = 0; i < kCount && k <= in.last[mask]; ++i) {
        if ((mask >> i & 1U) == 0) most = std::max(most, put(in, f, k, mask, i));
      }
      f[k][mask] = most;
    }
  }
}

// The same where rest depends on how many are in, and nothing on holes: each place of each count
// is valued once a step, and all is unrolled.
template <int kCount>
void fill_plain_steps(const Inputs& in, unsigned must, Steps f) {
  constexpr unsigned kAll = (1U << kCount) - 1;
  end_steps<kCount>(in, must, f);
  for (int k = in.width - 1; k >= 0; --k) {
    double gain[kCount][kCount];  // by how many are in before, and who comes
#pragma GCC unroll 3
    for (int j = 0; j < kCount; ++j) {
      const double lost = in.rest[(1U << j) - 1][k] - in.rest[(2U << j) - 1][k + 1];
#pragma GCC unroll 3
      for (int i = 0; i < kCount; ++i) gain[j][i] = in.worth[i][k] - lost;
    }
    const double* then = f[std::min(in.width, k + 1 + in.gap)];
    const double* next = f[k + 1];
    double* now = f[k];
#pragma GCC unroll 8
    for (unsigned mask = 0; mask < kAll; ++mask) {
      double most = next[mask];
#pragma GCC unroll 3
      for (int i = 0; i < kCount; ++i) {
        if ((mask >> i & 1U) != 0) continue;
        const double total = gain[std::popcount(mask)][i] + then[mask | 1U << i];
        most = total > most ? total : most;
      }
      now[mask] = most;
    }
    now[kAll] = 0;
  }
}

}  // namespace

// What a set without moves leaves of the list, and no regard to holes.
void AllocationSearch::plain_rest(Set& set) const {
  set.plain = true;
  for (unsigned mask = 0; mask < 1U << set.count; ++mask) {
    set.rest[mask] = rest(std::popcount(mask)) + begin_;
    set.last[mask] = width_;
  }
}

// The same of a set that may hold items of the list, and the last step before which none is
// missing.
void AllocationSearch::moved_rest(Set& set) {
  const auto n = static_cast<int>(terms_.organic.size());
  bool moves = n < begin_ + width_;
  for (int i = 0; i < set.count; ++i) {
    moves = moves || static_cast<unsigned>(items_[set.item[i]].rank) < unsigned(positions_);
  }
  if (!moves) return plain_rest(set);
  set.plain = false;
  const size_t stride = static_cast<size_t>(positions_) + 1;
  for (unsigned mask = 0; mask < 1U << set.count; ++mask) {
    std::array<int, kInsertionsMax> ranks{};  // ascending
    int moved = 0;
    for (int i = 0; i < set.count; ++i) {
      const int rank = items_[set.item[i]].rank;
      if ((mask >> i & 1U) == 0 || rank < 0 || rank >= positions_) continue;
      int at = moved++;
      for (; at > 0 && ranks[at - 1] > rank; --at) ranks[at] = ranks[at - 1];
      ranks[at] = rank;
    }
    const int in = std::popcount(mask);
    set.last[mask] = n + in - moved - begin_;
    if (moved == 0) {
      set.rest[mask] = rest(in) + begin_;
      continue;
    }
    // From the place of the k-th moved rank on the list is slid down by one less. Behind the last
    // such place it is rest() itself; before, the same sums and a constant.
    double* row = &s_.moved_rest[mask * stride];
    double behind = 0;
    int end = width_ + 1;
    for (int k = moved; k >= 0; --k) {
      const double* sums = rest(in - k);
      const int from = k > 0 ? std::min(positions_, ranks[k - 1] + in - (k - 1)) : 0;
      for (int step = std::max(0, from - begin_); step < end; ++step) {
        row[step] = sums[begin_ + step] + behind;
      }
      if (k == 0) break;
      behind += sums[from] - rest(in - k + 1)[from];
      end = std::clamp(from - begin_, 0, end);
    }
    set.rest[mask] = row;
  }
}

// The most that the set gains, by the places that its rows allow; fills s_.walk.
double AllocationSearch::walk(const Set& set) {
  const Inputs in{set.worth.data(), set.rest.data(), set.last.data(), set.gap, width_};
  const auto f = reinterpret_cast<Steps>(s_.walk.data());
  ++nodes_;
  if (set.count == 1) {
    (set.plain ? fill_plain_steps<1> : fill_steps<1>)(in, set.must, f);
  } else if (set.count == 2) {
    (set.plain ? fill_plain_steps<2> : fill_steps<2>)(in, set.must, f);
  } else {
    (set.plain ? fill_plain_steps<3> : fill_steps<3>)(in, set.must, f);
  }
  return f[0][0];
}

// --- sets ---

AllocationSearch::Set AllocationSearch::with(const Set& set, int item, const double* worth) const {
  Set next = set;
  next.item[next.count] = item;
  next.worth[next.count++] = worth;
  next.gap = std::max(set.gap, items_[item].min_gap);
  return next;
}

// No page with `set` and any of the rows from `from` on gains more.
double AllocationSearch::bound(Set set, size_t from) {
  while (set.count < terms_.insertions_max) {
    set.worth[set.count++] = following_ + from * width_;
  }
  set.gap = std::max(set.gap, gap_min_);
  plain_rest(set);
  return walk(set);
}

// Keeps the best page of the set if it is the best so far.
void AllocationSearch::weigh(Set& set) {
  moved_rest(set);
  const double total = walk(set);
  if (total <= best_total_) return;
  best_total_ = total;
  best_count_ = 0;
  const Inputs in{set.worth.data(), set.rest.data(), set.last.data(), set.gap, width_};
  const auto f = reinterpret_cast<Steps>(s_.walk.data());
  unsigned mask = 0;
  for (int k = 0; k < width_ && mask + 1 < 1U << set.count; ++k) {
    if (f[k][mask] == f[k + 1][mask]) continue;
    int pick = -1;
    double most = kNowhere;
    for (int i = 0; i < set.count; ++i) {
      if ((mask >> i & 1U) != 0) continue;
      const double gain = put(in, f, k, mask, i);
      if (gain > most) pick = i;
      most = std::max(most, gain);
    }
    best_[best_count_++] = {set.item[pick], begin_ + k};
    mask |= 1U << pick;
    k += set.gap;
  }
}

// Tries the set with each of the rows from `from` on, and with more of those behind. A set's own
// walk includes its subsets at its gap: returns the least gap of those weighed.
int AllocationSearch::extend(const Set& set, size_t from) {
  constexpr int kNone = std::numeric_limits<int>::max();
  int least = kNone;
  for (size_t t = from; t < s_.rows.size() && result_.exact; ++t) {
    if (bound(set, t) <= best_total_) break;
    const Row& row = s_.rows[t];
    if (!together(set, row.item)) continue;
    Set next = with(set, row.item, row.worth);
    int gap = kNone;
    if (next.count < terms_.insertions_max) gap = extend(next, t + 1);
    if (gap > next.gap) {
      weigh(next);
      gap = next.gap;
    }
    least = std::min(least, gap);
    result_.exact = result_.exact && nodes_ < terms_.nodes_max;
  }
  return least;
}

void AllocationSearch::run_priority(std::span<const uint64_t> group) {
  find_window(group);
  make_rows(group);
  if (fixed_count_ == terms_.insertions_max || s_.rows.empty()) return;
  const size_t steps = static_cast<size_t>(positions_) + 1;
  s_.walk.resize(steps << kInsertionsMax);
  s_.moved_rest.resize(steps << kInsertionsMax);
  Set set;
  for (int k = 0; k < fixed_count_; ++k) {
    set = with(set, fixed_[k].item, following_ + (s_.rows.size() + 1 + k) * width_);
  }
  set.must = (1U << set.count) - 1;
  extend(set, 0);
  fixed_ = best_;
  fixed_count_ = best_count_;
  fixed_total_ = best_total_;
}

}  // namespace shanhuo
