#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "serving/change_book.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

class ChangeBookTest : public testing::Test {
 protected:
  std::unique_ptr<ChangeBook> open() {
    return std::move(
        ChangeBook::open(path_, {.file_bytes_max = 2'000, .kept_max = 30, .what_bytes_max = 40})
            .value());
  }
  static RecordedChange change(int number, const std::string& program = "kiwi") {
    return {Millis(number),
            "anna",
            "program",
            program,
            "priority: " + std::to_string(number),
            "a",
            "b"};
  }

  TempDir folder_;
  const std::string path_ = folder_ / "changes.ndjson";
};

TEST_F(ChangeBookTest, GivesTheNewestOfAProgramFirstAlsoAfterARestart) {
  {
    const auto book = open();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(book->append(change(i, i == 2 ? "tea" : "kiwi")).ok());
  }
  const auto last = open()->last("program", "kiwi", 2);
  ASSERT_EQ(last.size(), 2U);
  EXPECT_EQ(last[0].at, Millis(3));
  EXPECT_EQ(last[1].at, Millis(1));
  EXPECT_EQ(last[0].who, "anna");
  EXPECT_EQ(last[0].what, "priority: 3");
  EXPECT_EQ(last[0].from + last[0].to, "ab");
}

TEST_F(ChangeBookTest, StaysWithinItsBounds) {
  const auto book = open();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(book->append(change(i)).ok());
  EXPECT_LE(std::filesystem::file_size(path_), 2'000U);
  EXPECT_LE(std::filesystem::file_size(path_ + ".1"), 2'000U);
  EXPECT_EQ(book->last("program", "kiwi", 1'000).size(), 30U);
  EXPECT_EQ(open()->last("program", "kiwi", 1).front().at, Millis(199));
}

TEST_F(ChangeBookTest, ALongTextIsCutBetweenTwoCharacters) {
  const auto book = open();
  RecordedChange long_one = change(1);
  long_one.what.clear();
  for (int i = 0; i < 30; ++i) long_one.what += "山";
  ASSERT_TRUE(book->append(long_one).ok());
  EXPECT_EQ(open()->last("program", "kiwi", 1).front().what.size(), 39U + 3);
}

TEST_F(ChangeBookTest, ALineThatACrashHasCutIsSkipped) {
  ASSERT_TRUE(open()->append(change(1)).ok());
  std::ofstream(path_, std::ios::app) << R"({"at_ms":2,"who":)";
  EXPECT_EQ(open()->last("program", "kiwi", 10).size(), 1U);
  ASSERT_TRUE(open()->append(change(3)).ok());
  EXPECT_EQ(open()->last("program", "kiwi", 10).size(), 2U);
}

}  // namespace
}  // namespace shanhuo
