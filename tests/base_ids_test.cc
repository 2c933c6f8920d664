#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/ids.h"

namespace shanhuo {
namespace {

TEST(Ids, AreUtf8OfOneTo128BytesWithoutControlCharacters) {
  EXPECT_TRUE(valid_id("u"));
  EXPECT_TRUE(valid_id("十八洞猕猴桃"));
  EXPECT_TRUE(valid_id(std::string(128, 'x')));
  EXPECT_FALSE(valid_id(""));
  EXPECT_FALSE(valid_id(std::string(129, 'x')));
  EXPECT_FALSE(valid_id("a\nb"));
  EXPECT_FALSE(valid_id("a\x7f"));
  EXPECT_FALSE(valid_id("a\xc2\x85"));  // U+0085, a C1 control
  EXPECT_FALSE(valid_id(std::string_view("a\0b", 3)));
}

TEST(Utf8, RefusesOverlongFormsSurrogatesAndTruncation) {
  EXPECT_TRUE(valid_utf8("é中😀"));
  EXPECT_FALSE(valid_utf8("\xc0\xaf"));
  EXPECT_FALSE(valid_utf8("\xe0\x80\xaf"));
  EXPECT_FALSE(valid_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(valid_utf8("\xf4\x90\x80\x80"));
  EXPECT_FALSE(valid_utf8("\xe4\xb8"));
}

TEST(Windows, FloorTowardThePast) {
  EXPECT_EQ(window_of(Millis(0), kHour), 0);
  EXPECT_EQ(window_of(Millis(3'599'999), kHour), 0);
  EXPECT_EQ(window_of(Millis(3'600'000), kHour), 1);
  EXPECT_EQ(window_of(Millis(-1), kHour), -1);
  EXPECT_EQ(window_of(Millis(-3'600'000), kHour), -1);
}

TEST(Hash64, DependsOnEveryByteAndOnTheLength) {
  const std::string text = "永和鲜梨枣 永和乾坤湾 稻城亚丁";
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] ^= 1;
    EXPECT_NE(hash64(text), hash64(changed)) << i;
  }
  EXPECT_NE(hash64(std::string_view("\0", 1)), hash64(std::string_view("\0\0", 2)));
}

}  // namespace
}  // namespace shanhuo
