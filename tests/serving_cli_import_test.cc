#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "serving/import.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A folder of its own for each test, with what was written into it.
class Import : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ =
        fs::path(::testing::TempDir()) /
        ("import_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    fs::create_directories(root_ / "in");
  }
  void TearDown() override { fs::remove_all(root_); }

  void given(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / "in" / name, std::ios::binary) << text;
  }
  Result<ImportSummary> run(Status (*importer)(const std::string&, ImportSink&),
                            const std::string& file = "") const {
    Result<ImportSink> sink = ImportSink::open((root_ / "out").string());
    if (!sink.ok()) return sink.error();
    const Status read =
        importer((file.empty() ? root_ / "in" : root_ / "in" / file).string(), sink.value());
    if (!read.ok()) return read.error();
    return sink.value().finish();
  }
  std::string text_of(const std::string& name) const {
    std::ifstream file(root_ / "out" / name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  fs::path root_;
};

constexpr char kVideosHeader[] =
    "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,tag\n";
constexpr char kEventsHeader[] =
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,"
    "is_hate,long_view,play_time_ms,duration_ms,tab\n";

TEST_F(Import, KuaiRandRowsGiveTheEventsOfTheProtocolRepeatsIncluded) {
  given("videos.csv", std::string(kVideosHeader) +
                          "5,83,NORMAL,2022-04-10,Web,0.0,358016.0,\"20,43\"\n"
                          "7,76,AD,2022-04-10,LongPicture,0.0,,\n");
  given("events_0425_0430.csv", std::string(kEventsHeader) +
                                    "712,5,20220425,0,1650812741436,1,0,0,0,0,0,1,61802,49866,1\n"
                                    "13,7,20220425,0,1650812934945,0,1,1,1,1,1,0,0,11933,1\n"
                                    "712,5,20220425,0,1650812741436,1,0,0,0,0,0,1,61802,49866,1\n");
  const ImportSummary summary = run(import_kuairand).value();
  EXPECT_EQ(summary.items, 2u);
  EXPECT_EQ(summary.events, 12u);
  EXPECT_EQ(summary.rows, 5u);
  EXPECT_EQ(summary.malformed, 0u);
  EXPECT_EQ(text_of("items.ndjson"),
            R"({"item_id":"5","kind":"video","title":"KuaiRand video 5","creator_id":"83",)"
            R"("category":"20","tags":["20","43"],"published_at_ms":1649520000000,)"
            R"("duration_ms":358016,"available":true})"
            "\n"
            R"({"item_id":"7","kind":"video","title":"KuaiRand video 7","creator_id":"76",)"
            R"("published_at_ms":1649520000000,"available":true})"
            "\n");
  const std::string first =
      R"({"event_id":"712:5:1650812741436:impression","type":"impression","user_id":"712",)"
      R"("item_id":"5","ts_ms":1650812741436,"surface":"feed","viewable_ms":49866})"
      "\n"
      R"({"event_id":"712:5:1650812741436:play","type":"play","user_id":"712","item_id":"5",)"
      R"("ts_ms":1650812741436,"surface":"feed","watch_ms":61802})"
      "\n"
      R"({"event_id":"712:5:1650812741436:click","type":"click","user_id":"712","item_id":"5",)"
      R"("ts_ms":1650812741436,"surface":"feed"})"
      "\n";
  std::string second =
      R"({"event_id":"13:7:1650812934945:impression","type":"impression","user_id":"13",)"
      R"("item_id":"7","ts_ms":1650812934945,"surface":"feed","viewable_ms":0})"
      "\n";
  for (const std::string type : {"like", "follow", "comment", "share", "dislike"}) {
    second += R"({"event_id":"13:7:1650812934945:)" + type + R"(","type":")" + type +
              R"(","user_id":"13","item_id":"7","ts_ms":1650812934945,"surface":"feed"})" + "\n";
  }
  EXPECT_EQ(text_of("events.ndjson"), first + second + first);
}

TEST_F(Import, CountsMalformedRowsWithTheirPlaceAndKeepsTheRest) {
  given("videos.csv", std::string(kVideosHeader) + "5,83,NORMAL,2022-04-10,Web,0.0,1000.0,2\n");
  given("events_1.csv", std::string(kEventsHeader) +
                            "1,5,20220425,0,x,1,0,0,0,0,0,1,10,20,1\n"
                            "1,5,20220425\n"
                            "1,5,20220425,0,1650812741436,2,0,0,0,0,0,1,10,20,1\n"
                            "1,5,20220425,0,1650812741436,0,0,0,0,0,0,1,-1,20,1\n"
                            "1,5,20220425,0,1650812741436,0,0,0,0,0,0,1,0,20,1\n");
  ::testing::internal::CaptureStderr();
  const ImportSummary summary = run(import_kuairand).value();
  const std::string errors = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(summary.malformed, 4u);
  EXPECT_EQ(summary.events, 1u);
  EXPECT_THAT(errors, HasSubstr("events_1.csv:2: time_ms is no time\n"));
  EXPECT_THAT(errors, HasSubstr("events_1.csv:3: 3 fields where the header has 15\n"));
  EXPECT_THAT(errors, HasSubstr("events_1.csv:4: a flag is neither 0 nor 1\n"));
  EXPECT_THAT(errors, HasSubstr("events_1.csv:5: play_time_ms is no number of ms\n"));
}

TEST_F(Import, FailsWhenNothingIsUsableAndLeavesNoHalfFiles) {
  given("videos.csv", std::string(kVideosHeader) + "5,83,NORMAL,2022-04-10,Web,0.0,1000.0,2\n");
  given("events_1.csv", std::string(kEventsHeader));
  EXPECT_THAT(run(import_kuairand).error().message, HasSubstr("nothing usable"));
  EXPECT_FALSE(fs::exists(root_ / "out" / "events.ndjson"));
}

TEST_F(Import, NamesTheColumnThatIsMissing) {
  given("videos.csv", "video_id,creator\n5,6\n");
  given("events_1.csv", std::string(kEventsHeader));
  EXPECT_EQ(run(import_kuairand).error().message,
            "videos.csv:1: column author_id is missing; there are: video_id, creator");
  EXPECT_THAT(run(import_movielens).error().message, HasSubstr("movies.csv"));
}

TEST_F(Import, MovieLensRatingsComeInOrderOfTime) {
  given("movies.csv",
        "movieId,title,genres\r\n1,\"Heat, \"\"the\"\" film (1995)\",Action|Crime\r\n"
        "2,Solaris,(no genres listed)\r\n");
  given("ratings.csv", "userId,movieId,rating,timestamp\n9,1,4.5,200\n8,2,1.0,100\n9,2,3.0,150\n");
  const ImportSummary summary = run(import_movielens).value();
  EXPECT_EQ(summary.events, 5u);
  EXPECT_EQ(
      text_of("items.ndjson"),
      R"j({"item_id":"1","kind":"video","title":"Heat, \"the\" film (1995)",)j"
      R"("creator_id":"movielens","category":"Action","tags":["Action","Crime"],"available":true})"
      "\n"
      R"({"item_id":"2","kind":"video","title":"Solaris","creator_id":"movielens",)"
      R"("available":true})"
      "\n");
  EXPECT_EQ(
      text_of("events.ndjson"),
      R"({"event_id":"8:2:100000:click","type":"click","user_id":"8","item_id":"2","ts_ms":100000})"
      "\n"
      R"({"event_id":"8:2:100000:dislike",)"
      R"("type":"dislike","user_id":"8","item_id":"2","ts_ms":100000})"
      "\n"
      R"({"event_id":"9:2:150000:click","type":"click","user_id":"9","item_id":"2","ts_ms":150000})"
      "\n"
      R"({"event_id":"9:1:200000:click","type":"click","user_id":"9","item_id":"1","ts_ms":200000})"
      "\n"
      R"({"event_id":"9:1:200000:like","type":"like","user_id":"9","item_id":"1","ts_ms":200000})"
      "\n");
}

TEST_F(Import, MovieLens100kIsReadFromItsOldFiles) {
  given("u.item", "1|Caf\xe9 (1995)|01-Jan-1995||http://x|0|1\n");
  given("u.data", "196\t1\t3\t881250949\n");
  EXPECT_EQ(run(import_movielens).value().events, 1u);
  EXPECT_EQ(text_of("items.ndjson"),
            R"j({"item_id":"1","kind":"video","title":"Café (1995)","creator_id":"movielens",)j"
            R"("available":true})"
            "\n");
  EXPECT_THAT(text_of("events.ndjson"), HasSubstr(R"("ts_ms":881250949000})"));
}

TEST_F(Import, GowallaCheckInsGetOneSecondEach) {
  given("train.txt", "0 10 11 \n1 10\n2\n");
  given("test.txt", "0 12\n1 x\n");
  ::testing::internal::CaptureStderr();
  const ImportSummary summary = run(import_gowalla).value();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "test.txt:2: an id is no number\n");
  EXPECT_EQ(summary.items, 3u);
  EXPECT_EQ(summary.events, 4u);
  EXPECT_THAT(
      text_of("events.ndjson"),
      ::testing::StartsWith(R"({"event_id":"0:10:1262304000000:click",)"
                            R"("type":"click","user_id":"0","item_id":"10","ts_ms":1262304000000})"
                            "\n"
                            R"({"event_id":"0:11:1262304001000:click",)"
                            R"("type":"click","user_id":"0","item_id":"11","ts_ms":1262304001000})"
                            "\n"));
  EXPECT_THAT(text_of("events.ndjson"), HasSubstr(R"("item_id":"12","ts_ms":1262304003000})"));
}

TEST_F(Import, ReviewsTakeAFolderWithCategoriesOrOneFile) {
  given("item_category.tsv", "item_id\ti_category\n3\tc7\n");
  given("train.csv", "user_id,item_id,time\n2177,3,965779200\n");
  given("test.csv", "user_id,item_id,time\n5,4,965779100000\n");
  EXPECT_EQ(run(import_reviews).value().events, 2u);
  EXPECT_EQ(text_of("items.ndjson"),
            R"({"item_id":"3","kind":"farm_good","title":"Item 3","creator_id":"reviews",)"
            R"("category":"c7","available":true})"
            "\n"
            R"({"item_id":"4","kind":"farm_good","title":"Item 4","creator_id":"reviews",)"
            R"("available":true})"
            "\n");
  EXPECT_THAT(text_of("events.ndjson"),
              HasSubstr(R"("user_id":"5","item_id":"4","ts_ms":965779100000})"
                        "\n"
                        R"({"event_id":"2177:3:965779200000:click")"));
  given("one.csv", "rating,time,user_id,item_id\n5,965779200,a,b\n");
  EXPECT_EQ(run(import_reviews, "one.csv").value().events, 2u);
  EXPECT_THAT(text_of("events.ndjson"), HasSubstr(R"("type":"like","user_id":"a","item_id":"b")"));
}

}  // namespace
}  // namespace shanhuo
