// Who replaces whom, and who may stand on one page: part 2 of allocation.cc, which explains it.
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

// What an item may do on a page by itself.
uint64_t shape_word(const AllocationItem& item, int last) {
  return static_cast<uint64_t>(std::max(0, item.first_slot)) << 24 |
         static_cast<uint64_t>(last) << 16 |
         static_cast<uint64_t>(std::clamp(item.min_gap, 0, 255)) << 8 |
         static_cast<uint64_t>(std::min<int>(item.page_max, kInsertionsMax));
}

}  // namespace

// What two others on the page could forbid: limits among those near and what is fixed.
void AllocationSearch::find_limits(const Set& set) {
  int programs = 1, county = kNoLimit, creator = kNoLimit, category = kNoLimit;
  const auto see = [&](const AllocationItem& item) {
    programs = std::max<int>(programs, item.program_count);
    county = std::min<int>(county, item.county_max);
    creator = std::min<int>(creator, item.creator_max);
    category = std::min<int>(category, item.category_max);
  };
  for (const Plain& plain : s_.near) see(items_[plain.item]);
  for (int a = 0; a < set.count; ++a) see(items_[set.item[a]]);
  county_matters_ = county < kInsertionsMax;
  creator_matters_ = creator < kInsertionsMax;
  category_matters_ = category < kInsertionsMax;
  const int others = terms_.insertions_max - set.count - 1;
  blockers_ = others * (programs + county_matters_ + creator_matters_ + category_matters_);
}

// How many items of exactly these programs can stand on a page; 0: this one never can.
int AllocationSearch::together_max(const AllocationItem& item) const {
  int most = std::min<int>(terms_.insertions_max, item.page_max);
  for (int k = 0; k < item.program_count; ++k) {
    most = std::min(most, terms_.program_max[item.programs[k]]);
  }
  return most;
}

// Candidates of the same word may do the same on a page by themselves. nullptr: too many words.
AllocationScratch::Shape* AllocationSearch::shape_of(const AllocationItem& item) {
  constexpr int kProbes = 16;
  const uint64_t word = shape_word(item, last_position(item));
  size_t at = (word * 0x9e3779b97f4a7c15ULL) >> 56;
  for (int probe = 0; probe < kProbes; ++probe, at = (at + 1) % kShapes) {
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

// What `kept` has that two others could forbid and `item` has not.
AllocationScratch::Keys AllocationSearch::keys_beside(const Kept& kept, const AllocationItem& item,
                                                      uint64_t programs) const {
  Keys keys = kept.keys;
  if (kept.programs == programs) keys.programs = 0;
  const AllocationItem& other = items_[kept.item];
  if (item.county == other.county && other.county_max >= item.county_max) keys.county = 0;
  if (item.creator == other.creator && other.creator_max >= item.creator_max) keys.creator = 0;
  if (item.category == other.category && other.category_max >= item.category_max) {
    keys.category = 0;
  }
  return keys;
}

// Drops a candidate if those kept of its shape, all better or equal in `low`, replace it.
void AllocationSearch::keep(const Plain& plain) {
  constexpr int kLooked = 64;  // bounds the work; those beyond are kept
  const AllocationItem& item = items_[plain.item];
  const uint64_t programs = programs_word(item);
  const int most = together_max(item);
  const bool moves = static_cast<unsigned>(item.rank) < static_cast<unsigned>(positions_);
  Shape* shape = moves ? nullptr : shape_of(item);
  if (shape != nullptr && plain.high <= shape->closed) return;
  int same = 0, apart = 0, apart_for_all = 0, looked = 0;
  Keys taken{}, taken_for_all{};
  for (int k = shape == nullptr ? -1 : shape->head; k >= 0 && looked < kLooked; ++looked) {
    const Kept& kept = s_.kept[k];
    k = kept.next;
    if (kept.high < plain.high) continue;
    const Keys keys = keys_beside(kept, item, programs);
    same += static_cast<int>(none(keys) && kept.programs == programs);
    apart += static_cast<int>(take_if_apart(keys, taken));
    apart_for_all += static_cast<int>(take_if_apart(kept.keys, taken_for_all));
    if (apart_for_all > blockers_) shape->closed = plain.high;
    if (apart > blockers_ || same >= most || apart_for_all > blockers_) return;
  }
  const auto index = static_cast<int>(s_.kept.size());
  s_.kept.push_back({plain.low, plain.high, keys_of(item), programs, plain.item, -1});
  if (shape == nullptr) return;
  (shape->tail >= 0 ? s_.kept[shape->tail].next : shape->head) = index;
  shape->tail = index;
}

void AllocationSearch::keep_best(const Set& set) {
  find_limits(set);
  ++s_.calls;
  s_.shapes.resize(kShapes);
  s_.kept.clear();
  std::sort(s_.near.begin(), s_.near.end(), [](const Plain& x, const Plain& y) {
    if (x.low != y.low) return x.low > y.low;
    return x.high != y.high ? x.high > y.high : x.item < y.item;
  });
  for (const Plain& plain : s_.near) keep(plain);
}

// --- who may stand on one page ---

namespace {

bool limited(const AllocationItem& item) {
  return std::min({item.county_max, item.creator_max, item.category_max, item.page_max}) <
         kInsertionsMax;
}

}  // namespace

bool AllocationSearch::together(const Set& set, int added) const {
  const AllocationItem& item = items_[added];
  bool limits = limited(item);
  for (int a = 0; a < set.count; ++a) {
    if (set.item[a] == added) return false;
    limits = limits || limited(items_[set.item[a]]);
  }
  for (int k = 0; k < item.program_count; ++k) {
    int named = 1;
    for (int a = 0; a < set.count; ++a) named += names(items_[set.item[a]], item.programs[k]);
    if (named > terms_.program_max[item.programs[k]]) return false;
  }
  return !limits || limits_hold(set, item);
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
