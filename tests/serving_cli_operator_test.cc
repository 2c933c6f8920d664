#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "serving/operator_verbs.h"
#include "serving/terminal.h"
#include "streaming/store.h"
#include "tests/fake_engine.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;
using testing::FakeEngine;
using ::testing::HasSubstr;
using testing::json_response;

constexpr char kProgram[] =
    R"({"id":"kiwi","name":{"zh-CN":"猕猴桃","en":"Kiwi"},"enabled":true,"priority":100,)"
    R"("urgent":false,"revision":"abcd","surfaces":["feed","live_room"],)"
    R"("schedule":{"start_ms":1794326400000,"end_ms":1794412800000},"inserted":1500,)"
    R"("goals":[{"unit":"viewable","per":"total","target":600,"delivered":610,"in_flight":4.6,)"
    R"("cap":630,"curve":1,"pace":1.0166,"price":2.5,)"
    R"("forecast":{"value":611.4,"low":605,"high":618},)"
    R"("short_by":0,"shortfall":[{"cause":"no_slot","share":0.25,"pages":1234,"viewable":9.5}]}],)"
    R"("refused":["programs/kiwi.yaml:7:3: goals[0].at_most: 2 is below at_least 600"],)"
    R"("warnings":["goals[0]: cannot be met"],)"
    R"("history":[{"at_ms":1794326400000,"who":"anna","what":"priority: 7 -> 100","from":"a",)"
    R"("to":"b"}]})";
constexpr char kForecast[] =
    R"({"id":"kiwi","goals":[{"unit":"viewable","per":"total","target":600,"delivered":610,)"
    R"("deadline_ms":1794412800000,"attainable":false,)"
    R"("forecast":{"value":611.4,"low":605,"high":618},)"
    R"("message":"60 viewable a day are still needed (600 less 540 in 1.0 days): cannot be met"}],)"
    R"("conflicts":[{"program":"tea","message":"tea 茶 asks for 100 % of the same pages and 100 % )"
    R"(of the viewers, with 0 % of the items; it comes first"}],"warnings":[]})";

struct Printed {
  int code;
  std::string out;
};
Printed run(int (*verb)(const CliArguments&), CliArguments arguments,
            std::vector<std::string> operands) {
  arguments.operands = std::move(operands);
  ::testing::internal::CaptureStdout();
  const int code = verb(arguments);
  return {code, ::testing::internal::GetCapturedStdout()};
}

TEST(ProgramVerb, ListsProgramsWithTheirChineseNamesAndGoals) {
  FakeEngine engine([](const FakeEngine::Request&) {
    return json_response(std::string(R"({"programs":[)") + kProgram + "]}");
  });
  const Printed printed = run(program_verb, engine.arguments(), {"ls"});
  EXPECT_EQ(printed.code, kExitDone);
  EXPECT_EQ(printed.out,
            "kiwi  猕猴桃  Kiwi  (its file is refused)\n"
            "  viewable 610 of 600, pace 1.02, price 2.50\n");
}

TEST(ProgramVerb, PrintsNothingWiderThanATelephone) {
  FakeEngine engine([](const FakeEngine::Request& request) {
    return json_response(request.path.ends_with("/forecast") ? kForecast : kProgram);
  });
  for (const char* what : {"show", "why", "forecast"}) {
    std::istringstream lines(run(program_verb, engine.arguments(), {what, "kiwi"}).out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 60U) << line;
  }
}

TEST(ProgramVerb, PrintsTheAnswerItselfAsJson) {
  FakeEngine engine([](const FakeEngine::Request&) { return json_response(kProgram); });
  CliArguments arguments = engine.arguments();
  arguments.json = true;
  EXPECT_EQ(run(program_verb, arguments, {"show", "ki/wi"}).out, std::string(kProgram) + "\n");
  EXPECT_EQ(engine.requests()[0].method, "GET");
  EXPECT_EQ(engine.requests()[0].path, "/v1/programs/ki/wi");
}

TEST(ProgramVerb, ShowsOneProgramItsForecastAndWhyItFallsShort) {
  FakeEngine engine([](const FakeEngine::Request& request) {
    return json_response(request.path.ends_with("/forecast") ? kForecast : kProgram);
  });
  const std::string shown = run(program_verb, engine.arguments(), {"show", "kiwi"}).out;
  EXPECT_THAT(shown, HasSubstr("kiwi  猕猴桃  Kiwi\n"));
  EXPECT_THAT(shown, HasSubstr("from 2026-11-11 00:00:00 +08:00\n  to 2026-11-12 00:00:00"));
  EXPECT_THAT(shown, HasSubstr("refused: programs/kiwi.yaml:7:3: goals[0].at_most: 2 is"));
  EXPECT_THAT(shown, HasSubstr("at the deadline 611 (605 to 618)"));
  EXPECT_THAT(shown, HasSubstr("last change 2026-11-11 00:00:00 +08:00, anna\n  priority: 7"));
  EXPECT_THAT(run(program_verb, engine.arguments(), {"why", "kiwi"}).out,
              HasSubstr("  25.0 % no_slot 没有位置: 1,234 pages\n"));
  const std::string forecast = run(program_verb, engine.arguments(), {"forecast", "kiwi"}).out;
  EXPECT_THAT(forecast, HasSubstr("viewable: 610 of 600, cannot be met\n"));
  EXPECT_THAT(forecast, HasSubstr("forecast 611 (605 to 618)\n"));
  EXPECT_THAT(forecast, HasSubstr("tea 茶 asks for 100 %"));
}

TEST(ProgramVerb, PutsAndValidatesAFileAsItIs) {
  FakeEngine engine([](const FakeEngine::Request& request) {
    return request.path.ends_with(":validate")
               ? json_response(R"({"valid":false,"errors":[{"pointer":"/yaml",)"
                               R"("detail":"1:1: items: is missing"}],"warnings":[]})")
               : json_response(kProgram);
  });
  TempDir folder;
  std::ofstream(folder / "p.yaml") << "id: ki wi  # why\n";
  EXPECT_EQ(run(program_verb, engine.arguments(), {"put", folder / "p.yaml"}).code, kExitDone);
  EXPECT_EQ(engine.requests()[0].method, "PUT");
  EXPECT_EQ(engine.requests()[0].path, "/v1/programs/ki wi");
  EXPECT_EQ(engine.requests()[0].body, R"({"yaml":"id: ki wi  # why\n"})");
  EXPECT_EQ(run(program_verb, engine.arguments(), {"validate", folder / "p.yaml"}).out,
            "not valid\n  /yaml: 1:1: items: is missing\n");
  EXPECT_EQ(run(program_verb, engine.arguments(), {"delete", "kiwi"}).code, kExitDone);
  EXPECT_EQ(engine.requests().back().method, "DELETE");
}

TEST(ProgramVerb, EnablesAgainstTheRevisionThatItHasRead) {
  FakeEngine engine([](const FakeEngine::Request&) { return json_response(kProgram); });
  EXPECT_EQ(run(program_verb, engine.arguments(), {"disable", "kiwi"}).code, kExitDone);
  const auto requests = engine.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[1].method, "PATCH");
  EXPECT_EQ(requests[1].content_type, "application/json");
  EXPECT_EQ(requests[1].body, R"({"enabled":false,"if_revision":"abcd"})");
}

TEST(ProgramVerb, SaysWhatIsAllowedAndWhatTheEngineSaid) {
  FakeEngine engine([](const FakeEngine::Request&) {
    return json_response(R"({"detail":"no such program"})", 404);
  });
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run(program_verb, engine.arguments(), {"show"}).code, kExitUsage);
  EXPECT_EQ(run(program_verb, engine.arguments(), {"sell", "kiwi"}).code, kExitUsage);
  EXPECT_EQ(run(program_verb, engine.arguments(), {"show", "kiwi"}).code, kExitFailed);
  const std::string errors = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(errors, HasSubstr("show needs an ID"));
  EXPECT_THAT(errors, HasSubstr("'sell' is not allowed; allowed: ls, show ID"));
  EXPECT_THAT(errors, HasSubstr("404 Not Found: no such program"));
}

TEST(StatsVerb, ShowsCountsAsATable) {
  FakeEngine engine([](const FakeEngine::Request&) {
    return json_response(
        R"({"events":{"accepted":1200,"rejected":1,"applied":1190,"duplicate":8,"late":1,"dead":1,)"
        R"("dead_by_reason":{"bad_token":1},"token_expired":0},"lag_records":0,)"
        R"("watermark_ms":1794326400000,"freshness_ms":{"p50":1.5,"p99":8},)"
        R"("rank":{"requests":60,"p50_ms":0.25,"p99_ms":0.9,"degraded":{"retrieval":2}},)"
        R"("user_loss_ratio":0.0123,"viewers":50,"items":200,"decisions_lost":0})");
  });
  const std::string out = run(stats_verb, engine.arguments(), {}).out;
  for (const char* line : {"events accepted", "1,200\n", "dead: bad_token", "rank p99, ms",
                           "0.900\n", "degraded: retrieval", "1.230 %\n"}) {
    EXPECT_THAT(out, HasSubstr(line));
  }
}

TEST(UserVerb, ShowsAndForgets) {
  FakeEngine engine([](const FakeEngine::Request& request) {
    return request.method == "GET" ? json_response(R"({"user_id":"u","recent":[{"a":1}],"x":[]})")
                                   : json_response("", 204);
  });
  EXPECT_EQ(run(user_verb, engine.arguments(), {"show", "u 1"}).out,
            "{\n  \"user_id\": \"u\",\n  \"recent\": [\n    {\n      \"a\": 1\n    }\n  ],\n"
            "  \"x\": []\n}\n");
  EXPECT_EQ(run(user_verb, engine.arguments(), {"forget", "u 1"}).out, "done\n");
  EXPECT_EQ(engine.requests()[1].method, "DELETE");
  EXPECT_EQ(engine.requests()[1].path, "/v1/users/u 1");
}

TEST(TokenVerb, MakesATokenOrSaysWhyNot) {
  CliArguments arguments;
  arguments.json = true;
  const auto token = [](const CliArguments& a) {
    CliArguments parsed =
        parse_arguments({"token", "", "", 0, 9, kTokenFlags, nullptr}, {}).value();
    parsed.operands = a.operands;
    parsed.json = a.json;
    return token_verb(parsed);
  };
  const Printed made = run(token, arguments, {"new", "creator:c1", "phone"});
  EXPECT_EQ(made.code, kExitDone);
  EXPECT_THAT(made.out, ::testing::ContainsRegex("\"token\":\"[A-Za-z0-9_-]{43}\""));
  EXPECT_THAT(made.out, HasSubstr("creator:c1 phone"));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run(token, arguments, {"new", "king"}).code, kExitUsage);
  EXPECT_EQ(run(token, arguments, {"rotate", "anna"}).code, kExitUsage);  // of which file?
  EXPECT_NE(::testing::internal::GetCapturedStderr(), "");
}

class Restore : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / "restore_test";
    fs::remove_all(root_);
    for (const std::string part : {"log", "state"}) {
      fs::create_directories(root_ / "data" / part);
      auto store = Store::open((root_ / "data" / part).string(), {}).value();
      Batch batch;
      for (int i = 0; i < 1000; ++i) batch.put("key" + std::to_string(i), std::string(100, 'x'));
      ASSERT_TRUE(store->write(batch, true).ok());
      fs::create_directories(root_ / "backup");
      ASSERT_TRUE(store->backup((root_ / "backup" / part).string()).ok());
    }
    std::ofstream(root_ / "backup" / "token.keys") << "keys";
  }
  void TearDown() override { fs::remove_all(root_); }
  Status restore(const std::string& to) const {
    return restore_backup((root_ / "backup").string(), (root_ / to).string());
  }

  fs::path root_;
};

TEST_F(Restore, BringsEveryRecordAndFileBack) {
  ASSERT_TRUE(restore("deep/new/").ok());
  const auto store = Store::open((root_ / "deep/new/state").string(), {}).value();
  EXPECT_EQ(store->get("key999").value(), std::string(100, 'x'));
  EXPECT_TRUE(fs::exists(root_ / "deep/new/token.keys"));
  EXPECT_FALSE(fs::exists(root_ / "deep/new.restoring"));
}

TEST_F(Restore, RefusesAFolderThatHoldsSomething) {
  EXPECT_THAT(restore("data").error().message, HasSubstr("is not empty"));
  EXPECT_TRUE(fs::exists(root_ / "data/log/CURRENT"));
}

TEST_F(Restore, RefusesWhatIsNoBackup) {
  fs::remove_all(root_ / "backup/state");
  EXPECT_THAT(restore("new").error().message,
              HasSubstr("is no backup: the folder state is missing"));
  EXPECT_FALSE(fs::exists(root_ / "new"));
}

TEST_F(Restore, ABackupOfAnEngineOnKafkaHasNoLog) {
  fs::remove_all(root_ / "backup/log");
  ASSERT_TRUE(restore("new").ok());
  const auto store = Store::open((root_ / "new/state").string(), {}).value();
  EXPECT_EQ(store->get("key999").value(), std::string(100, 'x'));
}

TEST_F(Restore, RefusesABackupWithAFlippedByte) {
  for (const auto& entry : fs::directory_iterator(root_ / "backup/state")) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".sst" && extension != ".log") continue;
    if (entry.file_size() < 200) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(150);
    file.put('\x7f');
  }
  EXPECT_FALSE(restore("new").ok());
  EXPECT_FALSE(fs::exists(root_ / "new"));
  EXPECT_FALSE(fs::exists(root_ / "new.restoring"));
}

}  // namespace
}  // namespace shanhuo
