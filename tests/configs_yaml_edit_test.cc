#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "base/durable_file.h"
#include "configs/program_store.h"
#include "configs/yaml.h"
#include "configs/yaml_edit.h"

namespace shanhuo {
namespace {

constexpr char kFile[] =
    "# why it exists\n"
    "id: kiwi  # 名\n"
    "\n"
    "# how much\n"
    "priority: 7   # by hand\n"
    "items: {kind: farm_good, county: \"433124\"}  # 花垣\n"
    "goals:\n"
    "  # the floor\n"
    "  - {unit: viewable, at_least: 100}  # a promise\n"
    "  - {unit: order, at_least: 5}\n"
    "label:\n"
    "  kind: ad  # paid\n"
    "# the end\n";

Value read(const std::string& text) {
  ConfigErrors errors;
  YamlNode root;
  EXPECT_TRUE(parse_yaml(text, "test", root, errors)) << text;
  return to_value(root);
}

// The file after `patch` (YAML) was merged into what it says.
std::string patched(const std::string& text, const std::string& patch) {
  const Result<std::string> edited = yaml_with(text, merged(read(text), read(patch)));
  EXPECT_TRUE(edited.ok()) << edited.error().message;
  return edited.ok() ? edited.value() : "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST(YamlEdit, ChangesTheBytesOfWhatDiffersAndNoOthers) {
  EXPECT_EQ(patched(kFile, "{}"), kFile);
  EXPECT_EQ(patched(kFile, "priority: 12"), replaced(kFile, "priority: 7 ", "priority: 12 "));
  EXPECT_EQ(patched(kFile, "items: {county: \"150221\"}"),
            replaced(kFile, "\"433124\"", "\"150221\""));
  EXPECT_EQ(patched(kFile, "label: {kind: public_good}"),
            replaced(kFile, "kind: ad", "kind: public_good"));
  EXPECT_EQ(patched(kFile, "goals: [{unit: viewable, at_least: 200}, {unit: order, at_least: 5}]"),
            replaced(kFile, "at_least: 100", "at_least: 200"));
}

TEST(YamlEdit, KeysComeAndGoWithLinesOfTheirOwn) {
  EXPECT_EQ(patched(kFile, "enabled: false"),
            replaced(kFile, "  kind: ad  # paid\n", "  kind: ad  # paid\nenabled: false\n"));
  EXPECT_EQ(patched(kFile, "label: {en: Good}"),
            replaced(kFile, "  kind: ad  # paid\n", "  kind: ad  # paid\n  en: Good\n"));
  EXPECT_EQ(patched(kFile, "priority: null"), replaced(kFile, "priority: 7   # by hand\n", ""));
  EXPECT_EQ(patched(kFile, "label: null"), replaced(kFile, "label:\n  kind: ad  # paid\n", ""));
  EXPECT_EQ(patched(kFile, "items: {category: fruit}"),
            replaced(kFile, "county: \"433124\"}", "county: \"433124\", category: fruit}"));
}

TEST(YamlEdit, ListsGrowAndShrinkAtTheirEnds) {
  EXPECT_EQ(patched(kFile, "goals: [{unit: viewable, at_least: 100}]"),
            replaced(kFile, "  - {unit: order, at_least: 5}\n", ""));
  EXPECT_EQ(patched(kFile,
                    "goals: [{unit: viewable, at_least: 100}, {unit: order, at_least: 5}, "
                    "{unit: click, at_least: 1}]"),
            replaced(kFile, "at_least: 5}\n", "at_least: 5}\n  - {unit: click, at_least: 1}\n"));
}

TEST(YamlEdit, TextsThatYamlWouldReadOtherwiseAreQuoted) {
  for (const char* text :
       {"010",  "yes",  "NO",           "null",    "~",   "1e3",
        "a: b", "a #b", "- x",          "",        " a",  "\"",
        "'",    "[",    "猕猴桃 5斤",   "a,b",     "a}b", "2026-09-20T00:00:00+08:00",
        "<<",   "x:",   "\xE2\x80\xA8", "\xC2\x85"}) {
    const Value wanted = Value::Object{{"id", "x"}, {"items", Value::Object{{"title", text}}}};
    const Result<std::string> written = yaml_with("id: x\n", wanted);
    ASSERT_TRUE(written.ok()) << text;
    EXPECT_TRUE(same_value(read(written.value()), wanted)) << written.value();
    EXPECT_TRUE(same_value(read(yaml_of(wanted)), wanted)) << yaml_of(wanted);
  }
}

TEST(YamlEdit, WhatCannotBeEditedInPlaceIsWrittenAnewUnderItsFirstComments) {
  const std::string file = "# kept\n\nid: x\ntitle: two\n  lines\n";
  EXPECT_EQ(patched(file, "title: one"), "# kept\n\nid: x\ntitle: one\n");
  EXPECT_FALSE(yaml_with("id: [", Value::Object{}).ok());
}

TEST(YamlEdit, ControlCharactersAreEscaped) {
  EXPECT_EQ(yaml_with("id: x\n", Value::Object{{"id", "a\x01"}}).value(), "id: \"a\\u0001\"\n");
}

TEST(YamlEdit, MergesAsRfc7396Says) {
  const auto merge = [](const char* target, const char* patch) {
    return merged(read(target), read(patch));
  };
  EXPECT_TRUE(same_value(merge("{a: 1, b: 2}", "{a: null, c: {d: null, e: 1}}"),
                         read("{b: 2, c: {e: 1}}")));
  EXPECT_TRUE(same_value(merge("{a: {b: 1, c: 2}}", "{a: {b: [1]}}"), read("{a: {b: [1], c: 2}}")));
  EXPECT_TRUE(same_value(merge("{a: [1, 2]}", "{a: [3]}"), read("{a: [3]}")));
}

// Changes one leaf, one key or one element somewhere inside.
void change_somewhere(Value& value, std::mt19937& random) {
  const auto draw = [&](size_t n) { return static_cast<size_t>(random() % n); };
  if (value.is_object() && !value.as_object().empty() && draw(4) != 0) {
    change_somewhere(value.as_object()[draw(value.as_object().size())].second, random);
  } else if (value.is_object() && !value.as_object().empty() && draw(2) == 0) {
    value.as_object().erase(value.as_object().begin() +
                            static_cast<std::ptrdiff_t>(draw(value.as_object().size())));
  } else if (value.is_object()) {
    value.as_object().emplace_back("新 key " + std::to_string(draw(1000)), Value::Array{1, "x"});
  } else if (value.is_array() && !value.as_array().empty() && draw(3) != 0) {
    change_somewhere(value.as_array()[draw(value.as_array().size())], random);
  } else if (value.is_array()) {
    value.as_array().push_back(Value::Object{{"unit", "click"}, {"at_least", 3}});
  } else {
    value = draw(2) == 0 ? Value(static_cast<double>(draw(1000)) / 8)
                         : Value("a: #'\"" + std::to_string(draw(9)));
  }
}

TEST(YamlEdit, WhateverIsChangedInTheShippedProgramsIsWhatIsReadBack) {
  std::mt19937 random(7);
  for (const auto& file : std::filesystem::directory_iterator("configs/programs")) {
    const std::string text = read_text_file(file.path().string()).value();
    for (int round = 0; round < 40; ++round) {
      Value wanted = read(text);
      for (int changes = 0; changes < 1 + round % 3; ++changes) change_somewhere(wanted, random);
      const Result<std::string> edited = yaml_with(text, wanted);
      ASSERT_TRUE(edited.ok()) << edited.error().message;
      ASSERT_TRUE(same_value(read(edited.value()), wanted)) << edited.value();
      EXPECT_TRUE(edited.value().starts_with("# ")) << edited.value();
    }
  }
}

}  // namespace
}  // namespace shanhuo
