#include <gtest/gtest.h>

#include <map>
#include <random>

#include "features/catalogue.h"
#include "tests/memory_state.h"

using std::string_view_literals::operator""sv;

namespace shanhuo {
namespace {

// A codec of what these tests vary; the real one stands in streaming/ and has tests of its own.
CatalogueState::Codec plain_codec() {
  const auto encode = [](const CatalogueChange& change) -> std::string {
    if (const auto* item = std::get_if<Item>(&change)) {
      return "i|" + item->id.str() + "|" + item->creator_id.str() + "|" + item->title + "|" +
             item->county;
    }
    if (const auto* creator = std::get_if<Creator>(&change)) {
      return "c|" + creator->id.str() + "|" + creator->name;
    }
    const auto& block = std::get<BlockChange>(change);
    return "b|" + std::string(block_kind_name(block.kind)) + "|" + block.id;
  };
  const auto decode = [](std::string_view bytes) -> Result<CatalogueChange> {
    std::vector<std::string> parts(1);
    for (const char c : bytes) c == '|' ? parts.emplace_back() : parts.back() += c;
    if (parts[0] == "i") {
      Item item;
      item.id = ItemId(parts[1]);
      item.creator_id = CreatorId(parts[2]);
      item.title = parts[3];
      item.county = parts[4];
      return CatalogueChange(item);
    }
    if (parts[0] == "c") return CatalogueChange(Creator{CreatorId(parts[1]), parts[2], {}, {}});
    if (parts[0] != "b") return Error{ErrorCode::kInvalid, "no such record"};
    return CatalogueChange(BlockChange{*parse_block_kind(parts[1]), parts[2], true});
  };
  return {encode, decode};
}

class CatalogueTest : public testing::Test {
 protected:
  CatalogueTest() { state_.set_codec(plain_codec()); }

  static Item item(const std::string& id, const std::string& creator = "farm") {
    Item item;
    item.id = ItemId(id);
    item.creator_id = CreatorId(creator);
    item.title = "title of " + id;
    return item;
  }
  static Vector encode(const Item& item) {
    Vector vector{};
    vector[item.title.size() % kDims] = 1;
    return vector;
  }
  const CatalogueItem* find(const Catalogue& catalogue, const std::string& id) const {
    return catalogue.at(interner_.find(id));
  }
  void put(const Item& item) { ASSERT_TRUE(state_.apply(item).ok()); }

  Interner interner_;
  CatalogueState state_{interner_, encode};
};

TEST_F(CatalogueTest, ShowsNothingBeforePublish) {
  put(item("a"));
  EXPECT_EQ(find(*state_.snapshot(), "a"), nullptr);
  EXPECT_NE(state_.at(interner_.find("a")), nullptr);
  state_.publish();
  const auto snapshot = state_.snapshot();
  ASSERT_NE(find(*snapshot, "a"), nullptr);
  EXPECT_EQ(snapshot->items, 1U);
}

TEST_F(CatalogueTest, ASnapshotNeverChanges) {
  put(item("a"));
  state_.publish();
  const auto before = state_.snapshot();
  Item renamed = item("a");
  renamed.title = "another";
  put(renamed);
  put(item("b"));
  state_.publish();
  EXPECT_EQ(find(*before, "a")->item.title, "title of a");
  EXPECT_EQ(find(*before, "b"), nullptr);
  EXPECT_EQ(find(*state_.snapshot(), "a")->item.title, "another");
  EXPECT_GT(state_.snapshot()->version, before->version);
  EXPECT_EQ(before->items_of(CreatorId("farm"sv)).size(), 1U);
}

TEST_F(CatalogueTest, PublishingWithoutAChangeKeepsTheSnapshot) {
  put(item("a"));
  state_.publish();
  const auto before = state_.snapshot();
  state_.publish();
  EXPECT_EQ(state_.snapshot(), before);
}

TEST_F(CatalogueTest, DerivesWhatBelongsToAnItem) {
  Item kiwi = item("kiwi", "shibadong");
  kiwi.county = "433124";
  kiwi.category = "fruit";
  kiwi.embedding.assign(kDims, 2.0F);
  put(kiwi);
  const CatalogueItem* entry = state_.at(0);
  ASSERT_NE(entry, nullptr);
  EXPECT_TRUE(entry->in_832);
  EXPECT_EQ(entry->county_code, 433124);
  EXPECT_EQ(entry->creator_hash, key_hash("shibadong"));
  EXPECT_EQ(entry->category_hash, key_hash("fruit"));
  for (const float x : entry->vector) EXPECT_FLOAT_EQ(x, 0.125F);
  put(item("plain"));
  EXPECT_FALSE(state_.at(1)->in_832);
  EXPECT_EQ(state_.at(1)->county_code, 0);
  EXPECT_EQ(state_.at(1)->category_hash, 0U);
  EXPECT_EQ(state_.at(1)->vector, encode(item("plain")));
}

TEST_F(CatalogueTest, KindCreatorAndCountyNeverChange) {
  Item kiwi = item("kiwi");
  kiwi.county = "433124";
  put(kiwi);
  for (int field = 0; field < 3; ++field) {
    Item changed = kiwi;
    if (field == 0) changed.kind = ItemKind::kArticle;
    if (field == 1) changed.creator_id = CreatorId("other"sv);
    if (field == 2) changed.county = "110101";
    const Status status = state_.apply(changed);
    ASSERT_FALSE(status.ok()) << field;
    EXPECT_EQ(status.error().code, ErrorCode::kConflict);
  }
  EXPECT_EQ(state_.at(0)->item.county, "433124");
}

TEST_F(CatalogueTest, DeletedItemsGoAndMayComeBackUnderTheirIndex) {
  put(item("a"));
  put(item("b"));
  ASSERT_TRUE(state_.apply(ItemDeleted{ItemId("a"sv)}).ok());
  ASSERT_TRUE(state_.apply(ItemDeleted{ItemId("never there"sv)}).ok());
  state_.publish();
  EXPECT_EQ(find(*state_.snapshot(), "a"), nullptr);
  EXPECT_EQ(state_.snapshot()->items, 1U);
  EXPECT_EQ(state_.snapshot()->items_of(CreatorId("farm"sv)), std::vector<ItemIndex>{1});
  put(item("a"));
  state_.publish();
  EXPECT_EQ(find(*state_.snapshot(), "a")->index, 0U);
}

TEST_F(CatalogueTest, BlocksItemsCreatorsAndPrograms) {
  put(item("a", "x"));
  put(item("b", "y"));
  for (const auto& block :
       {BlockChange{BlockKind::kItem, "a", true}, BlockChange{BlockKind::kCreator, "y", true},
        BlockChange{BlockKind::kProgram, "p", true}}) {
    ASSERT_TRUE(state_.apply(block).ok());
  }
  state_.publish();
  const auto snapshot = state_.snapshot();
  EXPECT_TRUE(snapshot->blocked(*find(*snapshot, "a")));
  EXPECT_TRUE(snapshot->blocked(*find(*snapshot, "b")));
  EXPECT_TRUE(snapshot->program_blocked(ProgramId("p"sv)));
  ASSERT_TRUE(state_.apply(BlockChange{BlockKind::kCreator, "y", false}).ok());
  state_.publish();
  EXPECT_FALSE(state_.snapshot()->blocked(*find(*snapshot, "b")));
}

TEST_F(CatalogueTest, ReportsAFullInterner) {
  Interner small({.ids_max = 1});
  CatalogueState state(small, encode);
  EXPECT_TRUE(state.apply(item("a")).ok());
  const Status status = state.apply(item("b"));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
}

// What a snapshot says, for comparison.
std::map<std::string, std::string> contents(const Catalogue& catalogue) {
  std::map<std::string, std::string> all;
  for (ItemIndex i = 0; i < catalogue.chunks.size() * Catalogue::kChunk; ++i) {
    const CatalogueItem* entry = catalogue.at(i);
    if (entry == nullptr) continue;
    const auto own = catalogue.items_of(entry->item.creator_id);
    const Creator* creator = catalogue.creator(entry->item.creator_id);
    all[entry->item.id.str()] = entry->item.title + "/" + entry->item.creator_id.str() + "/" +
                                (creator == nullptr ? "-" : creator->name) + "/" +
                                std::to_string(own.size()) +
                                (catalogue.blocked(*entry) ? " blocked" : "");
  }
  return all;
}

CatalogueChange random_change(std::mt19937_64& random) {
  const std::string number = std::to_string(random() % 3000);
  const std::string creator = "c" + std::to_string(std::stoi(number) % 17);
  switch (random() % 6) {
    case 0:
      return ItemDeleted{ItemId("i" + number)};
    case 1:
      return Creator{CreatorId(creator), "name " + number, {}, {}};
    case 2:
      return BlockChange{BlockKind::kItem, "i" + number, random() % 2 == 0};
    default:
      break;
  }
  Item item;
  item.id = ItemId("i" + number);
  item.creator_id = CreatorId(creator);
  item.title = "t" + std::to_string(random() % 100);
  return item;
}

TEST_F(CatalogueTest, ComesBackAsItWasWhenTheCheckpointBegan) {
  std::mt19937_64 random(11);
  MemoryState disk;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 400; ++i) ASSERT_TRUE(state_.apply(random_change(random)).ok());
    state_.publish();
    const auto expected = contents(*state_.snapshot());
    interner_.begin_checkpoint(disk);
    state_.begin_checkpoint(disk);
    while (!interner_.checkpoint_step(100)) {
    }
    while (!state_.checkpoint_step(20)) {
      ASSERT_TRUE(state_.apply(random_change(random)).ok());
      if (random() % 4 == 0) state_.publish();
    }
    Interner interner;
    CatalogueState restored(interner, encode);
    restored.set_codec(plain_codec());
    ASSERT_TRUE(interner.restore(disk).ok());
    ASSERT_TRUE(restored.restore(disk).ok());
    EXPECT_EQ(contents(*restored.snapshot()), expected);
    EXPECT_EQ(restored.snapshot()->items, expected.size());
  }
}

TEST_F(CatalogueTest, RefusesARecordThatDoesNotDecode) {
  MemoryState disk;
  disk.put("cix", "?");
  const Status status = state_.restore(disk);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace shanhuo
