#include <gtest/gtest.h>

#include "serving/item_advice.h"
#include "tests/json_value.h"
#include "tests/ranking_world.h"

namespace shanhuo {
namespace {

using Reasons = std::vector<std::string_view>;

TEST(ItemAdvice, NamesWhatItsOwnerCanChange) {
  TestWorld test;
  std::vector<CatalogueItem> items;
  for (int i = 0; i < 4; ++i) {
    items.push_back(farm_good("item-" + std::to_string(i)));
    items.back().item.title = "十八洞猕猴桃五斤装";
  }
  items[1].item.stock = 0;
  items[1].item.title = "猕猴桃";
  items[2].item.available = false;
  items[2].item.title = "eight ch";
  items[3].item.category = "other";
  items[0].item.category = items[1].item.category = items[2].item.category = "fruit";
  test.put(std::move(items));
  test.add_program("fruits", testing::json(R"({"category": "fruit"})"));
  test.finish();
  const World& world = *test.world;
  EXPECT_EQ(item_advice(world, ItemIndex{0}, kTestNow), Reasons());
  EXPECT_EQ(item_advice(world, ItemIndex{1}, kTestNow),
            (Reasons{"out_of_stock", "title_too_short"}));
  EXPECT_EQ(item_advice(world, ItemIndex{2}, kTestNow), (Reasons{"unavailable"}));
  EXPECT_EQ(item_advice(world, ItemIndex{3}, kTestNow), (Reasons{"no_program"}));
  EXPECT_EQ(item_advice(world, ItemIndex{9}, kTestNow), Reasons());
}

}  // namespace
}  // namespace shanhuo
