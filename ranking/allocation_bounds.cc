// What candidates may be worth on a page at most, and who is worth too little to be on the best
// one: part 1 of allocation.cc, which explains it.
#include <algorithm>
#include <limits>

#include "ranking/allocation_search.h"

namespace shanhuo {
namespace {

constexpr double kRounding = 1e-9;
constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr ProgramIndex kNo = kProgramsMax;  // no program's index

}  // namespace

// The two between which all (d_p, e_p) lie, each of length d + e = 1.
void AllocationSearch::find_directions() {
  for (int p = 0; p < positions_; ++p) {
    const Direction here{terms_.discount[p], terms_.examine[p]};
    if (here.d <= 0 && here.e <= 0) continue;
    if (low_.d <= 0 && low_.e <= 0) low_ = high_ = here;
    if (here.e * low_.d < here.d * low_.e) low_ = here;
    if (here.e * high_.d > here.d * high_.e) high_ = here;
  }
  for (Direction* direction : {&low_, &high_}) {
    const double length = direction->d + direction->e;
    if (length > 0) *direction = {direction->d / length, direction->e / length};
  }
}

// reach[p]: an item that is worth less in both directions gains at none of 0..p.
void AllocationSearch::find_reach() {
  constexpr int kPositions = 64;  // far behind, everybody is looked at
  det_ = low_.d * high_.e - low_.e * high_.d;
  if (det_ <= 1e-12) det_ = 0;
  if (det_ == 0) high_ = low_;
  const int end = std::min(positions_, kPositions);
  s_.reach.assign(static_cast<size_t>(positions_), 0.0);
  double least = kNever;
  for (int p = 0; p < end; ++p) {
    const double share = terms_.discount[p] + terms_.examine[p];
    if (share > 0) least = std::min(least, lost(p) / share);
    s_.reach[p] = std::max(0.0, least * (1 - kRounding));
  }
  share_max_ = 0;
  for (int p = 0; p < positions_; ++p) {
    share_max_ = std::max(share_max_, terms_.discount[p] + terms_.examine[p]);
  }
}

// Candidates that may gain, and the positions that they may take. Without a branch that depends on
// the candidate, but for those of the list.
void AllocationSearch::collect() {
  s_.plain.resize(items_.size());
  Plain* out = s_.plain.data();
  int begin = positions_, end = 0, gap = positions_;
  const double by_share_max = share_max_ > 0 ? 1 / share_max_ : 0, weight = weight_;
  const Direction in_low = low_, in_high = high_;
  const double* reach = s_.reach.data();
  constexpr int kLeast = std::numeric_limits<int>::min(), kMost = std::numeric_limits<int>::max();
  int lowest = kMost, highest = kLeast;
  for (int i = 0; i < static_cast<int>(items_.size()); ++i) {
    const AllocationItem& item = items_[i];
    const int first = std::max(0, item.first_slot), last = last_position(item);
    const double value = weight * item.value;
    const double less = item.rank < 0 ? 0 : leaves(item) * by_share_max;
    const double low = value * in_low.d + item.bonus * in_low.e - less;
    const double high = value * in_high.d + item.bonus * in_high.e - less;
    const double most = std::max(low, high);
    const bool gains =
        (static_cast<int>(first <= last) & static_cast<int>(most > reach[std::max(0, last)])) != 0;
    *out = {low, high, most, i, item.priority};
    out += static_cast<int>(gains);
    begin = std::min(begin, gains ? first : begin);
    end = std::max(end, gains ? last + 1 : end);
    gap = std::min(gap, gains ? item.min_gap : gap);
    lowest = std::min(lowest, gains ? item.priority : kMost);
    highest = std::max(highest, gains ? item.priority : kLeast);
  }
  s_.plain.resize(static_cast<size_t>(out - s_.plain.data()));
  begin_ = std::min(begin, end);
  width_ = end - begin_;
  gap_min_ = std::max(0, gap);
  priority_min_ = lowest;
  priority_max_ = highest;
}

// group_: those of the highest priority below.
void AllocationSearch::find_group(int64_t below) {
  if (priority_min_ >= below) {
    group_ = {};
    return;
  }
  if (priority_min_ == priority_max_) {
    group_ = s_.plain;
    return;
  }
  int priority = priority_min_;
  for (const Plain& plain : s_.plain) {
    priority = plain.priority < below ? std::max(priority, plain.priority) : priority;
  }
  s_.group.resize(s_.plain.size() + 1);
  Plain* out = s_.group.data();
  for (const Plain& plain : s_.plain) {
    *out = plain;
    out += static_cast<int>(plain.priority == priority);
  }
  group_ = {s_.group.data(), out};
}

ProgramIndex AllocationSearch::with_room_for_one(const Set& set, const AllocationItem& item) const {
  for (int k = 0; k < item.program_count; ++k) {
    int left = terms_.program_max[item.programs[k]];
    for (int a = 0; a < set.count; ++a) left -= names(items_[set.item[a]], item.programs[k]);
    if (left == 1) return item.programs[k];
  }
  return kNo;
}

// Of some, those that may be added to the set and name neither.
AllocationSearch::Best AllocationSearch::best_of(std::span<const Plain> some, const Set& set,
                                                 ProgramIndex first, ProgramIndex second) const {
  Best best;
  double most = 0;
  for (const Plain& plain : some) {
    const bool higher = plain.low > best.worth.low || plain.high > best.worth.high;
    if (!higher && (plain.most <= most || leaves(items_[plain.item]) > 0)) continue;
    const AllocationItem& item = items_[plain.item];
    if (names(item, first) || names(item, second) || !together(set, plain.item)) continue;
    best.worth.low = std::max(best.worth.low, plain.low);
    best.worth.high = std::max(best.worth.high, plain.high);
    if (plain.most <= most || leaves(item) > 0) continue;
    best.plain = &plain;
    most = plain.most;
  }
  return best;
}

// The same of all: who is not among the top is worth no more than cut_.
AllocationSearch::Best AllocationSearch::best_without(const Set& set, ProgramIndex first,
                                                      ProgramIndex second) const {
  const Best best = best_of(s_.top, set, first, second);
  const bool found = best.plain != nullptr && std::min(best.worth.low, best.worth.high) >= cut_;
  return found ? best : best_of(group_, set, first, second);
}

// The best of all, and the top: few, so that what follows looks at few.
AllocationSearch::Best AllocationSearch::find_top(const Set& set) {
  constexpr double kShare = 0.6;
  const Best best = best_of(group_, set, kNo, kNo);
  cut_ = kShare * std::min(best.worth.low, best.worth.high);
  s_.top.resize(group_.size() + 1);
  Plain* out = s_.top.data();
  for (const Plain& plain : group_) {
    *out = plain;
    out += static_cast<int>(plain.most > cut_);
  }
  s_.top.resize(static_cast<size_t>(out - s_.top.data()));
  return best;
}

// Where programs have room for one more item only, two others of a page have different ones.
AllocationSearch::Apart AllocationSearch::apart_of(const Set& set, const Best& best) const {
  Apart apart{kNo, kNo, best.worth, best.worth, best.worth};
  if (best.plain != nullptr) apart.first = with_room_for_one(set, items_[best.plain->item]);
  if (apart.first == kNo) return apart;
  const Best other = best_without(set, apart.first, kNo);
  apart.not_first = apart.neither = other.worth;
  if (other.plain != nullptr) apart.second = with_room_for_one(set, items_[other.plain->item]);
  if (apart.second != kNo) apart.neither = best_without(set, apart.first, apart.second).worth;
  return apart;
}

void AllocationSearch::row_of_worth(Worth worth, double* row) const {
  const double value = det_ == 0 ? worth.low : (worth.low * high_.e - worth.high * low_.e) / det_;
  const double bonus = det_ == 0 ? worth.low : (worth.high * low_.d - worth.low * high_.d) / det_;
  for (int k = 0; k < width_; ++k) {
    row[k] = value * terms_.discount[begin_ + k] + bonus * terms_.examine[begin_ + k];
  }
}

// Who is worth no more than this many units stands on no page of the set that is better than the
// best so far. `others`: what up to two others are worth; by_unit: positions a unit.
double AllocationSearch::least_units(Set set, std::array<Worth, 2> others,
                                     const double* by_unit) const {
  double rows[2][kPositionsMax], best[kPositionsMax + 1];
  for (int other = 0; set.count + 1 < terms_.insertions_max; ++other) {
    row_of_worth(others[other], rows[other]);
    set.worth[set.count++] = rows[other];
  }
  set.gap = std::max(set.gap, gap_min_);
  best_with_one_more(set, best);
  double least = kNever;
  for (int k = 0; k < width_; ++k) {
    const double missing = best_total_ + set.leaves - best[k];
    least = std::min(least, missing * by_unit[k]);
  }
  return least - kRounding * std::abs(least);
}

// near: those that may stand on a page better than the best so far.
void AllocationSearch::find_near(const Set& set, const Apart& apart) {
  const auto& [first, second, all, not_first, neither] = apart;
  const double some = kRounding * std::max(all.low, all.high);
  const Worth unit{std::max(some, all.low), std::max(some, all.high)};
  double row[kPositionsMax];
  row_of_worth(unit, row);
  for (int k = 0; k < width_; ++k) row[k] = row[k] > 0 ? 1 / row[k] : kNever;
  double least[2][2];  // of who does (1) or does not name the first, the second
  least[0][0] = least_units(set, {all, not_first}, row);
  least[1][0] = first == kNo ? least[0][0] : least_units(set, {not_first, neither}, row);
  least[0][1] = second == kNo ? least[0][0] : least_units(set, {all, neither}, row);
  least[1][1] = std::max(least[1][0], least[0][1]);
  const double least_of_all = std::min({least[0][0], least[1][0], least[0][1]});
  const double by_low = 1 / unit.low, by_high = 1 / unit.high;
  s_.near.clear();
  const bool top = cut_ * std::max(by_low, by_high) <= least_of_all;
  for (const Plain& plain : top ? std::span<const Plain>(s_.top) : group_) {
    const double units = std::max(plain.low * by_low, plain.high * by_high);
    if (units <= least_of_all) continue;
    const AllocationItem& item = items_[plain.item];
    if (units <= least[names(item, first)][names(item, second)]) continue;
    if (together(set, plain.item)) s_.near.push_back(plain);
  }
}

}  // namespace shanhuo
