#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "models/char_vectors.h"

namespace shanhuo {
namespace {

using Characters = std::vector<std::string>;

CharVectors made(const Characters& characters, const std::vector<float>& rows, size_t width) {
  Result<CharVectors> result = CharVectors::make(characters, rows, width);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
  return std::move(result).value();
}

std::vector<float> encoded(const CharVectors& vectors, std::string_view text) {
  std::vector<float> out(vectors.width(), 9);
  vectors.encode(text, out);
  return out;
}

TEST(CharVectors, ATextIsTheDirectionOfItsCharactersWithoutWhatAllShare) {
  const CharVectors vectors = made({"猕", "a", "桃"}, {7, 1, 7, -2, 7, 1}, 2);  // mean (7, 0)
  EXPECT_EQ(encoded(vectors, "猕"), (std::vector<float>{0, 1}));
  EXPECT_EQ(encoded(vectors, "a"), (std::vector<float>{0, -1}));
  EXPECT_EQ(encoded(vectors, "桃x猕 a桃"), (std::vector<float>{0, 1}));
  EXPECT_EQ(encoded(vectors, "xyz"), (std::vector<float>{0, 0}));
  EXPECT_EQ(encoded(vectors, ""), (std::vector<float>{0, 0}));
}

TEST(CharVectors, WordsAndRepeatsAreLeftOut) {
  const CharVectors vectors = made({"猕猴", "b", "a", "b", ""}, {9, 9, 9, 9, 1, 0, 5, 5, 9, 9}, 2);
  EXPECT_EQ(vectors.size(), 2u);
  EXPECT_LT(encoded(vectors, "a")[0], 0);  // "b" is the first that was given: (9, 9)
}

TEST(CharVectors, WhatCannotBeIsRefused) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(CharVectors::make(Characters{"a"}, std::vector<float>{nan}, 1).ok());
  EXPECT_FALSE(CharVectors::make(Characters{"a"}, std::vector<float>{1, 2}, 1).ok());
  EXPECT_FALSE(CharVectors::make(Characters{"ab"}, std::vector<float>{1}, 1).ok());
  EXPECT_FALSE(CharVectors::make(Characters{}, std::vector<float>{}, 1).ok());
  EXPECT_FALSE(CharVectors::make(Characters{"a"}, std::vector<float>{}, 0).ok());
}

TEST(CharVectors, ItsBytesGiveTheSameAndNoOthersAreTaken) {
  const CharVectors vectors = made({"猕", "a", "桃"}, {1, 2, 3, 4, 5, 7}, 2);
  std::string bytes, again;
  vectors.to_bytes(bytes);
  const std::string longer = bytes + "rest";
  std::string_view left = longer;
  CharVectors::take_bytes(left).value().to_bytes(again);
  EXPECT_EQ(again, bytes);
  EXPECT_EQ(left, "rest");
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::string_view cut = std::string_view(bytes).substr(0, size);
    EXPECT_FALSE(CharVectors::take_bytes(cut).ok()) << size;
  }
  Random random(1);
  for (int n = 0; n < 2'000; ++n) {  // others, or none: never a number that is none
    std::string broken = bytes;
    broken[random.below(broken.size())] = static_cast<char>(random.bits());
    std::string_view view = broken;
    const Result<CharVectors> taken = CharVectors::take_bytes(view);
    if (!taken.ok()) continue;
    for (const float x : encoded(taken.value(), "猕桃a")) EXPECT_FALSE(std::isnan(x));
  }
}

}  // namespace
}  // namespace shanhuo
