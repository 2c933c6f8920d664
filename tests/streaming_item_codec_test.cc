#include <gtest/gtest.h>

#include "streaming/codec.h"

namespace shanhuo {
namespace {

const std::string kWhole =
    R"({"item_id":"i1","kind":"farm_good","title":"十八洞猕猴桃","creator_id":"c1",)"
    R"("county":"433124","category":"fruit","tags":["a","b"],"price_fen":1990,"stock":0,)"
    R"("place":{"lat":28.58,"lon":109.48},"season":{"from":"09-20","to":"02-10"},)"
    R"("benefit":{"households":12,"income_fen_per_order":300},)"
    R"("donation":{"cause":"school","permille":10},)"
    R"("published_at_ms":1000,"duration_ms":2000,"available":false})";

Result<std::vector<Item>> decode(const std::string& items, json::FieldErrors& errors) {
  json::Document document;
  const Result<json::Value> body = document.parse("{\"items\":[" + items + "]}");
  EXPECT_TRUE(body.ok()) << items;
  return decode_items(body.value(), 10, errors);
}

std::string as_json(const Item& item) {
  std::string text;
  JsonWriter json(text);
  write_item_json(json, item);
  return text;
}

Item whole_item() {
  json::FieldErrors errors;
  auto items = decode(kWhole, errors);
  EXPECT_TRUE(items.ok()) << errors.as_error().message;
  return items.value().at(0);
}

TEST(ItemCodec, AWholeItemSurvivesJsonProtobufAndTheLog) {
  const Item item = whole_item();
  EXPECT_EQ(item.season->to_month, 2);
  EXPECT_EQ(item.price, Fen(1990));
  EXPECT_FALSE(item.available);
  json::FieldErrors errors;
  const auto again = decode(as_json(item), errors);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(as_json(again.value()[0]), as_json(item));
  const auto change = decode_catalogue_change(encode_catalogue_change(item));
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(as_json(std::get<Item>(change.value())), as_json(item));
}

TEST(ItemCodec, EmbeddingsComeBackBitByBit) {
  std::string numbers;
  for (int i = 0; i < kDims; ++i) numbers += (i > 0 ? "," : "") + std::to_string(0.1 * i - 3);
  json::FieldErrors errors;
  const auto items = decode(
      R"({"item_id":"i","kind":"video","title":"","creator_id":"c","embedding":[)" + numbers + "]}",
      errors);
  ASSERT_TRUE(items.ok());
  const auto again = decode(as_json(items.value()[0]), errors);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.value()[0].embedding, items.value()[0].embedding);
}

// Replaces `from` in the whole item, and tells pointers and details.
std::string faults(const std::string& from, const std::string& to) {
  std::string text = kWhole;
  text.replace(text.find(from), from.size(), to);
  json::FieldErrors errors;
  EXPECT_FALSE(decode(text, errors).ok()) << text;
  std::string all;
  for (const json::FieldError& error : errors.list()) all += error.pointer + " ";
  return all;
}

TEST(ItemCodec, EachRuleOfTheContractIsEnforcedWhereItStands) {
  EXPECT_EQ(faults("\"i1\"", "\"\""), "/items/0/item_id ");
  EXPECT_EQ(faults("\"farm_good\"", "\"fruit\""), "/items/0/kind ");
  EXPECT_EQ(faults("\"433124\"", "\"993124\""), "/items/0/county ");
  EXPECT_EQ(faults("\"433124\"", "\"4331\""), "/items/0/county ");
  EXPECT_EQ(faults("\"fruit\"", "\"" + std::string(65, 'x') + "\""), "/items/0/category ");
  EXPECT_EQ(faults("[\"a\",\"b\"]", "[\"a\",3]"), "/items/0/tags/1 ");
  EXPECT_EQ(faults("1990", "-1"), "/items/0/price_fen ");
  EXPECT_EQ(faults("1990", "19.9"), "/items/0/price_fen ");
  EXPECT_EQ(faults("28.58", "90.5"), "/items/0/place/lat ");
  EXPECT_EQ(faults("\"lon\":109.48", "\"long\":1"), "/items/0/place/long /items/0/place/lon ");
  EXPECT_EQ(faults("09-20", "02-30"), "/items/0/season/from ");
  EXPECT_EQ(faults("09-20", "9-20"), "/items/0/season/from ");
  EXPECT_EQ(faults("\"permille\":10", "\"permille\":1001"), "/items/0/donation/permille ");
  EXPECT_EQ(faults("\"available\":false", "\"available\":0"), "/items/0/available ");
  EXPECT_EQ(faults("\"available\":false", "\"embedding\":[1,2]"), "/items/0/embedding ");
  EXPECT_EQ(faults("\"available\":false", "\"extra\":1"), "/items/0/extra ");
  EXPECT_EQ(faults("\"title\":", "\"stock\":"), "/items/0/stock /items/0/title ");
}

TEST(ItemCodec, AllErrorsOfABatchComeAtOnceAndDuplicatesAreErrors) {
  json::FieldErrors errors;
  EXPECT_FALSE(decode(kWhole + ",7," + kWhole + R"(,{"item_id":"x"})", errors).ok());
  std::string all;
  for (const json::FieldError& error : errors.list()) all += error.pointer + " ";
  EXPECT_EQ(all, "/items/1 /items/2/item_id /items/3/creator_id /items/3/title /items/3/kind ");
}

TEST(ItemCodec, TooManyItemsAreTooLarge) {
  json::Document document;
  json::FieldErrors errors;
  const auto body = document.parse("{\"items\":[1,2,3]}");
  const auto items = decode_items(body.value(), 2, errors);
  ASSERT_FALSE(items.ok());
  EXPECT_EQ(items.error().code, ErrorCode::kTooLarge);
}

Result<Item> patched(const std::string& patch) {
  json::Document document;
  json::FieldErrors errors;
  return patch_item(whole_item(), document.parse(patch).value(), errors);
}

TEST(ItemCodec, PatchMergesAsRfc7396) {
  const auto item = patched(
      R"({"price_fen":null,"stock":5,"place":{"lat":1},"season":null,"tags":["z"],"title":"t"})");
  ASSERT_TRUE(item.ok()) << item.error().message;
  EXPECT_FALSE(item.value().price.has_value());
  EXPECT_EQ(item.value().stock, 5);
  EXPECT_EQ(item.value().place->lat, 1);
  EXPECT_EQ(item.value().place->lon, 109.48);
  EXPECT_FALSE(item.value().season.has_value());
  EXPECT_EQ(item.value().tags, std::vector<std::string>{"z"});
  EXPECT_EQ(item.value().category, "fruit");
}

TEST(ItemCodec, PatchRefusesWhatNeverChangesAndWhatIsWrong) {
  for (const char* patch : {R"({"kind":"video"})", R"({"creator_id":"c2"})", R"({"county":null})",
                            R"({"item_id":"i2"})"}) {
    const auto item = patched(patch);
    ASSERT_FALSE(item.ok()) << patch;
    EXPECT_EQ(item.error().code, ErrorCode::kConflict) << patch;
  }
  for (const char* patch : {R"({"nope":1})", R"({"title":null})", R"([1])", R"({"stock":-1})",
                            R"({"stock":1,"stock":2})", R"({"season":{"from":"13-01"}})"}) {
    const auto item = patched(patch);
    ASSERT_FALSE(item.ok()) << patch;
    EXPECT_EQ(item.error().code, ErrorCode::kInvalid) << patch;
  }
}

TEST(ItemCodec, CreatorsAndBlocksRoundTrip) {
  json::Document document;
  json::FieldErrors errors;
  const auto body = document.parse(
      R"({"creators":[{"creator_id":"c","name":"n","groups":["832"],"trained_at_ms":5}]})");
  const auto creators = decode_creators(body.value(), 10, errors);
  ASSERT_TRUE(creators.ok());
  const auto creator = decode_catalogue_change(encode_catalogue_change(creators.value()[0]));
  ASSERT_TRUE(creator.ok());
  std::string text;
  JsonWriter json(text);
  write_creator_json(json, std::get<Creator>(creator.value()));
  EXPECT_EQ(text, R"({"creator_id":"c","name":"n","groups":["832"],"trained_at_ms":5})");
  const auto block =
      decode_catalogue_change(encode_catalogue_change(BlockChange{BlockKind::kCreator, "c", true}));
  ASSERT_TRUE(block.ok());
  EXPECT_EQ(std::get<BlockChange>(block.value()).kind, BlockKind::kCreator);
  const auto deleted =
      decode_catalogue_change(encode_catalogue_change(ItemDeleted{ItemId(std::string_view("i"))}));
  ASSERT_TRUE(deleted.ok());
  EXPECT_EQ(std::get<ItemDeleted>(deleted.value()).id, ItemId(std::string_view("i")));
  for (const char* bytes : {"", "\xff", "\x12"}) EXPECT_FALSE(decode_catalogue_change(bytes).ok());
}

}  // namespace
}  // namespace shanhuo
