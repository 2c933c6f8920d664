#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/catalogue_lines.h"
#include "serving/train_data.h"

namespace shanhuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Lines = std::vector<std::string>;

std::string event(const std::string& type, const std::string& user, const std::string& item,
                  int64_t ts_ms, const std::string& more = "") {
  return R"({"event_id":")" + type + user + item + std::to_string(ts_ms) + R"(","type":")" + type +
         R"(","user_id":")" + user + R"(","item_id":")" + item + R"(","ts_ms":)" +
         std::to_string(ts_ms) + more + "}";
}

std::string item(const std::string& id, const std::string& title) {
  return R"({"item_id":")" + id + R"(","kind":"video","title":")" + title +
         R"(","creator_id":"c"})";
}

Result<TrainData> read(const Lines& events, const Lines& items = {},
                       const TrainLimits& limits = {}) {
  TrainReader reader(limits);
  MemoryLines of_events(events), of_items(items);
  Status done = reader.read_events(of_events, "events.ndjson");
  if (done.ok()) done = reader.read_items(of_items, "items.ndjson");
  if (!done.ok()) return done.error();
  return std::move(reader).finish();
}

Lines history(const TrainData& data, size_t viewer) {
  Lines ids;
  for (const uint32_t number : data.histories.row(viewer)) ids.push_back(data.items[number]);
  return ids;
}

TEST(TrainData, AHistoryIsInOrderOfTimeEachItemOnceWhereItStandsLast) {
  const TrainData data =
      read({event("click", "u", "a", 5), event("like", "u", "b", 3), event("click", "u", "c", 4),
            event("click", "u", "b", 9), event("click", "v", "c", 1),
            event("order", "u", "d", 9, R"(,"order_id":"o")")})
          .value();
  EXPECT_EQ(data.viewers, 2u);
  EXPECT_THAT(history(data, 0), ElementsAre("c", "a", "b", "d"));
  EXPECT_THAT(history(data, 1), ElementsAre("c"));
  EXPECT_EQ(data.first.count(), 1);
  EXPECT_EQ(data.last.count(), 9);
  EXPECT_EQ(data.events, 6u);
  EXPECT_EQ(data.choices, 6u);
}

TEST(TrainData, OnlyWhatWasChosenAndNotTakenBackCounts) {
  const TrainData data = read({event("impression", "u", "seen", 1),
                               event("play", "u", "skipped", 2, R"(,"watch_ms":1999)"),
                               event("play", "u", "watched", 3, R"(,"watch_ms":2000)"),
                               event("play", "u", "unmeasured", 4),
                               event("dislike", "u", "hated", 5), event("click", "u", "hated", 6),
                               event("order", "u", "returned", 7, R"(,"order_id":"o")"),
                               event("refund", "u", "returned", 8, R"(,"order_id":"o")"),
                               event("deed", "u", "done", 9), event("click", "v", "hated", 10)})
                             .value();
  EXPECT_THAT(data.items, ElementsAre("watched", "hated"));  // nobody else's are there at all
  EXPECT_THAT(history(data, 0), ElementsAre("watched"));
  EXPECT_THAT(history(data, 1), ElementsAre("hated"));
  EXPECT_EQ(data.histories.columns(), 2u);
  EXPECT_EQ(data.choices, 4u);
}

TEST(TrainData, TextsBelongToTheirItemsAndUnknownIdsAreNoHindrance) {
  const TrainData data =
      read({event("click", "u", "a", 1), event("click", "u", "unknown", 2)},
           {item("never chosen", "x"), item("a", "old"), item("a", "猕猴桃"), ""})
          .value();
  ASSERT_THAT(data.items, ElementsAre("a", "unknown"));
  EXPECT_THAT(data.texts[0], HasSubstr("猕猴桃"));
  EXPECT_EQ(data.texts[0].find("old"), std::string::npos);
  EXPECT_EQ(data.texts[1], "");
  EXPECT_EQ(data.with_text(), 1u);
}

TEST(TrainData, MalformedLinesAreCountedAndTheFirstShownWithTheirPlaces) {
  Lines events(12, "{");
  events.push_back(event("click", "u", "a", 1));
  events.emplace_back("  ");
  events.push_back(event("click", "", "a", 1));
  testing::internal::CaptureStderr();
  const TrainData data = read(events, {"[]", item("a", "x")}).value();
  const std::string errors = testing::internal::GetCapturedStderr();
  EXPECT_EQ(data.malformed, 14u);
  EXPECT_EQ(data.events, 1u);
  EXPECT_THAT(errors, HasSubstr("events.ndjson:1: not_json\n"));
  EXPECT_THAT(errors, HasSubstr("(further ones are counted)"));
  EXPECT_EQ(errors.find("events.ndjson:12"), std::string::npos);
}

TEST(TrainData, WithoutAnyChoiceItSaysWhatThereWasInstead) {
  EXPECT_THAT(read({}).error().message, HasSubstr("nobody chose anything: 0 events"));
  const Lines events = {event("impression", "u", "a", 1), event("click", "u", "b", 2),
                        event("dislike", "u", "b", 3)};
  EXPECT_THAT(read(events).error().message,
              HasSubstr("3 events, 1 of them a choice that was taken back"));
}

TEST(TrainData, LimitsFailTheTrainingAndAreNamed) {
  const Lines events = {event("click", "u", "a", 1), event("click", "v", "b", 2)};
  EXPECT_THAT(read(events, {}, {.viewers_max = 1}).error().message,
              HasSubstr("events.ndjson: more viewers than 1"));
  EXPECT_THAT(read(events, {}, {.items_max = 1}).error().message, HasSubstr("more items than 1"));
  EXPECT_EQ(read(events, {}, {.choices_max = 1}).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(read(events, {}, {.viewers_max = 2, .items_max = 2, .choices_max = 2}).ok());
}

}  // namespace
}  // namespace shanhuo
