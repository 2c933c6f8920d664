// The exact slot search against a slow twin that tries every page.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "ranking/allocation.h"
#include "tests/counted_new.h"

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
  // What single insertions gain, of those that gain and may stand on a page; best first.
  std::vector<double> pair_gains() const {
    std::vector<double> gains;
    const size_t end = std::min(c_.discount.size(), c_.organic.size() + 1);
    for (int i = 0; i < static_cast<int>(c_.items.size()); ++i) {
      for (int p = 0; p < static_cast<int>(end); ++p) {
        if (allowed({{i, p}}) && legal_alone(i, p)) gains.push_back(*gain({{i, p}}));
      }
    }
    std::sort(gains.rbegin(), gains.rend());
    return gains;
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
      int same = 0, county = 0, creator = 0, category = 0;
      for (const PlacedItem& b : placed) {
        same += a.item == b.item;
        county +=
            c_.items[a.item].county != 0 && c_.items[a.item].county == c_.items[b.item].county;
        creator += c_.items[a.item].creator == c_.items[b.item].creator;
        category += c_.items[a.item].category != 0 &&
                    c_.items[a.item].category == c_.items[b.item].category;
      }
      const AllocationItem& item = c_.items[a.item];
      if (same > 1 || county > item.county_max || creator > item.creator_max) return false;
      if (category > item.category_max) return false;
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

// A page and its list, without candidates.
Case random_page(std::mt19937_64& random, int positions, int n) {
  std::uniform_real_distribution<double> unit(0, 1);
  Case c;
  double s = 1 + unit(random);
  for (int r = 0; r < n; ++r) c.organic.push_back(s *= 0.5 + 0.5 * unit(random));
  double d = 1, e = 0.9;
  for (int p = 0; p < positions; ++p) {
    c.discount.push_back(d *= 0.6 + 0.4 * unit(random));
    c.examine.push_back(e *= 0.7 + 0.3 * unit(random));
  }
  if (random() % 3 == 0) c.examine = c.discount;
  c.nu = random() % 2 == 0 ? 0 : 3 * unit(random);
  c.insertions_max = 1 + static_cast<int>(random() % 3);
  for (int p = 0; p < 4; ++p) c.program_max.push_back(static_cast<int>(random() % 4));
  return c;
}

// Anything goes: few candidates, each with slots, gaps, limits of its own.
Case random_case(std::mt19937_64& random) {
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  std::uniform_real_distribution<double> unit(0, 1);
  const int positions = pick(1, 7), n = pick(0, 9);
  Case c = random_page(random, positions, n);
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
      item.value = c.organic[item.rank];
      ranks.pop_back();
    }
    if (pick(0, 1) == 0) item.first_slot = pick(0, 4);
    if (pick(0, 2) == 0) item.last_slot = pick(0, 6);
    if (pick(0, 2) == 0) item.min_gap = pick(0, 3);
    item.priority = 100 * pick(1, priorities);
    item.county = pick(0, 2);
    item.creator = static_cast<uint32_t>(pick(1, 3));
    item.category = static_cast<uint32_t>(pick(0, 3));
    if (pick(0, 4) == 0) item.county_max = static_cast<int8_t>(pick(1, 2));
    if (pick(0, 4) == 0) item.creator_max = static_cast<int8_t>(pick(0, 2));
    if (pick(0, 4) == 0) item.category_max = static_cast<int8_t>(pick(1, 2));
    if (pick(0, 4) == 0) item.page_max = static_cast<int8_t>(pick(1, 3));
    c.items.push_back(item);
  }
  return c;
}

// Many candidates that may do the same, so that most are dropped because others are better.
Case crowded_case(std::mt19937_64& random) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::uniform_real_distribution<double> unit(0, 1);
  Case c = random_page(random, 3 + below(3), 2 + below(6));
  const bool second = below(3) == 0, limits = below(2) == 0, ranks = below(3) == 0;
  const int spread = 1 + below(6), shapes = 1 + below(2), k = 8 + below(9);
  for (int i = 0; i < k; ++i) {
    AllocationItem item = item_of(unit(random), unit(random) * 1.5 - 0.3,
                                  static_cast<ProgramIndex>(below(std::min(4, spread))));
    if (second && below(2) == 0) {
      item.programs[1] = static_cast<ProgramIndex>((item.programs[0] + 1) % 4);
      item.program_count = 2;
    }
    if (below(12) == 0) item.program_count = 0, item.programs = {};
    if (below(shapes) == 1) item.last_slot = 2, item.min_gap = 1;
    item.county = below(spread);
    item.creator = static_cast<uint32_t>(below(2 * spread));
    item.category = static_cast<uint32_t>(below(spread));
    if (limits) item.county_max = static_cast<int8_t>(1 + below(2));
    if (limits && below(2) == 0) item.creator_max = 1;
    if (limits && below(2) == 0) item.category_max = 1;
    if (ranks && i < static_cast<int>(c.organic.size())) item.rank = i, item.value = c.organic[i];
    c.items.push_back(item);
  }
  return c;
}

// Programs as many as candidates, each with slots and a gap of its own, and limits that clash.
Case wide_case(std::mt19937_64& random, int k, int positions, int programs) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::uniform_real_distribution<double> unit(0, 1);
  Case c = random_page(random, positions, positions + below(4));
  c.insertions_max = kInsertionsMax;
  c.program_max.assign(static_cast<size_t>(programs), 1);
  for (int& most : c.program_max) most += below(8) == 0;
  const int owners = 1 + below(k), priorities = 1 + below(3);
  const bool limits = below(2) == 0, slots = below(2) == 0;
  std::vector<double> price(static_cast<size_t>(programs));
  for (double& fen : price) fen = 1.5 * unit(random);
  for (int i = 0; i < k; ++i) {
    const int program = below(programs);
    AllocationItem item = item_of(unit(random), price[program], static_cast<ProgramIndex>(program));
    if (below(3) == 0 && programs > 1) {
      item.programs[1] = static_cast<ProgramIndex>((program + 1) % programs);
      item.bonus += price[item.programs[1]];
      item.program_count = 2;
    }
    if (slots) item.first_slot = program % 3, item.last_slot = positions - 1 - program % 2;
    item.min_gap = program % 2;
    item.priority = program % priorities;
    item.county = below(owners), item.category = static_cast<uint32_t>(below(owners));
    item.creator = static_cast<uint32_t>(below(2 * owners));
    if (limits) item.county_max = item.creator_max = 1;
    if (limits && below(3) == 0) item.category_max = 2, item.page_max = 2;
    if (below(6) == 0 && i < static_cast<int>(c.organic.size())) {
      item.rank = i, item.value = c.organic[i];
    }
    c.items.push_back(item);
  }
  return c;
}

// What the comparisons met.
struct Met {
  int compared = 0, inserted = 0, triples = 0, moved = 0, pairs = 0;
};

void compare(const Case& c, int round, AllocationScratch& scratch, Met& met) {
  Twin twin(c);
  const Placed expected = twin.solve();
  if (twin.closest() < 1e-9) return;
  const AllocationResult got = allocate(c.terms(), c.items, scratch);
  ASSERT_TRUE(got.exact);
  ASSERT_EQ(static_cast<size_t>(got.count), expected.size()) << "round " << round;
  for (int i = 0; i < got.count; ++i) {
    ASSERT_EQ(got.placed[i].item, expected[i].item) << "round " << round;
    ASSERT_EQ(got.placed[i].position, expected[i].position) << "round " << round;
    met.moved += c.items[got.placed[i].item].rank >= 0;
  }
  ASSERT_NEAR(got.gain_fen, *twin.gain(expected), 1e-9);
  const std::vector<double> pairs = twin.pair_gains();
  ASSERT_EQ(static_cast<size_t>(got.pair_count), std::min<size_t>(kPairsMax, pairs.size()))
      << "round " << round;
  for (int i = 0; i < got.pair_count; ++i) {
    ASSERT_NEAR(got.pairs[i].gain_fen, pairs[i], 1e-9) << "round " << round;
    ASSERT_NEAR(*twin.gain({got.pairs[i].placed}), pairs[i], 1e-9) << "round " << round;
  }
  ++met.compared;
  met.inserted += got.count;
  met.triples += got.count == 3;
  met.pairs += got.pair_count;
}

TEST(Allocation, IsThePageThatTryingEveryPageFinds) {
  std::mt19937_64 random(20260920);
  AllocationScratch scratch;
  Met met;
  for (int round = 0; round < 40'000 && !HasFatalFailure(); ++round) {
    compare(random_case(random), round, scratch, met);
  }
  EXPECT_GT(met.compared, 30'000);
  EXPECT_GT(met.inserted, 20'000);
  EXPECT_GT(met.triples, 300);
  EXPECT_GT(met.moved, 300);
  EXPECT_GT(met.pairs, 50'000);
}

TEST(Allocation, DroppingThoseThatOthersReplaceLosesNothing) {
  std::mt19937_64 random(7);
  AllocationScratch scratch;
  Met met;
  for (int round = 0; round < 1'500 && !HasFatalFailure(); ++round) {
    compare(crowded_case(random), round, scratch, met);
  }
  EXPECT_GT(met.compared, 1'000);
  EXPECT_GT(met.triples, 50);
  EXPECT_GT(met.moved, 50);
}

TEST(Allocation, IsTheBestPageOfManyProgramsWithSlotsGapsLimitsAndPriorities) {
  std::mt19937_64 random(40);
  AllocationScratch scratch;
  Met met;
  for (int round = 0; round < 90 && !HasFatalFailure(); ++round) {
    const int k = 14 + static_cast<int>(random() % 6), positions = 3 + round % 3;
    compare(wide_case(random, k, positions, round % 2 == 0 ? 200 : 6), round, scratch, met);
  }
  EXPECT_GT(met.compared, 60);
  EXPECT_GT(met.triples, 15);
}

// 200 candidates are too many to try every page: no page that differs in one item is better.
TEST(Allocation, NoExchangeOfOneItemImprovesAPageOf200CandidatesOf200Programs) {
  std::mt19937_64 random(41);
  AllocationScratch scratch;
  int triples = 0;
  for (int round = 0; round < 10 && !HasFatalFailure(); ++round) {
    Case c = wide_case(random, 200, 20, round % 2 == 0 ? 200 : 20);
    for (AllocationItem& item : c.items) item.priority = 0;
    const Twin twin(c);
    const AllocationResult got = allocate(c.terms(), c.items, scratch);
    const Placed page(got.placed.begin(), got.placed.begin() + got.count);
    ASSERT_TRUE(twin.allowed(page));
    ASSERT_NEAR(got.gain_fen, *twin.gain(page), 1e-9);
    triples += got.count == 3;
    for (size_t out = 0; out <= page.size(); ++out) {
      Placed rest = page;
      if (out < page.size()) rest.erase(rest.begin() + static_cast<int>(out));
      for (int i = 0; i < 200 && rest.size() < kInsertionsMax; ++i) {
        for (int p = 0; p < 20; ++p) {
          Placed other = rest;
          const auto at = std::find_if(other.begin(), other.end(),
                                       [p](const PlacedItem& x) { return x.position >= p; });
          if (at != other.end() && at->position == p) continue;
          other.insert(at, {i, p});
          if (!twin.allowed(other)) continue;
          const std::optional<double> gain = twin.gain(other);
          if (!gain || *gain <= got.gain_fen + 1e-9) continue;
          EXPECT_FALSE(twin.legal_alone(i, p)) << "round " << round << ": " << i << " at " << p;
        }
      }
    }
  }
  EXPECT_GT(triples, 5);
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
  allocate(c.terms(), c.items, scratch);
  AllocationItem late = item_of(0.1, 5, 0);
  late.first_slot = 8;
  EXPECT_EQ(why_not_placed(c.terms(), late, scratch), Cause::kNoSlot);
  const AllocationItem paid = item_of(0.01, 2, 0);
  EXPECT_EQ(why_not_placed(c.terms(), paid, scratch), Cause::kConflict);
  c.nu = 1e6;
  allocate(c.terms(), c.items, scratch);
  EXPECT_EQ(why_not_placed(c.terms(), paid, scratch), Cause::kUserBudget);
}

TEST(Allocation, AllocatesNoMemoryForAPageNoLargerThanOneBefore) {
  std::mt19937_64 random(11);
  AllocationScratch scratch;
  std::vector<Case> cases;
  for (int round = 0; round < 200; ++round) cases.push_back(crowded_case(random));
  for (const Case& c : cases) allocate(c.terms(), c.items, scratch);
  const int64_t before = testing::allocations.load();
  int inserted = 0;
  for (const Case& c : cases) {
    inserted += allocate(c.terms(), c.items, scratch).count;
    for (const AllocationItem& item : c.items) why_not_placed(c.terms(), item, scratch);
  }
  EXPECT_EQ(testing::allocations.load() - before, 0);
  EXPECT_GT(inserted, 100);
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
  terms.nodes_max = 1;
  AllocationScratch scratch;
  const AllocationResult got = allocate(terms, c.items, scratch);
  EXPECT_FALSE(got.exact);
  EXPECT_GT(got.count, 0);
  EXPECT_TRUE(Twin(c).allowed({got.placed.begin(), got.placed.begin() + got.count}));
}

}  // namespace
}  // namespace shanhuo
