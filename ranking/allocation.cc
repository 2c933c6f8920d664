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
#include <bit>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "ranking/allocation_search.h"

namespace shanhuo {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

bool same_programs(const AllocationItem& a, const AllocationItem& b) {
  return a.program_count == b.program_count &&
         std::memcmp(a.programs.data(), b.programs.data(), sizeof(a.programs)) == 0;
}

uint64_t bit_of(uint64_t key) { return 1ULL << ((key * 0x9e3779b97f4a7c15ULL) >> 58); }

bool none(const AllocationScratch::Keys& keys) {
  return (keys.programs | keys.county | keys.creator | keys.category) == 0;
}

// Whether the keys share nothing with `taken`, which then has them, too.
bool take_if_apart(const AllocationScratch::Keys& keys, AllocationScratch::Keys& taken) {
  if (((keys.programs & taken.programs) | (keys.county & taken.county) |
       (keys.creator & taken.creator) | (keys.category & taken.category)) != 0) {
    return false;
  }
  taken = {taken.programs | keys.programs, taken.county | keys.county, taken.creator | keys.creator,
           taken.category | keys.category};
  return true;
}

// Numbers in the order of their floats, coarsely: sign, exponent and seven more bits.
uint64_t coarse(double x) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(x));
  const uint32_t ascending = bits ^ ((bits >> 31) != 0 ? ~0U : 0x80000000U);
  return ascending >> 16;
}

}  // namespace

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
  const int end = item.rank >= 0 ? std::min(positions_, item.rank) : positions_;
  return std::min(item.last_slot, end - 1);
}

// --- who may stand on a best page ---

// What limits there are, and so how many of the better ones two others could forbid.
void AllocationSearch::count_blockers() {
  int most = 1, second = 1;  // programs of one item
  for (const AllocationItem& item : items_) {
    const int programs = item.program_count;
    second = std::max(second, std::min(most, programs));
    most = std::max(most, programs);
    county_matters_ = county_matters_ || item.county_max < kInsertionsMax;
    creator_matters_ = creator_matters_ || item.creator_max < kInsertionsMax;
    category_matters_ = category_matters_ || item.category_max < kInsertionsMax;
  }
  const int limits = county_matters_ + creator_matters_ + category_matters_;
  if (terms_.insertions_max >= 2) blockers_ += most + limits;
  if (terms_.insertions_max >= 3) blockers_ += second + limits;
}

void AllocationSearch::find_directions() {
  for (int p = 0; p < positions_; ++p) {
    const Direction here{terms_.discount[p], terms_.examine[p]};
    if (here.d <= 0 && here.e <= 0) continue;
    if (low_.d <= 0 && low_.e <= 0) low_ = high_ = here;
    if (here.e * low_.d < here.d * low_.e) low_ = here;
    if (here.e * high_.d > here.d * high_.e) high_ = here;
  }
}

// reach[p]: an item that is worth less in both directions gains at none of 0..p.
void AllocationSearch::find_reach() {
  constexpr double kRounding = 1e-9;
  s_.reach.resize(static_cast<size_t>(positions_));
  const double det = low_.d * high_.e - low_.e * high_.d;
  const bool one = det <= 1e-12 * low_.d * high_.e;
  if (one) high_ = low_;
  double least = kNever;
  for (int p = 0; p < positions_; ++p) {
    const double d = terms_.discount[p], e = terms_.examine[p];
    // (d, e) as a sum of the two directions: so much of them together.
    const double share = one ? (low_.d > 0 ? d / low_.d : e / low_.e)
                             : (d * (high_.e - low_.e) + e * (low_.d - high_.d)) / det;
    if (share > 0) least = std::min(least, lost(p) / share);
    s_.reach[p] = least - kRounding * std::abs(least);
  }
}

// How many items of exactly these programs can stand on a page.
int AllocationSearch::together_max(const AllocationItem& item) const {
  int most = std::min<int>(terms_.insertions_max, item.page_max);
  for (int k = 0; k < item.program_count; ++k) {
    most = std::min(most, terms_.program_max[item.programs[k]]);
  }
  return most;
}

// Whether the limits leave anything.
bool AllocationSearch::ever(const AllocationItem& item) const {
  return together_max(item) > 0 && item.county_max > 0 && item.creator_max > 0 &&
         item.category_max > 0;
}

// Candidates that can gain: those of the page's own ranks are kept, the others stand in line.
void AllocationSearch::collect() {
  s_.plain.clear();
  s_.kept.clear();
  for (int i = 0; i < static_cast<int>(items_.size()); ++i) {
    const AllocationItem& item = items_[i];
    const int last = last_position(item);
    if (std::max(0, item.first_slot) > last) continue;
    const double value = weight_ * value_of(item);
    const double low = value * low_.d + item.bonus * low_.e;
    const double high = value * high_.d + item.bonus * high_.e;
    if (std::max(low, high) <= s_.reach[last] || !ever(item)) continue;
    if (item.rank >= 0 && item.rank < positions_) {
      add_kept(i, high, true, nullptr);
    } else {
      s_.plain.push_back({low, high, i});
    }
  }
}

// order: descending by (low, high), then ascending by item. Two counting passes over coarse
// numbers, then insertion.
void AllocationSearch::sort_plain() {
  const size_t n = s_.plain.size();
  s_.order.resize(n);
  s_.order_spare.resize(n);
  for (size_t i = 0; i < n; ++i) s_.order[i] = (0xffff - coarse(s_.plain[i].low)) << 32 | i;
  for (const int shift : {32, 40}) {
    std::array<uint32_t, 257> begin{};
    for (size_t i = 0; i < n; ++i) ++begin[1 + ((s_.order[i] >> shift) & 0xff)];
    for (int b = 0; b < 256; ++b) begin[b + 1] += begin[b];
    for (size_t i = 0; i < n; ++i) {
      s_.order_spare[begin[(s_.order[i] >> shift) & 0xff]++] = s_.order[i];
    }
    std::swap(s_.order, s_.order_spare);
  }
  const auto before = [this](uint32_t a, uint32_t b) {
    const Plain &x = s_.plain[a], &y = s_.plain[b];
    if (x.low != y.low) return x.low > y.low;
    return x.high != y.high ? x.high > y.high : x.item < y.item;
  };
  for (size_t i = 0; i < n; ++i) {
    const auto moving = static_cast<uint32_t>(s_.order[i]);
    size_t at = i;
    for (; at > 0 && before(moving, static_cast<uint32_t>(s_.order[at - 1])); --at) {
      s_.order[at] = s_.order[at - 1];
    }
    s_.order[at] = moving;
  }
}

// What items of the same priority may do on a page by themselves. nullptr: too many to tell apart.
AllocationScratch::Shape* AllocationSearch::shape_of(const AllocationItem& item) {
  constexpr size_t kTable = 256;
  constexpr int kProbes = 16;
  s_.shapes.resize(kTable);
  const uint64_t word = static_cast<uint64_t>(static_cast<uint32_t>(item.priority)) << 32 |
                        static_cast<uint64_t>(std::max(0, item.first_slot)) << 24 |
                        static_cast<uint64_t>(last_position(item)) << 16 |
                        static_cast<uint64_t>(std::clamp(item.min_gap, 0, 255)) << 8 |
                        static_cast<uint64_t>(std::min<int>(item.page_max, kInsertionsMax));
  size_t at = (word * 0x9e3779b97f4a7c15ULL) >> 56;
  for (int probe = 0; probe < kProbes; ++probe, at = (at + 1) % kTable) {
    Shape& shape = s_.shapes[at];
    if (shape.call != s_.calls) shape = {word, s_.calls, -1, -1, -kNever};
    if (shape.word == word) return &shape;
  }
  return nullptr;
}

// What an item could have that another one forbids.
AllocationScratch::Keys AllocationSearch::keys_of(const AllocationItem& item) const {
  Keys keys{};
  for (int k = 0; k < item.program_count; ++k) keys.programs |= bit_of(item.programs[k]);
  if (county_matters_ && item.county != 0) keys.county = bit_of(static_cast<uint64_t>(item.county));
  if (creator_matters_) keys.creator = bit_of(item.creator);
  if (category_matters_ && item.category != 0) keys.category = bit_of(item.category);
  return keys;
}

void AllocationSearch::add_kept(int item, double high, bool competes, Shape* shape) {
  const auto index = static_cast<int>(s_.kept.size());
  s_.kept.push_back({high, keys_of(items_[item]), item, items_[item].priority, -1, competes});
  if (shape == nullptr) return;
  (shape->tail >= 0 ? s_.kept[shape->tail].next : shape->head) = index;
  shape->tail = index;
}

// What `kept` has that two others could forbid and `item` has not.
AllocationScratch::Keys AllocationSearch::keys_beside(const Kept& kept,
                                                      const AllocationItem& item) const {
  const AllocationItem& other = items_[kept.item];
  Keys keys = kept.keys;
  if (same_programs(item, other)) keys.programs = 0;
  if (item.county == other.county && other.county_max >= item.county_max) keys.county = 0;
  if (item.creator == other.creator && other.creator_max >= item.creator_max) keys.creator = 0;
  if (item.category == other.category && other.category_max >= item.category_max) {
    keys.category = 0;
  }
  return keys;
}

// Weighs a candidate against the kept ones of its shape, all better or equal in `low`.
void AllocationSearch::keep(const Plain& plain, Shape& shape) {
  constexpr int kLooked = 64;  // bounds the work; those beyond are kept
  const AllocationItem& item = items_[plain.item];
  int better = 0, same = 0, apart = 0, apart_for_all = 0, looked = 0;
  Keys taken{}, taken_for_all{};
  for (int k = shape.head; k >= 0 && looked < kLooked; k = s_.kept[k].next, ++looked) {
    const Kept& kept = s_.kept[k];
    if (kept.high < plain.high) continue;
    ++better;
    const Keys keys = keys_beside(kept, item);
    same += none(keys) && same_programs(item, items_[kept.item]);
    apart += take_if_apart(keys, taken);
    apart_for_all += take_if_apart(kept.keys, taken_for_all);
  }
  const bool competes = apart <= blockers_ && same < together_max(item);
  if (competes || better < terms_.pairs) {
    add_kept(plain.item, plain.high, competes, &shape);
  } else if (apart_for_all > blockers_) {
    shape.closed = plain.high;
  }
}

void AllocationSearch::keep_best() {
  ++s_.calls;
  for (const uint64_t index : s_.order) {
    const Plain& plain = s_.plain[index];
    Shape* shape = shape_of(items_[plain.item]);
    if (shape == nullptr) {
      add_kept(plain.item, plain.high, true, nullptr);
    } else if (plain.high > shape->closed) {
      keep(plain, *shape);
    }
  }
}

AllocationResult AllocationSearch::run() {
  prepare_rest();
  if (terms_.insertions_max == 0 || positions_ == 0) return result_;
  count_blockers();
  find_directions();
  find_reach();
  collect();
  sort_plain();
  keep_best();
  const size_t n = s_.kept.size();
  s_.order.resize(n);
  for (size_t i = 0; i < n; ++i) {
    s_.order[i] = static_cast<uint64_t>(INT32_MAX - int64_t{s_.kept[i].priority}) << 32 | i;
  }
  std::sort(s_.order.begin(), s_.order.end());
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
  const double own = search.own_place(item), value = search.value_of(item);
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
