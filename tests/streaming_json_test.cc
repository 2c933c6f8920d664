#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "streaming/json.h"

namespace shanhuo::json {
namespace {

Value parsed(Document& document, std::string_view text) {
  const Result<Value> value = document.parse(text);
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? value.value() : Value();
}

std::string written(Value value) {
  std::string text;
  JsonWriter writer(text);
  write(writer, value);
  return text;
}

TEST(Json, EveryKindIsReadAsWritten) {
  Document document;
  const Value root = parsed(
      document, R"({"t":"a\u0000b","i":-3,"u":18446744073709551615,"d":1.5,"b":true,"n":null,)"
                R"("a":[1,[2,3],{"x":4}],"o":{"k":"v"}})");
  std::string_view text;
  int64_t integer = 0;
  uint64_t large = 0;
  double number = 0;
  bool flag = false;
  EXPECT_TRUE(root.find("t").get(text));
  EXPECT_EQ(text, std::string_view("a\0b", 3));
  EXPECT_TRUE(root.find("i").get(integer));
  EXPECT_EQ(integer, -3);
  EXPECT_FALSE(root.find("i").get(large));
  EXPECT_TRUE(root.find("u").get(large));
  EXPECT_EQ(large, std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(root.find("u").get(integer));
  EXPECT_TRUE(root.find("d").get(number));
  EXPECT_EQ(number, 1.5);
  EXPECT_FALSE(root.find("d").get(integer));
  EXPECT_TRUE(root.find("b").get(flag));
  EXPECT_TRUE(root.find("n").is_null());
  EXPECT_EQ(root.find("a").size(), 3u);
  EXPECT_EQ(written(root.find("a")), R"([1,[2,3],{"x":4}])");
  EXPECT_FALSE(root.find("missing").present());
  EXPECT_FALSE(Value().is_object());
  EXPECT_EQ(root.find("i").members().begin(), root.find("i").members().end());
}

TEST(Json, WhatIsNotJsonIsRefused) {
  Document document;
  for (const char* text :
       {"", "{", "{\"a\":}", "[1,]", "NaN", "[1e400]", "[-1e400]", "[NaN]", "[Infinity]",
        "[18446744073709551616]", "\"\xff\"", "{} {}", "[01]", "\"\x01\"", "{'a':1}"}) {
    const Result<Value> value = document.parse(text);
    ASSERT_FALSE(value.ok()) << text;
    EXPECT_EQ(value.error().code, ErrorCode::kInvalid);
  }
  EXPECT_TRUE(document.parse("[1e308]").ok());  // and the parser is fit for use again
}

TEST(Json, DepthAndSizeAreBounded) {
  Document document({.bytes_max = 100, .depth_max = 8});
  EXPECT_TRUE(document.parse(std::string(7, '[') + std::string(7, ']')).ok());
  EXPECT_FALSE(document.parse(std::string(9, '[') + std::string(9, ']')).ok());
  EXPECT_FALSE(document.parse(std::string(50, '[')).ok());
  const Result<Value> large = document.parse("\"" + std::string(200, 'x') + "\"");
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, ErrorCode::kTooLarge);
}

TEST(Json, PiecesOfOneBufferAreParsedInPlace) {
  Document document;
  const std::string buffer = "{\"a\":1}\n[12]\n345";
  const std::string_view kept = document.keep(buffer).value();
  EXPECT_EQ(written(document.parse_kept(kept.substr(0, 7)).value()), "{\"a\":1}");
  EXPECT_EQ(written(document.parse_kept(kept.substr(8, 4)).value()), "[12]");
  EXPECT_EQ(written(document.parse_kept(kept.substr(13)).value()), "345");
  EXPECT_EQ(written(document.parse_kept(kept.substr(13, 2)).value()), "34");
  EXPECT_FALSE(document.parse_kept(kept.substr(0, 6)).ok());
}

TEST(Json, StrictReadingNamesEveryFault) {
  Document document;
  const Value root = parsed(document, R"({"a":1,"b":"x","a":2,"c/d~e":3,"list":[1,"two"]})");
  constexpr std::string_view kNames[] = {"a", "b", "list", "gone"};
  std::vector<Value> values(4);
  FieldErrors errors;
  const Pointer at;
  EXPECT_FALSE(read_fields(root, kNames, values, at, errors));
  EXPECT_FALSE(integer_of(values[1], 0, 5, Pointer(at, "b"), errors));
  EXPECT_FALSE(integer_of(values[0], 5, 6, Pointer(at, "a"), errors));
  EXPECT_FALSE(id_of(values[3], Pointer(at, "gone"), errors));
  const Pointer list(at, "list");
  EXPECT_FALSE(number_of(Value(), 0, 1, Pointer(list, size_t{1}), errors));
  ASSERT_EQ(errors.list().size(), 6u);
  EXPECT_EQ(errors.list()[0].pointer, "/a");
  EXPECT_EQ(errors.list()[0].detail, "given twice");
  EXPECT_EQ(errors.list()[1].pointer, "/c~1d~0e");
  EXPECT_EQ(errors.list()[1].detail, "unknown field");
  EXPECT_EQ(errors.list()[2].detail, "is a string, must be an integer");
  EXPECT_EQ(errors.list()[3].detail, "is out of range, must be 5..6");
  EXPECT_EQ(errors.list()[4].detail, "missing, must be a string");
  EXPECT_EQ(errors.list()[5].pointer, "/list/1");
}

TEST(Json, FieldErrorsKeepSomeAndCountAll) {
  FieldErrors errors(2);
  const Pointer at;
  for (size_t i = 0; i < 5; ++i) errors.add(Pointer(at, i), "bad");
  EXPECT_EQ(errors.list().size(), 2u);
  EXPECT_EQ(errors.count(), 5u);
  EXPECT_EQ(errors.as_error().message, "/0: bad; /1: bad; and 3 more");
}

TEST(Json, ValuesBecomeTreesOfOurOwn) {
  Document document;
  const auto tree = to_value(parsed(document, R"({"a":[1,"x",null,true],"o":{"k":2.5}})"));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree.value().find("a")->as_array().size(), 4u);
  EXPECT_EQ(tree.value().find("o")->find("k")->as_number(), 2.5);
  EXPECT_FALSE(to_value(parsed(document, R"({"a":{"k":1,"k":2}})")).ok());
}

TEST(JsonWriter, EscapesWhatJsonDemandsAndNothingElse) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  json.field("te\"xt", std::string_view("a\\b\"\n\t\r\x01/猕猴桃\x7f"));
  json.key("list");
  json.begin_array();
  json.value(-5);
  json.value(uint64_t{18446744073709551615ULL});
  json.value(true);
  json.null();
  json.value(0.1);
  json.begin_object();
  json.end_object();
  json.raw("[7]");
  json.end_array();
  json.end_object();
  EXPECT_EQ(text,
            "{\"te\\\"xt\":\"a\\\\b\\\"\\n\\t\\r\\u0001/猕猴桃\x7f\","
            "\"list\":[-5,18446744073709551615,true,null,0.1,{},[7]]}");
}

TEST(JsonWriter, RandomTextsAndNumbersReadBackTheSame) {
  std::mt19937_64 random(7);
  Document document;
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (size_t i = random() % 40; i > 0; --i) text.push_back(static_cast<char>(random() % 128));
    double number = std::bit_cast<double>(random());
    if (!std::isfinite(number)) number = 0.5;
    const auto integer = static_cast<int64_t>(random());
    std::string out;
    JsonWriter json(out);
    json.begin_array();
    json.value(text);
    json.value(number);
    json.value(integer);
    json.end_array();
    auto element = parsed(document, out).elements().begin();
    std::string_view text_back;
    double number_back = 0;
    int64_t integer_back = 0;
    ASSERT_TRUE((*element).get(text_back));
    ASSERT_TRUE((*++element).get(number_back)) << out;
    ASSERT_TRUE((*++element).get(integer_back));
    EXPECT_EQ(text_back, text);
    EXPECT_EQ(number_back, number);
    EXPECT_EQ(integer_back, integer);
  }
}

}  // namespace
}  // namespace shanhuo::json
