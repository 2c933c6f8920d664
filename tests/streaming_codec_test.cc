#include <gtest/gtest.h>

#include <random>
#include <tuple>

#include "streaming/codec.h"

namespace shanhuo {
namespace {

auto fields(const Interaction& e) {
  return std::make_tuple(e.type, e.surface, std::string(e.event_id), std::string(e.user_id),
                         std::string(e.item_id), e.ts.count(), std::string(e.request_id),
                         std::string(e.token), std::string(e.order_id), std::string(e.deed),
                         e.position, e.viewable_ms, e.watch_ms, e.quantity, e.amount_fen);
}

// Owns the texts of a random event.
struct RandomEvent {
  explicit RandomEvent(std::mt19937_64& random) {
    const auto number = [&](int64_t most) {
      return static_cast<int64_t>(random() % static_cast<uint64_t>(most + 1));
    };
    for (std::string& text : texts) {
      for (int64_t i = number(20) + 1; i > 0; --i) {
        text += random() % 5 == 0 ? "猕" : std::string(1, static_cast<char>(' ' + random() % 95));
      }
    }
    event.type = static_cast<EventType>(number(kEventTypes - 1));
    event.surface = static_cast<Surface>(number(kSurfaces - 1));
    event.event_id = texts[0];
    event.user_id = texts[1];
    event.item_id = texts[2];
    event.ts = Millis(number(kEventTimeMsMax));
    const bool of_order = event.type == EventType::kOrder || event.type == EventType::kRefund;
    if (of_order || number(1) == 0) event.order_id = texts[3];
    if (number(1) == 0) event.request_id = texts[4];
    if (number(1) == 0) event.token = texts[5];
    if (number(1) == 0) event.deed = texts[6];
    if (number(1) == 0) event.position = static_cast<int32_t>(number(kPositionMax));
    if (number(1) == 0) event.viewable_ms = number(kDurationMsMax);
    if (number(1) == 0) event.watch_ms = number(kDurationMsMax);
    if (number(1) == 0) event.quantity = 1 + number(kQuantityMax - 1);
    if (number(1) == 0) event.amount_fen = number(kAmountFenMax);
  }
  std::string texts[7];
  Interaction event;
};

LogRecord record_of(std::string_view value, ContentType content) {
  LogRecord record;
  record.value = value;
  record.content = content;
  return record;
}

TEST(EventCodec, RandomEventsSurviveJsonAndProtobuf) {
  std::mt19937_64 random(1);
  EventDecoder decoder;
  for (int round = 0; round < 3000; ++round) {
    const RandomEvent made(random);
    std::string text, bytes;
    JsonWriter json(text);
    write_event_json(json, made.event);
    Interaction from_json, from_wire;
    ASSERT_EQ(decoder.decode_record(record_of(text, ContentType::kJson), from_json), "") << text;
    EXPECT_EQ(fields(from_json), fields(made.event)) << text;
    encode_event(from_json, bytes);
    ASSERT_EQ(decoder.decode_record(record_of(bytes, ContentType::kProtobuf), from_wire), "");
    EXPECT_EQ(fields(from_wire), fields(made.event));
  }
}

// The event as the one element of an EventBatch, which is read by the generated parser: the twin of
// the reader in place. Empty: no batch at all.
std::string batch_of(std::string_view event) {
  std::string batch = "\x0a";
  for (size_t left = event.size();; left >>= 7) {
    batch.push_back(static_cast<char>(left >= 0x80 ? left | 0x80 : left));
    if (left < 0x80) break;
  }
  return batch.append(event);
}

TEST(EventCodec, ARecordIsReadAsTheGeneratedParserReadsIt) {
  std::mt19937_64 random(2);
  EventDecoder decoder, twin;
  size_t taken = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    const RandomEvent made(random);
    std::string bytes;
    encode_event(made.event, bytes);
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    if (random() % 4 == 0) bytes += bytes.substr(random() % (bytes.size() + 1));
    for (uint64_t n = random() % 3; n > 0 && !bytes.empty(); --n) {
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 7);
    }
    Interaction event;
    const Reason reason = decoder.decode_record(record_of(bytes, ContentType::kProtobuf), event);
    json::FieldErrors errors;
    bool seen = false;
    const Status status = twin.decode_body(BodyFormat::kProtobuf, batch_of(bytes), errors,
                                           [&](size_t, Reason said, const Interaction& other) {
                                             seen = true;
                                             ASSERT_EQ(reason, said);
                                             if (said.empty()) {
                                               ASSERT_EQ(fields(event), fields(other));
                                             }
                                           });
    ASSERT_EQ(status.ok() && seen, reason != "not_json");
    ++(reason.empty() ? taken : refused);
  }
  EXPECT_GT(taken, 1'000u);
  EXPECT_GT(refused, 1'000u);
}

// Plain texts are read in one pass; json::Document, which reads all texts, is the twin.
TEST(EventCodec, ARecordOfJsonIsReadAsTheParserReadsIt) {
  std::mt19937_64 random(3);
  constexpr std::string_view kPieces[] = {"\"",
                                          "\\",
                                          "{",
                                          "}",
                                          ",",
                                          ":",
                                          " ",
                                          "\t",
                                          "0",
                                          "7",
                                          "-1",
                                          ".",
                                          "e5",
                                          "[]",
                                          "null",
                                          "\x7f",
                                          "\n",
                                          "\xc3\xa9",
                                          "999999999999999999",
                                          "\"type\":\"click\",",
                                          "\"new\":1,"};
  EventDecoder decoder, twin;
  size_t taken = 0, refused = 0, broken = 0;
  for (int round = 0; round < 40'000; ++round) {
    RandomEvent made(random);
    for (std::string& each : made.texts) {  // what the event's views show
      for (char& c : each) c = c < '0' || c > 'z' || c == '\\' ? 'x' : c;
    }
    std::string text;
    JsonWriter json(text);
    write_event_json(json, made.event);
    for (uint64_t n = random() % 3; n > 0; --n) {
      const std::string_view piece = kPieces[random() % std::size(kPieces)];
      text.replace(random() % text.size(), random() % 3, piece);
    }
    if (random() % 8 == 0) text.resize(random() % text.size());
    Interaction event, other;
    const Reason reason = decoder.decode_record(record_of(text, ContentType::kJson), event);
    json::Document document;
    const Result<json::Value> value = document.parse(text);
    const Reason said = value.ok() ? twin.decode_json(value.value(), other) : "not_json";
    ASSERT_EQ(reason, said) << text;
    ASSERT_EQ(decoder.unknown_fields(), twin.unknown_fields()) << text;
    if (said.empty()) {
      ASSERT_EQ(fields(event), fields(other)) << text;
    }
    ++(said.empty() ? taken : said == "not_json" ? broken : refused);
  }
  EXPECT_GT(taken, 10'000u);
  EXPECT_GT(refused, 1'000u);
  EXPECT_GT(broken, 1'000u);
}

std::string event_with(const std::string& members) {
  return R"({"event_id":"e","type":"click","user_id":"u","item_id":"i","ts_ms":5)" + members + "}";
}

TEST(EventCodec, EveryFaultHasItsReason) {
  const std::string id_129(129, 'x');
  const std::pair<std::string, std::string_view> kCases[] = {
      {event_with(""), ""},
      {"[1]", "not_an_object"},
      {"7", "not_an_object"},
      {"{\"event_id\":", "not_json"},
      {"", "not_json"},
      {R"({"type":"click","user_id":"u","item_id":"i","ts_ms":5})", "missing:event_id"},
      {R"({"event_id":"e","user_id":"u","item_id":"i","ts_ms":5})", "missing:type"},
      {R"({"event_id":"e","type":"click","item_id":"i","ts_ms":5})", "missing:user_id"},
      {R"({"event_id":"e","type":"click","user_id":"u","ts_ms":5})", "missing:item_id"},
      {R"({"event_id":"e","type":"click","user_id":"u","item_id":"i"})", "missing:ts_ms"},
      {R"({"event_id":7,"type":"click","user_id":"u","item_id":"i","ts_ms":5})", "type:event_id"},
      {R"({"event_id":"e","type":"tap","user_id":"u","item_id":"i","ts_ms":5})",
       "unknown_event_type"},
      {R"({"event_id":"","type":"click","user_id":"u","item_id":"i","ts_ms":5})",
       "bad_id:event_id"},
      {R"({"event_id":"e","type":"click","user_id":")" + id_129 + R"(","item_id":"i","ts_ms":5})",
       "bad_id:user_id"},
      {R"({"event_id":"e\u007f","type":"click","user_id":"u","item_id":"i","ts_ms":5})",
       "bad_id:event_id"},
      {R"({"event_id":"e\u0085","type":"click","user_id":"u","item_id":"i","ts_ms":5})",
       "bad_id:event_id"},
      {R"({"event_id":"e","type":"click","user_id":"u","item_id":"i","ts_ms":"5"})", "type:ts_ms"},
      {R"({"event_id":"e","type":"click","user_id":"u","item_id":"i","ts_ms":5.0})", "type:ts_ms"},
      {R"({"event_id":"e","type":"click","user_id":"u","item_id":"i","ts_ms":-1})", "range:ts_ms"},
      {R"({"event_id":"e","type":"click","user_id":"u","item_id":"i","ts_ms":9999999999999999999})",
       "range:ts_ms"},
      {event_with(R"(,"surface":"tv")"), "unknown_surface"},
      {event_with(R"(,"surface":"")"), "unknown_surface"},
      {event_with(R"(,"surface":null)"), "type:surface"},
      {event_with(R"(,"position":-1)"), "range:position"},
      {event_with(R"(,"position":100001)"), "range:position"},
      {event_with(R"(,"quantity":0)"), "range:quantity"},
      {event_with(R"(,"amount_fen":1000000000001)"), "range:amount_fen"},
      {event_with(R"(,"watch_ms":1e308)"), "type:watch_ms"},
      {event_with(R"(,"watch_ms":1e400)"), "not_json"},
      {event_with(R"(,"viewable_ms":true)"), "type:viewable_ms"},
      {event_with(R"(,"token":"")"), "range:token"},
      {event_with(R"(,"token":")" + std::string(2049, 't') + "\""), "range:token"},
      {event_with(R"(,"deed":"")"), "bad_id:deed"},
      {event_with(R"(,"ts_ms":6)"), "duplicate_field:ts_ms"},
      {R"({"event_id":"e","type":"order","user_id":"u","item_id":"i","ts_ms":5})",
       "order_without_order_id"},
      {R"({"event_id":"e","type":"refund","user_id":"u","item_id":"i","ts_ms":5})",
       "order_without_order_id"},
      {event_with(",\"x\":\"" + std::string(70'000, 'y') + "\""), "too_large"},
      {event_with(",\"x\":" + std::string(100, '[') + std::string(100, ']')), "not_json"},
  };
  EventDecoder decoder;
  Interaction event;
  for (const auto& [text, reason] : kCases) {
    EXPECT_EQ(decoder.decode_record(record_of(text, ContentType::kJson), event), reason) << text;
  }
  EXPECT_EQ(decoder.decode_record(record_of("\xff\xff", ContentType::kProtobuf), event),
            "not_json");
  EXPECT_EQ(decoder.decode_record(record_of("", ContentType::kProtobuf), event),
            "missing:event_id");
}

TEST(EventCodec, UnknownFieldsAreSkippedAndCountedByName) {
  EventDecoder decoder({.unknown_names_max = 2});
  Interaction event;
  for (const char* member : {R"(,"new":1)", R"(,"new":{"a":[1]},"b":2)", R"(,"c":1,"d":1)"}) {
    ASSERT_EQ(decoder.decode_record(record_of(event_with(member), ContentType::kJson), event), "");
  }
  const std::map<std::string, uint64_t, std::less<>> expected = {
      {"(other)", 2}, {"b", 1}, {"new", 2}};
  EXPECT_EQ(decoder.unknown_fields(), expected);
}

struct Outcome {
  size_t index;
  std::string reason;
  std::string event_id;
  bool operator==(const Outcome&) const = default;
};

std::pair<Status, std::vector<Outcome>> decode(EventDecoder& decoder, BodyFormat format,
                                               std::string_view body) {
  std::vector<Outcome> outcomes;
  json::FieldErrors errors;
  Status status = decoder.decode_body(
      format, body, errors, [&](size_t index, Reason reason, const Interaction& event) {
        outcomes.push_back(
            {index, std::string(reason), reason.empty() ? std::string(event.event_id) : ""});
      });
  return {status, outcomes};
}

TEST(EventCodec, OneBodyThreeFormats) {
  EventDecoder decoder;
  const std::string good = event_with(""), bad = event_with(R"(,"position":-1)");
  const std::vector<Outcome> expected = {{0, "", "e"}, {1, "range:position", ""}, {2, "", "e"}};
  const auto json =
      decode(decoder, BodyFormat::kJson, "{\"events\":[" + good + "," + bad + "," + good + "]}");
  EXPECT_TRUE(json.first.ok());
  EXPECT_EQ(json.second, expected);
  const auto lines =
      decode(decoder, BodyFormat::kNdjson, "\n" + good + "\r\n  \n" + bad + "\n\n" + good);
  EXPECT_TRUE(lines.first.ok());
  EXPECT_EQ(lines.second, expected);
}

TEST(EventCodec, AMalformedLineRejectsOnlyItself) {
  EventDecoder decoder;
  const auto [status, outcomes] =
      decode(decoder, BodyFormat::kNdjson, event_with("") + "\n{oops\n\xff\n" + event_with(""));
  EXPECT_TRUE(status.ok());
  const std::vector<Outcome> expected = {
      {0, "", "e"}, {1, "not_json", ""}, {2, "not_json", ""}, {3, "", "e"}};
  EXPECT_EQ(outcomes, expected);
}

TEST(EventCodec, ABodyFailsAsAWholeBeforeAnyEvent) {
  EventDecoder decoder({.events_max = 2});
  const std::string one = event_with("");
  const std::tuple<BodyFormat, std::string, ErrorCode, bool> kCases[] = {
      {BodyFormat::kJson, "{\"events\":[" + one, ErrorCode::kInvalid, false},
      {BodyFormat::kJson, "{\"evnts\":[]}", ErrorCode::kInvalid, true},
      {BodyFormat::kJson, "[]", ErrorCode::kInvalid, true},
      {BodyFormat::kJson, "{\"events\":{}}", ErrorCode::kInvalid, true},
      {BodyFormat::kJson, "{\"events\":[" + one + "," + one + "," + one + "]}",
       ErrorCode::kTooLarge, false},
      {BodyFormat::kNdjson, one + "\n" + one + "\n" + one, ErrorCode::kTooLarge, false},
      {BodyFormat::kProtobuf, "\x0a\xff", ErrorCode::kInvalid, false},
  };
  for (const auto& [format, body, code, named] : kCases) {
    json::FieldErrors errors;
    int calls = 0;
    const Status status = decoder.decode_body(format, body, errors,
                                              [&](size_t, Reason, const Interaction&) { ++calls; });
    ASSERT_FALSE(status.ok()) << body;
    EXPECT_EQ(status.error().code, code) << body;
    EXPECT_EQ(!errors.empty(), named) << body;
    EXPECT_EQ(calls, 0);
  }
}

TEST(RecordCodec, DecisionsAndDeadLettersRoundTrip) {
  Decision decision;
  decision.seq = 7;
  decision.at = Millis(123);
  decision.caller = "app";
  decision.user_id = "u";
  decision.request_id = "r";
  decision.body_hash = ~0ULL;
  decision.surface = Surface::kFestival;
  decision.room_id = "room";
  decision.inserted = {{"i", 3, {1, 0xFFFFFFFF}, 0.25, 0.5, "tok", 0.125, 0.0625}};
  decision.room = {Millis(900), Millis(300), "i", 3, {1, 2}, 1.5, 0.25, 0.125, 0.0625, 9.5, -0.5};
  decision.organic = {{"o", -1.5}};
  decision.versions = {9, "m", "p", 8, "x"};
  decision.variations = {3, 0xFFFFFFFF};
  decision.response = "{\"a\":\"\xff\"}";
  std::string bytes, again;
  encode_decision(decision, bytes);
  const Result<Decision> back = decode_decision(bytes);
  ASSERT_TRUE(back.ok());
  encode_decision(back.value(), again);
  EXPECT_EQ(again, bytes);
  EXPECT_EQ(back.value().inserted[0].programs[1], 0xFFFFFFFFu);
  EXPECT_EQ(back.value().variations, decision.variations);
  EXPECT_EQ(back.value().response, decision.response);
  ASSERT_TRUE(back.value().room.has_value());
  EXPECT_EQ(back.value().room->window_end, Millis(900));
  EXPECT_EQ(back.value().room->hold_until, Millis(300));
  EXPECT_EQ(back.value().room->programs, decision.room->programs);
  EXPECT_EQ(back.value().room->loss_fen, -0.5);
  EXPECT_EQ(back.value().body_hash, ~0ULL);
  EXPECT_FALSE(decode_decision("\xff").ok());

  const DeadLetter letter{"not_json", Topic::kItems,      3,   42,
                          Millis(5),  ContentType::kJson, "k", std::string("\0\xff", 2)};
  encode_dead_letter(letter, bytes);
  const Result<DeadLetter> read = decode_dead_letter(bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().value, letter.value);
  EXPECT_EQ(read.value().offset, 42);
  EXPECT_EQ(read.value().source, Topic::kItems);
}

}  // namespace
}  // namespace shanhuo
