#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "features/interner.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

std::string id(size_t i) { return "item-" + std::to_string(i * 7919); }

TEST(Interner, GivesEachIdOneIndexInOrder) {
  Interner interner;
  for (size_t i = 0; i < 20'000; ++i) ASSERT_EQ(interner.intern(id(i)), i);
  for (size_t i = 0; i < 20'000; ++i) {
    ASSERT_EQ(interner.intern(id(i)), i);
    ASSERT_EQ(interner.find(id(i)), i);
    ASSERT_EQ(interner.view_of(static_cast<ItemIndex>(i)), id(i));
  }
  EXPECT_EQ(interner.size(), 20'000U);
  EXPECT_EQ(interner.find("item-1"), kNoItem);
}

TEST(Interner, TellsIdsThatArePrefixesApart) {
  Interner interner;
  std::string text;
  for (ItemIndex i = 0; i < 128; ++i) EXPECT_EQ(interner.intern(text += 'x'), i);
  EXPECT_EQ(interner.find("xxx"), 2U);
}

TEST(Interner, RefusesMoreThanItMayHoldAndCountsIt) {
  Interner interner({.ids_max = 3});
  for (size_t i = 0; i < 3; ++i) interner.intern(id(i));
  EXPECT_EQ(interner.intern(id(3)), kNoItem);
  EXPECT_EQ(interner.intern(id(1)), 1U);
  EXPECT_EQ(interner.refused(), 1U);
  EXPECT_EQ(interner.size(), 3U);
}

TEST(Interner, ComesBackAsItWasWhenTheCheckpointBegan) {
  Interner interner;
  MemoryState disk;
  for (size_t i = 0; i < 100; ++i) interner.intern(id(i));
  checkpoint(interner, disk);
  for (size_t i = 100; i < 150; ++i) interner.intern(id(i));
  interner.begin_checkpoint(disk);
  interner.intern("after the beginning");
  while (!interner.checkpoint_step(3)) interner.intern("later still");
  Interner restored;
  ASSERT_TRUE(restored.restore(disk).ok());
  EXPECT_EQ(restored.size(), 150U);
  for (size_t i = 0; i < 150; ++i) EXPECT_EQ(restored.find(id(i)), i);
  EXPECT_EQ(restored.find("after the beginning"), kNoItem);
  EXPECT_EQ(restored.intern("after the beginning"), 150U);
}

TEST(Interner, RefusesACheckpointWithAHole) {
  Interner interner;
  MemoryState disk;
  for (size_t i = 0; i < 5; ++i) interner.intern(id(i));
  checkpoint(interner, disk);
  disk.records.erase(std::next(disk.records.begin(), 2));
  Interner restored;
  const Status status = restored.restore(disk);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
}

TEST(Interner, ReadersBesideAWriterSeeWholeEntries) {
  Interner interner;
  std::atomic<bool> done{false};
  const auto read = [&] {
    while (!done) {
      const size_t size = interner.size();
      for (size_t i = 0; i < size; i += 97) {
        const ItemIndex found = interner.find(id(i));
        ASSERT_EQ(found, i);
        ASSERT_EQ(interner.view_of(found), id(i));
      }
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(read);
  for (size_t i = 0; i < 30'000; ++i) interner.intern(id(i));
  done = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace shanhuo
