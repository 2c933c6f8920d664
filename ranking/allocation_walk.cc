// Places for one set of items: walks over the positions.
//
// f[p][S] = what can still be gained from step p on when the items of S are in:
//
//   f[p][S] = max of f[p+1][S] and, for i not in S,
//             H(i, p) - R_S(p) + R_(S+i)(p+1) + f[p+1+gap][S+i]
//
// R_S(p): the list that remains from p on, slid down by |S| less the ranks of S that are passed. f
// stops at any step unless somebody who must be in is not. O(positions x 2^m m), m <= 3.
//
// One more item beside a set: the same from the front up to where it stands, and from there on to
// the end. Then what it adds is a sum for each position, whoever it is.
#include <algorithm>
#include <bit>
#include <limits>

#include "ranking/allocation_search.h"

namespace shanhuo {
namespace {

constexpr double kNowhere = -std::numeric_limits<double>::infinity();

using Steps = double (*)[1 << kInsertionsMax];

struct Inputs {
  const double* const* worth;
  std::array<const double*, kInsertionsMax> slide;  // by how many stand before
  int gap, width;
  unsigned must;
};

template <int kCount>
void end_steps(const Inputs& in, double* end) {
  for (unsigned mask = 0; mask < 1U << kCount; ++mask) {
    end[mask] = (mask & in.must) == in.must ? 0 : kNowhere;
  }
}

// What putting `i` in at step k gains with `mask` in before, where items move.
inline double put(const Inputs& in, const double* const* rest, Steps f, int k, unsigned mask,
                  int i) {
  const unsigned next = mask | 1U << i;
  return in.worth[i][k] - (rest[mask][k] - rest[next][k + 1]) +
         f[std::min(in.width, k + 1 + in.gap)][next];
}

template <int kCount>
void fill_steps(const Inputs& in, const double* const* rest, const int* last, Steps f) {
  constexpr unsigned kAll = (1U << kCount) - 1;
  end_steps<kCount>(in, f[in.width]);
  for (int k = in.width - 1; k >= 0; --k) {
    f[k][kAll] = 0;
    for (unsigned mask = 0; mask < kAll; ++mask) {
      double most = f[k + 1][mask];
      for (int i = 0; i < kCount && k <= last[mask]; ++i) {
        if ((mask >> i & 1U) == 0) most = std::max(most, put(in, rest, f, k, mask, i));
      }
      f[k][mask] = most;
    }
  }
}

// One step of a plain walk, where the list slides by how many are in: `in_before` more than mask.
template <int kCount, int kBefore>
inline void plain_step(const Inputs& in, int k, const double* next, const double* then,
                       double* now) {
  constexpr unsigned kAll = (1U << kCount) - 1;
  double gain[kCount == 0 ? 1 : kCount]
             [kCount == 0 ? 1 : kCount];  // by who is in before, who comes
#pragma GCC unroll 3
  for (int j = 0; j < kCount; ++j) {
#pragma GCC unroll 3
    for (int i = 0; i < kCount; ++i) gain[j][i] = in.worth[i][k] - in.slide[kBefore + j][k];
  }
#pragma GCC unroll 8
  for (unsigned mask = 0; mask <= kAll; ++mask) {
    double most = next[mask];
#pragma GCC unroll 3
    for (int i = 0; i < kCount; ++i) {
      if ((mask >> i & 1U) != 0) continue;
      const double total = gain[std::popcount(mask)][i] + then[mask | 1U << i];
      most = total > most ? total : most;
    }
    now[mask] = most;
  }
}

template <int kCount>
void fill_plain_steps(const Inputs& in, Steps f) {
  end_steps<kCount>(in, f[in.width]);
  for (int k = in.width - 1; k >= 0; --k) {
    plain_step<kCount, 0>(in, k, f[k + 1], f[std::min(in.width, k + 1 + in.gap)], f[k]);
  }
}

// best[k]: the most that a page gains with one more item at step k, without what that is worth.
template <int kCount>
void add_one_more(const Inputs& in, double* best) {
  constexpr unsigned kSets = 1U << kCount;
  double after[kPositionsMax + 1][kSets];   // from step k on, with the one more in
  double before[kPositionsMax + 1][kSets];  // up to step k without it, and just these in
  end_steps<kCount>(in, after[in.width]);
  for (int k = in.width - 1; k > in.gap; --k) {
    plain_step<kCount, 1>(in, k, after[k + 1], after[std::min(in.width, k + 1 + in.gap)], after[k]);
  }
  std::fill(before[0], before[0] + kSets, kNowhere);
  before[0][0] = 0;
  for (int k = 0; k < in.width; ++k) {
    const double* free = before[std::max(0, k - in.gap)];
    const double* then = after[std::min(in.width, k + 1 + in.gap)];
    double most = kNowhere;
#pragma GCC unroll 4
    for (unsigned mask = 0; mask < kSets; ++mask) {
      const double total = free[mask] - in.slide[std::popcount(mask)][k] + then[mask];
      most = total > most ? total : most;
      double here = before[k][mask];
#pragma GCC unroll 2
      for (int i = 0; i < kCount; ++i) {
        if ((mask >> i & 1U) == 0) continue;
        const double with =
            in.worth[i][k] - in.slide[std::popcount(mask) - 1][k] + free[mask & ~(1U << i)];
        here = with > here ? with : here;
      }
      before[k + 1][mask] = here;
    }
    best[k] = most;
  }
}

}  // namespace

// As if nobody moved, which is never less. Behind the window: -infinity.
void AllocationSearch::best_with_one_more(const Set& set, double* best) const {
  const Inputs in{set.worth.data(), {slide(0), slide(1), slide(2)}, set.gap, width_, set.must};
  best[width_] = kNowhere;
  if (set.count == 0) {
    add_one_more<0>(in, best);
  } else if (set.count == 1) {
    add_one_more<1>(in, best);
  } else {
    add_one_more<2>(in, best);
  }
}

// What a set without moves leaves of the list, and no regard to holes.
void AllocationSearch::plain_rest(const Set& set, Remains& remains) const {
  remains.plain = true;
  for (unsigned mask = 0; mask < 1U << set.count; ++mask) {
    remains.rest[mask] = rest(std::popcount(mask)) + begin_;
    remains.last[mask] = width_;
  }
}

// The same of a set that may hold items of the list, and the last step before which none is
// missing.
void AllocationSearch::moved_rest(const Set& set, Remains& remains) {
  const auto n = static_cast<int>(terms_.organic.size());
  bool moves = n < begin_ + width_;
  for (int i = 0; i < set.count; ++i) {
    moves = moves || static_cast<unsigned>(items_[set.item[i]].rank) < unsigned(positions_);
  }
  if (!moves) return plain_rest(set, remains);
  remains.plain = false;
  const size_t stride = static_cast<size_t>(positions_) + 1;
  s_.moved_rest.resize(stride << kInsertionsMax);
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
    remains.last[mask] = n + in - moved - begin_;
    if (moved == 0) {
      remains.rest[mask] = rest(in) + begin_;
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
    remains.rest[mask] = row;
  }
}

// The most that the set gains, by the places that its rows allow; fills s_.walk.
double AllocationSearch::walk(const Set& set, const Remains& remains) {
  const Inputs in{set.worth.data(), {slide(0), slide(1), slide(2)}, set.gap, width_, set.must};
  const auto f = reinterpret_cast<Steps>(s_.walk.data());
  const double* const* rest = remains.rest.data();
  const int* last = remains.last.data();
  if (set.count == 1) {
    remains.plain ? fill_plain_steps<1>(in, f) : fill_steps<1>(in, rest, last, f);
  } else if (set.count == 2) {
    remains.plain ? fill_plain_steps<2>(in, f) : fill_steps<2>(in, rest, last, f);
  } else {
    remains.plain ? fill_plain_steps<3>(in, f) : fill_steps<3>(in, rest, last, f);
  }
  return f[0][0];
}

// Keeps the best page of the set if it is the best so far.
void AllocationSearch::weigh(const Set& set) {
  ++nodes_;
  Remains remains;
  moved_rest(set, remains);
  const double total = walk(set, remains);
  if (total <= best_total_) return;
  best_total_ = total;
  best_count_ = 0;
  const Inputs in{set.worth.data(), {slide(0), slide(1), slide(2)}, set.gap, width_, set.must};
  const auto f = reinterpret_cast<Steps>(s_.walk.data());
  unsigned mask = 0;
  for (int k = 0; k < width_ && mask + 1 < 1U << set.count; ++k) {
    if (f[k][mask] == f[k + 1][mask]) continue;
    int pick = -1;
    double most = kNowhere;
    for (int i = 0; i < set.count; ++i) {
      if ((mask >> i & 1U) != 0) continue;
      const double gain = put(in, remains.rest.data(), f, k, mask, i);
      if (gain > most) pick = i;
      most = std::max(most, gain);
    }
    best_[best_count_++] = {set.item[pick], begin_ + k};
    mask |= 1U << pick;
    k += set.gap;
  }
}

}  // namespace shanhuo
