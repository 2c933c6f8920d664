// Columns and the depth-first search of allocation.cc, which explains them.
#include "ranking/allocation_search.h"

#include <algorithm>
#include <cstdlib>

namespace shanhuo {

// --- columns: for each position the candidates that gain there, best first ---

void AllocationSearch::note_pair(int item, int p, double gain) {
  int& count = result_.pair_count;
  if (count == terms_.pairs && (count == 0 || result_.pairs[count - 1].gain_fen >= gain)) return;
  int at = count < terms_.pairs ? count++ : count - 1;
  for (; at > 0 && result_.pairs[at - 1].gain_fen < gain; --at) {
    result_.pairs[at] = result_.pairs[at - 1];
  }
  result_.pairs[at] = {{item, p}, gain};
}

// Insertion sort by worth at `p`, from the order of the position before.
void AllocationSearch::sort_column(int p) {
  const double d = terms_.discount[p], e = terms_.examine[p];
  std::vector<Live>& live = s_.live;
  for (size_t k = 0; k < live.size(); ++k) {
    live[k].worth = live[k].value * d + live[k].bonus * e;
    if (k == 0 || live[k - 1].worth >= live[k].worth) continue;
    const Live moving = live[k];
    size_t at = k;
    for (; at > 0 && live[at - 1].worth < moving.worth; --at) live[at] = live[at - 1];
    live[at] = moving;
  }
}

void AllocationSearch::build_columns(std::span<const int> group) {
  s_.live.clear();
  int begin = positions_, end = 0;
  for (const int item : group) {
    const AllocationItem& it = items_[item];
    s_.live.push_back({weight_ * value_of(it), it.bonus, 0, own_place(it), item, it.first_slot,
                       last_position(it)});
    begin = std::min(begin, it.first_slot);
    end = std::max(end, s_.live.back().last + 1);
  }
  s_.entries.clear();
  s_.column.assign(positions_ + 1, 0);
  const auto n = static_cast<int>(terms_.organic.size());
  for (int p = 0; p < positions_; ++p) {
    s_.column[p] = static_cast<int>(s_.entries.size());
    if (p < begin || p >= end) continue;
    sort_column(p);
    const double lost = weight_ * loss(0, p);
    for (const Live& live : s_.live) {
      if (live.worth <= lost) break;  // nor do those behind it gain, whatever their own place costs
      if (p < live.first || p > live.last) continue;
      const double gain = live.worth - lost - live.own_place;
      if (gain <= 0) continue;
      s_.entries.push_back({live.worth, live.item});
      if (p <= n && terms_.pairs > 0) note_pair(live.item, p, gain);
    }
  }
  s_.column[positions_] = static_cast<int>(s_.entries.size());
}

// --- what may stand on one page ---

bool AllocationSearch::compatible(int first, int item) const {
  Set set{};
  set[0] = {first, -1'000'000};  // far from everything: spacing is not asked here
  return fits(set, 1, {item, 0});
}

// Whether `added` may join a set that holds together. All rules hold for subsets, too.
bool AllocationSearch::fits(const Set& set, int count, PlacedItem added) const {
  const AllocationItem& item = items_[added.item];
  int gap = item.min_gap;
  for (int a = 0; a < count; ++a) gap = std::max(gap, items_[set[a].item].min_gap);
  bool limited = item.page_max < kInsertionsMax || county_matters_ || creator_matters_;
  for (int a = 0; a < count; ++a) {
    if (set[a].item == added.item || std::abs(set[a].position - added.position) <= gap)
      return false;
    if (a > 0 && set[a].position - set[a - 1].position <= gap) return false;
    limited = limited || items_[set[a].item].page_max < kInsertionsMax;
  }
  for (int k = 0; k < item.program_count; ++k) {
    int named = 1;
    for (int a = 0; a < count; ++a) {
      const AllocationItem& other = items_[set[a].item];
      for (int l = 0; l < other.program_count; ++l) named += other.programs[l] == item.programs[k];
    }
    if (named > terms_.program_max[item.programs[k]]) return false;
  }
  return !limited || limits_hold(set, count, item);
}

// Counties, creators and the page as a whole.
bool AllocationSearch::limits_hold(const Set& set, int count, const AllocationItem& added) const {
  const auto holds = [&](const AllocationItem& item) {
    int county = item.county != 0 && added.county == item.county ? 1 : 0;
    int creator = added.creator == item.creator ? 1 : 0;
    for (int a = 0; a < count; ++a) {
      const AllocationItem& other = items_[set[a].item];
      county += item.county != 0 && other.county == item.county;
      creator += other.creator == item.creator;
    }
    return county <= item.county_max && creator <= item.creator_max && count + 1 <= item.page_max;
  };
  for (int a = 0; a < count; ++a) {
    if (!holds(items_[set[a].item])) return false;
  }
  return holds(added);
}

// True when no position before an inserted one stays empty.
bool AllocationSearch::full(const Set& set, int count) const {
  int left = static_cast<int>(terms_.organic.size());
  for (int j = 0; j < count; ++j) left -= items_[set[j].item].rank >= 0 ? 1 : 0;
  for (int j = 0; j < count; ++j) {
    if (set[j].position - j > left) return false;
  }
  return true;
}

double AllocationSearch::total(const Set& set, int count) const {
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

// --- the search ---

namespace {

// `set` with one more, ascending by position.
AllocationSearch::Set with(const AllocationSearch::Set& set, int count, PlacedItem added) {
  AllocationSearch::Set next = set;
  int at = count;
  for (; at > 0 && next[at - 1].position > added.position; --at) next[at] = next[at - 1];
  next[at] = added;
  return next;
}

}  // namespace

// Keeps the page if it is the best so far.
bool AllocationSearch::consider(const Set& set, int count) {
  if (!full(set, count)) return false;
  const double value = total(set, count);
  if (value <= best_total_) return false;
  best_total_ = value;
  best_ = set;
  best_count_ = count;
  return true;
}

// The best single addition to `set`, if one gains.
bool AllocationSearch::add_best(Set& set, int count) {
  bool better = false;
  const Set base = set;
  for (int p = 0; p < positions_; ++p) {
    const bool near = std::any_of(base.begin(), base.begin() + count, [&](const PlacedItem& x) {
      return std::abs(x.position - p) <= gap_min_;
    });
    if (near) continue;
    for (int e = s_.column[p]; e < s_.column[p + 1]; ++e) {
      const PlacedItem added{s_.entries[e].item, p};
      if (!fits(base, count, added)) continue;
      if (consider(with(base, count, added), count + 1)) {
        set = best_;
        better = true;
      }
      if (items_[added.item].rank < 0) break;  // the column's best that fits
    }
  }
  return better;
}

// A good first page, so that the search cuts early.
void AllocationSearch::greedy() {
  Set set = fixed_;
  for (int count = fixed_count_; count < terms_.insertions_max; ++count) {
    if (!add_best(set, count)) return;
  }
}

// bound(first, c, p): the most that picks c, c+1, ... can still add from position p on, when they
// must each be compatible with item `first` (-1: with nothing) but may repeat each other.
void AllocationSearch::fill_bound(int first, int from) {
  for (int c = picks_ - 1; c >= from; --c) {
    bound(first, c, positions_) = 0;
    for (int p = positions_ - 1; p >= 0; --p) {
      double here = 0;
      for (int e = s_.column[p]; e < s_.column[p + 1]; ++e) {
        if (first >= 0 && !compatible(first, s_.entries[e].item)) continue;
        here = s_.entries[e].worth - weight_ * loss(c, p);
        break;
      }
      if (c + 1 < picks_) here += bound(first, c + 1, std::min(positions_, p + 1 + gap_min_));
      bound(first, c, p) = std::max(bound(first, c, p + 1), here);
    }
  }
}

// `set` holds `count` items, the last `chosen` picks among them; the next pick stands at `from` or
// behind. `sum`: what the picks add at most, `first` the first of them (-1: none yet).
void AllocationSearch::descend(const Set& set, int count, int chosen, int first, double sum,
                               int from) {
  const bool last = chosen + 1 >= picks_;
  for (int p = from; p < positions_; ++p) {
    if (fixed_total_ + sum + bound(first, chosen, p) <= best_total_) return;
    const double lost = weight_ * loss(chosen, p);
    const int next = std::min(positions_, p + 1 + gap_min_);
    for (int e = s_.column[p]; e < s_.column[p + 1]; ++e) {
      const auto& [worth, item] = s_.entries[e];
      const double so_far = sum + worth - lost;
      const double rest = last ? 0 : bound(first, chosen + 1, next);
      if (fixed_total_ + so_far + rest <= best_total_) break;
      if (++nodes_ > terms_.nodes_max) {
        result_.exact = false;
        return;
      }
      if (!fits(set, count, {item, p})) continue;
      const Set page = with(set, count, {item, p});
      consider(page, count + 1);
      if (last) continue;
      if (first < 0 && !s_.bound_known[item]) {
        fill_bound(item, 1);
        s_.bound_known[item] = 1;
      }
      descend(page, count + 1, chosen + 1, first < 0 ? item : first, so_far, next);
      if (!result_.exact) return;
    }
  }
}

void AllocationSearch::run_priority(std::span<const int> group) {
  build_columns(group);
  picks_ = terms_.insertions_max - fixed_count_;
  if (picks_ == 0 || s_.entries.empty()) return;
  gap_min_ = items_[group[0]].min_gap;
  for (const int item : group) gap_min_ = std::min(gap_min_, items_[item].min_gap);
  s_.bound.resize((items_.size() + 1) * kInsertionsMax * static_cast<size_t>(positions_ + 2));
  s_.bound_known.assign(items_.size(), 0);
  greedy();
  fill_bound(-1, 0);
  descend(fixed_, fixed_count_, 0, -1, 0, 0);
  fixed_ = best_;
  fixed_count_ = best_count_;
  fixed_total_ = best_total_;
}

}  // namespace shanhuo
