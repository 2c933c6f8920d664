#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "base/durable_file.h"
#include "configs/config_store.h"
#include "serving/change_book.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

class AuditChainTest : public testing::Test {
 protected:
  void write_book(int lines, size_t file_bytes_max = 4u << 20) {
    const auto book =
        std::move(ChangeBook::open(path_, {.file_bytes_max = file_bytes_max})).value();
    for (int i = 0; i < lines; ++i) ASSERT_TRUE(book->append(change(i)).ok());
  }
  static RecordedChange change(int number) {
    return {
        Millis(number), "anna", "program", "kiwi", "priority: " + std::to_string(number), "a", "b"};
  }
  static std::string read(const std::string& path) {
    return read_text_file(path, 1u << 20).value();
  }
  static void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at) + 1;
      lines.push_back(text.substr(at, end - at));
      at = end;
    }
    return lines;
  }
  AuditReport verify() const { return verify_audit(path_).value(); }
  // What is wrong first when the current file says this instead: "FILE NAME:LINE", or "".
  std::string wrong_with(const std::vector<std::string>& lines) const {
    std::string text;
    for (const std::string& line : lines) text += line;
    return wrong_with(text);
  }
  std::string wrong_with(const std::string& text) const {
    const AuditReport report =
        verify_audit_texts("book", older_text(), text, read(path_ + ".head"));
    if (report.wrong.empty()) return "";
    return report.wrong[0].file + ":" + std::to_string(report.wrong[0].line);
  }
  std::string older_text() const {
    return std::filesystem::exists(path_ + ".1") ? read(path_ + ".1") : "";
  }

  TempDir folder_;
  const std::string path_ = folder_ / "changes.ndjson";
};

TEST_F(AuditChainTest, ABookThatNobodyHasTouchedHolds) {
  write_book(3);
  write_book(2);  // after a restart
  const AuditReport report = verify();
  EXPECT_EQ(report.lines, 5U);
  EXPECT_EQ(report.unchained, 0U);
  EXPECT_FALSE(report.torn);
  EXPECT_TRUE(report.wrong.empty());
  EXPECT_EQ(
      report.ends,
      parse_chained(lines_of(read(path_))[4].substr(0, lines_of(read(path_))[4].size() - 1))->hash);
}

TEST_F(AuditChainTest, EveryFlippedByteIsNamedByItsLine) {
  write_book(4);
  const std::string text = read(path_);
  size_t line = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    for (const char mask : {char(1), char(0x20), char(0x80)}) {
      std::string flipped = text;
      flipped[i] = static_cast<char>(flipped[i] ^ mask);
      EXPECT_EQ(wrong_with(flipped), "book:" + std::to_string(line)) << i << " " << int(mask);
    }
    if (text[i] == '\n') ++line;
  }
}

TEST_F(AuditChainTest, EveryRemovedAddedOrMovedLineIsNamed) {
  write_book(6);
  const std::vector<std::string> lines = lines_of(read(path_));
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string here = "book:" + std::to_string(i + 1);
    std::vector<std::string> changed = lines;
    changed.erase(changed.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_EQ(wrong_with(changed), here) << "removed";
    for (size_t j = 0; j <= lines.size(); ++j) {
      changed = lines;
      changed.insert(changed.begin() + static_cast<ptrdiff_t>(j), lines[i]);
      // Beside itself the second of the two is the one too many.
      EXPECT_EQ(wrong_with(changed), "book:" + std::to_string(j == i ? j + 2 : j + 1)) << i << j;
    }
    for (size_t j = i + 1; j < lines.size(); ++j) {
      changed = lines;
      std::swap(changed[i], changed[j]);
      EXPECT_EQ(wrong_with(changed), here) << "swapped with " << j + 1;
    }
    changed = lines;
    changed.insert(changed.begin() + static_cast<ptrdiff_t>(i), "{\"at_ms\":1,\"who\":\"eve\"}\n");
    EXPECT_EQ(wrong_with(changed), here) << "without a chain";
  }
}

TEST_F(AuditChainTest, SeveralNewestLinesTakenAwayAreMissed) {
  write_book(6);
  std::vector<std::string> lines = lines_of(read(path_));
  while (lines.size() > 1) {
    lines.pop_back();
    EXPECT_EQ(wrong_with(lines), "book:" + std::to_string(lines.size() + 1));
  }
  EXPECT_NE(wrong_with(std::string()), "");
}

TEST_F(AuditChainTest, WhatWasTakenAwayStaysMissedWhenTheEngineWritesOn) {
  write_book(4);
  std::vector<std::string> lines = lines_of(read(path_));
  write(path_, lines[0] + lines[1]);
  write_book(2);
  ASSERT_EQ(verify().wrong.size(), 1U);
  EXPECT_EQ(verify().wrong[0].line, 3U);
}

TEST_F(AuditChainTest, RotationKeepsTheChain) {
  write_book(40, 3'000);
  ASSERT_TRUE(std::filesystem::exists(path_ + ".1"));
  EXPECT_TRUE(verify().wrong.empty());
  EXPECT_LT(verify().lines, 40U);  // the first file is gone
  const std::vector<std::string> older = lines_of(older_text());
  write(path_ + ".1", older_text().substr(older[0].size()));  // its first line
  ASSERT_FALSE(verify().wrong.empty());
  EXPECT_EQ(verify().wrong[0].file + std::to_string(verify().wrong[0].line), path_ + ".11");
  std::filesystem::remove(path_ + ".1");
  EXPECT_FALSE(verify().wrong.empty());
}

TEST_F(AuditChainTest, ARotationThatACrashHasCutHolds) {
  write_book(5);
  std::filesystem::rename(path_, path_ + ".1");
  EXPECT_TRUE(verify().wrong.empty());
  write_book(2);
  EXPECT_EQ(verify().lines, 7U);
  EXPECT_TRUE(verify().wrong.empty());
}

TEST_F(AuditChainTest, ACrashBetweenALineAndTheHeadHolds) {
  write_book(3);
  const std::string head = read(path_ + ".head");
  write_book(1);
  write(path_ + ".head", head);
  EXPECT_TRUE(verify().wrong.empty());
  write_book(1);
  EXPECT_TRUE(verify().wrong.empty());
  EXPECT_EQ(verify().lines, 5U);
}

TEST_F(AuditChainTest, ALineThatACrashHasCutIsSaidAndGoesWithTheNext) {
  write_book(3);
  const std::string text = read(path_);
  write_book(1);
  const std::string line = read(path_).substr(text.size());
  for (size_t size = 1; size + 1 < line.size(); ++size) {
    const AuditReport report =
        verify_audit_texts("book", "", text + line.substr(0, size), std::nullopt);
    EXPECT_TRUE(report.torn) << size;
    EXPECT_EQ(report.lines, 3U);
  }
  write(path_, text + line.substr(0, 40));
  std::filesystem::remove(path_ + ".head");
  write_book(2);
  EXPECT_TRUE(verify().wrong.empty());
  EXPECT_EQ(verify().lines, 5U);
  EXPECT_FALSE(verify().torn);
}

TEST_F(AuditChainTest, LinesOfBeforeTheChainAreAcceptedAndCannotBeChangedAnyMore) {
  const std::string past =
      "{\"at_ms\":1,\"who\":\"anna\",\"program\":\"kiwi\",\"what\":\"x\",\"from\":\"\",\"to\":"
      "\"a\"}\n"
      "{\"at_ms\":2,\"who\":\"anna\",\"program\":\"kiwi\",\"what\":\"y\",\"from\":\"a\",\"to\":"
      "\"b\"}\n";
  write(path_, past);
  EXPECT_EQ(verify().unchained, 2U);
  write_book(3);
  const AuditReport report = verify();
  EXPECT_EQ(report.unchained, 2U);
  EXPECT_EQ(report.lines, 3U);
  EXPECT_TRUE(report.wrong.empty());
  const std::string text = read(path_);
  for (size_t i = 0; i < past.size(); ++i) {
    std::string flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    EXPECT_NE(wrong_with(flipped), "") << i;
  }
  EXPECT_NE(wrong_with(text.substr(text.find('\n') + 1)), "");
  const auto book = std::move(ChangeBook::open(path_, {})).value();
  EXPECT_EQ(book->last("program", "kiwi", 9).size(), 5U);
}

TEST_F(AuditChainTest, ABookWithoutItsHeadSaysSo) {
  write_book(3);
  std::filesystem::remove(path_ + ".head");
  ASSERT_EQ(verify().wrong.size(), 1U);
  EXPECT_EQ(verify().wrong[0].file, path_ + ".head");
  EXPECT_FALSE(verify_audit(folder_ / "none").ok());
}

TEST_F(AuditChainTest, ASpanOfTimeIsReadFromBothFiles) {
  write_book(40, 5'000);
  const auto book = std::move(ChangeBook::open(path_, {.kept_max = 3})).value();
  const auto found = book->between(Millis(20), Millis(38), 4).value();
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].at, Millis(37));
  EXPECT_EQ(found[3].at, Millis(34));
  EXPECT_EQ(found[0].hash.size(), 64U);
}

}  // namespace
}  // namespace shanhuo
