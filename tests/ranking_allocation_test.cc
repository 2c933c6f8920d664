// The exact slot search against a slow twin that tries every page.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "ranking/allocation.h"

namespace shanhuo {
namespace {

// A page under test, owning what PageTerms borrows.
struct Case {
  std::vector<double> organic, discount, examine;
  std::vector<int> program_max;
  std::vector<AllocationItem> items;
  double nu = 0;
  int insertions_max = kInsertionsMax;

  PageTerms terms() const {
    PageTerms t;
    t.organic = organic;
    t.discount = discount;
    t.examine = examine;
    t.viewer_price = nu;
    t.program_max = program_max;
    t.insertions_max = insertions_max;
    t.nodes_max = 100'000'000;
    t.pairs = kPairsMax;
    return t;
  }
};

Case plain_case(int organic, int positions) {
  Case c;
  for (int r = 0; r < organic; ++r) c.organic.push_back(1.0 / (1 + r));
  for (int p = 0; p < positions; ++p) c.discount.push_back(std::pow(0.9, p));
  c.examine = c.discount;
  c.program_max = {1, 1, 2, 3};
  return c;
}

AllocationItem item_of(double value, double bonus, ProgramIndex program) {
  AllocationItem item;
  item.value = value;
  item.bonus = bonus;
  item.program_count = 1;
  item.programs[0] = program;
  return item;
}

// --- the twin: by the definition, page by page ---

using Placed = std::vector<PlacedItem>;  // ascending by position

class Twin {
 public:
  explicit Twin(const Case& c) : c_(c) {}

  Placed solve() {
    std::vector<int> priorities;
    for (const AllocationItem& item : c_.items) priorities.push_back(item.priority);
    std::sort(priorities.rbegin(), priorities.rend());
    priorities.erase(std::unique(priorities.begin(), priorities.end()), priorities.end());
    Placed fixed;
    for (const int priority : priorities) {
      best_ = fixed;
      best_gain_ = *gain(fixed);
      second_ = -1e300;
      extend(fixed, priority, 0);
      closest_ = std::min(closest_, best_gain_ - second_);
      fixed = best_;
    }
    return fixed;
  }
  // How much better the best page is than the next one: below 1e-9 ties decide.
  double closest() const { return closest_; }

  // Gain of the page; nothing when it is not allowed.
  std::optional<double> gain(const Placed& placed) const {
    std::vector<double> page;
    std::vector<bool> moved(c_.organic.size(), false);
    for (const PlacedItem& p : placed) {
      if (c_.items[p.item].rank >= 0) moved[c_.items[p.item].rank] = true;
    }
    size_t rank = 0, next = 0;
    double bonus = 0;
    while (page.size() < c_.discount.size()) {
      if (next < placed.size() && placed[next].position == static_cast<int>(page.size())) {
        const AllocationItem& item = c_.items[placed[next++].item];
        bonus += item.bonus * c_.examine[page.size()];
        page.push_back(item.rank >= 0 ? c_.organic[item.rank] : item.value);
        continue;
      }
      while (rank < c_.organic.size() && moved[rank]) ++rank;
      if (rank == c_.organic.size()) break;
      page.push_back(c_.organic[rank++]);
    }
    if (next < placed.size()) return std::nullopt;  // a hole before it
    double value = 0;
    for (size_t p = 0; p < page.size(); ++p) value += page[p] * c_.discount[p];
    for (size_t p = 0; p < std::min(c_.organic.size(), c_.discount.size()); ++p) {
      value -= c_.organic[p] * c_.discount[p];
    }
    return (1 + c_.nu) * value + bonus;
  }

  bool legal_alone(int item, int position) const {
    const AllocationItem& it = c_.items[item];
    if (position < it.first_slot || position > it.last_slot) return false;
    if (it.rank >= 0 && position >= it.rank) return false;
    // The rule drops what gains nothing alone; where the list is too short to try it alone, the
    // missing places count as worth nothing.
    Case padded = c_;
    padded.organic.resize(std::max(c_.organic.size(), c_.discount.size() + 1), 0.0);
    return *Twin(padded).gain({{item, position}}) > 0;
  }

  bool allowed(const Placed& placed) const {
    int gap = 0;
    for (const PlacedItem& p : placed) gap = std::max(gap, c_.items[p.item].min_gap);
    for (size_t i = 0; i + 1 < placed.size(); ++i) {
      if (placed[i + 1].position - placed[i].position - 1 < gap) return false;
    }
    for (size_t program = 0; program < c_.program_max.size(); ++program) {
      int named = 0;
      for (const PlacedItem& p : placed) named += names(c_.items[p.item], program);
      if (named > c_.program_max[program]) return false;
    }
    for (const PlacedItem& a : placed) {
      int same = 0, county = 0, creator = 0;
      for (const PlacedItem& b : placed) {
        same += a.item == b.item;
        county +=
            c_.items[a.item].county != 0 && c_.items[a.item].county == c_.items[b.item].county;
        creator += c_.items[a.item].creator == c_.items[b.item].creator;
      }
      const AllocationItem& item = c_.items[a.item];
      if (same > 1 || county > item.county_max || creator > item.creator_max) return false;
      if (static_cast<int>(placed.size()) > item.page_max) return false;
    }
    return true;
  }

 private:
  static bool names(const AllocationItem& item, size_t program) {
    return std::find(item.programs.begin(), item.programs.begin() + item.program_count, program) !=
           item.programs.begin() + item.program_count;
  }

  void extend(const Placed& placed, int priority, int from) {
    if (static_cast<int>(placed.size()) >= c_.insertions_max) return;
    const auto positions = static_cast<int>(c_.discount.size());
    for (int p = from; p < positions; ++p) {
      const bool taken = std::any_of(placed.begin(), placed.end(),
                                     [&](const PlacedItem& x) { return x.position == p; });
      if (taken) continue;
      for (int i = 0; i < static_cast<int>(c_.items.size()); ++i) {
        if (c_.items[i].priority != priority || !legal_alone(i, p)) continue;
        Placed next = placed;
        next.push_back({i, p});
        std::sort(next.begin(), next.end(),
                  [](const PlacedItem& a, const PlacedItem& b) { return a.position < b.position; });
        if (!allowed(next)) continue;
        consider(next);
        extend(next, priority, p + 1);
      }
    }
  }

  void consider(const Placed& placed) {
    const std::optional<double> g = gain(placed);
    if (!g) return;
    if (*g > best_gain_) {
      second_ = best_gain_;
      best_gain_ = *g;
      best_ = placed;
    } else {
      second_ = std::max(second_, *g);
    }
  }

  const Case& c_;
  Placed best_;
  double best_gain_ = 0, second_ = -1e300, closest_ = 1e300;
};

Case random_case(std::mt19937_64& random) {
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  std::uniform_real_distribution<double> unit(0, 1);
  Case c;
  const int positions = pick(1, 7);
  const int n = pick(0, 9);
  double s = 1 + unit(random);
  for (int r = 0; r < n; ++r) c.organic.push_back(s *= 0.5 + 0.5 * unit(random));
  double d = 1, e = 0.9;
  for (int p = 0; p < positions; ++p) {
    c.discount.push_back(d *= 0.6 + 0.4 * unit(random));
    c.examine.push_back(e *= 0.7 + 0.3 * unit(random));
  }
  c.nu = pick(0, 1) == 0 ? 0 : 3 * unit(random);
  c.insertions_max = pick(1, 3);
  for (int p = 0; p < 4; ++p) c.program_max.push_back(pick(0, 3));
  std::vector<int> ranks(n);
  for (int r = 0; r < n; ++r) ranks[r] = r;
  std::shuffle(ranks.begin(), ranks.end(), random);
  const int k = pick(0, 7);
  const int priorities = pick(1, 3);
  for (int i = 0; i < k; ++i) {
    AllocationItem item =
        item_of(unit(random) * 1.5, unit(random) * 2 - 0.4, static_cast<ProgramIndex>(pick(0, 3)));
    if (pick(0, 3) == 0) {
      item.programs[1] = static_cast<ProgramIndex>((item.programs[0] + 1) % 4);
      item.program_count = 2;
    }
    if (pick(0, 2) == 0 && !ranks.empty()) {
      item.rank = ranks.back();
      ranks.pop_back();
    }
    if (pick(0, 1) == 0) item.first_slot = pick(0, 4);
    if (pick(0, 2) == 0) item.last_slot = pick(0, 6);
    if (pick(0, 2) == 0) item.min_gap = pick(0, 3);
    item.priority = 100 * pick(1, priorities);
    item.county = pick(0, 2);
    item.creator = static_cast<uint32_t>(pick(1, 3));
    if (pick(0, 4) == 0) item.county_max = pick(1, 2);
    if (pick(0, 4) == 0) item.creator_max = pick(1, 2);
    if (pick(0, 4) == 0) item.page_max = pick(1, 3);
    c.items.push_back(item);
  }
  return c;
}

TEST(Allocation, IsThePageThatTryingEveryPageFinds) {
  std::mt19937_64 random(20260920);
  AllocationScratch scratch;
  int compared = 0, inserted = 0, triples = 0, moved = 0;
  for (int round = 0; round < 40'000; ++round) {
    const Case c = random_case(random);
    Twin twin(c);
    const Placed expected = twin.solve();
    if (twin.closest() < 1e-9) continue;
    const AllocationResult got = allocate(c.terms(), c.items, scratch);
    ASSERT_TRUE(got.exact);
    ASSERT_EQ(static_cast<size_t>(got.count), expected.size()) << "round " << round;
    for (int i = 0; i < got.count; ++i) {
      ASSERT_EQ(got.placed[i].item, expected[i].item) << "round " << round;
      ASSERT_EQ(got.placed[i].position, expected[i].position) << "round " << round;
      moved += c.items[got.placed[i].item].rank >= 0;
    }
    ASSERT_NEAR(got.gain_fen, *twin.gain(expected), 1e-9);
    ++compared;
    inserted += got.count;
    triples += got.count == 3;
  }
  EXPECT_GT(compared, 30'000);
  EXPECT_GT(inserted, 20'000);
  EXPECT_GT(triples, 300);
  EXPECT_GT(moved, 300);
}

TEST(Allocation, SeveralOfAClassMeetManyOthersAndStillTheBestPageIsFound) {
  // Few positions, many candidates of few classes: exercises the dropping of dominated ones.
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> unit(0, 1);
  AllocationScratch scratch;
  for (int round = 0; round < 60; ++round) {
    Case c = plain_case(5, 4);
    for (int p = 0; p < 4; ++p) c.examine[p] = unit(random);
    for (int i = 0; i < 24; ++i) {
      c.items.push_back(
          item_of(unit(random), unit(random), static_cast<ProgramIndex>(random() % 4)));
    }
    Twin twin(c);
    const Placed expected = twin.solve();
    if (twin.closest() < 1e-9) continue;
    const AllocationResult got = allocate(c.terms(), c.items, scratch);
    ASSERT_EQ(static_cast<size_t>(got.count), expected.size());
    for (int i = 0; i < got.count; ++i) {
      ASSERT_EQ(got.placed[i].item, expected[i].item);
      ASSERT_EQ(got.placed[i].position, expected[i].position);
    }
  }
}

TEST(Allocation, InsertsNothingWhenNothingIsWorthIt) {
  Case c = plain_case(10, 5);
  c.items = {item_of(0.01, 0, 0), item_of(0.02, 0, 1)};
  AllocationScratch scratch;
  EXPECT_EQ(allocate(c.terms(), c.items, scratch).count, 0);
  EXPECT_EQ(why_not_placed(c.terms(), c.items[0], scratch), Cause::kBelowRelevance);
}

TEST(Allocation, SaysWhichOfThreeReasonsKeptAnItemOut) {
  AllocationScratch scratch;
  Case c = plain_case(10, 5);
  AllocationItem late = item_of(0.1, 5, 0);
  late.first_slot = 8;
  EXPECT_EQ(why_not_placed(c.terms(), late, scratch), Cause::kNoSlot);
  const AllocationItem paid = item_of(0.01, 2, 0);
  EXPECT_EQ(why_not_placed(c.terms(), paid, scratch), Cause::kConflict);
  c.nu = 1e6;
  EXPECT_EQ(why_not_placed(c.terms(), paid, scratch), Cause::kUserBudget);
}

TEST(Allocation, HigherPriorityTakesTheOnlySlotEvenForLess) {
  Case c = plain_case(10, 6);
  c.items = {item_of(0.3, 5, 0), item_of(0.3, 1, 1)};
  for (AllocationItem& item : c.items) item.first_slot = item.last_slot = 2;
  c.items[1].priority = 1;
  AllocationScratch scratch;
  const AllocationResult got = allocate(c.terms(), c.items, scratch);
  ASSERT_EQ(got.count, 1);
  EXPECT_EQ(got.placed[0].item, 1);
}

TEST(Allocation, ListsTheBestPairsBestFirst) {
  Case c = plain_case(10, 6);
  c.items = {item_of(0.3, 1, 0), item_of(0.9, 2, 1), item_of(0.5, 1, 2)};
  AllocationScratch scratch;
  const AllocationResult got = allocate(c.terms(), c.items, scratch);
  const Twin twin(c);
  ASSERT_EQ(got.pair_count, kPairsMax);
  for (int k = 0; k < got.pair_count; ++k) {
    EXPECT_NEAR(got.pairs[k].gain_fen, *twin.gain({got.pairs[k].placed}), 1e-9);
    EXPECT_LE(got.pairs[k].gain_fen, got.pairs[std::max(0, k - 1)].gain_fen);
  }
  EXPECT_EQ(got.pairs[0].placed.item, 1);
}

TEST(Allocation, StopsAtItsBoundWithAPageThatIsStillAllowed) {
  Case c = plain_case(40, 40);
  c.program_max = std::vector<int>(60, 1);
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> unit(0.99, 1);
  for (int i = 0; i < 60; ++i) {
    c.items.push_back(item_of(unit(random), unit(random), static_cast<ProgramIndex>(i)));
  }
  PageTerms terms = c.terms();
  terms.nodes_max = 5;
  AllocationScratch scratch;
  const AllocationResult got = allocate(terms, c.items, scratch);
  EXPECT_FALSE(got.exact);
  EXPECT_GT(got.count, 0);
  EXPECT_TRUE(Twin(c).allowed({got.placed.begin(), got.placed.begin() + got.count}));
}

}  // namespace
}  // namespace shanhuo
