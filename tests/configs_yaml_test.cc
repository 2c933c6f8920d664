#include <gtest/gtest.h>

#include <random>
#include <string>

#include "configs/yaml.h"

namespace shanhuo {
namespace {

using std::string_literals::operator""s;

YamlNode read(const std::string& text) {
  YamlNode root;
  ConfigErrors errors;
  EXPECT_TRUE(parse_yaml(text, "f.yaml", root, errors)) << text;
  for (const ConfigError& error : errors) ADD_FAILURE() << error.to_string() << " of\n" << text;
  return root;
}

// The one error of a text, "line:column: message"; "fine" when there is none.
std::string refusal(const std::string& text) {
  YamlNode root;
  ConfigErrors errors;
  const bool good = parse_yaml(text, "f", root, errors);
  EXPECT_EQ(good, errors.empty());
  if (good) return "fine";
  EXPECT_EQ(errors.size(), 1U);
  const std::string said = errors.front().to_string();
  EXPECT_TRUE(said.starts_with("f:")) << said;
  return said.substr(2);
}

// Line and column of every node, in the order of the file.
void places(const YamlNode& node, std::string& out) {
  const auto add = [&](int line, int column, const std::string& what) {
    out += std::to_string(line) + ":" + std::to_string(column) + " " + what + "\n";
  };
  if (node.kind == YamlNode::Kind::kScalar) add(node.line, node.column, node.text);
  if (node.kind == YamlNode::Kind::kNull) add(node.line, node.column, "null");
  for (const YamlNode& item : node.items) places(item, out);
  for (const YamlNode::Member& member : node.members) {
    add(member.line, member.column, member.key + ":");
    places(member.value, out);
  }
}

TEST(Yaml, ReadsMapsListsAndScalarsInTheOrderOfTheFile) {
  const YamlNode root = read("b: [x, {y: z}]\na:\n  - 1\n  - ~\n");
  ASSERT_EQ(root.members.size(), 2U);
  EXPECT_EQ(root.members[0].key, "b");
  EXPECT_EQ(root.find("b")->items[0].text, "x");
  EXPECT_EQ(root.find("b")->items[1].find("y")->text, "z");
  EXPECT_EQ(root.find("a")->items[0].text, "1");
  EXPECT_EQ(root.find("a")->items[1].kind, YamlNode::Kind::kNull);
  EXPECT_EQ(root.find("c"), nullptr);
}

TEST(Yaml, AnEmptyFileIsNull) {
  EXPECT_EQ(read("").kind, YamlNode::Kind::kNull);
  EXPECT_EQ(read("\n# only a comment\n").kind, YamlNode::Kind::kNull);
}

TEST(Yaml, KnowsLineAndColumnOfEveryKeyAndValue) {
  std::string out;
  places(read("# heading\nid: kiwi\ngoals:\n  - {unit: click, per: day}\nroom:\n"), out);
  EXPECT_EQ(out,
            "2:1 id:\n2:5 kiwi\n3:1 goals:\n4:6 unit:\n4:12 click\n4:19 per:\n4:24 day\n"
            "5:1 room:\n6:1 null\n");
}

TEST(Yaml, CountsColumnsInCodePointsAsEditorsDo) {
  std::string out;
  places(read("name: {zh: 十八洞🥝, en: x}\n\"é\": y\n"), out);
  EXPECT_EQ(out, "1:1 name:\n1:8 zh:\n1:12 十八洞🥝\n1:18 en:\n1:22 x\n2:1 é:\n2:6 y\n");
}

TEST(Yaml, AByteOrderMarkIsNoPartOfTheFirstLine) {
  std::string out;
  places(read("\xEF\xBB\xBFid: x\n"), out);
  EXPECT_EQ(out, "1:1 id:\n1:5 x\n");
}

TEST(Yaml, TellsQuotedScalarsFromPlainOnes) {
  const YamlNode root = read("[1, \"1\", '1', null, \"null\", \"\", ~]");
  EXPECT_TRUE(root.items[0].plain);
  EXPECT_FALSE(root.items[1].plain);
  EXPECT_FALSE(root.items[2].plain);
  EXPECT_EQ(root.items[3].kind, YamlNode::Kind::kNull);
  EXPECT_EQ(root.items[4].kind, YamlNode::Kind::kScalar);
  EXPECT_EQ(root.items[5].kind, YamlNode::Kind::kScalar);
  EXPECT_EQ(root.items[6].kind, YamlNode::Kind::kNull);
}

TEST(Yaml, RefusesWhatHidesOrRepeatsValuesAndSaysWhere) {
  const std::pair<std::string, std::string> cases[] = {
      {"a: 1\nb: 2\na: 3\n", "3:1: the key a stands here twice"},
      {"x: {k: 1, \"k\": 2}", "1:11: the key k stands here twice"},
      {"名: {甲: 1, 甲: 2}", "1:11: the key 甲 stands here twice"},
      {"a: &x 1\n", "1:4: anchors are not allowed"},
      {"a: &x [1]\n", "1:4: anchors are not allowed"},
      {"a: &x {b: 1}\n", "1:4: anchors are not allowed"},
      {"a: &x\n", "1:4: anchors are not allowed"},
      {"a: *x\n", "1:4: "},
      {"a: !!int 5\n", "1:4: the tag tag:yaml.org,2002:int is not allowed"},
      {"a: !mine {b: 1}\n", "1:4: the tag !mine is not allowed"},
      {"a: !!binary aGk=\n", "1:4: the tag tag:yaml.org,2002:binary is not allowed"},
      {"base: {a: 1}\nb:\n  <<: {a: 2}\n", "3:3: merge keys are not allowed"},
      {"a: 1\n---\nb: 2\n", "2:1: more than one document"},
      {"a: 1\n---\n", "2:1: more than one document"},
      {"[a, b]: c\n", "1:1: a key must be plain text"},
      {"{a: 1}: c\n", "1:1: a key must be plain text"},
      {"~: c\n", "1:1: a key must be plain text"},
      {"a: [1, 2\n", ""},
      {"a: \"open\n", "1:4: the quote is never closed"},
      {"a: \"open\nb: 1\n", "1:4: the quote is never closed"},
      {"a: \"open\\\"\n", "1:4: the quote is never closed"},
      {"a: 'it''s\n", "1:4: the quote is never closed"},
      {"\"a: 1\n", "1:1: "},
      {"a:\n\t- b\n", ""},
      {"a: b: c\n", "1:5: not YAML: "},
  };
  for (const auto& [text, expected] : cases) {
    const std::string said = refusal(text);
    EXPECT_NE(said, "fine") << text;
    EXPECT_TRUE(said.starts_with(expected)) << text << "\nsaid " << said;
  }
}

TEST(Yaml, TheSameKeyMayStandInDifferentMaps) {
  EXPECT_EQ(refusal("a: {k: 1}\nb: {k: 1}\nk: [{k: 1}, {k: 2}]"), "fine");
}

TEST(Yaml, RefusesControlCharactersThatWouldEndOrHideText) {
  EXPECT_EQ(refusal("a: 1\nb: \x04x\n"), "2:4: control characters are not allowed");
  EXPECT_EQ(refusal("é: \"\x01\""), "1:5: control characters are not allowed");
  EXPECT_EQ(refusal("a: 1\n\0b: 2"s), "2:1: control characters are not allowed");
  EXPECT_EQ(refusal("a: \x7F"), "1:4: control characters are not allowed");
  EXPECT_EQ(refusal("a: \"x\ty\"\r\nb: 1\r\n"), "fine");
}

TEST(Yaml, RefusesWhatIsNotUtf8) {
  for (const std::string& bytes : {"\xFF"s, "\xC0\xAF"s, "\xED\xA0\x80"s, "\xE5\x8D"s}) {
    EXPECT_EQ(refusal("a: " + bytes + "\n"), " not UTF-8");
  }
}

TEST(Yaml, TakesExactlyAMebibyteAndNoMore) {
  const std::string start = "a: 1\n#";
  EXPECT_EQ(refusal(start + std::string(kYamlBytesMax - start.size(), 'x')), "fine");
  EXPECT_EQ(refusal(start + std::string(kYamlBytesMax - start.size() + 1, 'x')),
            " larger than 1048576 bytes");
}

TEST(Yaml, TakesExactlyThirtyTwoLevelsAndNoMore) {
  const auto nested = [](int depth) {
    return std::string(static_cast<size_t>(depth), '[') + "1" +
           std::string(static_cast<size_t>(depth), ']');
  };
  EXPECT_EQ(refusal(nested(kYamlDepthMax)), "fine");
  EXPECT_EQ(refusal(nested(kYamlDepthMax + 1)), "1:33: nested deeper than 32 levels");
  EXPECT_NE(refusal(std::string(kYamlBytesMax, '[')), "fine");
}

// Linear in the length of the line, or this takes minutes.
TEST(Yaml, ReadsALongLineInOnePass) {
  std::string text = "[";
  while (text.size() + 8 < kYamlBytesMax) text += "é, ";
  const YamlNode root = read(text + "é]");
  EXPECT_EQ(root.items.back().column, static_cast<int>(2 + 3 * (root.items.size() - 1)));
}

TEST(Yaml, OnlyNumbersOfJsonAreNumbers) {
  const std::pair<std::string_view, double> good[] = {
      {"0", 0},      {"-0", 0},       {"10", 10},       {"-1.5", -1.5},
      {"1e3", 1000}, {"1.5E-1", .15}, {"1e308", 1e308}, {"0.1", 0.1}};
  for (const auto& [text, value] : good) {
    double number = -7;
    EXPECT_TRUE(parse_json_number(text, number)) << text;
    EXPECT_EQ(number, value) << text;
  }
  for (const std::string_view text :
       {"",      "-",      "010", "-01", "0x10",  "0o7",   "1_000", "+1",   ".5",   "1.",
        "1.e3",  "-.5",    "1e",  "1e+", ".nan",  "nan",   "inf",   "-inf", ".inf", "Infinity",
        "1e999", "-1e999", "1 ",  " 1",  "1,000", "12:30", "1f",    "1..2", "true", "٣"}) {
    double number = 0;
    EXPECT_FALSE(parse_json_number(text, number)) << text;
  }
}

TEST(Yaml, ValuesOfConditionsAreNeverGuessedAt) {
  const Value value = to_value(
      read("[010, .nan, 1e999, \"431226\", '5', 5, true, \"true\", yes, null, {a: [1]}, 0x1F]"));
  EXPECT_EQ(value, (Value::Array{"010", ".nan", "1e999", "431226", "5", 5, true, "true", "yes",
                                 Value(), Value::Object{{"a", Value::Array{1}}}, "0x1F"}));
}

TEST(Yaml, ErrorsSayFileLineColumnAndKey) {
  EXPECT_EQ((ConfigError{"p/k.yaml", 12, 5, "goals[0].at_least", "is missing"}).to_string(),
            "p/k.yaml:12:5: goals[0].at_least: is missing");
  EXPECT_EQ((ConfigError{"k.yaml", 0, 0, "", "not UTF-8"}).to_string(), "k.yaml: not UTF-8");
  EXPECT_EQ((ConfigError{"k.yaml", 1, 2, "", "x"}).to_string(), "k.yaml:1:2: x");
}

TEST(Yaml, AnyBytesAreReadOrRefusedWithAPlaceInsideTheText) {
  std::mt19937 random(7);
  const std::string alphabet = "ab:-[]{},\"'#&*!|>%@?~<\n\n  \t\xE5\x8D\x81";
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (size_t length = random() % 24; length > 0; --length) {
      text += alphabet[random() % alphabet.size()];
    }
    YamlNode root;
    ConfigErrors errors;
    const bool good = parse_yaml(text, "f", root, errors);
    ASSERT_EQ(good, errors.empty()) << text;
    for (const ConfigError& error : errors) {
      ASSERT_LE(error.line, std::count(text.begin(), text.end(), '\n') + 1) << text;
      ASSERT_LE(error.column, static_cast<int>(text.size()) + 1) << text;
    }
  }
}

}  // namespace
}  // namespace shanhuo
