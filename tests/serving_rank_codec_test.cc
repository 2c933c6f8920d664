#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "serving/rank_codec.h"

namespace shanhuo {
namespace {

constexpr std::string_view kGood =
    R"({"request_id":"r1","user_id":"u1","surface":"feed","count":2,)"
    R"("candidates":[{"item_id":"a","score":0.5},{"item_id":"b","score":0.25}])";

// One body read; the document stays, since the call's views point into it.
struct Read {
  explicit Read(const std::string& body, const RankLimits& limits = {}) {
    const Result<json::Value> parsed = document.parse(body);
    EXPECT_TRUE(parsed.ok()) << body;
    if (!parsed.ok()) return;
    good = decode_rank_call(parsed.value(), limits, call, errors);
    EXPECT_EQ(good, errors.empty());
  }
  // "pointer: detail" of every error, one a line, sorted.
  std::string said() const {
    std::vector<std::string> lines;
    for (const json::FieldError& error : errors.list()) {
      lines.push_back(error.pointer + ": " + error.detail + "\n");
    }
    std::sort(lines.begin(), lines.end());
    std::string out;
    for (const std::string& line : lines) out += line;
    return out;
  }
  json::Document document;
  json::FieldErrors errors;
  RankCall call;
  bool good = false;
};

std::string with(std::string_view more) {
  return std::string(kGood) + "," + std::string(more) + "}";
}

// The least request with one member written otherwise.
std::string base(const std::string& key, const std::string& value) {
  std::string out = "{";
  const std::pair<std::string, std::string> members[] = {{"request_id", "\"r\""},
                                                         {"user_id", "\"u\""},
                                                         {"surface", "\"feed\""},
                                                         {"count", "1"},
                                                         {"candidates", "[]"}};
  bool known = false;
  for (const auto& [name, text] : members) {
    known = known || name == key;
    const std::string& written = name == key ? value : text;
    if (!written.empty()) out += (out.size() > 1 ? ",\"" : "\"") + name + "\":" + written;
  }
  if (!known) out += ",\"" + key + "\":" + value;
  return out + "}";
}

TEST(RankCodec, ReadsTheLeastRequest) {
  const Read read(std::string(kGood) + "}");
  ASSERT_TRUE(read.good) << read.said();
  const RankRequest& request = read.call.request;
  EXPECT_EQ(request.request_id, "r1");
  EXPECT_EQ(request.user_id, "u1");
  EXPECT_EQ(request.surface, Surface::kFeed);
  EXPECT_EQ(request.count, 2);
  ASSERT_EQ(request.candidates.size(), 2U);
  EXPECT_EQ(request.candidates[1].item_id, "b");
  EXPECT_EQ(request.candidates[1].score, 0.25);
  EXPECT_TRUE(request.personalized);
  EXPECT_FALSE(request.explain);
  EXPECT_FALSE(request.place.has_value());
  EXPECT_TRUE(request.room_id.empty());
  EXPECT_TRUE(read.call.scored);
  EXPECT_FALSE(read.call.timeout_ms.has_value());
}

TEST(RankCodec, ReadsEveryField) {
  const Read read(with(R"("context":{"city":"长沙","place":{"lat":28.2,"lon":112.9},)"
                       R"("attributes":{"age":30,"vip":true},"personalized":false},)"
                       R"("timeout_ms":40,"explain":true)"));
  ASSERT_TRUE(read.good) << read.said();
  const RankRequest& request = read.call.request;
  EXPECT_EQ(request.city, "长沙");
  ASSERT_TRUE(request.place.has_value());
  EXPECT_EQ(request.place->lat, 28.2);
  EXPECT_EQ(request.place->lon, 112.9);
  EXPECT_EQ(request.attributes, (Value::Object{{"age", 30}, {"vip", true}}));
  EXPECT_FALSE(request.personalized);
  EXPECT_TRUE(request.explain);
  EXPECT_EQ(read.call.timeout_ms, 40);
}

TEST(RankCodec, AnEmptyCandidateListAsksForRetrieval) {
  const Read read(base("candidates", "[]"));
  EXPECT_TRUE(read.good) << read.said();
  EXPECT_TRUE(read.call.request.candidates.empty());
}

struct Bad {
  std::string key, value, expected;
};

TEST(RankCodec, RefusesEveryWrongFieldUnderItsPointer) {
  const std::string id = "is no id: 1..128 bytes of UTF-8 without control characters\n";
  const std::string surfaces =
      "must be one of feed, live_room, search, detail, festival, open_screen\n";
  const Bad cases[] = {
      {"request_id", "", "/request_id: missing, must be a string\n"},
      {"request_id", "5", "/request_id: is an integer, must be a string\n"},
      {"request_id", "\"\"", "/request_id: " + id},
      {"request_id", "\"a\\u0001\"", "/request_id: " + id},
      {"request_id", "\"" + std::string(129, 'x') + "\"", "/request_id: " + id},
      {"user_id", "", "/user_id: missing, must be a string\n"},
      {"user_id", "null", "/user_id: is null, must be a string\n"},
      {"surface", "", "/surface: missing, must be a string\n"},
      {"surface", "\"\"", "/surface: " + surfaces},
      {"surface", "\"home\"", "/surface: " + surfaces},
      {"count", "", "/count: missing, must be an integer\n"},
      {"count", "0", "/count: is out of range, must be 1..200\n"},
      {"count", "201", "/count: is out of range, must be 1..200\n"},
      {"count", "18446744073709551615", "/count: is out of range, must be 1..200\n"},
      {"count", "1.5", "/count: is a number, must be an integer\n"},
      {"candidates", "", "/candidates: missing, must be an array\n"},
      {"candidates", "{}", "/candidates: is an object, must be an array\n"},
      {"candidates", "[5]", "/candidates/0: is an integer, must be an object\n"},
      {"candidates", "[{\"item_id\":\"a\"}]", "/candidates/0/score: missing, must be a number\n"},
      {"candidates", "[{\"score\":1}]", "/candidates/0/item_id: missing, must be a string\n"},
      {"candidates", "[{\"item_id\":\"a\",\"score\":\"1\"}]",
       "/candidates/0/score: is a string, must be a number\n"},
      {"candidates", "[{\"item_id\":\"a\",\"score\":1,\"rank\":1}]",
       "/candidates/0/rank: unknown field\n"},
      {"context", "[]", "/context: is an array, must be an object\n"},
      {"context", "{\"town\":\"x\"}", "/context/town: unknown field\n"},
      {"context", "{\"city\":\"" + std::string(129, 'x') + "\"}",
       "/context/city: has 129 bytes, at most 128\n"},
      {"context", "{\"place\":{\"lat\":91,\"lon\":-181}}",
       "/context/place/lat: is out of range, must be -90..90\n"
       "/context/place/lon: is out of range, must be -180..180\n"},
      {"context", "{\"place\":{\"lat\":1}}", "/context/place/lon: missing, must be a number\n"},
      {"context", "{\"attributes\":[1]}", "/context/attributes: must be an object\n"},
      {"context", "{\"attributes\":{\"a\":1,\"a\":2}}", "/context/attributes: a: given twice\n"},
      {"context", "{\"personalized\":0}",
       "/context/personalized: is an integer, must be true or false\n"},
      {"timeout_ms", "0", "/timeout_ms: is out of range, must be 1..60000\n"},
      {"timeout_ms", "60001", "/timeout_ms: is out of range, must be 1..60000\n"},
      {"explain", "\"yes\"", "/explain: is a string, must be true or false\n"},
      {"user", "\"u\"", "/user: unknown field\n"},
      {"now_ms", "5", "/now_ms: is only taken with clock: caller in engine.yaml\n"},
  };
  for (const Bad& bad : cases) {
    const Read read(base(bad.key, bad.value));
    EXPECT_FALSE(read.good) << bad.key << " " << bad.value;
    EXPECT_EQ(read.said(), bad.expected) << bad.key << " " << bad.value;
  }
}

TEST(RankCodec, ReportsAllWrongFieldsAtOnce) {
  const Read read(R"({"request_id":"","surface":"home","count":0,"x":1,)"
                  R"("candidates":[{"item_id":"","score":1},{"item_id":"a"}]})");
  EXPECT_EQ(read.errors.count(), 7U) << read.said();
}

TEST(RankCodec, AMemberGivenTwiceIsRefused) {
  const Read read(with(R"("count":3)"));
  EXPECT_EQ(read.said(), "/count: given twice\n");
}

TEST(RankCodec, WhatIsNoObjectIsRefused) {
  for (const char* body : {"[]", "5", "null", "\"x\""}) {
    const Read read(body);
    EXPECT_FALSE(read.good);
    EXPECT_EQ(read.errors.count(), 1U);
  }
}

TEST(RankCodec, TakesAsManyCandidatesAsAllowedAndNoMore) {
  const RankLimits limits{.candidates_max = 3};
  std::string list;
  for (int i = 0; i < 3; ++i) {
    list += (i > 0 ? "," : "") + ("{\"item_id\":\"i" + std::to_string(i) + "\",\"score\":1}");
  }
  EXPECT_TRUE(Read(base("candidates", "[" + list + "]"), limits).good);
  const Read more(base("candidates", "[" + list + ",{\"item_id\":\"x\",\"score\":1}]"), limits);
  EXPECT_EQ(more.said(), "/candidates: has 4 elements, at most 3\n");
}

TEST(RankCodec, TheSameItemTwiceIsRefusedWhereItStandsAgain) {
  const Read read(base("candidates", R"([{"item_id":"a","score":1},{"item_id":"b","score":1},)"
                                     R"({"item_id":"a","score":0}])"));
  EXPECT_EQ(read.said(), "/candidates/2/item_id: stands in the list already, at 0\n");
}

TEST(RankCodec, PointersStayRightBehindACandidateThatIsWrong) {
  const Read read(base("candidates", R"([5,{"item_id":"a","score":1},{"item_id":"","score":1},)"
                                     R"({"item_id":"a","score":0}])"));
  EXPECT_NE(read.said().find("/candidates/3/item_id: stands in the list already, at 1\n"),
            std::string::npos)
      << read.said();
}

TEST(RankCodec, CandidatesWithoutAnIdAreNotTheSameItem) {
  const Read read(base("candidates", R"([{"score":1},{"score":1}])"));
  EXPECT_EQ(read.said(),
            "/candidates/0/item_id: missing, must be a string\n"
            "/candidates/1/item_id: missing, must be a string\n");
}

TEST(RankCodec, AnyFiniteScoreIsTakenUnlessProbabilitiesAreAskedFor) {
  const auto scored = [](const std::string& score) {
    return base("candidates", "[{\"item_id\":\"a\",\"score\":" + score + "}]");
  };
  for (const char* score : {"-1e308", "1.7976931348623157e308", "-0.0", "0", "12345678901234567"}) {
    EXPECT_TRUE(Read(scored(score)).good) << score;
  }
  const RankLimits probabilities{.probabilities = true};
  for (const char* score : {"0", "1", "0.5", "1e-300"}) {
    EXPECT_TRUE(Read(scored(score), probabilities).good) << score;
  }
  for (const char* score : {"-0.001", "1.001", "5"}) {
    EXPECT_EQ(Read(scored(score), probabilities).said(),
              "/candidates/0/score: is out of range, must be 0..1\n");
  }
}

TEST(RankCodec, TheCallersClockIsRequiredWhenItRuns) {
  const RankLimits limits{.caller_clock = true};
  const Read read(with(R"("now_ms":1790000000000)"), limits);
  EXPECT_TRUE(read.good) << read.said();
  EXPECT_EQ(read.call.request.now, Millis(1'790'000'000'000));
  EXPECT_EQ(Read(std::string(kGood) + "}", limits).said(),
            "/now_ms: missing, must be an integer\n");
  EXPECT_FALSE(Read(with(R"("now_ms":-1)"), limits).good);
  EXPECT_FALSE(Read(with(R"("now_ms":1.5)"), limits).good);
  EXPECT_FALSE(Read(with(R"("now_ms":9223372036854775807)"), limits).good);
}

TEST(RankCodec, ARoomMayLeaveOutViewerCountAndCandidates) {
  const Read read(R"({"request_id":"r","surface":"live_room",)"
                  R"("room":{"room_id":"room1","lineup":["x","y"]}})");
  ASSERT_TRUE(read.good) << read.said();
  EXPECT_EQ(read.call.request.room_id, "room1");
  EXPECT_TRUE(read.call.request.user_id.empty());
  EXPECT_FALSE(read.call.scored);
  EXPECT_EQ(read.call.request.count, 3);  // the line-up and one more place
  ASSERT_EQ(read.call.request.candidates.size(), 2U);
  EXPECT_EQ(read.call.request.candidates[0].item_id, "x");
  EXPECT_EQ(read.call.request.candidates[1].item_id, "y");
}

TEST(RankCodec, ARoomWithScoredCandidatesKeepsThem) {
  const Read read(R"({"request_id":"r","user_id":"u","surface":"live_room","count":5,)"
                  R"("candidates":[{"item_id":"y","score":2}],)"
                  R"("room":{"room_id":"room1","lineup":["x","y"]}})");
  ASSERT_TRUE(read.good) << read.said();
  EXPECT_TRUE(read.call.scored);
  EXPECT_EQ(read.call.request.count, 5);
  EXPECT_EQ(read.call.request.user_id, "u");
  ASSERT_EQ(read.call.request.candidates.size(), 1U);
  EXPECT_EQ(read.call.request.candidates[0].item_id, "y");
}

TEST(RankCodec, ARoomsFieldsAreCheckedLikeAllOthers) {
  const auto room = [](const std::string& text) {
    return Read(R"({"request_id":"r","user_id":"u","surface":"live_room","count":1,"room":)" +
                text + "}")
        .said();
  };
  EXPECT_EQ(room(R"({"room_id":"a"})"), "/room/lineup: missing, must be an array\n");
  EXPECT_EQ(room(R"({"lineup":[]})"), "/room/room_id: missing, must be a string\n");
  EXPECT_EQ(room(R"({"room_id":"a","lineup":["x",5,"x"]})"),
            "/room/lineup/1: is an integer, must be a string\n"
            "/room/lineup/2: stands in the list already, at 0\n");
  EXPECT_EQ(room(R"({"room_id":"a","lineup":[],"max":1})"), "/room/max: unknown field\n");
}

// An answer with every member that an item may have.
TEST(RankCodec, WritesTheContractsAnswer) {
  ProgramSet programs;
  const auto add = [&](const char* id, Label label) {
    auto program = std::make_shared<Program>();
    program->id = ProgramId(std::string(id));
    program->label = std::move(label);
    programs.programs.push_back(std::move(program));
  };
  add("kiwi", {LabelKind::kPublicGood, "助农好物", "Farm good"});
  add("ads", {LabelKind::kAd, "", "Ad"});
  add("plain", {});
  Slate slate;
  slate.items.resize(4);
  slate.items[0].item_id = "a";
  slate.items[0].score = 0.5;
  slate.items[1].item_id = "\"q\"";
  slate.items[1].source = ItemSource::kBoost;
  slate.items[1].score = 1.25;
  slate.items[1].programs = {0, 1};
  slate.items[1].hold = Millis(1'500);
  slate.items[1].reason_code = "guarantee";
  slate.items[1].reason_text = "为你推荐";
  slate.items[2].item_id = "c";
  slate.items[2].source = ItemSource::kRetrieved;
  slate.items[2].programs = {1};
  slate.items[3].item_id = "d";
  slate.items[3].source = ItemSource::kBoost;
  slate.items[3].programs = {2};
  slate.degraded = {"retrieval"};
  RankRequest request;
  request.request_id = "r1";
  std::string out;
  JsonWriter json(out);
  write_rank_answer(json, request, slate, {"", "tok", "", ""}, programs,
                    {5, "text-1", "abc", 7, "none"},
                    std::vector<ShownExperiment>{{"boost", "more", true, "SPLIT"},
                                                 {"look", "", false, "DISABLED"}});
  EXPECT_EQ(out, R"({"request_id":"r1","items":[)"
                 R"({"item_id":"a","position":0,"source":"organic","score":0.5},)"
                 R"({"item_id":"\"q\"","position":1,"source":"boost","score":1.25,)"
                 R"("programs":["kiwi","ads"],"label":{"kind":"public_good","text":"助农好物"},)"
                 R"("token":"tok","hold_ms":1500,)"
                 R"("reason":{"code":"guarantee","text":"为你推荐"}},)"
                 R"({"item_id":"c","position":2,"source":"retrieved","score":0,)"
                 R"("programs":["ads"],"label":{"kind":"ad","text":"Ad"}},)"
                 R"({"item_id":"d","position":3,"source":"boost","score":0,"programs":["plain"]}],)"
                 R"("experiments":[{"experiment":"boost","variation":"more","in_experiment":true,)"
                 R"("reason":"SPLIT"},{"experiment":"look","variation":"","in_experiment":false,)"
                 R"("reason":"DISABLED"}],"degraded":["retrieval"],)"
                 R"("versions":{"catalogue":"5","model":"text-1","programs":"abc","prices":"7",)"
                 R"("experiments":"none"}})");
}

TEST(RankCodec, AnEmptyPageIsAnAnswerToo) {
  RankRequest request;
  request.request_id = "r";
  std::string out;
  JsonWriter json(out);
  write_rank_answer(json, request, {}, {}, {}, {});
  EXPECT_EQ(out, R"({"request_id":"r","items":[],"experiments":[],"degraded":[],)"
                 R"("versions":{"catalogue":"0","model":"","programs":"","prices":"0",)"
                 R"("experiments":""}})");
}

}  // namespace
}  // namespace shanhuo
