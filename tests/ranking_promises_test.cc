// The promises of contract 2.3, each over thousands of random worlds.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "ranking/allocation.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

struct RandomCase {
  TestWorld w;
  std::vector<std::string> ids;  // of the organic list
  RankRequest request;
};

int pick(std::mt19937_64& random, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random);
}

CatalogueItem random_item(std::mt19937_64& random, int i) {
  CatalogueItem entry = farm_good("g" + std::to_string(i), "c" + std::to_string(pick(random, 0, 5)),
                                  "k" + std::to_string(pick(random, 0, 3)));
  entry.county_code = 100'000 + pick(random, 0, 3);
  if (pick(random, 0, 9) == 0) entry.item.available = false;
  if (pick(random, 0, 9) == 0) entry.item.stock = pick(random, 0, 1);
  if (pick(random, 0, 9) == 0) {
    const int month = pick(random, 1, 12);
    entry.item.season = Season{month, 1, month, 28};
  }
  return entry;
}

void random_program(std::mt19937_64& random, int i, TestWorld& w) {
  const std::string category = "k" + std::to_string(pick(random, 0, 3));
  Program& program =
      w.add_program("p" + std::to_string(i),
                    pick(random, 0, 3) == 0 ? Value(Value::Object{})
                                            : Value(Value::Object{{"category", Value(category)}}));
  program.priority = 100 * pick(random, 0, 2);
  program.urgent = pick(random, 0, 9) == 0;
  program.placement = {pick(random, 0, 4), pick(random, 4, 12), pick(random, 0, 3),
                       pick(random, 0, 4)};
  for (int c = pick(random, 0, 2); c > 0; --c) {
    program.frequency.push_back({static_cast<CapScope>(pick(random, 0, 4)),
                                 Millis(pick(random, 1, 48) * kHour.count()), pick(random, 1, 3)});
  }
  if (pick(random, 0, 9) == 0) program.enabled = false;
  if (pick(random, 0, 9) == 0) program.end = kTestNow;
  if (pick(random, 0, 9) == 0) program.surfaces[static_cast<size_t>(Surface::kFeed)] = false;
}

std::unique_ptr<RandomCase> random_case(uint64_t seed) {
  std::mt19937_64 random(seed);
  auto c = std::make_unique<RandomCase>();
  TestWorld& w = c->w;
  std::vector<CatalogueItem> items;
  const int n = pick(random, 0, 30);
  for (int i = 0; i < n; ++i) items.push_back(random_item(random, i));
  w.put(std::move(items));
  for (int p = pick(random, 0, 5); p > 0; --p) random_program(random, p, w);
  if (pick(random, 0, 3) == 0) w.catalogue->blocked_items.insert("g1");
  if (pick(random, 0, 3) == 0) w.catalogue->blocked_creators.insert("c1");
  if (pick(random, 0, 3) == 0) w.catalogue->blocked_programs.insert("p1");
  w.finish();
  for (ProgramPrice& price : w.prices.programs) {
    price.fen_per_unit = pick(random, 0, 300) / 100.0;
    price.insertions_left = pick(random, 0, 5) == 0 ? pick(random, 0, 2) : 1'000;
    price.exhausted = price.insertions_left == 0;
  }
  w.options.explore_probability = pick(random, 0, 2) == 0 ? 0.2 : 0;
  w.prices.viewer_price = pick(random, 0, 1) == 0 ? 0 : 1;
  for (int i = pick(random, 0, 6); i > 0 && n > 0; --i) {
    Insertion insertion;
    insertion.at = kTestNow - Millis(pick(random, 0, 50) * kHour.count());
    insertion.item = static_cast<ItemIndex>(pick(random, 0, n - 1));
    insertion.programs[0] = program_hash("p" + std::to_string(pick(random, 1, 5)));
    w.insertions.push_back(insertion);
  }
  std::sort(w.insertions.begin(), w.insertions.end(),
            [](const Insertion& a, const Insertion& b) { return a.at < b.at; });
  std::set<std::string> list;
  for (int i = pick(random, 0, 25); i > 0; --i) {
    const bool boostable = n > 0 && pick(random, 0, 2) == 0;
    list.insert(boostable ? "g" + std::to_string(pick(random, 0, n - 1)) : "o" + std::to_string(i));
  }
  c->ids.assign(list.begin(), list.end());
  std::shuffle(c->ids.begin(), c->ids.end(), random);
  c->request = request_of(c->ids, pick(random, 1, 20));
  w.seed = seed;
  return c;
}

template <typename Check>
void for_random_worlds(Check&& check) {
  RankScratch scratch;
  size_t inserted = 0;
  for (uint64_t seed = 1; seed <= 4'000; ++seed) {
    const auto c = random_case(seed);
    const Slate slate = rank(c->request, c->w.context(), scratch);
    for (const SlateItem& item : slate.items) inserted += item.source != ItemSource::kOrganic;
    check(*c, slate);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "seed " << seed;
      return;
    }
  }
  EXPECT_GT(inserted, 2'000U);  // the worlds are not empty
}

std::vector<int> boosted_positions(const Slate& slate) {
  std::vector<int> positions;
  for (size_t i = 0; i < slate.items.size(); ++i) {
    if (slate.items[i].source == ItemSource::kBoost) positions.push_back(static_cast<int>(i));
  }
  return positions;
}

TEST(RankPromises, OrganicItemsKeepTheirOrderAndNoneIsLostWhileCountHasRoom) {
  for_random_worlds([](const RandomCase& c, const Slate& slate) {
    if (c.ids.empty()) return;
    std::set<std::string> boosted;
    std::vector<std::string> organic, expected;
    for (const SlateItem& item : slate.items) {
      if (item.source == ItemSource::kBoost) boosted.insert(item.item_id);
      if (item.source == ItemSource::kOrganic) organic.push_back(item.item_id);
    }
    for (const std::string& id : c.ids) {
      if (!boosted.contains(id)) expected.push_back(id);
    }
    const size_t room = static_cast<size_t>(c.request.count) - boosted.size();
    expected.resize(std::min(expected.size(), room));
    EXPECT_EQ(organic, expected);
  });
}

TEST(RankPromises, FewerCandidatesThanCountGiveAShortPageAndNeverAnEmptyOne) {
  for_random_worlds([](const RandomCase& c, const Slate& slate) {
    EXPECT_LE(slate.items.size(), static_cast<size_t>(c.request.count));
    if (c.ids.empty()) return;
    EXPECT_GE(slate.items.size(), std::min<size_t>(c.ids.size(), c.request.count));
    EXPECT_LE(slate.items.size(), c.ids.size() + kInsertionsMax);
  });
}

TEST(RankPromises, ABoostedItemMovesUpAndNoItemAppearsTwice) {
  for_random_worlds([](const RandomCase& c, const Slate& slate) {
    std::set<std::string> seen;
    for (size_t i = 0; i < slate.items.size(); ++i) {
      const SlateItem& item = slate.items[i];
      EXPECT_TRUE(seen.insert(item.item_id).second) << item.item_id;
      const auto stood = std::find(c.ids.begin(), c.ids.end(), item.item_id);
      if (item.source == ItemSource::kBoost && stood != c.ids.end()) {
        EXPECT_LT(static_cast<std::ptrdiff_t>(i), stood - c.ids.begin());
      }
    }
  });
}

TEST(RankPromises, SlotLimitsPerRequestMaxAndTheLargestGapHold) {
  for_random_worlds([](const RandomCase& c, const Slate& slate) {
    std::map<int, int> named;
    int gap = 0;
    for (const int position : boosted_positions(slate)) {
      for (const int p : slate.items[position].programs) {
        const Placement& placement = c.w.programs->programs[p]->placement;
        EXPECT_GE(position, placement.first_slot);
        EXPECT_LE(position, placement.last_slot);
        EXPECT_LE(++named[p], placement.per_request_max);
        gap = std::max(gap, placement.min_gap);
      }
    }
    const std::vector<int> positions = boosted_positions(slate);
    for (size_t i = 1; i < positions.size(); ++i) {
      EXPECT_GE(positions[i] - positions[i - 1] - 1, gap);
    }
  });
}

// How often a cap's scope was used, by the viewer's past and by this page.
int used(const RandomCase& c, const Slate& slate, const FrequencyCap& cap, const SlateItem& item,
         std::string_view program) {
  const CatalogueItem& entry = *c.w.world->item(item.index);
  const auto same = [&](ItemIndex index, bool names_it) {
    const CatalogueItem& other = *c.w.world->item(index);
    switch (cap.scope) {
      case CapScope::kItem:
        return index == item.index;
      case CapScope::kProgram:
        return names_it;
      case CapScope::kCounty:
        return other.county_code == entry.county_code;
      case CapScope::kCreator:
        return other.item.creator_id == entry.item.creator_id;
      case CapScope::kAll:
        return true;
    }
    return false;
  };
  int count = 0;
  for (const Insertion& past : c.w.insertions) {
    const bool names_it = past.programs[0] == program_hash(program);
    count += past.at > kTestNow - cap.window && same(past.item, names_it);
  }
  for (const SlateItem& other : slate.items) {
    if (other.source == ItemSource::kOrganic) continue;
    bool names_it = false;
    for (const int p : other.programs) names_it |= c.w.programs->programs[p]->id.view() == program;
    count += same(other.index, names_it);
  }
  return count;
}

TEST(RankPromises, FrequencyCapsAndHardCapsHoldOnThePageToo) {
  for_random_worlds([](const RandomCase& c, const Slate& slate) {
    std::map<int, int64_t> named;
    for (const SlateItem& item : slate.items) {
      for (const int p : item.programs) {
        EXPECT_LE(++named[p], c.w.prices.programs[p].insertions_left);
        const Program& program = *c.w.programs->programs[p];
        for (const FrequencyCap& cap : program.frequency) {
          EXPECT_LE(used(c, slate, cap, item, program.id.view()), cap.max);
        }
      }
    }
  });
}

TEST(RankPromises, WhatIsUnavailableSoldOutOutOfSeasonOrBlockedIsNeverInserted) {
  for_random_worlds([](const RandomCase& c, const Slate& slate) {
    for (const SlateItem& item : slate.items) {
      if (item.source == ItemSource::kOrganic) continue;
      const CatalogueItem& entry = *c.w.world->item(item.index);
      EXPECT_TRUE(entry.item.available);
      EXPECT_TRUE(!entry.item.stock || *entry.item.stock > 0);
      EXPECT_TRUE(!entry.item.season || entry.item.season->contains(kTestNow));
      EXPECT_FALSE(c.w.catalogue->blocked(entry));
      EXPECT_FALSE(item.programs.empty());
      for (const int p : item.programs) {
        const Program& program = *c.w.programs->programs[p];
        EXPECT_TRUE(program.runs_at(kTestNow));
        EXPECT_TRUE(program.surfaces[static_cast<size_t>(Surface::kFeed)]);
        EXPECT_FALSE(c.w.catalogue->program_blocked(program.id));
      }
    }
  });
}

TEST(RankPromises, TheSameRequestGivesTheSamePageWhateverTheScratchHasSeen) {
  RankScratch other;
  for_random_worlds([&](const RandomCase& c, const Slate& slate) {
    RandomCase& same = const_cast<RandomCase&>(c);
    const Slate again = rank(same.request, same.w.context(), other);
    ASSERT_EQ(again.items.size(), slate.items.size());
    for (size_t i = 0; i < slate.items.size(); ++i) {
      EXPECT_EQ(again.items[i].item_id, slate.items[i].item_id);
      EXPECT_EQ(again.items[i].programs, slate.items[i].programs);
      EXPECT_EQ(again.items[i].propensity, slate.items[i].propensity);
    }
    EXPECT_EQ(again.loss_fen, slate.loss_fen);
  });
}

TEST(RankPromises, WithNothingWorthInsertingTheListComesBackUnchanged) {
  RankScratch scratch;
  for (uint64_t seed = 1; seed <= 1'000; ++seed) {
    const auto c = random_case(seed);
    for (ProgramPrice& price : c->w.prices.programs) price.fen_per_unit = 0;
    c->w.options.prior_click.fill(0);
    if (c->ids.empty()) continue;
    const Slate slate = rank(c->request, c->w.context(), scratch);
    const size_t size = std::min<size_t>(c->ids.size(), c->request.count);
    ASSERT_EQ(slate.items.size(), size);
    for (size_t i = 0; i < size; ++i) EXPECT_EQ(slate.items[i].item_id, c->ids[i]);
    EXPECT_EQ(slate.loss_fen, 0);
  }
}

TEST(RankPromises, WithoutCandidatesThePageIsRetrievedByValue) {
  RankScratch scratch;
  for (uint64_t seed = 1; seed <= 1'000; ++seed) {
    const auto c = random_case(seed);
    c->request.candidates.clear();
    const Slate slate = rank(c->request, c->w.context(), scratch);
    for (size_t i = 0; i < slate.items.size(); ++i) {
      EXPECT_EQ(slate.items[i].source, ItemSource::kRetrieved);
      EXPECT_LE(slate.items[i].score, slate.items[i == 0 ? 0 : i - 1].score);
    }
  }
}

TEST(RankPromises, WithoutPersonalizationTheProfileChangesNothing) {
  RankScratch scratch;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    const auto c = random_case(seed);
    c->request.personalized = false;
    const Slate before = rank(c->request, c->w.context(), scratch);
    c->w.viewer.known = true;
    c->w.viewer.events = 1'000;
    c->w.viewer.interest_long.fill(1);
    c->w.viewer.categories[0] = {key_hash("k1"), 5};
    const Slate after = rank(c->request, c->w.context(), scratch);
    ASSERT_EQ(before.items.size(), after.items.size());
    for (size_t i = 0; i < before.items.size(); ++i) {
      EXPECT_EQ(before.items[i].item_id, after.items[i].item_id);
    }
  }
}

TEST(RankPromises, TheOrganicSlateNamesItsStage) {
  const std::vector<std::string> ids = {"a", "b", "c"};
  const Slate slate = organic_slate(request_of(ids, 2), "retrieval");
  ASSERT_EQ(slate.items.size(), 2U);
  EXPECT_EQ(slate.items[1].item_id, "b");
  ASSERT_EQ(slate.degraded.size(), 1U);
  EXPECT_EQ(slate.degraded[0], "retrieval");
}

}  // namespace
}  // namespace shanhuo
