#include <gtest/gtest.h>

#include <map>
#include <random>

#include "features/item_totals.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr size_t kItemsMax = 3'000;

TEST(ItemTotals, CountEachUnitOfEachItemAndNeverFallBelowZero) {
  Interner interner;
  ItemTotals totals(kItemsMax, interner);
  const ItemIndex kiwi = interner.intern("kiwi"), plum = interner.intern("plum");
  totals.add(kiwi, TotalUnit::kViewable, 1);
  totals.add(kiwi, TotalUnit::kViewable, 1);
  totals.add(kiwi, TotalUnit::kDeed, 1);
  totals.add(plum, TotalUnit::kOrder, 1);
  totals.add(plum, TotalUnit::kOrder, -2);
  EXPECT_EQ(totals.of(kiwi, TotalUnit::kViewable), 2);
  EXPECT_EQ(totals.of(kiwi, TotalUnit::kDeed), 1);
  EXPECT_EQ(totals.of(kiwi, TotalUnit::kClick), 0);
  EXPECT_EQ(totals.of(plum, TotalUnit::kOrder), 0);
}

TEST(ItemTotals, LeaveOutItemsBeyondTheBound) {
  Interner interner;
  ItemTotals totals(10, interner);
  totals.add(5'000, TotalUnit::kClick, 1);
  EXPECT_EQ(totals.of(5'000, TotalUnit::kClick), 0);
  EXPECT_EQ(totals.of(kNoItem, TotalUnit::kClick), 0);
}

// Checkpoints begin at random moments and are written amid changes; what lands is the state of the
// moment of the beginning, which a plain map remembers.
TEST(ItemTotals, CheckpointTheStateOfOneMoment) {
  std::mt19937 random(7);
  Interner interner;
  for (int i = 0; i < 2'500; ++i) interner.intern("item-" + std::to_string(i));
  ItemTotals totals(kItemsMax, interner);
  std::map<std::pair<ItemIndex, int>, int64_t> plain, frozen;
  MemoryState state;
  const auto change = [&] {
    const ItemIndex item = random() % 2'500;
    const int unit = static_cast<int>(random() % kTotalUnits);
    totals.add(item, static_cast<TotalUnit>(unit), 1);
    ++plain[{item, unit}];
  };
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 300; ++i) change();
    totals.begin_checkpoint(state);
    frozen = plain;
    do {
      for (int i = 0; i < 10; ++i) change();
    } while (!totals.checkpoint_step(50));
    ItemTotals restored(kItemsMax, interner);
    ASSERT_TRUE(restored.restore(state).ok());
    for (const auto& [key, count] : frozen) {
      ASSERT_EQ(restored.of(key.first, static_cast<TotalUnit>(key.second)), count);
    }
  }
}

TEST(ItemTotals, RefuseRecordsThatDoNotHold) {
  Interner interner;
  interner.intern("kiwi");
  for (const auto& [key, value] : {std::pair{"ltkiwi", "\x02"},
                                   {"ltkiwi", "\x02\x02\x02\x02\x02"},
                                   {"ltkiwi", "\x01\x02\x02\x02"},
                                   {"ltnobody", "\x02\x02\x02\x02"}}) {
    MemoryState state;
    state.put(key, value);
    ItemTotals totals(kItemsMax, interner);
    EXPECT_FALSE(totals.restore(state).ok()) << key;
  }
}

}  // namespace
}  // namespace shanhuo
