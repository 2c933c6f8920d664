#include <gtest/gtest.h>

#include "features/interner.h"
#include "models/item_vectors.h"
#include "models/text_encoder.h"

namespace shanhuo {
namespace {

Item item_of(const std::string& id, const std::string& title) {
  Item item;
  item.id = ItemId(id);
  item.title = title;
  item.creator_id = CreatorId(std::string_view("c"));
  return item;
}

std::shared_ptr<const VectorModel> model_of(const std::string& version, float first) {
  VectorModelParts parts;
  parts.version = version;
  parts.items = {"known"};
  parts.evidence = {1'000'000};
  parts.histories.assign(kDims, 0);
  parts.histories[0] = first;
  parts.candidates = parts.histories;
  const std::vector<std::string> texts = {item_text(item_of("a", "猕猴桃")),
                                          item_text(item_of("b", "苹果"))};
  std::vector<float> targets(texts.size() * 2 * kDims);
  for (size_t i = 0; i < targets.size(); ++i) targets[i] = static_cast<float>(i % 7) - 3;
  parts.text = std::make_shared<const TextMap>(
      TextMap::learn(texts, targets, 2 * kDims, {.bits = 10}).value());
  return VectorModel::make(std::move(parts)).value();
}

class ItemVectorTableTest : public testing::Test {
 protected:
  std::shared_ptr<const Catalogue> put(const std::vector<Item>& items) {
    for (const Item& item : items) EXPECT_TRUE(catalogue_.apply(item).ok());
    catalogue_.publish();
    return catalogue_.snapshot();
  }
  ItemIndex index(const std::string& id) { return interner_.find(id); }

  Interner interner_;
  CatalogueState catalogue_{interner_, [](const Item& item) { return encode_item(item, {}); }};
};

TEST_F(ItemVectorTableTest, GivesEachItemTheVectorsOfTheModel) {
  const auto model = model_of("v1", 1);
  const Item fruit = item_of("new", "猕猴桃");
  const auto table = ItemVectorTable::build(
      model, put({item_of("known", "?"), fruit, item_of("other", "苹果")}), nullptr);
  EXPECT_EQ(table->computed(), 3U);
  EXPECT_NEAR(table->candidate(index("known"))[0], 1, 1e-3);
  EXPECT_EQ(table->candidate(index("new")), model->of(fruit).candidate);
  EXPECT_EQ(table->history(index("new")), model->of(fruit).history);
  EXPECT_NE(table->candidate(index("new")), table->candidate(index("other")));
}

TEST_F(ItemVectorTableTest, ComputesOnlyItemsWhoseTextChanged) {
  const auto model = model_of("v1", 1);
  std::vector<Item> items;
  for (int i = 0; i < 3'000; ++i) items.push_back(item_of("i" + std::to_string(i), "苹果"));
  const auto before = ItemVectorTable::build(model, put(items), nullptr);
  items[5].price = Fen(7);
  items[2'000].title = "猕猴桃";
  const auto after = ItemVectorTable::build(model, put({items[5], items[2'000]}), before.get());
  EXPECT_EQ(after->computed(), 1U);
  for (const Item& item : items) {
    ASSERT_EQ(after->candidate(index(item.id.str())), model->of(item).candidate);
  }
  EXPECT_NE(before->candidate(index("i2000")), after->candidate(index("i2000")));
  // Who is deleted and comes back with another text has the vectors of that.
  const ItemId gone(std::string_view("i7"));
  EXPECT_TRUE(catalogue_.apply(ItemDeleted{gone}).ok());
  const auto without = ItemVectorTable::build(model, put({}), after.get());
  items[7].title = "猕猴桃";
  const auto again = ItemVectorTable::build(model, put({items[7]}), without.get());
  EXPECT_EQ(again->candidate(index("i7")), model->of(items[7]).candidate);
}

TEST_F(ItemVectorTableTest, AnotherModelTakesNothingOver) {
  const auto catalogue = put({item_of("known", "苹果"), item_of("new", "苹果")});
  const auto before = ItemVectorTable::build(model_of("v1", 1), catalogue, nullptr);
  const auto after = ItemVectorTable::build(model_of("v2", -1), catalogue, before.get());
  EXPECT_EQ(after->computed(), 2U);
  EXPECT_NEAR(after->candidate(index("known"))[0], -1, 1e-3);
  EXPECT_EQ(after->model().version(), "v2");
}

}  // namespace
}  // namespace shanhuo
