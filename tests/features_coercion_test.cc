#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>

#include "features/coercion.h"

namespace shanhuo {
namespace {

TEST(Coercion, WritesNumbersAsJavaScriptDoes) {
  const auto text = [](double number) {
    std::array<char, 32> room;
    return std::string(number_text(number, &room));
  };
  EXPECT_EQ(text(-0.0), "0");
  EXPECT_EQ(text(100), "100");
  EXPECT_EQ(text(-12.5), "-12.5");
  EXPECT_EQ(text(1e-6), "0.000001");
  EXPECT_EQ(text(1e-7), "1e-7");
  EXPECT_EQ(text(-1.2345678901234567e-6), "-0.0000012345678901234567");
  EXPECT_EQ(text(123456789012345680000.0), "123456789012345680000");
  EXPECT_EQ(text(1e21), "1e+21");
  EXPECT_EQ(text(-1.7976931348623157e308), "-1.7976931348623157e+308");
}

TEST(Coercion, ComparesByUtf16CodeUnits) {
  EXPECT_LT(compare_texts("\U00010400", "\uff5e"), 0);
  EXPECT_GT(compare_texts("\uff5e", "\U00010400"), 0);
  EXPECT_LT(compare_texts("\ud7ff", "\U00010400"), 0);
  EXPECT_LT(compare_texts("a", "ab"), 0);
  EXPECT_EQ(compare_texts("洞", "洞"), 0);
}

TEST(Coercion, BuildsTextsLongerThanTheBuffer) {
  TextBuffer room;
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    room.append("abc");
    expected += "abc";
  }
  EXPECT_EQ(room.view(), expected);
}

TEST(Coercion, SurvivesMalformedUtf8) {
  for (const std::string_view broken : {"\xff", "\xe5\x8d", "\xc3", "\xf0\x90\x90", "\x80 \xc2"}) {
    TextBuffer lower;
    append_lower_case(broken, &lower);
    EXPECT_EQ(lower.view(), broken);
    EXPECT_NE(number_of_text(broken), 0);
  }
}

TEST(Coercion, ReadsNumbersAsJavaScriptDoes) {
  EXPECT_EQ(number_of_text(" \u3000 12.50\n"), 12.5);
  EXPECT_EQ(number_of_text(""), 0);
  EXPECT_EQ(number_of_text("0x1F"), 31);
  EXPECT_EQ(number_of_text("-1e3"), -1'000);
  EXPECT_EQ(number_of_text("5."), 5);
  EXPECT_EQ(number_of_text("1e-999"), 0);
  EXPECT_GT(number_of_text("1e999"), 1e308);
  for (const char* text : {"12px", "-0x1F", "inf", "nan", "1e", ".", "--1", "1,2", "0x"}) {
    EXPECT_TRUE(std::isnan(number_of_text(text))) << text;
  }
}

TEST(Coercion, LowersAlphabetsBeyondAscii) {
  const auto lower = [](std::string_view text) {
    TextBuffer room;
    append_lower_case(text, &room);
    return std::string(room.view());
  };
  EXPECT_EQ(lower("TEA Ärger ŁÓDŹ ΑΒΓ МОСКВА ＴＥＡ 洞"), "tea ärger łódź αβγ москва ｔｅａ 洞");
  EXPECT_EQ(lower("\U00010400 ÿŸ ×÷ Ǆǅ"), "\U00010428 ÿÿ ×÷ ǆǆ");
}

TEST(Coercion, PadsVersionsSoThatTextOrderIsTheirOrder) {
  const auto padded = [](std::string_view text) {
    TextBuffer room;
    append_padded_version(AttributeView::text(text), &room);
    return std::string(room.view());
  };
  EXPECT_EQ(padded("v1.2.3"), "    1-    2-    3-~");
  EXPECT_EQ(padded("1.2.3-rc.1+b"), "    1-    2-    3-rc-    1");
  EXPECT_EQ(padded(""), "    0");
  EXPECT_EQ(padded("v"), "");
  EXPECT_EQ(padded("123456.x"), "123456-x");
}

}  // namespace
}  // namespace shanhuo
