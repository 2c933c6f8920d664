#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "base/huge_pool.h"

namespace shanhuo {
namespace {

struct Block {
  unsigned char* begin;
  size_t size;
  unsigned char content;
};

TEST(HugePool, BlocksOfAllSizesKeepTheirBytesAndBeginAtACacheLine) {
  HugePool pool;
  std::mt19937_64 random(1);
  std::vector<Block> blocks;
  for (int round = 0; round < 4'000; ++round) {
    if (blocks.size() > 60 || (!blocks.empty() && random() % 3 == 0)) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      const Block block = blocks.back();
      blocks.pop_back();
      for (size_t i = 0; i < block.size; i += 61) ASSERT_EQ(block.begin[i], block.content);
      pool.deallocate(block.begin, block.size, 1);
    } else {
      const size_t size = random() % (size_t{1} << random() % 22);
      auto* begin = static_cast<unsigned char*>(pool.allocate(size, 64));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(begin) % 64, 0u);
      const auto content = static_cast<unsigned char>(random());
      std::memset(begin, content, size);
      blocks.push_back({begin, size, content});
    }
  }
  for (const Block& block : blocks) pool.deallocate(block.begin, block.size, 1);
}

TEST(HugePool, AFreedBlockIsGivenAgainForItsSize) {
  HugePool pool;
  std::set<void*> given;
  for (int i = 0; i < 100; ++i) given.insert(pool.allocate(9'000, 8));
  EXPECT_EQ(given.size(), 100u);
  for (void* block : given) pool.deallocate(block, 9'000, 8);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(given.erase(pool.allocate(8'990, 8)), 1u);
}

TEST(HugePool, ContainersStandOnIt) {
  HugePool pool;
  std::pmr::map<int, std::pmr::vector<int>> lists(&pool);
  for (int i = 0; i < 20'000; ++i) lists[i % 100].push_back(i);
  for (int i = 0; i < 20'000; ++i) EXPECT_EQ(lists[i % 100][static_cast<size_t>(i / 100)], i);
}

}  // namespace
}  // namespace shanhuo
