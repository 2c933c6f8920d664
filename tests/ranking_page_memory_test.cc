// What a page takes from the heap once a thread has seen its largest: only what leaves with it.
#include <gtest/gtest.h>

#include "tests/counted_new.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

// 120 goods of four programs, of which two may stand on a page.
std::unique_ptr<TestWorld> goods_world() {
  auto w = std::make_unique<TestWorld>();
  std::vector<CatalogueItem> goods;
  for (int i = 0; i < 120; ++i) {
    goods.push_back(farm_good("good-" + std::to_string(i), "coop-" + std::to_string(i % 7),
                              "category-" + std::to_string(i % 4)));
  }
  w->put(std::move(goods));
  for (int p = 0; p < 4; ++p) {
    Program& program =
        w->add_program("program-" + std::to_string(p),
                       Value::Object{{"category", Value("category-" + std::to_string(p))}});
    program.placement.per_request_max = 1;
    program.placement.first_slot = 2;
    program.placement.last_slot = 19;
  }
  w->options.insertions_max = 2;
  w->options.explore_probability = 0;
  w->finish(20);
  return w;
}

std::vector<std::string> long_list() {
  std::vector<std::string> ids;
  for (int i = 0; i < 200; ++i) ids.push_back("video-" + std::to_string(100'000'000 + i));
  return ids;
}

TEST(PageMemory, APageTakesOnlyWhatItsSlateHolds) {
  const auto w = goods_world();
  const std::vector<std::string> ids = long_list();
  RankRequest request = request_of(ids, 20);
  RankScratch scratch;
  for (int i = 0; i < 3; ++i) rank(request, w->context(), scratch);
  constexpr int kPages = 50;
  int64_t most = 0, boosts = 0;
  for (int page = 0; page < kPages; ++page) {
    w->seed = static_cast<uint64_t>(page);
    const int64_t before = testing::allocations.load();
    const Slate slate = rank(request, w->context(), scratch);
    most = std::max(most, testing::allocations.load() - before);
    for (const SlateItem& item : slate.items) boosts += item.source == ItemSource::kBoost;
  }
  EXPECT_EQ(boosts, 2 * kPages);
  RecordProperty("allocations", std::to_string(most));
  // The slate's list, the causes of those that are not on it, and a list of programs of each good;
  // ids of the list and of goods fit their strings.
  EXPECT_LE(most, 4);
}

}  // namespace
}  // namespace shanhuo
