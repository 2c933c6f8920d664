#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "serving/decision_book.h"
#include "tests/memory_state.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

constexpr int64_t kStart = 1'790'000'000'000;

class DecisionBookTest : public testing::Test {
 protected:
  DecisionBookTest() { start(); }

  // A process: the log, and a book on it that has read what the last process left.
  void start(const DecisionBookOptions& options = {}) {
    if (!log_)
      log_ = EmbeddedLog::open(folder_ / "log", {.lazy_linger_ms = 1, .retention_h = 1}, clock_)
                 .value();
    book_ = DecisionBook::open(folder_ / "counter", *log_, options).value();
    ASSERT_TRUE(book_->restore(state_).ok());
    replayed_.clear();
    forgotten_.clear();
    const Status status =
        book_->replay([&](const Decision& decision) { replayed_.push_back(decision); },
                      [&](std::string_view user) { forgotten_.emplace_back(user); });
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  void stop() {
    book_.reset();
    log_.reset();
  }
  // The process dies `numbers` decisions after the last that became durable.
  void crash(uint64_t numbers) {
    stop();
    std::fstream file(folder_ / "counter", std::ios::binary | std::ios::in | std::ios::out);
    uint64_t counter = 0;
    file.read(reinterpret_cast<char*>(&counter), sizeof counter);
    counter += numbers;
    file.seekp(0);
    file.write(reinterpret_cast<const char*>(&counter), sizeof counter);
  }
  void decide(const std::string& request, int64_t minute = 0) {
    append(request, minute);
    ASSERT_TRUE(book_->wait_answered(kMinute));
  }
  void append(const std::string& request, int64_t minute = 0) {
    Decision decision;
    decision.at = Millis(kStart + minute * 60'000);
    decision.user_id = "u-" + request;
    decision.request_id = request;
    decision.response = "{\"request_id\":\"" + request + "\"}";
    decision.inserted.emplace_back().programs = {7};
    book_->append(std::move(decision));
  }
  std::string replayed() const {
    std::string out;
    for (const Decision& decision : replayed_) out += decision.request_id + " ";
    return out;
  }
  void save() { checkpoint(*book_, state_); }

  TempDir folder_;
  ManualClock clock_{Millis(kStart)};
  MemoryState state_;
  std::unique_ptr<EmbeddedLog> log_;
  std::unique_ptr<DecisionBook> book_;
  std::vector<Decision> replayed_;
  std::vector<std::string> forgotten_;
};

TEST_F(DecisionBookTest, WhatWasAppendedBeforeAWaitIsDurableAfterIt) {
  for (int i = 0; i < 100; ++i) append(std::to_string(i));
  ASSERT_TRUE(book_->wait_answered(kMinute));
  EXPECT_EQ(log_->end_offset(Topic::kDecisions, 0), 100);
}

TEST_F(DecisionBookTest, AFirstStartReplaysNothingAndLostNothing) {
  EXPECT_EQ(replayed(), "");
  EXPECT_EQ(book_->lost(), 0U);
}

TEST_F(DecisionBookTest, WhatWasAppendedIsReplayedInOrderByteForByte) {
  for (const char* request : {"a", "b", "c"}) decide(request);
  stop();
  start();
  EXPECT_EQ(replayed(), "a b c ");
  EXPECT_EQ(book_->lost(), 0U);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(replayed_[i].seq, i);
  EXPECT_EQ(replayed_[1].at, Millis(kStart));
  EXPECT_EQ(replayed_[1].user_id, "u-b");
  EXPECT_EQ(replayed_[1].response, "{\"request_id\":\"b\"}");
  ASSERT_EQ(replayed_[1].inserted.size(), 1U);
  EXPECT_EQ(replayed_[1].inserted[0].programs, (std::vector<uint32_t>{7}));
}

TEST_F(DecisionBookTest, StoppingAtOnceForgetsNothing) {
  for (int i = 0; i < 200; ++i) {
    Decision decision;
    decision.at = Millis(kStart);
    decision.request_id = std::to_string(i);
    book_->append(std::move(decision));
  }
  stop();
  start();
  EXPECT_EQ(replayed_.size(), 200U);
  EXPECT_EQ(book_->lost(), 0U);
}

TEST_F(DecisionBookTest, ACrashSaysHowManyDecisionsItForgot) {
  decide("a");
  decide("b");
  crash(3);
  start();
  EXPECT_EQ(replayed(), "a b ");
  EXPECT_EQ(book_->lost(), 3U);
}

TEST_F(DecisionBookTest, ACrashBeforeAnyDecisionWasDurableSaysSoToo) {
  crash(4);
  start();
  EXPECT_EQ(book_->lost(), 4U);
}

TEST_F(DecisionBookTest, WhatOneCrashForgotIsNotCountedAgain) {
  decide("a");
  crash(3);
  start();
  EXPECT_EQ(book_->lost(), 3U);
  stop();
  start();
  EXPECT_EQ(book_->lost(), 0U);
  decide("b");
  stop();
  start();
  EXPECT_EQ(book_->lost(), 0U);
  EXPECT_EQ(replayed(), "a b ");
  EXPECT_LT(replayed_[0].seq, replayed_[1].seq);
}

TEST_F(DecisionBookTest, NumbersGoOnWhenTheCounterIsLost) {
  decide("a");
  decide("b");
  stop();
  std::filesystem::remove(folder_ / "counter");
  start();
  EXPECT_EQ(book_->lost(), 0U);
  decide("c");
  stop();
  start();
  EXPECT_EQ(replayed_.back().seq, 2U);
  EXPECT_EQ(book_->lost(), 0U);
}

TEST_F(DecisionBookTest, ARestartReadsTheReplaySpanBeforeTheCheckpointAndAllAfterIt) {
  for (int minute = 0; minute < 180; ++minute) decide("m" + std::to_string(minute), minute);
  save();
  decide("after", 181);
  stop();
  start();
  ASSERT_FALSE(replayed_.empty());
  EXPECT_EQ(replayed_.back().request_id, "after");
  const int64_t oldest = replayed_.front().at.count();
  EXPECT_LE(oldest, kStart + 119 * 60'000);
  EXPECT_GE(oldest, kStart + 117 * 60'000);
  EXPECT_EQ(replayed_.size(), static_cast<size_t>(181 - (oldest - kStart) / 60'000));
}

TEST_F(DecisionBookTest, ACheckpointSoonAfterARestartStillCoversTheSpan) {
  for (int minute = 0; minute < 70; ++minute) decide("m" + std::to_string(minute), minute);
  save();
  stop();
  start();
  save();
  stop();
  start();
  ASSERT_FALSE(replayed_.empty());
  EXPECT_EQ(replayed_.back().request_id, "m69");
  EXPECT_LE(replayed_.front().at.count(), kStart + 9 * 60'000);  // an hour before the last
}

TEST_F(DecisionBookTest, AReplayIsBounded) {
  for (int i = 0; i < 20; ++i) decide(std::to_string(i));
  stop();
  start({.replay_records_max = 5});
  EXPECT_EQ(replayed(), "15 16 17 18 19 ");
  EXPECT_EQ(book_->lost(), 0U);
}

TEST_F(DecisionBookTest, WhatRetentionHasDroppedIsNotMissed) {
  decide("old");
  save();
  clock_.set(Millis(kStart) + Millis(5 * 3'600'000));
  decide("new", 300);
  clock_.set(Millis(kStart) + Millis(8 * 3'600'000));
  decide("newest", 480);
  log_->retain_now();
  ASSERT_GT(log_->first_offset(Topic::kDecisions, 0), 0);
  stop();
  start();
  ASSERT_FALSE(replayed_.empty());
  EXPECT_EQ(replayed_.back().request_id, "newest");
  EXPECT_EQ(book_->lost(), 0U);
}

TEST_F(DecisionBookTest, ForgetRecordsAreHandedOverInTheirPlace) {
  decide("a");
  ASSERT_TRUE(append_wait(*log_, Topic::kDecisions, {{"u-a", "", ContentType::kForget}}).ok());
  decide("b");
  stop();
  start();
  EXPECT_EQ(replayed(), "a b ");
  EXPECT_EQ(forgotten_, (std::vector<std::string>{"u-a"}));
}

TEST_F(DecisionBookTest, ABrokenCheckpointIsRefused) {
  book_.reset();
  book_ = DecisionBook::open(folder_ / "counter", *log_, {}).value();
  state_.put("de", "12x");
  const Status status = book_->restore(state_);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
}

TEST_F(DecisionBookTest, ACounterThatCannotBeOpenedIsAnError) {
  const auto book = DecisionBook::open(folder_ / "no/such/folder/counter", *log_, {});
  ASSERT_FALSE(book.ok());
  EXPECT_EQ(book.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace shanhuo
