#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "base/durable_file.h"
#include "configs/engine_options.h"
#include "configs/program_store.h"

namespace shanhuo {
namespace {

std::string read_errors(const std::string& text, EngineOptions& options) {
  ConfigErrors errors;
  read_engine_options(text, "engine.yaml", options, errors);
  std::string out;
  for (const ConfigError& error : errors) out += error.to_string() + "\n";
  return out;
}

// The value of every key, in the table's order.
std::vector<std::string> values(EngineOptions& options) {
  std::vector<std::string> out;
  for (const Option& option : option_table(options)) {
    out.push_back(option.name() + " = " + option.value());
  }
  return out;
}

// A file with this one key, and where the value stands in it.
struct OneKey {
  OneKey(const Option& option, const std::string& value) {
    const std::string key(option.key);
    if (option.section.empty()) {
      text = key + ": " + value + "\n";
      place = "engine.yaml:1:" + std::to_string(key.size() + 3) + ": ";
    } else {
      text = std::string(option.section) + ":\n  " + key + ": " + value + "\n";
      place = "engine.yaml:2:" + std::to_string(key.size() + 5) + ": ";
    }
    place += option.name() + ": ";
  }
  std::string text, place;
};

bool is_text(const Option& option) { return std::holds_alternative<std::string*>(option.target); }
bool is_enum(const Option& option) { return std::holds_alternative<Option::Enum>(option.target); }
bool is_bool(const Option& option) { return std::holds_alternative<bool*>(option.target); }
bool is_list(const Option& option) {
  return std::holds_alternative<std::span<double>>(option.target);
}
bool is_fraction(const Option& option) {
  return std::holds_alternative<float*>(option.target) ||
         std::holds_alternative<double*>(option.target);
}
bool is_integer(const Option& option) {
  return !is_text(option) && !is_enum(option) && !is_bool(option) && !is_list(option) &&
         !is_fraction(option);
}

// Reads the one key and expects exactly one error, and every option at its default.
std::string refusal(const Option& option, const std::string& value) {
  const OneKey file(option, value);
  EngineOptions options, untouched;
  const std::string said = read_errors(file.text, options);
  EXPECT_TRUE(said.starts_with(file.place)) << file.text << "said: " << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_EQ(values(options), values(untouched)) << file.text;
  return said.size() > file.place.size() ? said.substr(file.place.size()) : said;
}

TEST(EngineOptions, TheShippedFileIsTheTableByteForByte) {
  const Result<std::string> shipped = read_text_file("configs/engine.yaml");
  ASSERT_TRUE(shipped.ok());
  const std::string expected = default_engine_yaml();
  const auto [a, b] = std::mismatch(shipped.value().begin(), shipped.value().end(),
                                    expected.begin(), expected.end());
  EXPECT_TRUE(shipped.value() == expected)
      << "configs/engine.yaml differs from default_engine_yaml() from line "
      << 1 + std::count(shipped.value().begin(), a, '\n') << " on, where this is expected:\n"
      << std::string(b, expected.end()).substr(0, 300);
}

TEST(EngineOptions, TheShippedFileChangesNothing) {
  EngineOptions options, untouched;
  EXPECT_EQ(read_errors(default_engine_yaml(), options), "");
  EXPECT_EQ(values(options), values(untouched));
}

TEST(EngineOptions, TheShippedFileWithEveryKeyUncommentedIsTheDefaults) {
  std::istringstream lines(default_engine_yaml());
  std::string text;
  size_t keys = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# ") || line.find(": ") == std::string::npos) {
      if (!line.ends_with(":") || !line.starts_with("# ")) continue;
    }
    if (line.find("-- ") != std::string::npos || line.starts_with("# engine.yaml") ||
        line.starts_with("# one)")) {
      continue;
    }
    text += line.substr(2) + "\n";
    keys += line.ends_with(":") ? 0 : 1;
  }
  EngineOptions untouched;
  EXPECT_EQ(keys, option_table(untouched).size());
  EngineOptions options;
  // Every value is taken from the file, none is left from before.
  for (const Option& option : option_table(options)) {
    if (const auto* number = std::get_if<int64_t*>(&option.target)) **number = -1;
    if (const auto* number = std::get_if<int*>(&option.target)) **number = -1;
    if (const auto* number = std::get_if<double*>(&option.target)) **number = -1;
    if (const auto* word = std::get_if<std::string*>(&option.target)) **word = "other";
    if (const auto* time = std::get_if<Millis*>(&option.target)) **time = Millis(-1);
  }
  EXPECT_EQ(read_errors(text, options), "");
  EXPECT_EQ(values(options), values(untouched));
}

TEST(EngineOptions, EveryKeyIsNamedOnceInItsSection) {
  EngineOptions options;
  std::vector<std::string> names;
  for (const Option& option : option_table(options)) {
    names.push_back(option.name());
    EXPECT_FALSE(option.about.empty()) << option.name();
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(EngineOptions, EveryDefaultLiesWithinItsBounds) {
  EngineOptions defaults;
  for (const Option& option : option_table(defaults)) {
    EngineOptions options;
    EXPECT_EQ(read_errors(OneKey(option, option.value()).text, options), "") << option.name();
  }
}

TEST(EngineOptions, EveryNumberTakesItsBoundsAndNothingBeyondThem) {
  EngineOptions defaults;
  for (const Option& option : option_table(defaults)) {
    if (!is_integer(option)) continue;
    const auto min = static_cast<int64_t>(option.min), max = static_cast<int64_t>(option.max);
    ASSERT_LT(min, max) << option.name();
    EXPECT_EQ(refusal(option, std::to_string(min - 1)),
              std::to_string(min - 1) + " is too small, at least " + std::to_string(min) + "\n");
    EXPECT_EQ(refusal(option, std::to_string(max + 1)),
              std::to_string(max + 1) + " is too large, at most " + std::to_string(max) + "\n");
    for (const int64_t bound : {min, max}) {
      if (option.key == "retrieve_k" || option.key == "fresh_k" || option.key == "popular_k" ||
          option.key == "in_turn_k") {
        continue;  // bound to each other
      }
      EngineOptions options;
      const std::string text = std::to_string(bound);
      EXPECT_EQ(read_errors(OneKey(option, text).text, options), "");
      const std::string taken = option.name() + " = " + text;
      const std::vector<std::string> all = values(options);
      EXPECT_EQ(std::count(all.begin(), all.end(), taken), 1) << taken;
    }
  }
}

TEST(EngineOptions, EveryFractionTakesItsBoundsAndNothingBeyondThem) {
  EngineOptions defaults;
  for (const Option& option : option_table(defaults)) {
    if (!is_fraction(option)) continue;
    ASSERT_LT(option.min, option.max) << option.name();
    EXPECT_NE(refusal(option, std::to_string(option.min - 1)).find("too small, at least "),
              std::string::npos);
    EXPECT_NE(refusal(option, std::to_string(option.max + 1)).find("too large, at most "),
              std::string::npos);
    for (const char* text : {".nan", ".inf", "1e999", "\"0.5\"", "0.5x", "00.5"}) {
      EXPECT_NE(refusal(option, text).find("must be a finite number"), std::string::npos);
    }
  }
}

TEST(EngineOptions, EveryOptionRefusesAValueOfAnotherKind) {
  EngineOptions defaults;
  for (const Option& option : option_table(defaults)) {
    EXPECT_NE(refusal(option, "{a: 1}"), "");
    EXPECT_NE(refusal(option, "~"), "");
    if (!is_list(option)) {
      EXPECT_NE(refusal(option, "[1, 2]"), "");
    }
    if (is_integer(option)) {
      for (const char* text : {"\"5\"", "010", "5.5", ".nan", "five"}) {
        EXPECT_NE(refusal(option, text).find("must be an integer"), std::string::npos) << text;
      }
    }
    if (is_enum(option)) {
      const std::string said = refusal(option, "sundial");
      EXPECT_TRUE(said.starts_with("sundial is not allowed, one of ")) << said;
    }
    if (is_bool(option)) {
      EXPECT_EQ(refusal(option, "yes"), "yes must be true or false\n");
    }
    if (is_text(option)) {
      const auto longest = static_cast<size_t>(option.max);
      EXPECT_EQ(refusal(option, std::string(longest + 1, 'x')),
                "is longer than " + std::to_string(longest) + " bytes\n");
    }
  }
}

TEST(EngineOptions, ListsHaveTheirLengthAndOnlyNumbersWithinBounds) {
  EngineOptions options;
  EXPECT_EQ(read_errors("ranking:\n  prior_click: [0.1, 0.2]\n", options),
            "engine.yaml:2:16: ranking.prior_click: must have 7 numbers\n");
  EXPECT_EQ(read_errors("ranking:\n  prior_click: [0, 1, .5, -1, \"0.5\", 2, 0.5]\n", options),
            "engine.yaml:2:23: ranking.prior_click: must be a number from 0 to 1\n"
            "engine.yaml:2:27: ranking.prior_click: must be a number from 0 to 1\n"
            "engine.yaml:2:31: ranking.prior_click: must be a number from 0 to 1\n"
            "engine.yaml:2:38: ranking.prior_click: must be a number from 0 to 1\n");
  EXPECT_EQ(read_errors("ranking: {prior_click: [0, 1, 0, 0, 0, 0, 0.25]}\n", options), "");
  EXPECT_EQ(options.ranking.prior_click[1], 1);
  EXPECT_EQ(options.ranking.prior_click[6], 0.25);
}

TEST(EngineOptions, AnUnknownKeyIsAnErrorThatNamesTheAllowedOnes) {
  EngineOptions options;
  EXPECT_EQ(read_errors("text:\n  colour: 1\n", options),
            "engine.yaml:2:3: text.colour: unknown key; allowed here: category, title, tags, "
            "county, kind, creator\n");
  EXPECT_TRUE(read_errors("listn: x\n", options)
                  .starts_with("engine.yaml:1:1: listn: unknown key; allowed here: listen, "));
  EXPECT_EQ(read_errors("http: 5\n", options), "engine.yaml:1:7: http: must be a map of keys\n");
  EXPECT_EQ(read_errors("http:\n", options), "");
}

TEST(EngineOptions, ReportsAllErrorsAtOnce) {
  EngineOptions options;
  EXPECT_EQ(read_errors("clock: moon\n"
                        "http:\n"
                        "  threads: 0\n"
                        "  speed: 5\n"
                        "retrieval:\n"
                        "  recall_target: high\n",
                        options),
            "engine.yaml:1:8: clock: moon is not allowed, one of wall, caller\n"
            "engine.yaml:3:12: http.threads: 0 is too small, at least 1\n"
            "engine.yaml:4:3: http.speed: unknown key; allowed here: threads, connections_max, "
            "header_bytes_max, body_bytes_max, inflight_max, header_timeout_ms, body_timeout_ms, "
            "idle_timeout_ms, shutdown_grace_ms, tls_certificate, tls_key\n"
            "engine.yaml:6:18: retrieval.recall_target: high must be a finite number\n");
}

TEST(EngineOptions, ReservedPlacesOfACandidateListFitIntoIt) {
  EngineOptions options;
  EXPECT_EQ(
      read_errors("ranking: {retrieve_k: 30, fresh_k: 10, popular_k: 11, in_turn_k: 10}\n",
                  options),
      "engine.yaml: ranking.retrieve_k: must be at least fresh_k + popular_k + in_turn_k = 31\n");
}

TEST(EngineOptions, ReadsValuesOfEveryKind) {
  EngineOptions options;
  EXPECT_EQ(read_errors("listen: \"127.0.0.1:9\"\nclock: caller\nhttp: {threads: 3}\n"
                        "log: {queue_bytes_max: 65536}\ndedup: {window_ms: 3600000}\n"
                        "text: {category: 0.25}\nranking: {user_loss_budget: 0.125}\n"
                        "calibration: {score_kind: probability}\n",
                        options),
            "");
  EXPECT_EQ(options.listen, "127.0.0.1:9");
  EXPECT_EQ(options.clock, ClockKind::kCaller);
  EXPECT_EQ(options.http.threads, 3);
  EXPECT_EQ(options.log.queue_bytes_max, 65'536U);
  EXPECT_EQ(options.dedup.window, kHour);
  EXPECT_EQ(options.text.category, 0.25F);
  EXPECT_EQ(options.ranking.user_loss_budget, 0.125);
  EXPECT_EQ(options.calibration.score_kind, ScoreKind::kProbability);
}

std::string set_errors(std::string_view assignment, EngineOptions& options) {
  ConfigErrors errors;
  set_engine_option(assignment, options, errors);
  std::string out;
  for (const ConfigError& error : errors) out += error.to_string() + "\n";
  return out;
}

TEST(EngineOptions, SetTakesWhatTheFileTakes) {
  EngineOptions options;
  EXPECT_EQ(set_errors("ranking.user_loss_budget=0.25", options), "");
  EXPECT_EQ(set_errors("clock=caller", options), "");
  EXPECT_EQ(set_errors("listen=127.0.0.1:0", options), "");
  EXPECT_EQ(set_errors("token_file=/a=b", options), "");
  EXPECT_EQ(set_errors("prices.step_ms=100", options), "");
  EXPECT_EQ(set_errors("ranking.prior_click=[0,0,0,0,0,0,1]", options), "");
  EXPECT_EQ(options.ranking.user_loss_budget, 0.25);
  EXPECT_EQ(options.clock, ClockKind::kCaller);
  EXPECT_EQ(options.listen, "127.0.0.1:0");
  EXPECT_EQ(options.token_file, "/a=b");
  EXPECT_EQ(options.prices.step, Millis(100));
  EXPECT_EQ(options.ranking.prior_click[6], 1);
}

TEST(EngineOptions, SetRefusesWhatTheFileRefuses) {
  EngineOptions options, untouched;
  EXPECT_EQ(set_errors("ranking.user_loss_budget=2", options),
            "--set: ranking.user_loss_budget: 2 is too large, at most 0.5\n");
  EXPECT_EQ(set_errors("http.threads=\"2\"", options),
            "--set: http.threads: 2 must be an integer\n");
  EXPECT_EQ(set_errors("http.threads=", options), "--set: http.threads: must be an integer\n");
  EXPECT_EQ(set_errors("http.speed=1", options),
            "--set: http.speed: unknown key; see engine.yaml\n");
  EXPECT_EQ(set_errors("http=1", options), "--set: http: unknown key; see engine.yaml\n");
  EXPECT_EQ(set_errors("listen", options), "--set: listen: must be key=value\n");
  EXPECT_EQ(set_errors("=1", options), "--set: unknown key; see engine.yaml\n");
  EXPECT_NE(set_errors("listen=[1", options), "");
  EXPECT_EQ(values(options), values(untouched));
}

TEST(EngineOptions, EverySetOfADefaultIsTheDefault) {
  EngineOptions options, untouched;
  for (const Option& option : option_table(untouched)) {
    EXPECT_EQ(set_errors(option.name() + "=" + option.value(), options), "");
  }
  EXPECT_EQ(values(options), values(untouched));
}

}  // namespace
}  // namespace shanhuo
