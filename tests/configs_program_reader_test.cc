#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/durable_file.h"
#include "configs/config_edit.h"
#include "configs/program_reader.h"
#include "configs/program_store.h"
#include "features/digest.h"
#include "ranking/attributes.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

// Contract 3, with the area and the second goal that it describes beside the example.
const std::string kKiwi =
    "id: shibadong-kiwi\n"
    "name: {zh-CN: 十八洞猕猴桃, en: Shibadong kiwifruit}\n"
    "enabled: true\n"
    "priority: 100                 # 0..1000\n"
    "items: {kind: farm_good, county: \"433124\", category: fruit}\n"
    "audience: {}\n"
    "surfaces: [feed, live_room]\n"
    "schedule: {start: 2026-09-20T00:00:00+08:00, end: 2027-09-20T00:00:00+08:00}\n"
    "goals:\n"
    "  - {unit: viewable, at_least: 130000, at_most: 136000, per: total, missed_value_fen: 3}\n"
    "placement: {first_slot: 3, last_slot: 19, per_request_max: 1, min_gap: 5}\n"
    "room: {window_s: 3600, max: 1, hold_ms: 180000}\n"
    "frequency: [{scope: item, window_s: 86400, max: 2}, {scope: program, window_s: 86400, max: "
    "6}]\n"
    "fairness: {group: county, weight: 1.5}\n"
    "area: {lat: 28.58, lon: 109.48, radius_km: [[0, 5], [60, 20], [360, 100]]}\n"
    "label: {kind: public_good, zh-CN: 助农好物, en: Farm good}\n";

// The least that a program needs.
const std::string kLeast =
    "id: p\n"
    "items: {}\n"
    "surfaces: [feed]\n"
    "schedule: {start: 2026-01-01T00:00:00Z, end: 2026-01-02T00:00:00Z}\n"
    "goals: [{unit: click, at_least: 1, missed_value_fen: 2}]\n";

Program good(const std::string& text) {
  ConfigErrors errors;
  std::optional<Program> program = read_program(text, "p.yaml", errors);
  for (const ConfigError& error : errors) ADD_FAILURE() << error.to_string() << " of\n" << text;
  EXPECT_TRUE(program.has_value());
  return program.value_or(Program());
}

// Every error, one a line, without the file's name.
std::string errors_of(const std::string& text) {
  ConfigErrors errors;
  const std::optional<Program> program = read_program(text, "f", errors);
  EXPECT_EQ(program.has_value(), errors.empty());
  std::string out;
  for (const ConfigError& error : errors) {
    EXPECT_EQ(error.file, "f");
    out += error.to_string().substr(2) + "\n";
  }
  return out;
}

// The contract's example with one line written otherwise; "" takes the line out.
std::string with_line(const std::string& key, const std::string& line) {
  const size_t begin = kKiwi.find("\n" + key + ":") + 1;
  const size_t end = kKiwi.find('\n', key == "goals" ? kKiwi.find("  - ") : begin) + 1;
  std::string text = kKiwi;
  text.replace(key == "id" ? 0 : begin, key == "id" ? kKiwi.find('\n') + 1 : end - begin,
               line.empty() ? "" : line + "\n");
  return text;
}

TEST(ProgramReader, ReadsTheContractsExampleToItsExactValues) {
  const Program p = good(kKiwi);
  EXPECT_EQ(p.id.view(), "shibadong-kiwi");
  EXPECT_EQ(p.name_zh, "十八洞猕猴桃");
  EXPECT_EQ(p.name_en, "Shibadong kiwifruit");
  EXPECT_TRUE(p.enabled);
  EXPECT_FALSE(p.urgent);
  EXPECT_EQ(p.priority, 100);
  EXPECT_EQ(p.items.attribute_names(), (std::vector<std::string>{"category", "county", "kind"}));
  EXPECT_TRUE(p.audience.attribute_names().empty());
  for (int s = 0; s < kSurfaces; ++s) {
    const auto surface = static_cast<Surface>(s);
    EXPECT_EQ(p.surfaces[static_cast<size_t>(s)],
              surface == Surface::kFeed || surface == Surface::kLiveRoom);
  }
  EXPECT_EQ(p.start.count(), 1'789'833'600'000);
  EXPECT_EQ(p.end.count(), 1'821'369'600'000);
  ASSERT_EQ(p.goals.size(), 1U);
  EXPECT_EQ(p.goals[0].unit, GoalUnit::kViewable);
  EXPECT_EQ(p.goals[0].at_least, 130'000);
  EXPECT_EQ(p.goals[0].at_most, 136'000);
  EXPECT_EQ(p.goals[0].per, GoalPeriod::kTotal);
  EXPECT_EQ(p.goals[0].share_of, Surface::kNone);
  EXPECT_EQ(p.goals[0].missed_value_fen, 3);
}

TEST(ProgramReader, ReadsWhereHowOftenAndWhatItIsCalled) {
  const Program p = good(kKiwi);
  EXPECT_EQ(p.placement.first_slot, 3);
  EXPECT_EQ(p.placement.last_slot, 19);
  EXPECT_EQ(p.placement.per_request_max, 1);
  EXPECT_EQ(p.placement.min_gap, 5);
  ASSERT_TRUE(p.room.has_value());
  EXPECT_EQ(p.room->window, kHour);
  EXPECT_EQ(p.room->max, 1);
  EXPECT_EQ(p.room->hold, Millis(180'000));
  ASSERT_EQ(p.frequency.size(), 2U);
  EXPECT_EQ(p.frequency[0].scope, CapScope::kItem);
  EXPECT_EQ(p.frequency[0].window, kDay);
  EXPECT_EQ(p.frequency[0].max, 2);
  EXPECT_EQ(p.frequency[1].scope, CapScope::kProgram);
  EXPECT_EQ(p.frequency[1].max, 6);
  EXPECT_TRUE(p.fairness_by_county);
  EXPECT_EQ(p.fairness_weight, 1.5);
  ASSERT_TRUE(p.area.has_value());
  EXPECT_EQ(p.area->center.lat, 28.58);
  EXPECT_EQ(p.area->center.lon, 109.48);
  EXPECT_EQ(p.area->radius_km,
            (std::vector<std::pair<double, double>>{{0, 5}, {60, 20}, {360, 100}}));
  EXPECT_EQ(p.label.kind, LabelKind::kPublicGood);
  EXPECT_EQ(p.label.zh, "助农好物");
  EXPECT_EQ(p.label.en, "Farm good");
  EXPECT_EQ(p.file, "p.yaml");
  EXPECT_EQ(p.revision, sha256_hex(kKiwi).substr(0, 16));
}

TEST(ProgramReader, WhatIsLeftOutKeepsItsDefault) {
  const Program p = good(kLeast), untouched;
  EXPECT_TRUE(p.enabled);
  EXPECT_EQ(p.priority, untouched.priority);
  EXPECT_EQ(p.placement.first_slot, untouched.placement.first_slot);
  EXPECT_EQ(p.placement.last_slot, untouched.placement.last_slot);
  EXPECT_FALSE(p.room.has_value());
  EXPECT_FALSE(p.area.has_value());
  EXPECT_TRUE(p.frequency.empty());
  EXPECT_FALSE(p.fairness_by_county);
  EXPECT_EQ(p.label.kind, LabelKind::kNone);
  EXPECT_EQ(p.goals[0].per, GoalPeriod::kTotal);
  EXPECT_EQ(p.goals[0].at_most, 0);
}

TEST(ProgramReader, ReadsEverySpellingOfTheGrammar) {
  const Program p = good(
      "id: p\nenabled: false\nurgent: true\npriority: 0\nitems: {in_832: true}\n"
      "audience: {city: 北京}\n"
      "surfaces: [search, detail, festival, open_screen]\n"
      "schedule: {start: 2026-01-01T00:00:00Z, end: 2026-01-01T00:00:00.001Z}\n"
      "goals:\n"
      "  - {unit: click, at_least: 0.1, at_most: 1, share_of: feed, missed_value_fen: 0}\n"
      "  - {unit: order, at_least: 5, at_most: 5, per: day, missed_value_fen: 1e9}\n"
      "frequency: [{scope: county, window_s: 1, max: 1}, {scope: creator, window_s: 2592000, "
      "max: 1000}, {scope: all, window_s: 2, max: 3}]\n"
      "label: {kind: ad}\n");
  EXPECT_FALSE(p.enabled);
  EXPECT_TRUE(p.urgent);
  EXPECT_FALSE(p.surfaces[static_cast<size_t>(Surface::kFeed)]);
  EXPECT_TRUE(p.surfaces[static_cast<size_t>(Surface::kOpenScreen)]);
  EXPECT_EQ(p.goals[0].share_of, Surface::kFeed);
  EXPECT_EQ(p.goals[1].unit, GoalUnit::kOrder);
  EXPECT_EQ(p.goals[1].per, GoalPeriod::kDay);
  EXPECT_EQ(p.frequency[0].scope, CapScope::kCounty);
  EXPECT_EQ(p.frequency[1].scope, CapScope::kCreator);
  EXPECT_EQ(p.frequency[2].scope, CapScope::kAll);
  EXPECT_EQ(p.label.kind, LabelKind::kAd);
}

TEST(ProgramReader, AnEmptyFileMissesWhatEveryProgramNeeds) {
  EXPECT_EQ(errors_of(""),
            "1:1: id: is missing\n1:1: items: is missing\n1:1: surfaces: is missing\n"
            "1:1: schedule: is missing\n1:1: goals: is missing\n");
}

struct Broken {
  const char *key, *line, *expected;
};

class BrokenProgram : public testing::TestWithParam<Broken> {};

TEST_P(BrokenProgram, IsRefusedWithPlaceAndReason) {
  EXPECT_EQ(errors_of(with_line(GetParam().key, GetParam().line)), GetParam().expected)
      << GetParam().line;
}

INSTANTIATE_TEST_SUITE_P(
    Programs, BrokenProgram,
    testing::Values(
        Broken{"id", "id: \"\"", "1:5: id: must be 1..128 bytes without control characters\n"},
        Broken{"id", "id: \"a\\tb\"", "1:5: id: must be 1..128 bytes without control characters\n"},
        Broken{"id", "id: [a]",
               "1:5: id: must be text\n1:5: id: must be 1..128 bytes without "
               "control characters\n"},
        Broken{"name", "name: kiwi", "2:7: name: must be a map of keys\n"},
        Broken{"name", "name: {de: Kiwi}", "2:8: name.de: unknown key; allowed here: zh-CN, en\n"},
        Broken{"enabled", "enabled: yes", "3:10: enabled: yes must be true or false\n"},
        Broken{"enabled", "enabled: \"true\"", "3:10: enabled: true must be true or false\n"},
        Broken{"priority", "priority: 1001", "4:11: priority: 1001 is too large, at most 1000\n"},
        Broken{"priority", "priority: -1", "4:11: priority: -1 is too small, at least 0\n"},
        Broken{"priority", "priority: \"5\"", "4:11: priority: 5 must be an integer\n"},
        Broken{"priority", "priority: 010", "4:11: priority: 010 must be an integer\n"},
        Broken{"surfaces", "surfaces: []",
               "7:11: surfaces: is empty, at least one surface\n"
               "12:7: room: needs the surface live_room\n"},
        Broken{"surfaces", "surfaces: feed",
               "7:11: surfaces: must be a list\n12:7: room: needs the surface live_room\n"},
        Broken{"surfaces", "surfaces: [live_room, home]",
               "7:23: surfaces: home is no surface, one of feed, live_room, search, detail, "
               "festival, open_screen\n"},
        Broken{"surfaces", "surfaces: [live_room, ~]",
               "7:23: surfaces: this is no surface, one of feed, live_room, search, detail, "
               "festival, open_screen\n"},
        Broken{"surfaces", "surfaces: [feed]", "12:7: room: needs the surface live_room\n"}));

INSTANTIATE_TEST_SUITE_P(
    SchedulesAndGoals, BrokenProgram,
    testing::Values(
        Broken{"schedule", "schedule: {start: 2026-09-20T00:00:00+08:00}",
               "8:11: schedule.end: is missing\n"},
        Broken{"schedule", "schedule: {start: 2026-09-20, end: 2027-09-20T00:00:00+08:00}",
               "8:19: schedule.start: 2026-09-20 must be a time like 2026-09-20T00:00:00+08:00\n"},
        Broken{"schedule", "schedule: {start: 2026-09-20T00:00:00+08:00, end: soon}",
               "8:51: schedule.end: soon must be a time like 2026-09-20T00:00:00+08:00\n"},
        Broken{"schedule",
               "schedule: {start: 2026-09-20T00:00:00+08:00, end: 2026-09-20T00:00:00+08:00}",
               "8:51: schedule.end: must come after start\n"},
        Broken{"goals", "goals: []", "9:8: goals: is empty, at least one goal\n"},
        Broken{"goals", "goals: {unit: click}", "9:8: goals: must be a list\n"},
        Broken{"goals", "goals: [~]",
               "9:9: goals[0].unit: is missing\n9:9: goals[0].at_least: is missing\n"
               "9:9: goals[0].missed_value_fen: is missing\n"},
        Broken{"goals",
               "goals:\n  - {unit: click, at_least: 1, missed_value_fen: 1}\n"
               "  - {unit: views, at_least: -1, per: week, missed_value_fen: .nan, at_mots: 2}",
               "11:12: goals[1].unit: views is not allowed, one of viewable, click, order\n"
               "11:38: goals[1].per: week is not allowed, one of total, day\n"
               "11:29: goals[1].at_least: -1 is too small, at least 0\n"
               "11:62: goals[1].missed_value_fen: .nan must be a finite number\n"
               "11:68: goals[1].at_mots: unknown key; allowed here: unit, per, share_of, at_least, "
               "at_most, missed_value_fen\n"},
        Broken{"goals", "goals: [{unit: click, at_least: 5, at_most: 4, missed_value_fen: 1}]",
               "9:45: goals[0].at_most: 4 is below at_least 5; a cap is at least the goal\n"},
        Broken{"goals",
               "goals:\n  - {unit: click, at_least: 10, per: day, missed_value_fen: 1}\n"
               "  - {unit: click, at_least: 1, at_most: 3649, missed_value_fen: 1}",
               "10:5: goals: 365 days of at_least 10 are 3650, past at_most 3649 of goals[1]\n"},
        Broken{"goals",
               "goals:\n  - {unit: click, at_least: 10, missed_value_fen: 1}\n"
               "  - {unit: click, at_least: 20, missed_value_fen: 1}",
               "11:5: goals: is a second goal of the same unit and period as goals[0]\n"},
        Broken{"audience", "audience: {\"distance_km(91, 0)\": {$lt: 5}}",
               "6:11: audience: /distance_km(91, 0): unknown attribute; allowed are user_id, city, "
               "place.lat, place.lon, surface, tier, interests.<category>, distance_km(LAT, LON), "
               "season, month, day, weekday, hour\n"},
        Broken{"goals", "goals: [{unit: click, at_least: 5, at_most: x, missed_value_fen: 1}]",
               "9:45: goals[0].at_most: x must be a finite number\n"},
        Broken{"goals", "goals: [{unit: click, at_least: 5, share_of: feed, missed_value_fen: 1}]",
               "9:33: goals[0].at_least: 5 is too large, at most 1\n"},
        Broken{"goals", "goals: [{unit: click, at_least: \"5\", missed_value_fen: 1e999}]",
               "9:33: goals[0].at_least: 5 must be a finite number\n"
               "9:56: goals[0].missed_value_fen: 1e999 must be a finite number\n"}));

INSTANTIATE_TEST_SUITE_P(
    Places, BrokenProgram,
    testing::Values(
        Broken{"placement", "placement: {first_slot: 5, last_slot: 4}",
               "11:39: placement.last_slot: is before first_slot\n"},
        Broken{"placement", "placement: {last_slot: 200}",
               "11:24: placement.last_slot: 200 is too large, at most 199\n"},
        Broken{"placement", "placement: {per_request_max: 4, min_gap: -1}",
               "11:30: placement.per_request_max: 4 is too large, at most 3\n"
               "11:42: placement.min_gap: -1 is too small, at least 0\n"},
        Broken{"room", "room: {window_s: 60, hold_ms: 60001}",
               "12:31: room.hold_ms: is longer than the window\n"},
        Broken{"room", "room: {max: 2}", "12:13: room.max: 2 is too large, at most 1\n"},
        Broken{"frequency", "frequency: [{scope: item, max: 2}]",
               "13:13: frequency[0].window_s: is missing\n"},
        Broken{"frequency", "frequency: [{scope: user, window_s: 0, max: 0}]",
               "13:21: frequency[0].scope: user is not allowed, one of item, program, county, "
               "creator, all\n"
               "13:37: frequency[0].window_s: 0 is too small, at least 1\n"
               "13:45: frequency[0].max: 0 is too small, at least 1\n"},
        Broken{"fairness", "fairness: {group: creator}",
               "14:19: fairness.group: creator is not allowed, one of county\n"},
        Broken{"area", "area: {lat: 91, lon: 0, radius_km: [[0, 5]]}",
               "15:13: area.lat: 91 is too large, at most 90\n"},
        Broken{"area", "area: {lat: 0, lon: 0}", "15:7: area.radius_km: is missing\n"},
        Broken{"area",
               "area: {lat: 0, lon: 0, radius_km: [[0, 5], [0, 6], [1], [2, 0], [\"3\", 1]]}",
               "15:44: area.radius_km: minutes must ascend\n"
               "15:52: area.radius_km: must be [minutes since start, kilometres up to 20100]\n"
               "15:57: area.radius_km: must be [minutes since start, kilometres up to 20100]\n"
               "15:65: area.radius_km: must be [minutes since start, kilometres up to 20100]\n"},
        Broken{"label", "label: {zh-CN: 广告}", "16:8: label.kind: is missing\n"},
        Broken{"label", "label: {kind: news}",
               "16:15: label.kind: news is not allowed, one of ad, public_good\n"},
        Broken{"label", "label: {zh-CN: 助农好物, kind: news}",
               "16:28: label.kind: news is not allowed, one of ad, public_good\n"}));

TEST(ProgramReader, AConditionNamesOnlyAttributesThatItemsHave) {
  const std::string said = errors_of(with_line("items", "items: {kind: farm_good, colour: red}"));
  EXPECT_TRUE(said.starts_with("5:8: items: /colour: ")) << said;
  EXPECT_NE(said.find("creator_groups"), std::string::npos) << said;
  EXPECT_EQ(errors_of(with_line("audience", "audience: {colour: red}")), "");
}

TEST(ProgramReader, AConditionThatCouldNeverMeanAnythingIsRefused) {
  EXPECT_NE(errors_of(with_line("items", "items: {price_fen: {$lesser: 5}}")), "");
  EXPECT_NE(errors_of(with_line("items", "items: {$or: {kind: video}}")), "");
  EXPECT_NE(errors_of(with_line("items", "items: [farm_good]")), "");
  EXPECT_NE(errors_of(with_line("items", "items:")), "");
}

TEST(ProgramReader, AllErrorsOfAFileComeAtOnce) {
  const std::string said = errors_of(
      "id: p\npriority: high\nitmes: {}\nsurfaces: [home]\nschedule: {start: now, end: then}\n"
      "goals: []\n");
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 7) << said;
}

TEST(ProgramReader, TheSwitchChangesNothingButItsValue) {
  const std::string off = with_enabled(kKiwi, false);
  std::string expected = kKiwi;
  expected.replace(expected.find("enabled: true") + 9, 4, "false");
  EXPECT_EQ(off, expected);
  EXPECT_EQ(with_enabled(off, true), kKiwi);
  EXPECT_EQ(with_enabled(kKiwi, true), kKiwi);
}

TEST(ProgramReader, TheSwitchIsAddedAsALineBehindTheId) {
  EXPECT_EQ(with_enabled(kLeast, false), "id: p\nenabled: false\n" + kLeast.substr(6));
}

// Everything an editor may have written around `id` and `enabled`.
TEST(ProgramReader, TheSwitchTurnsInEveryShapeThatAFileMayHave) {
  const std::string rest = kLeast.substr(6);
  const std::string flow =
      "{id: p, items: {}, surfaces: [feed], schedule: {start: 2026-01-01T00:00:00Z, "
      "end: 2026-01-02T00:00:00Z}, goals: [{unit: click, at_least: 1, missed_value_fen: 2}]";
  std::string crlf;
  for (const char c : kLeast) crlf += c == '\n' ? "\r\n" : std::string(1, c);
  std::string indented;
  for (size_t at = 0; at < kLeast.size(); at = kLeast.find('\n', at) + 1) {
    indented += "  " + kLeast.substr(at, kLeast.find('\n', at) + 1 - at);
  }
  for (const std::string& text :
       {rest + "id: p\n", rest + "id: p", "id: >-\n  p\n" + rest, "id:\n  p\n" + rest,
        rest + "id: |-\n  p\n", "# 猕猴桃\n\nid: \"p\"  # the id\n" + rest, flow + "}",
        flow + ", enabled: true}\n", "# x\n" + flow + ",\n enabled:   false # no\n}", crlf,
        indented, "\xEF\xBB\xBF" + kLeast,
        "\xEF\xBB\xBF"
        "enabled: true\n" +
            kLeast,
        "{name: {zh-CN: 猕猴桃🥝}, enabled: false, " + flow.substr(1) + "}",
        "---\n" + kLeast + "...\n", "? id\n: p\n" + rest, "\"enabled\": true\n" + kLeast,
        "enabled:\n  true\n" + kLeast}) {
    const Program before = good(text);
    for (const bool enabled : {false, true}) {
      const Program after = good(with_enabled(text, enabled));
      EXPECT_EQ(after.enabled, enabled) << text;
      EXPECT_EQ(after.id, before.id) << text;
      EXPECT_EQ(after.goals.size(), 1U) << text;
    }
    const bool named = text.find("enabled") != std::string::npos;
    if (named) {
      EXPECT_EQ(with_enabled(text, before.enabled), text);
    }
  }
}

TEST(ProgramReader, EveryShippedProgramIsGood) {
  size_t files = 0;
  for (const char* folder : {"configs/programs", "configs/demo/programs"}) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      const Result<std::string> text = read_text_file(entry.path().string());
      ASSERT_TRUE(text.ok());
      SCOPED_TRACE(entry.path().string());
      EXPECT_EQ(entry.path().stem().string(), good(text.value()).id.view());
      ++files;
    }
  }
  EXPECT_GE(files, 20U);
}

}  // namespace
}  // namespace shanhuo
