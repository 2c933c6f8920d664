#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "models/text_map.h"

namespace shanhuo {
namespace {

using Texts = std::vector<std::string>;

TextMap learn(const Texts& texts, const std::vector<float>& targets, size_t dims,
              const TextMapOptions& options = {}) {
  Result<TextMap> made = TextMap::learn(texts, targets, dims, options);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return std::move(made).value();
}

std::vector<float> image(const TextMap& map, std::string_view text) {
  std::vector<float> out(map.dims(), 9.0F);
  map.apply(text, out);
  return out;
}

// Texts of one letter have one feature, of weight one: the ridge's answer is known.
TEST(TextMap, OneLetterIsItsMeanDrawnToZero) {
  const TextMap map = learn({"a", "a", "b"}, {3, 1, 5, 1, 2, -4}, 2, {.ridge = 0.5});
  EXPECT_NEAR(image(map, "a")[0], (3 + 5) / 2.5, 1e-4);
  EXPECT_NEAR(image(map, "a")[1], (1 + 1) / 2.5, 1e-4);
  EXPECT_NEAR(image(map, "b")[0], 2 / 1.5, 1e-4);
  EXPECT_NEAR(image(map, "b")[1], -4 / 1.5, 1e-4);
}

// At the minimum the slope is zero: no small change of any text's image makes the sum less. The
// images of the texts learned from, for the ridge's dual (K + ridge) alpha = y, K from the map of
// unit targets.
TEST(TextMap, IsTheExactRidgeSolution) {
  const Texts texts = {"abc", "bcd", "猕猴桃", "猴桃酒", "xyz abc", "猕猴 abc"};
  const size_t n = texts.size();
  const TextMapOptions options{.bits = 12, .ridge = 0.3, .steps = 60};
  Random random(1);
  std::vector<float> targets(n), unit(n * n);
  for (float& y : targets) y = static_cast<float>(random.normal());
  for (size_t i = 0; i < n; ++i) unit[i * n + i] = 1;
  const TextMap map = learn(texts, targets, 1, options), hat = learn(texts, unit, n, options);
  for (const std::string& text : texts) {  // linear in the targets
    const std::vector<float> shares = image(hat, text);
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += static_cast<double>(shares[i]) * targets[i];
    EXPECT_NEAR(image(map, text)[0], sum, 1e-4) << text;
  }
  for (size_t i = 0; i < n; ++i) {  // K (K + ridge)^-1 is symmetric, between 0 and 1 / (1 + ridge)
    for (size_t j = 0; j < n; ++j) {
      EXPECT_NEAR(image(hat, texts[i])[j], image(hat, texts[j])[i], 1e-4);
    }
    EXPECT_GT(image(hat, texts[i])[i], 0);
    EXPECT_LT(image(hat, texts[i])[i], 1);
  }
}

TEST(TextMap, NewTextsGoWhereTheirWordsWent) {
  const TextMap map =
      learn({"猕猴桃 新鲜", "苹果 新鲜", "张家界 风景", "黄山 风景"}, {1, 0, 1, 0, 0, 1, 0, 1}, 2);
  EXPECT_GT(image(map, "新鲜的梨")[0], image(map, "新鲜的梨")[1]);
  EXPECT_GT(image(map, "华山风景")[1], image(map, "华山风景")[0]);
}

TEST(TextMap, TextsWithoutAnythingKnownAreZero) {
  const TextMap map = learn({"abc", ""}, {1, 2}, 1);
  EXPECT_EQ(image(map, "")[0], 0);
  EXPECT_EQ(image(map, "猕")[0], 0);
  EXPECT_EQ(image(learn({""}, {1}, 1), "abc")[0], 0);
}

TEST(TextMap, AKeyCountsAsAWholeBesideTheText) {
  const std::string fruit =
                        "\n\x1f"
                        "fruit",
                    fish =
                        "\n\x1f"
                        "fish";
  const Texts texts = {"aa" + fruit, "bb" + fruit, "cc" + fish, "dd" + fish};
  const TextMap map = learn(texts, {1, 1, -1, -1}, 1, {.ridge = 0.1});
  EXPECT_GT(image(map, "zz" + fruit)[0], 0.5F);  // of a title that says nothing
  EXPECT_LT(image(map, fish + "\nzz")[0], -0.5F);
  EXPECT_EQ(image(map,
                  "zz\n\x1f"
                  "fru")[0],
            image(map, "zz\n")[0]);      // no n-grams of a key
  EXPECT_EQ(image(map, "fruit")[0], 0);  // and no key without its mark
  const TextMap deaf = learn(texts, {1, 1, -1, -1}, 1, {.ridge = 0.1, .key_weight = 0});
  EXPECT_EQ(image(deaf, "zz" + fruit)[0], image(deaf, "zz\n")[0]);
}

TEST(TextMap, ATextThatWeighsNothingIsNotThere) {
  const Texts texts = {"abc", "bcd", "bcd", "xyz"};
  const TextMap map = learn(texts, {1, 2, 2, -3}, 1);
  const std::vector<float> targets = {1, 2, 77, -3}, weights = {1, 2, 0, 1};
  const TextMap same = TextMap::learn(texts, targets, 1, {}, weights).value();
  for (const char* text : {"abc", "bcd", "xyz", "cx"}) {
    EXPECT_NEAR(image(map, text)[0], image(same, text)[0], 1e-5) << text;
  }
  const std::vector<float> negative = {1, -1, 1, 1};
  EXPECT_FALSE(TextMap::learn(texts, targets, 1, {}, negative).ok());
}

std::shared_ptr<const CharVectors> like_characters() {
  const Texts characters = {"猕", "桃", "梨", "山", "河", "江"};
  const std::vector<float> rows = {1, 0, 1, 0.1F, 1, -0.1F, -1, 0, -1, 0.1F, -1, -0.1F};
  return std::make_shared<const CharVectors>(CharVectors::make(characters, rows, 2).value());
}

TEST(TextMap, CharactersThatWereNeverMetAreLikeThoseTheirVectorsAreNear) {
  const Texts texts = {"猕", "桃", "山", "河"};
  const std::vector<float> targets = {1, 1, -1, -1};
  const TextMapOptions options{.ridge = 0.1, .characters = like_characters()};
  const TextMap map = learn(texts, targets, 1, options);
  EXPECT_GT(image(map, "梨")[0], 0.5F);
  EXPECT_LT(image(map, "江")[0], -0.5F);
  EXPECT_EQ(image(learn(texts, targets, 1, {.ridge = 0.1}), "梨")[0], 0);
}

TEST(TextMap, ItsBytesGiveTheSameMapWithCharactersToo) {
  const TextMapOptions options{.bits = 9, .characters = like_characters()};
  const TextMap map = learn({"猕猴桃", "山河"}, {1, 2, 3, 4}, 2, options);
  std::string bytes, again;
  map.to_bytes(bytes);
  const TextMap read = TextMap::from_bytes(bytes).value();
  read.to_bytes(again);
  EXPECT_EQ(again, bytes);
  for (const char* text : {"梨", "江山", "猴", ""}) EXPECT_EQ(image(read, text), image(map, text));
  std::string without;
  learn({"猕猴桃", "山河"}, {1, 2, 3, 4}, 2, {.bits = 9}).to_bytes(without);
  for (size_t size = without.size() + 1; size < bytes.size(); ++size) {
    ASSERT_FALSE(TextMap::from_bytes(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
}

TEST(TextMap, ItsBytesGiveTheSameMap) {
  const TextMap map =
      learn({"猕猴桃", "苹果"}, {1, 2, 3, 4}, 2, {.bits = 9, .ridge = 0.25, .steps = 7});
  std::string bytes, again;
  map.to_bytes(bytes);
  const TextMap read = TextMap::from_bytes(bytes).value();
  read.to_bytes(again);
  EXPECT_EQ(again, bytes);
  for (const char* text : {"猕猴", "苹", "梨", ""}) EXPECT_EQ(image(read, text), image(map, text));
  EXPECT_TRUE(TextMap::from_bytes(bytes).ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(TextMap::from_bytes(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(TextMap::from_bytes(bytes + "x").ok());
  Random random(1);
  for (int n = 0; n < 2'000; ++n) {  // another map, or none: never a number that is none
    std::string broken = bytes;
    broken[random.below(broken.size())] = static_cast<char>(random.bits());
    broken[random.below(broken.size())] = static_cast<char>(random.bits());
    const Result<TextMap> other = TextMap::from_bytes(broken);
    if (!other.ok() || other.value().dims() != 2) continue;
    for (const float x : image(other.value(), "猕猴桃苹果")) EXPECT_FALSE(std::isnan(x));
  }
}

TEST(TextMap, WhatCannotBeLearnedIsSaid) {
  const auto refusal = [](const Texts& texts, const std::vector<float>& targets,
                          const TextMapOptions& options) {
    const Result<TextMap> made = TextMap::learn(texts, targets, 1, options);
    return made.ok() ? "" : made.error().message;
  };
  EXPECT_NE(refusal({}, {}, {}).find("no text"), std::string::npos);
  EXPECT_NE(refusal({"a"}, {std::nanf("")}, {}).find("no number"), std::string::npos);
  EXPECT_NE(refusal({"a"}, {1}, {.bits = 7}).find("bits"), std::string::npos);
  EXPECT_NE(refusal({"a"}, {1}, {.ridge = 0}).find("ridge"), std::string::npos);
  EXPECT_NE(refusal({"a"}, {1}, {.steps = 0}).find("steps"), std::string::npos);
  EXPECT_NE(refusal({"a"}, {1}, {.key_weight = -1}).find("key_weight"), std::string::npos);
}

}  // namespace
}  // namespace shanhuo
