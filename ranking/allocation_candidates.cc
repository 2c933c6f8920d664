// Who may stand on a best page, and together on one: part 1 of allocation.cc, which explains it.
#include <algorithm>
#include <bit>
#include <limits>

#include "ranking/allocation_search.h"

namespace shanhuo {
namespace {

constexpr size_t kShapes = 256;
constexpr double kNever = std::numeric_limits<double>::infinity();

// Which programs: equal words, equal programs. kProgramsMax is no program's index.
using Programs = decltype(AllocationItem::programs);
constexpr ProgramIndex kNo = kProgramsMax;
constexpr std::array<Programs, kProgramsPerItemMax + 1> kUnused = {
    {{kNo, kNo, kNo, kNo}, {0, kNo, kNo, kNo}, {0, 0, kNo, kNo}, {0, 0, 0, kNo}, {}}};
uint64_t programs_word(const AllocationItem& item) {
  return std::bit_cast<uint64_t>(item.programs) |
         std::bit_cast<uint64_t>(kUnused[item.program_count]);
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

// Numbers in the order of their floats, coarsely: sign, exponent and five more bits.
uint32_t coarse(double x) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(x));
  return (bits ^ ((bits >> 31) != 0 ? ~0U : 0x80000000U)) >> 18;
}

// What an item may do on a page by itself.
uint64_t shape_word(const AllocationItem& item, int first, int last) {
  return static_cast<uint64_t>(static_cast<uint32_t>(item.priority)) << 32 |
         static_cast<uint64_t>(first) << 24 | static_cast<uint64_t>(last) << 16 |
         static_cast<uint64_t>(std::clamp(item.min_gap, 0, 255)) << 8 |
         static_cast<uint64_t>(std::min<int>(item.page_max, kInsertionsMax));
}

}  // namespace

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
  s_.by_share.resize(static_cast<size_t>(positions_));
  const double det = low_.d * high_.e - low_.e * high_.d;
  const bool one = det <= 1e-12 * low_.d * high_.e;
  if (one) high_ = low_;
  const double by_d = !one ? (high_.e - low_.e) / det : low_.d > 0 ? 1 / low_.d : 0;
  const double by_e = !one ? (low_.d - high_.d) / det : low_.d > 0 || low_.e <= 0 ? 0 : 1 / low_.e;
  double least = kNever;
  for (int p = 0; p < positions_; ++p) {
    const double d = terms_.discount[p], e = terms_.examine[p];
    // (d, e) as a sum of the two directions: so much of them together.
    const double share = d * by_d + e * by_e;
    s_.by_share[p] = share > 0 ? 1 / share : kNever;
    if (share > 0) least = std::min(least, lost(p) * s_.by_share[p]);
    s_.reach[p] = least - kRounding * std::abs(least);
  }
}

// How many items of exactly these programs can stand on a page; 0: this one never can.
int AllocationSearch::together_max(const AllocationItem& item) const {
  if (std::min({item.county_max, item.creator_max, item.category_max}) <= 0) return 0;
  int most = std::min<int>(terms_.insertions_max, item.page_max);
  if (item.program_count == 0) return most;
  for (int k = 0; k < kProgramsPerItemMax; ++k) {  // the first again for those that are not there
    most = std::min(most, terms_.program_max[item.programs[k < item.program_count ? k : 0]]);
  }
  return most;
}

// Candidates that can gain, and what limits there are among them. Without a branch that depends on
// the candidate, but for the few of the page's own ranks.
void AllocationSearch::collect() {
  s_.plain.resize(items_.size());
  s_.listed.clear();
  Plain* out = s_.plain.data();
  int most = 1, second = 1;  // programs of one item
  int county = kNoLimit, creator = kNoLimit, category = kNoLimit;
  const auto positions = static_cast<unsigned>(positions_);
  for (int i = 0; i < static_cast<int>(items_.size()); ++i) {
    const AllocationItem& item = items_[i];
    const int first = std::max(0, item.first_slot), last = last_position(item);
    const double value = weight_ * item.value;
    const double low = value * low_.d + item.bonus * low_.e;
    const double high = value * high_.d + item.bonus * high_.e;
    const bool gains = (static_cast<int>(first <= last) &
                        static_cast<int>(std::max(low, high) > s_.reach[std::max(0, last)])) != 0;
    const bool listed = static_cast<unsigned>(item.rank) < positions;
    *out = {low, high, shape_word(item, first, last), i};
    out += static_cast<int>(gains) & static_cast<int>(!listed);
    if (gains && listed) s_.listed.push_back({low, high, 0, i});
    const int programs = item.program_count & -static_cast<int>(gains);
    const int no_limit = kNoLimit & (static_cast<int>(gains) - 1);
    second = std::max(second, std::min(most, programs));
    most = std::max(most, programs);
    county = std::min(county, item.county_max | no_limit);
    creator = std::min(creator, item.creator_max | no_limit);
    category = std::min(category, item.category_max | no_limit);
  }
  s_.plain.resize(static_cast<size_t>(out - s_.plain.data()));
  county_matters_ = county < kInsertionsMax;
  creator_matters_ = creator < kInsertionsMax;
  category_matters_ = category < kInsertionsMax;
  limits_ = county_matters_ + creator_matters_ + category_matters_;
  if (terms_.insertions_max >= 2) blockers_ += most + limits_;
  if (terms_.insertions_max >= 3) blockers_ += second + limits_;
}

// order: groups of plain candidates, every one of a group better in `low` than those of the next.
// By the bits of floats: a group spans 1/32 of a doubling, the last one everything below 1/256 of
// the best.
void AllocationSearch::group_plain() {
  constexpr uint32_t kGroups = 256;
  const size_t n = s_.plain.size();
  s_.order.resize(n);
  s_.group.resize(n);
  uint32_t top = 0;
  for (size_t i = 0; i < n; ++i) {
    s_.group[i] = coarse(s_.plain[i].low);
    top = std::max(top, s_.group[i]);
  }
  std::array<uint32_t, kGroups + 1> begin{};
  for (uint32_t& group : s_.group) {
    group = std::min(top - group, kGroups - 1);
    ++begin[group + 1];
  }
  for (uint32_t g = 0; g < kGroups; ++g) begin[g + 1] += begin[g];
  for (size_t i = 0; i < n; ++i) {
    s_.order[begin[s_.group[i]]++] = static_cast<uint64_t>(s_.group[i]) << 32 | i;
  }
}

// Candidates of the same word may do the same on a page by themselves. nullptr: too many words.
AllocationScratch::Shape* AllocationSearch::shape_of(uint64_t word) {
  constexpr int kProbes = 16;
  if (last_shape_ != nullptr && last_shape_->word == word) return last_shape_;
  size_t at = (word * 0x9e3779b97f4a7c15ULL) >> 56;
  for (int probe = 0; probe < kProbes; ++probe, at = (at + 1) % kShapes) {
    Shape& shape = s_.shapes[at];
    if (shape.call != s_.calls) shape = {word, s_.calls, -1, -1, -kNever};
    if (shape.word == word) return last_shape_ = &shape;
  }
  return nullptr;
}

// Those that are equal but for the value; on a collision the class before is forgotten.
AllocationScratch::Class& AllocationSearch::class_of(const Plain& plain) {
  const AllocationItem& item = items_[plain.item];
  const uint64_t programs = programs_word(item);
  uint64_t hash = programs * 0x9e3779b97f4a7c15ULL ^ plain.shape;
  if (limits_ > 0) {
    hash = hash * 0xd6e8feb86659fd93ULL ^ static_cast<uint64_t>(item.county) << 32 ^ item.creator ^
           static_cast<uint64_t>(item.category) << 16;
  }
  Class& found = s_.classes[(hash * 0x9e3779b97f4a7c15ULL) >> 55];
  const auto same = [&](const AllocationItem& other) {
    return found.shape == plain.shape && programs_word(other) == programs &&
           (limits_ == 0 ||
            (item.county == other.county && item.creator == other.creator &&
             item.category == other.category && item.county_max == other.county_max &&
             item.creator_max == other.creator_max && item.category_max == other.category_max));
  };
  if (found.call != s_.calls || !same(items_[found.item])) {
    found = {plain.shape, s_.calls, plain.item, -kNever};
  }
  return found;
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

void AllocationSearch::add_kept(const Plain& plain, bool competes, Shape* shape) {
  const auto index = static_cast<int>(s_.kept.size());
  const AllocationItem& item = items_[plain.item];
  s_.kept.push_back({plain.low, plain.high, keys_of(item), programs_word(item), plain.item,
                     item.priority, -1, competes});
  if (shape == nullptr) return;
  (shape->tail >= 0 ? s_.kept[shape->tail].next : shape->head) = index;
  shape->tail = index;
}

// What `kept` has that two others could forbid and `item` has not.
AllocationScratch::Keys AllocationSearch::keys_beside(const Kept& kept, const AllocationItem& item,
                                                      uint64_t programs) const {
  Keys keys = kept.keys;
  if (kept.programs == programs) keys.programs = 0;
  if (limits_ == 0) return keys;
  const AllocationItem& other = items_[kept.item];
  if (item.county == other.county && other.county_max >= item.county_max) keys.county = 0;
  if (item.creator == other.creator && other.creator_max >= item.creator_max) keys.creator = 0;
  if (item.category == other.category && other.category_max >= item.category_max) {
    keys.category = 0;
  }
  return keys;
}

// How a candidate stands against the kept ones of its shape, all better or equal in `low`.
template <bool kLimits>
AllocationSearch::Standing AllocationSearch::stand(const Plain& plain, const Shape& shape,
                                                   int most) const {
  constexpr int kLooked = 64;  // bounds the work; those beyond are kept
  const AllocationItem& item = items_[plain.item];
  const uint64_t programs = programs_word(item);
  int better = 0, same = 0, apart = 0, apart_for_all = 0, looked = 0;
  Keys taken{}, taken_for_all{};
  for (int k = shape.head; k >= 0 && looked < kLooked; k = s_.kept[k].next, ++looked) {
    const Kept& kept = s_.kept[k];
    if (kept.high < plain.high) continue;
    ++better;
    const bool same_programs = kept.programs == programs;
    if (kLimits) {
      const Keys keys = keys_beside(kept, item, programs);
      same += static_cast<int>(none(keys) && same_programs);
      apart += take_if_apart(keys, taken);
      apart_for_all += take_if_apart(kept.keys, taken_for_all);
    } else {
      const uint64_t all = kept.keys.programs, keys = same_programs ? 0 : all;
      same += static_cast<int>(same_programs);
      apart += static_cast<int>((keys & taken.programs) == 0);
      apart_for_all += static_cast<int>((all & taken_for_all.programs) == 0);
      taken.programs |= (keys & taken.programs) == 0 ? keys : 0;
      taken_for_all.programs |= (all & taken_for_all.programs) == 0 ? all : 0;
    }
    if (better >= terms_.pairs && (apart_for_all > blockers_ || same >= most)) break;
  }
  const bool all = apart_for_all > blockers_;
  return {!all && apart <= blockers_ && same < most, better < terms_.pairs, all};
}

void AllocationSearch::keep(const Plain& plain) {
  const int most = together_max(items_[plain.item]);
  if (most <= 0) return;
  Shape* shape = shape_of(plain.shape);
  if (shape == nullptr) return add_kept(plain, true, nullptr);
  const Standing standing =
      limits_ > 0 ? stand<true>(plain, *shape, most) : stand<false>(plain, *shape, most);
  if (standing.competes || standing.listed) {
    add_kept(plain, standing.competes, shape);
  } else {
    (standing.closes ? shape->closed : class_of(plain).closed) = plain.high;
  }
}

void AllocationSearch::keep_best() {
  ++s_.calls;
  s_.shapes.resize(kShapes);
  s_.classes.resize(2 * kShapes);
  s_.kept.clear();
  for (const Plain& listed : s_.listed) {
    if (together_max(items_[listed.item]) > 0) add_kept(listed, true, nullptr);
  }
  const auto before = [this](uint32_t a, uint32_t b) {
    const Plain &x = s_.plain[a], &y = s_.plain[b];
    if (x.low != y.low) return x.low > y.low;
    return x.high != y.high ? x.high > y.high : x.item < y.item;
  };
  const size_t n = s_.order.size();
  for (size_t begin = 0, end = 0; begin < n; begin = end) {
    s_.open.clear();
    for (; end < n && s_.order[end] >> 32 == s_.order[begin] >> 32; ++end) {
      const auto index = static_cast<uint32_t>(s_.order[end]);
      const Plain& plain = s_.plain[index];
      const Shape* shape = shape_of(plain.shape);
      if (shape != nullptr && plain.high <= shape->closed) continue;
      if (plain.high > class_of(plain).closed) s_.open.push_back(index);
    }
    if (s_.open.size() > 1) std::sort(s_.open.begin(), s_.open.end(), before);
    for (const uint32_t index : s_.open) keep(s_.plain[index]);
  }
}

// --- who may stand on one page ---

bool AllocationSearch::together(const Set& set, int added) const {
  const AllocationItem& item = items_[added];
  bool limited =
      item.page_max < kInsertionsMax || county_matters_ || creator_matters_ || category_matters_;
  for (int a = 0; a < set.count; ++a) {
    limited = limited || items_[set.item[a]].page_max < kInsertionsMax;
  }
  for (int k = 0; k < item.program_count; ++k) {
    int named = 1;
    for (int a = 0; a < set.count; ++a) {
      const AllocationItem& other = items_[set.item[a]];
      for (int l = 0; l < other.program_count; ++l) named += other.programs[l] == item.programs[k];
    }
    if (named > terms_.program_max[item.programs[k]]) return false;
  }
  return !limited || limits_hold(set, item);
}

// Counties, creators, categories and the page as a whole.
bool AllocationSearch::limits_hold(const Set& set, const AllocationItem& added) const {
  const auto holds = [&](const AllocationItem& item) {
    int county = 0, creator = 0, category = 0;
    for (int a = -1; a < set.count; ++a) {
      const AllocationItem& other = a < 0 ? added : items_[set.item[a]];
      county += item.county != 0 && other.county == item.county;
      creator += other.creator == item.creator;
      category += item.category != 0 && other.category == item.category;
    }
    return county <= item.county_max && creator <= item.creator_max &&
           category <= item.category_max && set.count + 1 <= item.page_max;
  };
  for (int a = 0; a < set.count; ++a) {
    if (!holds(items_[set.item[a]])) return false;
  }
  return holds(added);
}

}  // namespace shanhuo
