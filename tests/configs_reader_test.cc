#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "configs/reader.h"

namespace shanhuo {
namespace {

// Reads `text` with `read` and gives every error's text, one a line, the file left out.
template <typename Read>
std::string errors_of(const std::string& text, const Read& read) {
  const std::string file = "f";
  ConfigErrors errors;
  YamlNode root;
  EXPECT_TRUE(parse_yaml(text, file, root, errors));
  MapReader map(root, "", file, errors);
  read(map);
  std::string out;
  for (const ConfigError& error : errors) out += error.to_string().substr(2) + "\n";
  return out;
}

TEST(MapReader, LeavesTargetsOfAbsentKeysAsTheyAre) {
  int64_t number = 7;
  std::string text = "x";
  bool flag = true;
  EXPECT_EQ(errors_of("{}",
                      [&](MapReader& map) {
                        map.integer("a", number, 0, 9);
                        map.text("b", text, 9);
                        map.boolean("c", flag);
                        EXPECT_EQ(map.map("d"), nullptr);
                        EXPECT_EQ(map.list("e"), nullptr);
                        map.finish();
                      }),
            "");
  EXPECT_EQ(number, 7);
  EXPECT_EQ(text, "x");
  EXPECT_TRUE(flag);
}

TEST(MapReader, RefusesWhatIsNoIntegerOrOutsideItsBounds) {
  const std::pair<const char*, const char*> cases[] = {
      {"5", ""},
      {"-3", ""},
      {"-4", "1:4: a: -4 is too small, at least -3\n"},
      {"6", "1:4: a: 6 is too large, at most 5\n"},
      {"99999999999999999999", "1:4: a: 99999999999999999999 is too large, at most 5\n"},
      {"-99999999999999999999", "1:4: a: -99999999999999999999 is too small, at least -3\n"},
      {"\"5\"", "1:4: a: 5 must be an integer\n"},
      {"05", "1:4: a: 05 must be an integer\n"},
      {"5.0", "1:4: a: 5.0 must be an integer\n"},
      {"1e0", "1:4: a: 1e0 must be an integer\n"},
      {".nan", "1:4: a: .nan must be an integer\n"},
      {"~", "1:4: a: must be an integer\n"},
      {"[5]", "1:4: a: must be an integer\n"},
  };
  for (const auto& [text, expected] : cases) {
    int64_t number = 1;
    EXPECT_EQ(errors_of("a: " + std::string(text),
                        [&](MapReader& map) { map.integer("a", number, -3, 5); }),
              expected);
    EXPECT_EQ(number, *expected != '\0' ? 1 : std::stoll(text)) << text;
  }
}

TEST(MapReader, RefusesWhatIsNoFiniteNumberOrOutsideItsBounds) {
  const std::pair<const char*, const char*> cases[] = {
      {"0.25", ""},
      {"1e-3", ""},
      {"1.5", "1:4: a: 1.5 is too large, at most 1\n"},
      {"-1e-9", "1:4: a: -1e-9 is too small, at least 0\n"},
      {"1e999", "1:4: a: 1e999 must be a finite number\n"},
      {".inf", "1:4: a: .inf must be a finite number\n"},
      {".nan", "1:4: a: .nan must be a finite number\n"},
      {"'0.5'", "1:4: a: 0.5 must be a finite number\n"},
      {"{}", "1:4: a: must be a number\n"},
  };
  for (const auto& [text, expected] : cases) {
    double number = 0.5;
    EXPECT_EQ(errors_of("a: " + std::string(text),
                        [&](MapReader& map) { map.number("a", number, 0, 1); }),
              expected);
    EXPECT_EQ(number, *expected != '\0' ? 0.5 : std::stod(text)) << text;
  }
}

TEST(MapReader, OnlyPlainTrueAndFalseAreBooleans) {
  for (const char* text : {"\"true\"", "yes", "True", "1", "~", "[]"}) {
    bool flag = false;
    EXPECT_NE(errors_of("a: " + std::string(text), [&](MapReader& map) { map.boolean("a", flag); }),
              "")
        << text;
    EXPECT_FALSE(flag);
  }
  bool flag = false;
  EXPECT_EQ(errors_of("a: true", [&](MapReader& map) { map.boolean("a", flag); }), "");
  EXPECT_TRUE(flag);
}

TEST(MapReader, ReportsEveryErrorOfAMapAtOnce) {
  EXPECT_EQ(errors_of("a: x\nb: 5\nzz: 1\nc: green\n",
                      [](MapReader& map) {
                        map.require({"a", "d"});
                        int64_t number = 0;
                        int color = 0;
                        std::string text;
                        map.integer("a", number, 0, 9);
                        map.integer("b", number, 0, 4);
                        map.one_of("c", {"red", "blue"}, color);
                        map.text("d", text, 4);
                        map.finish();
                      }),
            "1:1: d: is missing\n"
            "1:4: a: x must be an integer\n"
            "2:4: b: 5 is too large, at most 4\n"
            "4:4: c: green is not allowed, one of red, blue\n"
            "3:1: zz: unknown key; allowed here: a, b, c, d\n");
}

TEST(MapReader, TextIsTakenAsItStandsUpToItsLimit) {
  std::string text;
  EXPECT_EQ(errors_of("a: 010", [&](MapReader& map) { map.text("a", text, 3); }), "");
  EXPECT_EQ(text, "010");
  EXPECT_EQ(errors_of("a: 0100", [&](MapReader& map) { map.text("a", text, 3); }),
            "1:4: a: is longer than 3 bytes\n");
  EXPECT_EQ(errors_of("a: ~", [&](MapReader& map) { map.text("a", text, 3); }),
            "1:4: a: must be text\n");
  EXPECT_EQ(text, "010");
}

TEST(MapReader, WhatIsNoMapIsSaidOnce) {
  EXPECT_EQ(errors_of("[1]", [](MapReader& map) { map.finish(); }), "1:1: must be a map of keys\n");
  EXPECT_EQ(errors_of("a: [1]\nb: {}",
                      [](MapReader& map) {
                        EXPECT_EQ(map.map("a"), nullptr);
                        EXPECT_EQ(map.list("b"), nullptr);
                      }),
            "1:4: a: must be a map of keys\n2:4: b: must be a list\n");
}

TEST(Rfc3339, TimesWithAnOffsetAreMilliseconds) {
  const std::pair<std::string_view, int64_t> cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01T08:00:00+08:00", 0},
      {"1969-12-31T23:59:59Z", -1'000},
      {"1969-12-31T19:30:00-04:30", 0},
      {"2026-09-20T00:00:00+08:00", 1'789'833'600'000},
      {"2026-09-19T16:00:00Z", 1'789'833'600'000},
      {"2026-09-20T00:00:00.5+08:00", 1'789'833'600'500},
      {"2026-09-20T00:00:00.05+08:00", 1'789'833'600'050},
      {"2026-09-20T00:00:00.123+08:00", 1'789'833'600'123},
      {"2024-02-29T12:00:00Z", 1'709'208'000'000},
      {"2000-02-29T00:00:00Z", 951'782'400'000},
      {"9999-12-31T23:59:59.999Z", 253'402'300'799'999},
      {"2026-09-20T05:45:00+05:45", 1'789'862'400'000},
      {"2026-09-20T14:00:00+14:00", 1'789'862'400'000},
      {"2026-09-20T00:00:00-00:00", 1'789'862'400'000},
  };
  for (const auto& [text, expected] : cases) {
    const std::optional<Millis> time = parse_rfc3339(text);
    ASSERT_TRUE(time.has_value()) << text;
    EXPECT_EQ(time->count(), expected) << text;
  }
}

TEST(Rfc3339, WhatIsNoTimeOfTheCalendarIsRefused) {
  for (const std::string_view text : {"",
                                      "2026-09-20",
                                      "2026-09-20T00:00:00",
                                      "2026-09-20 00:00:00Z",
                                      "2026-09-20t00:00:00z",
                                      "2026-02-29T00:00:00Z",
                                      "1900-02-29T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-09-31T00:00:00Z",
                                      "2026-09-00T00:00:00Z",
                                      "2026-09-20T24:00:00Z",
                                      "2026-09-20T00:60:00Z",
                                      "2026-09-20T00:00:60Z",
                                      "2026-09-20T00:00:00+8:00",
                                      "2026-09-20T00:00:00+0800",
                                      "2026-09-20T00:00:00+15:00",
                                      "2026-09-20T00:00:00+08:60",
                                      "2026-09-20T00:00:00+08:00x",
                                      "2026-09-20T00:00:00ZZ",
                                      "2026-09-20T00:00:00.Z",
                                      "2026-09-20T00:00:00.1234Z",
                                      "2026-09-20T00:00:00.12",
                                      "2026-09-20T00:00:00.",
                                      "-026-09-20T00:00:00Z",
                                      "2026-9-20T000:00:00Z",
                                      "2026-09-20T00:00:00+08-00",
                                      "2026-09-20T00:00:00 08:00",
                                      "1789833600000",
                                      "２026-09-20T00:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace shanhuo
