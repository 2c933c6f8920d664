#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "serving/replay.h"
#include "tests/fake_engine.h"

namespace shanhuo {
namespace {

using testing::FakeEngine;
using ::testing::HasSubstr;
using testing::json_response;

std::string event(int number, int user) {
  return R"({"event_id":"e)" + std::to_string(number) + R"(","user_id":"u)" + std::to_string(user) +
         "\"}\n";
}

std::string events(int count, int users) {
  std::string text;
  for (int i = 0; i < count; ++i) text += event(i, i % users);
  return text;
}

// Takes every line of a batch.
HttpResponse accept_all(const FakeEngine::Request& request) {
  const auto lines = std::ranges::count(request.body, '\n');
  return json_response("{\"accepted\":" + std::to_string(lines) + ",\"rejected\":[]}", 202);
}

Result<ReplaySummary> replay_text(const std::string& text, const ReplayOptions& options,
                                  const FakeEngine& engine, std::string token = "") {
  std::istringstream in(text);
  return replay(in, text.size(), options, engine.arguments(std::move(token)));
}

TEST(Replay, SendsEventsInOrderAsNdjsonBatches) {
  FakeEngine engine(accept_all);
  ReplayOptions options;
  options.batch_lines = 3;
  const std::string text = events(7, 2);
  const ReplaySummary summary = replay_text(text + "\n\n", options, engine, "secret").value();
  EXPECT_EQ(summary.lines, 7u);
  EXPECT_EQ(summary.accepted, 7u);
  EXPECT_EQ(summary.rejected, 0u);
  std::string sent;
  for (const FakeEngine::Request& request : engine.requests()) {
    EXPECT_EQ(request.method + " " + request.path, "POST /v1/events");
    EXPECT_EQ(request.content_type, "application/x-ndjson");
    EXPECT_EQ(request.authorization, "Bearer secret");
    sent += request.body;
  }
  EXPECT_EQ(engine.requests().size(), 3u);
  EXPECT_EQ(sent, text);
}

TEST(Replay, KeepsTheOrderOfEachViewerOverSeveralConnections) {
  FakeEngine engine(accept_all);
  ReplayOptions options;
  options.batch_lines = 5;
  options.connections = 3;
  EXPECT_EQ(replay_text(events(200, 7), options, engine).value().accepted, 200u);
  std::map<std::string, std::string> by_user, expected;
  for (const FakeEngine::Request& request : engine.requests()) {
    std::istringstream lines(request.body);
    for (std::string line; std::getline(lines, line);)
      by_user[line.substr(line.find("user"))] += line;
  }
  for (int i = 0; i < 200; ++i) {
    std::string line = event(i, i % 7);
    line.pop_back();
    expected[line.substr(line.find("user"))] += line;
  }
  EXPECT_EQ(by_user, expected);
}

TEST(Replay, RepeatsABatchUntilTheEngineTakesIt) {
  int refusals = 2;
  FakeEngine engine([&](const FakeEngine::Request& request) {
    if (refusals == 0) return accept_all(request);
    HttpResponse busy = json_response(R"({"detail":"shedding"})", refusals-- == 2 ? 503 : 429);
    busy.with("retry-after", "0");
    return busy;
  });
  const ReplaySummary summary = replay_text(events(2, 1), {}, engine).value();
  EXPECT_EQ(summary.accepted, 2u);
  EXPECT_EQ(summary.retries, 2u);
  const auto requests = engine.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0], requests[1]);
  EXPECT_EQ(requests[0], requests[2]);
}

TEST(Replay, GivesUpWhenItsPatienceEnds) {
  FakeEngine engine([](const FakeEngine::Request&) {
    HttpResponse busy = json_response(R"({"detail":"the log is down"})", 503);
    busy.with("retry-after", "0");
    return busy;
  });
  ReplayOptions options;
  options.patience = Millis(250);
  EXPECT_EQ(replay_text(events(2, 1), options, engine).error().message,
            "line 1: 503 Service Unavailable: the log is down");
  EXPECT_GE(engine.requests().size(), 2u);
}

TEST(Replay, CountsRejectedEventsByReason) {
  FakeEngine engine([](const FakeEngine::Request&) {
    return json_response(R"({"accepted":1,"rejected":[{"index":1,"reason":"missing:type"},)"
                         R"({"index":2,"reason":"missing:type"}]})",
                         202);
  });
  ::testing::internal::CaptureStderr();
  const ReplaySummary summary = replay_text(events(3, 1), {}, engine).value();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "line 2: missing:type\nline 3: missing:type\n");
  EXPECT_EQ(summary.accepted, 1u);
  EXPECT_EQ(summary.rejected, 2u);
  EXPECT_EQ(summary.reasons, (std::map<std::string, uint64_t>{{"missing:type", 2}}));
}

TEST(Replay, PutsItemsAndCreatorsAsOneArray) {
  FakeEngine engine([](const FakeEngine::Request& request) {
    return json_response(request.path == "/v1/items" ? R"({"accepted":2})" : R"({"accepted":1})");
  });
  EXPECT_EQ(
      replay_text("{\"item_id\":\"a\",\"creator_id\":\"c\"}\n{\"item_id\":\"b\"}\n", {}, engine)
          .value()
          .accepted,
      2u);
  EXPECT_EQ(replay_text("{\"creator_id\":\"c\",\"name\":\"n\"}", {}, engine).value().accepted, 1u);
  const auto requests = engine.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].method + " " + requests[0].path, "PUT /v1/items");
  EXPECT_EQ(requests[0].content_type, "application/json");
  EXPECT_EQ(requests[0].body, R"({"items":[{"item_id":"a","creator_id":"c"},{"item_id":"b"}]})");
  EXPECT_EQ(requests[1].method + " " + requests[1].path, "PUT /v1/creators");
  EXPECT_EQ(requests[1].body, R"({"creators":[{"creator_id":"c","name":"n"}]})");
}

TEST(Replay, CountsARefusedBatchOfItemsAndGoesOn) {
  int calls = 0;
  FakeEngine engine([&](const FakeEngine::Request&) {
    if (calls++ > 0) return json_response(R"({"accepted":1})");
    return json_response(R"({"detail":"1 field is wrong","errors":[{"pointer":"/items/0/kind",)"
                         R"("detail":"no kind"}]})",
                         422);
  });
  ReplayOptions options;
  options.batch_lines = 1;
  ::testing::internal::CaptureStderr();
  const ReplaySummary summary =
      replay_text("{\"item_id\":\"a\"}\n{\"item_id\":\"b\"}\n", options, engine).value();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("/items/0/kind: no kind"));
  EXPECT_EQ(summary.accepted, 1u);
  EXPECT_EQ(summary.rejected, 1u);
}

TEST(Replay, StopsWhenTheTokenIsNotEnough) {
  FakeEngine engine([](const FakeEngine::Request&) { return json_response("{}", 403); });
  ReplayOptions options;
  options.batch_lines = 1;
  EXPECT_THAT(replay_text(events(50, 1), options, engine).error().message,
              HasSubstr("403 Forbidden"));
}

TEST(Replay, RefusesWhatIsNoneOfTheThreeKinds) {
  FakeEngine engine(accept_all);
  EXPECT_THAT(replay_text("{\"x\":1}\n", {}, engine).error().message,
              HasSubstr("line 1: no event"));
  EXPECT_FALSE(replay_text("not json\n", {}, engine).ok());
  EXPECT_FALSE(replay_text("", {}, engine).ok());
}

TEST(Replay, SendsNoMoreThanItsLimitAndItsRate) {
  FakeEngine engine(accept_all);
  ReplayOptions options;
  options.lines_max = 20;
  options.lines_per_s = 100;
  const ReplaySummary summary = replay_text(events(50, 1), options, engine).value();
  EXPECT_EQ(summary.accepted, 20u);
  EXPECT_GE(summary.seconds, 0.18);
}

}  // namespace
}  // namespace shanhuo
