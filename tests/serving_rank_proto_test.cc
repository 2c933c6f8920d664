// Rank calls as protobuf against their JSON twins: whatever a request says, both formats take it or
// refuse it with the same complaints, and whatever an answer holds, both say the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "serving/rank.pb.h"
#include "serving/rank_proto.h"

namespace shanhuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kCandidatesMax = 6;

// What a decoder made of a request, as text that EXPECT_EQ can show.
struct Outcome {
  bool taken = false;
  std::vector<std::string> errors;  // in any order
  std::string call;                 // when taken
  Value attributes;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  out << (outcome.taken ? outcome.call : "refused");
  for (const std::string& error : outcome.errors) out << "\n  " << error;
  return out;
}

std::string describe(const RankCall& call) {
  const RankRequest& request = call.request;
  std::string text;
  JsonWriter json(text);
  json.begin_array();
  for (const std::string_view id :
       {request.request_id, request.user_id, request.city, request.room_id}) {
    json.value(id);
  }
  json.value(surface_name(request.surface));
  json.value(request.count);
  for (const RankCandidate& candidate : request.candidates) {
    json.value(candidate.item_id);
    json.value(candidate.score);
  }
  if (request.place) json.value(request.place->lat);
  if (request.place) json.value(request.place->lon);
  json.value(request.personalized);
  json.value(request.explain);
  json.value(request.now.count());
  json.value(call.scored);
  json.value(call.timeout_ms.value_or(-1));
  json.end_array();
  return text;
}

Outcome outcome_of(bool taken, const RankCall& call, const json::FieldErrors& errors) {
  Outcome outcome;
  outcome.taken = taken;
  for (const json::FieldError& error : errors.list()) {
    outcome.errors.push_back(error.pointer + ": " + error.detail);
  }
  std::sort(outcome.errors.begin(), outcome.errors.end());
  if (taken) outcome.call = describe(call);
  if (taken) outcome.attributes = call.request.attributes;
  return outcome;
}

Outcome from_json(std::string_view text, const RankLimits& limits) {
  json::Document document;
  const Result<json::Value> body = document.parse(text);
  EXPECT_TRUE(body.ok()) << text;
  RankCall call;
  json::FieldErrors errors;
  const bool taken = decode_rank_call(body.value(), limits, call, errors);
  return outcome_of(taken, call, errors);
}

Outcome from_protobuf(RankProtoDecoder& decoder, const std::string& bytes,
                      const RankLimits& limits) {
  RankCall call;
  json::FieldErrors errors;
  const Status status = decoder.decode(bytes, limits, call, errors);
  EXPECT_TRUE(status.ok() || !errors.empty()) << status.error().message;
  return outcome_of(status.ok(), call, errors);
}

// A request made in both formats at once; every field is at times absent and at times wrong.
class TwinRequests {
 public:
  TwinRequests(uint64_t seed, double wrong) : random_(seed), wrong_(wrong) {}

  void make(std::string& text, wire::RankRequest& wire) {
    text.clear();
    wire.Clear();
    JsonWriter json(text);
    json.begin_object();
    const bool room = chance(0.3);
    field(json, "request_id", id(), [&](const auto& v) { wire.set_request_id(v); });
    if (!room || chance(0.7)) {
      field(json, "user_id", id(), [&](const auto& v) { wire.set_user_id(v); });
      field(json, "count", integer(1, 200), [&](const auto& v) { wire.set_count(v); });
    }
    field(json, "surface", pick({"feed", "live_room", "festival"}, {"fed", ""}),
          [&](const auto& v) { wire.set_surface(v); });
    if (!room || chance(0.3)) candidates(json, wire);
    if (chance(0.7)) context(json, *wire.mutable_context());
    if (room) this->room(json, *wire.mutable_room());
    if (wrong() || caller_clock) {
      field(json, "now_ms", integer(0, 253'402'300'799'999),
            [&](const auto& v) { wire.set_now_ms(v); });
    }
    if (chance(0.3)) {
      field(json, "timeout_ms", integer(1, 60'000), [&](const auto& v) { wire.set_timeout_ms(v); });
    }
    if (chance(0.3))
      field(json, "explain", chance(0.5), [&](const auto& v) { wire.set_explain(v); });
    json.end_object();
  }

  bool caller_clock = false;

 private:
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  bool wrong() { return chance(wrong_); }
  std::string pick(std::vector<std::string> right, const std::vector<std::string>& bad) {
    const std::vector<std::string>& from = wrong() ? bad : right;
    return from[random_() % from.size()];
  }
  std::string id() {
    if (wrong()) return pick({""}, {"tab\there", std::string(129, 'x'), "del\x7f", ""});
    return pick({"i", "猕猴桃-", "a\"b\\", "c/~d "}, {"e"}) + std::to_string(random_() % 12);
  }
  int64_t integer(int64_t least, int64_t most) {
    if (wrong()) return chance(0.5) ? least - 1 : std::numeric_limits<int64_t>::max();
    return least + static_cast<int64_t>(random_() % static_cast<uint64_t>(most - least + 1));
  }
  double number(double least, double most) {
    if (wrong()) return most * 1.5 + 1;
    return std::uniform_real_distribution<>(least, most)(random_);
  }

  // Sometimes left out, which is sometimes wrong.
  template <typename T, typename Setter>
  void field(JsonWriter& json, std::string_view name, const T& value, const Setter& set) {
    if (wrong()) return;
    json.field(name, value);
    set(value);
  }

  void candidates(JsonWriter& json, wire::RankRequest& wire) {
    json.key("candidates");
    json.begin_array();
    for (size_t i = random_() % (kCandidatesMax + 1); i > 0; --i) {
      wire::RankRequest::Candidate& candidate = *wire.add_candidates();
      json.begin_object();
      field(json, "item_id", id(), [&](const auto& v) { candidate.set_item_id(v); });
      field(json, "score", number(0, 1), [&](const auto& v) { candidate.set_score(v); });
      json.end_object();
    }
    json.end_array();
  }
  void context(JsonWriter& json, wire::RankRequest::Context& wire) {
    json.key("context");
    json.begin_object();
    field(json, "city", pick({"北京", ""}, {std::string(129, 'y')}),
          [&](const auto& v) { wire.set_city(v); });
    field(json, "personalized", chance(0.5), [&](const auto& v) { wire.set_personalized(v); });
    if (chance(0.5)) {
      json.key("place");
      json.begin_object();
      wire::RankRequest::Place& place = *wire.mutable_place();
      field(json, "lat", number(-90, 90), [&](const auto& v) { place.set_lat(v); });
      field(json, "lon", number(-180, 180), [&](const auto& v) { place.set_lon(v); });
      json.end_object();
    }
    if (chance(0.5)) {
      const std::string attributes =
          pick({R"({"app":"9.1","ages":[1,2.5],"deep":{"x":null}})", "{}"},
               {"[1]", R"({"a":1,"a":2})", "\"}\""});
      json.key("attributes");
      json.raw(attributes);
      wire.set_attributes(attributes);
    }
    json.end_object();
  }
  void room(JsonWriter& json, wire::RankRequest::Room& wire) {
    json.key("room");
    json.begin_object();
    field(json, "room_id", id(), [&](const auto& v) { wire.set_room_id(v); });
    json.key("lineup");
    json.begin_array();
    for (size_t i = random_() % (kCandidatesMax + 1); i > 0; --i) {
      const std::string item = id();
      json.value(item);
      wire.add_lineup(item);
    }
    json.end_array();
    json.end_object();
  }

  std::mt19937_64 random_;
  const double wrong_;
};

TEST(RankProto, TakesAndRefusesWhatJsonDoesWithTheSameComplaints) {
  RankProtoDecoder decoder;
  std::string text;
  wire::RankRequest wire;
  size_t taken = 0, refused = 0;
  for (uint64_t seed = 0; seed < 6000; ++seed) {
    TwinRequests twins(seed, seed % 3 == 0 ? 0.0 : 0.03);
    RankLimits limits;
    limits.candidates_max = kCandidatesMax;
    limits.caller_clock = twins.caller_clock = (seed & 1) != 0;
    limits.probabilities = (seed & 2) != 0;
    twins.make(text, wire);
    const Outcome json = from_json(text, limits);
    ASSERT_EQ(from_protobuf(decoder, wire.SerializeAsString(), limits), json) << text;
    ++(json.taken ? taken : refused);
  }
  EXPECT_GT(taken, 500u);
  EXPECT_GT(refused, 2000u);
}

wire::RankRequest plain_request() {
  wire::RankRequest wire;
  wire.set_request_id("r");
  wire.set_user_id("u");
  wire.set_surface("feed");
  wire.set_count(10);
  return wire;
}

std::vector<std::string> complaints(const std::string& bytes) {
  RankProtoDecoder decoder;
  RankLimits limits;
  limits.candidates_max = kCandidatesMax;
  return from_protobuf(decoder, bytes, limits).errors;
}

std::vector<std::string> complaints(const wire::RankRequest& wire) {
  return complaints(wire.SerializeAsString());
}

TEST(RankProto, RefusesScoresThatJsonCannotEvenSay) {
  for (const double score : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    wire::RankRequest wire = plain_request();
    wire.add_candidates()->set_item_id("a");
    wire.mutable_candidates(0)->set_score(score);
    EXPECT_THAT(complaints(wire), ElementsAre(HasSubstr("/candidates/0/score: is out of range")));
  }
}

TEST(RankProto, AttributesAreTheTextOfOneJsonObject) {
  for (const std::string text : {"", "{", "{}{}", "{},\"user_id\":\"v\"", "{\"a\":1e999}"}) {
    wire::RankRequest wire = plain_request();
    wire.mutable_context()->set_attributes(text);
    EXPECT_THAT(complaints(wire), ElementsAre(HasSubstr("/context/attributes: not JSON")));
  }
}

TEST(RankProto, ListsAboveTheLimitAreRefusedInOneComplaintEach) {
  wire::RankRequest wire = plain_request();
  for (size_t i = 0; i <= kCandidatesMax; ++i) {
    wire.add_candidates();
    wire.mutable_room()->add_lineup("same");
  }
  EXPECT_THAT(complaints(wire), ElementsAre("/candidates: has 7 elements, at most 6",
                                            "/room/lineup: has 7 elements, at most 6"));
  // In pieces that protobuf merges, too.
  wire.clear_candidates();
  const std::string whole = wire.SerializeAsString();
  wire.Clear();
  wire.mutable_room()->add_lineup("another");
  EXPECT_THAT(complaints(whole + wire.SerializeAsString()),
              ElementsAre("/room/lineup: has 8 elements, at most 6"));
}

TEST(RankProto, SkipsFieldsOfNewerCallers) {
  const std::string unknown = "\xa2\x06\x03new";  // field 100
  EXPECT_THAT(complaints(plain_request().SerializeAsString() + unknown), ElementsAre());
}

TEST(RankProto, TellsBytesThatAreNoRequestFromRequestsThatAreWrong) {
  RankProtoDecoder decoder;
  std::mt19937_64 random(7);
  std::string text;
  wire::RankRequest wire;
  const auto refused_whole = [&](std::string_view bytes) {
    RankCall call;
    json::FieldErrors errors;
    return !decoder.decode(bytes, {}, call, errors).ok() && errors.empty();
  };
  EXPECT_TRUE(refused_whole("{\"request_id\":\"r\"}"));
  EXPECT_TRUE(refused_whole("\x0a\x01\xff"));  // a request_id that is not UTF-8
  EXPECT_TRUE(
      refused_whole("\x0a\x05"
                    "ab"));
  EXPECT_FALSE(refused_whole(""));  // a request without fields
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    TwinRequests(seed, 0.01).make(text, wire);
    std::string bytes = wire.SerializeAsString();
    if (bytes.empty()) continue;
    bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(bytes.size() - random() % 3 % bytes.size());
    if (!wire.ParseFromString(bytes)) {
      EXPECT_TRUE(refused_whole(bytes));
    }
  }
}

// ---- Answers ----

void write_experiment(JsonWriter& json, const wire::RankAnswer::Experiment& each) {
  json.begin_object();
  json.field("experiment", each.experiment());
  json.field("variation", each.variation());
  json.field("in_experiment", each.in_experiment());
  json.field("reason", each.reason());
  json.end_object();
}

// RankAnswer as the contract's JSON.
std::string json_of(const wire::RankAnswer& wire) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  json.field("request_id", wire.request_id());
  json.key("items");
  json.begin_array();
  for (const wire::RankAnswer::Item& item : wire.items()) {
    json.begin_object();
    json.field("item_id", item.item_id());
    json.field("position", item.position());
    json.field("source", item.source());
    json.field("score", item.score());
    if (item.programs_size() > 0) {
      json.key("programs");
      json.begin_array();
      for (const std::string& program : item.programs()) json.value(program);
      json.end_array();
    }
    if (item.has_label()) {
      json.key("label");
      json.begin_object();
      json.field("kind", item.label().kind());
      json.field("text", item.label().text());
      json.end_object();
    }
    if (!item.token().empty()) json.field("token", item.token());
    if (item.hold_ms() != 0) json.field("hold_ms", item.hold_ms());
    if (item.has_reason()) {
      json.key("reason");
      json.begin_object();
      json.field("code", item.reason().code());
      json.field("text", item.reason().text());
      json.end_object();
    }
    json.end_object();
  }
  json.end_array();
  json.key("experiments");
  json.begin_array();
  for (const auto& each : wire.experiments()) write_experiment(json, each);
  json.end_array();
  json.key("degraded");
  json.begin_array();
  for (const std::string& stage : wire.degraded()) json.value(stage);
  json.end_array();
  json.key("versions");
  json.begin_object();
  json.field("catalogue", wire.versions().catalogue());
  json.field("model", wire.versions().model());
  json.field("programs", wire.versions().programs());
  json.field("prices", wire.versions().prices());
  json.field("experiments", wire.versions().experiments());
  json.end_object();
  json.end_object();
  return text;
}

ProgramSet programs_with_every_label() {
  ProgramSet set;
  for (const Label& label :
       {Label{}, Label{LabelKind::kAd, "广告", "Ad"}, Label{LabelKind::kPublicGood, "", "Good"}}) {
    auto program = std::make_shared<Program>();
    program->id = ProgramId("p" + std::to_string(set.programs.size()));
    program->label = label;
    set.programs.push_back(std::move(program));
  }
  return set;
}

TEST(RankProto, AnswersSayWhatJsonSays) {
  const ProgramSet programs = programs_with_every_label();
  std::mt19937_64 random(11);
  for (int round = 0; round < 300; ++round) {
    RankRequest request;
    request.request_id = "请求-1";
    Slate slate;
    std::vector<std::string> tokens;
    for (size_t i = random() % 8; i > 0; --i) {
      SlateItem& item = slate.items.emplace_back();
      item.item_id = "item-" + std::to_string(random() % 100);
      item.source = static_cast<ItemSource>(random() % 3);
      item.score = std::uniform_real_distribution<>(-1e6, 1e6)(random);
      for (size_t n = random() % 3; n > 0; --n) item.programs.push_back(int(random() % 3));
      tokens.push_back(item.programs.empty() ? "" : "token\xe2\x9c\x93");
      item.hold = Millis(int64_t(random() % 2) * 170'000);
      if (random() % 2 == 0) item.reason_code = "value";
      if (random() % 2 == 0) item.reason_text = "值 3 分";
    }
    if (random() % 4 == 0) slate.degraded.push_back("timeout");
    const RankVersions versions = {random(), "text-1", "5f1c", random(), "none"};
    std::vector<ShownExperiment> shown;
    if (random() % 2 == 0) shown.push_back({"更强", "more", true, "SPLIT"});
    if (random() % 2 == 0) shown.push_back({"z", "", false, "DEFAULT"});
    std::string json, bytes, again;
    JsonWriter writer(json);
    write_rank_answer(writer, request, slate, tokens, programs, versions, shown);
    encode_rank_answer(request, slate, tokens, programs, versions, bytes, shown);
    encode_rank_answer(request, slate, tokens, programs, versions, again, shown);
    wire::RankAnswer wire;
    ASSERT_TRUE(wire.ParseFromString(bytes));
    EXPECT_EQ(json_of(wire), json);
    EXPECT_EQ(bytes, again);
  }
}

}  // namespace
}  // namespace shanhuo
