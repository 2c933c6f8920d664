#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/cli.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

using ::testing::HasSubstr;
using Kind = FlagSpec::Kind;

constexpr FlagSpec kFlags[] = {
    {"rate", Kind::kNumber, "N", "a number", "2.5", 0, 10},
    {"limit", Kind::kInteger, "N", "a whole number", "0", 0, 100},
    {"for", Kind::kDuration, "TIME", "a duration", "24h"},
    {"start", Kind::kTime, "TIME", "a time", "2026-11-11T00:00:00+08:00"},
    {"out", Kind::kText, "DIR", "a folder"},
    {"fast", Kind::kSwitch, "", "a switch"},
};
const Verb kVerb{"go", "WHERE [HOW]", "goes", 1, 2, kFlags, nullptr};

Result<CliArguments> parse(std::vector<std::string_view> words, std::string_view token = {}) {
  return parse_arguments(kVerb, words, token);
}

std::string error_of(std::vector<std::string_view> words) {
  const Result<CliArguments> parsed = parse(std::move(words));
  return parsed.ok() ? "no error" : parsed.error().message;
}

TEST(CliArguments, KnowsCommonFlagsOnEveryVerb) {
  const CliArguments a =
      parse({"there", "--config", "a/b.yaml", "--data-dir=d", "--listen", "h:1", "--set", "a.b=1",
             "--set=c=x=y", "--to", "http://h:2", "--token", "t", "--json"})
          .value();
  EXPECT_EQ(a.verb, "go");
  EXPECT_EQ(a.operands, std::vector<std::string>{"there"});
  EXPECT_EQ(a.config_file, "a/b.yaml");
  EXPECT_EQ(a.data_dir, "d");
  EXPECT_EQ(a.listen, "h:1");
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(a.settings, (Pairs{{"a.b", "1"}, {"c", "x=y"}}));
  EXPECT_EQ(a.url, "http://h:2");
  EXPECT_EQ(a.token, "t");
  EXPECT_TRUE(a.json);
}

TEST(CliArguments, HasDefaultsAndTakesTheTokenFromTheEnvironment) {
  const CliArguments a = parse({"there"}, "from-environment").value();
  EXPECT_EQ(a.config_file, "configs/engine.yaml");
  EXPECT_EQ(a.url, "http://127.0.0.1:8080");
  EXPECT_EQ(a.token, "from-environment");
  EXPECT_EQ(a.number("rate"), 2.5);
  EXPECT_EQ(a.integer("limit"), 0);
  EXPECT_EQ(a.duration("for"), kDay);
  EXPECT_EQ(a.time("start"), Millis(1'794'326'400'000));
  EXPECT_EQ(a.text("out"), "");
  EXPECT_FALSE(a.is_on("fast"));
  EXPECT_EQ(parse({"there", "--token", "given"}, "from-environment").value().token, "given");
}

TEST(CliArguments, ReadsTheVerbsOwnFlags) {
  const CliArguments a = parse({"--rate=0.5", "there", "--limit", "7", "--for", "1.5h", "--fast",
                                "--start", "1970-01-01T08:00:01+08:00", "--", "--out"})
                             .value();
  EXPECT_EQ(a.operands, (std::vector<std::string>{"there", "--out"}));
  EXPECT_EQ(a.number("rate"), 0.5);
  EXPECT_EQ(a.integer("limit"), 7);
  EXPECT_EQ(a.duration("for"), Millis(5'400'000));
  EXPECT_EQ(a.time("start"), Millis(1'000));
  EXPECT_TRUE(a.is_on("fast"));
}

TEST(CliArguments, SaysWhatIsWrongAndWhatIsAllowed) {
  EXPECT_EQ(error_of({"x", "--colour", "red"}),
            "unknown flag --colour; allowed: --rate, --limit, --for, --start, --out, --fast, "
            "--config, --data-dir, --listen, --set, --to, --token, --json, --help");
  EXPECT_THAT(error_of({"x", "-v"}), HasSubstr("unknown flag -v"));
  EXPECT_EQ(error_of({"x", "--limit", "101"}),
            "--limit: '101' is not a whole number from 0 to 100");
  EXPECT_EQ(error_of({"x", "--limit", "3x"}), "--limit: '3x' is not a whole number from 0 to 100");
  EXPECT_EQ(error_of({"x", "--rate", "nan"}), "--rate: 'nan' is not a number from 0 to 10");
  EXPECT_THAT(error_of({"x", "--for", "5"}), HasSubstr("such as 90s, 15m, 24h or 7d"));
  EXPECT_THAT(error_of({"x", "--start", "today"}), HasSubstr("2026-11-11T00:00:00+08:00"));
  EXPECT_EQ(error_of({"x", "--out"}), "--out needs a value: DIR");
  EXPECT_EQ(error_of({"x", "--out="}), "--out: '' is not a value: it is empty");
  EXPECT_EQ(error_of({"x", "--fast=yes"}), "--fast takes no value");
  EXPECT_EQ(error_of({"x", "--out", "a", "--out", "b"}), "--out is given twice");
  EXPECT_EQ(error_of({"x", "--to", "a", "--url", "b"}), "--to is given twice");
  EXPECT_THAT(error_of({"x", "--set", "port"}), HasSubstr("is not KEY=VALUE"));
  EXPECT_EQ(error_of({}), "something is missing; usage: shanhuo go WHERE [HOW]");
  EXPECT_EQ(error_of({"a", "b", "c"}), "too many operands; usage: shanhuo go WHERE [HOW]");
}

TEST(CliArguments, HelpNeedsNoOperands) {
  EXPECT_TRUE(parse({"--help"}).value().help);
  EXPECT_THAT(help_of(kVerb), HasSubstr("usage: shanhuo go WHERE [HOW]"));
  EXPECT_THAT(help_of(kVerb), HasSubstr("--rate N                  a number (2.5)"));
}

int g_runs = 0;
int run_and_count(const CliArguments& arguments) {
  ++g_runs;
  return arguments.is_on("fast") ? kExitDone : kExitFailed;
}

TEST(CommandLine, RunsTheVerbAndReturnsItsCode) {
  Verb verb = kVerb;
  verb.run = run_and_count;
  const auto run = [&](std::vector<const char*> words) {
    words.insert(words.begin(), "shanhuo");
    return run_cli({&verb, 1}, static_cast<int>(words.size()), words.data());
  };
  EXPECT_EQ(run({"go", "x", "--fast"}), kExitDone);
  EXPECT_EQ(run({"go", "x"}), kExitFailed);
  EXPECT_EQ(g_runs, 2);
  EXPECT_EQ(run({"go"}), kExitUsage);
  EXPECT_EQ(run({"fly"}), kExitUsage);
  EXPECT_EQ(run({}), kExitUsage);
  EXPECT_EQ(run({"--help"}), kExitDone);
  EXPECT_EQ(run({"go", "--help"}), kExitDone);
  EXPECT_EQ(g_runs, 2);
}

TEST(Durations, HaveAUnitAndABound) {
  EXPECT_EQ(parse_duration("250ms").value(), Millis(250));
  EXPECT_EQ(parse_duration("90s").value(), Millis(90'000));
  EXPECT_EQ(parse_duration("7d").value(), Millis(604'800'000));
  for (const char* wrong : {"", "s", "5", "-1s", "1e9d", "1 h", "h1", "infs", "367d"}) {
    EXPECT_FALSE(parse_duration(wrong).ok()) << wrong;
  }
}

TEST(TextTable, AlignsNumbersRightAndCountsChineseCharactersAsTwo) {
  TextTable table({"what", "count"});
  table.add({"猕猴桃", "1,234"});
  table.add({"tea", "-"});
  EXPECT_EQ(table.str(),
            "what    count\n"
            "猕猴桃  1,234\n"
            "tea         -\n");
  EXPECT_EQ(display_width("十八洞 kiwi"), 11u);
}

TEST(Progress, ShowsShareRateAndTimeLeft) {
  EXPECT_EQ(progress_line("replay", "lines", 0.25, 5'000, 10),
            "replay [######..................] 25 %  5,000 lines  500/s  ETA 0:30");
  EXPECT_EQ(progress_line("replay", "lines", -1, 12, 2), "replay  12 lines  6/s");
}

TEST(Texts, OfNumbersAndTimes) {
  EXPECT_EQ(with_separators(0), "0");
  EXPECT_EQ(with_separators(999), "999");
  EXPECT_EQ(with_separators(1'234'567), "1,234,567");
  EXPECT_EQ(format_time(Millis(1'794'326'400'000)), "2026-11-11 00:00:00 +08:00");
}

}  // namespace
}  // namespace shanhuo
