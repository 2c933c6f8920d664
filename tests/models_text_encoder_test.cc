#include <gtest/gtest.h>

#include <random>
#include <string>

#include "models/text_encoder.h"

namespace shanhuo {
namespace {

Item good(std::string title, std::string category = "", std::string county = "") {
  Item item;
  item.kind = ItemKind::kFarmGood;
  item.title = std::move(title);
  item.category = std::move(category);
  item.county = std::move(county);
  return item;
}

Vector encode(const Item& item) { return encode_item(item, {}); }

float title_cosine(std::string_view a, std::string_view b) {
  Vector left{}, right{};
  add_text(a, 1, 1, left);
  add_text(b, 1, 1, right);
  return dot(left, right);
}

uint64_t signs(const Vector& vector) {
  uint64_t bits = 0;
  for (int i = 0; i < kDims; ++i) bits |= uint64_t{vector[i] > 0} << i;
  return bits;
}

std::string random_text(std::mt19937& random, int length) {
  static const std::vector<std::string> letters = {"a",  "z",  " ",  "é",   "猕",
                                                   "猴", "桃", "茶", "🥝"};
  std::string text;
  for (int i = 0; i < length; ++i) text += letters[random() % letters.size()];
  return text;
}

TEST(TextEncoder, EveryItemWithTextHasUnitLength) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    Item item = good(random_text(random, static_cast<int>(random() % 30)),
                     random_text(random, static_cast<int>(random() % 3)),
                     random() % 2 == 0 ? "433124" : "");
    for (uint32_t tags = random() % 5; tags > 0; --tags) {
      item.tags.push_back(random_text(random, 1 + static_cast<int>(random() % 4)));
    }
    const Vector vector = encode(item);
    EXPECT_NEAR(dot(vector, vector), 1, 1e-5) << item.title;
  }
}

TEST(TextEncoder, AnItemWithoutAnyTextOrWeightIsZero) {
  EXPECT_EQ(encode_item(good("猕猴桃", "fruit"), {0, 0, 0, 0, 0, 0}), Vector{});
  Vector zero{};
  normalise(zero);
  EXPECT_EQ(zero, Vector{});
}

// Vectors are kept in checkpoints and compared with new ones: the map must never change.
TEST(TextEncoder, TheMapIsTheSameInEveryVersionAndOnEveryMachine) {
  Item item = good("十八洞猕猴桃", "fruit", "433124");
  item.tags = {"organic", "新鲜"};
  item.creator_id = CreatorId(std::string("coop"));
  const Vector vector = encode(item);
  EXPECT_EQ(signs(vector), 0xef8d798ea3138bf1ULL);
  EXPECT_NEAR(vector[0], 0.137052, 1e-5);
  EXPECT_NEAR(vector[63], 0.218366, 1e-5);
  EXPECT_EQ(encode(item), vector);
}

TEST(TextEncoder, TitlesThatShareCharactersAreCloserThanThoseThatDoNot) {
  const float shared = title_cosine("十八洞猕猴桃", "猕猴桃礼盒");
  EXPECT_GT(shared, 0.3F);
  EXPECT_LT(title_cosine("十八洞猕猴桃", "黑木耳干货"), shared - 0.2F);
  EXPECT_NEAR(title_cosine("十八洞猕猴桃", "十八洞猕猴桃"), 1, 1e-5);
}

TEST(TextEncoder, OverManyTitlesSharingWordsBeatsChance) {
  std::mt19937 random(2);
  double shared = 0, apart = 0;
  const int rounds = 300;
  for (int round = 0; round < rounds; ++round) {
    const std::string word = random_text(random, 4), other = random_text(random, 4);
    shared += title_cosine(word + "abc", "xyz" + word);
    apart += title_cosine("qwertyu", "万丈高楼平地起");
    EXPECT_LE(title_cosine(word, other), 1.0001F);
  }
  EXPECT_GT(shared / rounds, 0.35);
  EXPECT_NEAR(apart / rounds, 0, 0.35);
}

TEST(TextEncoder, TheOrderOfCharactersMattersOnlyInPart) {
  const float turned = title_cosine("猕猴桃", "桃猴猕");
  EXPECT_GT(turned, 0.2F);
  EXPECT_LT(turned, 0.95F);
}

TEST(TextEncoder, ACategoryWeighsMoreThanATitle) {
  const Vector kiwi = encode(good("十八洞猕猴桃", "fruit"));
  const float same_category = dot(kiwi, encode(good("脆甜红富士", "fruit")));
  const float same_title = dot(kiwi, encode(good("十八洞猕猴桃", "tool")));
  EXPECT_GT(same_category, same_title + 0.1F);
}

TEST(TextEncoder, EveryFieldMovesTheVectorByItsWeight) {
  const Item base = good("茶", "tea", "433124");
  const auto moved = [&](const Item& item) { return 1 - dot(encode(base), encode(item)); };
  Item other = base;
  other.county = "433125";  // another county of the province
  const float county = moved(other);
  EXPECT_GT(county, 1e-4);
  other.county = "110101";
  EXPECT_GT(moved(other), county);
  other = base;
  other.kind = ItemKind::kNotice;
  EXPECT_GT(moved(other), 1e-4);
  other = base;
  other.creator_id = CreatorId(std::string("coop"));
  EXPECT_GT(moved(other), 1e-4);
  other = base;
  other.tags = {"organic"};
  EXPECT_GT(moved(other), 1e-4);
  other = base;
  other.id = ItemId(std::string("i"));
  other.stock = 5;
  EXPECT_EQ(encode(other), encode(base));
}

TEST(TextEncoder, TheSameWordInAnotherFieldIsAnotherFeature) {
  Item in_title = good("tea"), in_category = good("", "tea"), in_tags = good("");
  in_tags.tags = {"tea"};
  const TextEncoderOptions no_kind{.kind = 0};
  const Vector title = encode_item(in_title, no_kind);
  const Vector category = encode_item(in_category, no_kind), tags = encode_item(in_tags, no_kind);
  EXPECT_LT(dot(title, category), 0.5F);
  EXPECT_LT(dot(title, tags), 0.5F);
  EXPECT_LT(dot(category, tags), 0.5F);
}

TEST(TextEncoder, TagsAreASetWhoseWeightDoesNotGrowWithItsSize) {
  Item one = good("茶", "tea"), turned = one, four = one;
  one.tags = {"a"};
  four.tags = {"a", "b", "c", "d"};
  turned.tags = {"d", "c", "b", "a"};
  const Vector without = encode(good("茶", "tea"));
  EXPECT_NEAR(dot(without, encode(four)), dot(without, encode(one)), 0.25);
  EXPECT_NEAR(dot(encode(four), encode(turned)), 1, 1e-5);
}

TEST(TextEncoder, NgramsAreOfCodePointsNotOfBytes) {
  // 桃 and 栃 share their first bytes, and nothing else.
  EXPECT_LT(std::abs(title_cosine("桃", "栃")), 0.5F);
  EXPECT_NEAR(title_cosine("🥝", "🥝"), 1, 1e-5);
  EXPECT_GT(title_cosine("🥝🥝", "🥝"), 0.5F);
}

TEST(TextEncoder, ScaleIsTheLengthThatIsAdded) {
  Vector sum{};
  add_text("猕猴桃", 1, 0.25F, sum);
  EXPECT_NEAR(dot(sum, sum), 0.0625, 1e-6);
  const Vector before = sum;
  add_text("", 1, 5, sum);
  EXPECT_EQ(sum, before);
}

}  // namespace
}  // namespace shanhuo
