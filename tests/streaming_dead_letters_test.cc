// Letters stand in their topic once each: over a log that forgets to say what it took, that has
// other writers, and that makes its caller the only one as Kafka's does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "streaming/dead_letters.h"
#include "tests/simulated_disk.h"

namespace shanhuo {
namespace {

using ::testing::ElementsAre;

constexpr Millis kRetry{100};

std::string key_of(int64_t offset) { return "shanhuo.interactions/0/" + std::to_string(offset); }

// A log whose owner can be another process: then it refuses, as it does when it is told to. An
// append may be taken and refused all the same, as when its answer is lost.
class SharedLog final : public EventLog {
 public:
  explicit SharedLog(const Clock& clock) : log_(1, clock, trouble_) {}
  enum class Answer : uint8_t { kTaken, kRefused, kLost };
  Answer answer = Answer::kTaken;
  bool mine = false, waits = false, away = false;
  int times_owned = 0;

  uint32_t partitions(Topic) const override { return 1; }
  Status reachable() const override {
    return away ? Error{ErrorCode::kUnavailable, "away"} : Status();
  }
  Status own(Topic topic) override {
    EXPECT_EQ(topic, Topic::kDeadLetters);
    ++times_owned;
    mine = true;
    return {};
  }
  void append(Topic topic, uint32_t partition, const std::vector<AppendRecord>& records,
              Done done) override {
    const Error lost{ErrorCode::kUnavailable, "lost"};
    if (!mine || answer == Answer::kRefused) return done(lost);
    if (answer == Answer::kTaken) {
      log_.append(topic, partition, records, std::move(done));
    } else {
      log_.append(topic, partition, records, [](const Result<Appended>&) {});
    }
    if (!waits) sync();
    if (answer == Answer::kLost) done(lost);
  }
  void sync() {
    log_.write();
    log_.sync();
  }
  Result<std::unique_ptr<LogReader>> read(Topic topic,
                                          const std::vector<LogPosition>& from) override {
    return log_.read(topic, from);
  }
  int64_t first_offset(Topic topic, uint32_t p) const override {
    return log_.first_offset(topic, p);
  }
  int64_t end_offset(Topic topic, uint32_t p) const override { return log_.end_offset(topic, p); }
  void release(Topic, const std::vector<LogPosition>&) override {}

  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    for (const auto& record : log_.held(Topic::kDeadLetters, 0)) keys.push_back(record->key);
    return keys;
  }

 private:
  SimulatedTrouble trouble_;
  SimulatedLog log_;
};

// The letters of one process, which has folded all records below `folded`.
class DeadLettersTest : public ::testing::Test {
 protected:
  struct Process {
    Process(SharedLog& log, const Clock& clock, int64_t resume)
        : letters(log, clock, [this] { return owned; }) {
      EXPECT_TRUE(
          letters
              .resume(resume, [this](Topic, uint32_t, int64_t offset) { return offset >= folded; })
              .ok());
    }
    void fold(int64_t offset) {
      LogRecord record;
      record.offset = offset;
      letters.add(Topic::kInteractions, record, "not_json");
      letters.flush();
      folded = offset + 1;
    }

    int64_t folded = 0;
    Status owned;
    DeadLetters letters;
  };

  void pass(Process& process) {
    clock_.advance(kRetry);
    process.letters.flush();
  }

  SimulatedClock clock_{Millis(1'700'000'000'000)};
  SharedLog log_{clock_};
};

TEST_F(DeadLettersTest, WhatTheLogRefusesIsKeptAndTriedAgain) {
  Process process(log_, clock_, 0);
  log_.answer = SharedLog::Answer::kRefused;
  process.fold(4);
  const uint64_t mark = process.letters.mark();
  EXPECT_EQ(process.letters.unwritten(), 1U);
  EXPECT_FALSE(process.letters.durable_before(mark));
  log_.answer = SharedLog::Answer::kTaken;
  log_.waits = true;
  pass(process);
  EXPECT_FALSE(process.letters.durable_before(mark));
  log_.sync();
  EXPECT_TRUE(process.letters.durable_before(mark));
  EXPECT_EQ(process.letters.unwritten(), 0U);
  EXPECT_THAT(log_.keys(), ElementsAre(key_of(4)));
}

TEST_F(DeadLettersTest, WhatStandsInTheTopicThoughItWasRefusedIsNotAppendedAgain) {
  Process process(log_, clock_, 0);
  log_.answer = SharedLog::Answer::kLost;
  process.fold(1);
  process.fold(2);
  log_.answer = SharedLog::Answer::kRefused;
  process.fold(5);
  log_.answer = SharedLog::Answer::kTaken;
  pass(process);
  EXPECT_EQ(process.letters.unwritten(), 0U);
  EXPECT_THAT(log_.keys(), ElementsAre(key_of(1), key_of(2), key_of(5)));
}

TEST_F(DeadLettersTest, NothingIsTriedWhileTheLogIsAwayOrTheStateSomebodyElses) {
  Process process(log_, clock_, 0);
  log_.answer = SharedLog::Answer::kRefused;
  process.fold(1);
  log_.answer = SharedLog::Answer::kTaken;
  log_.away = true;
  pass(process);
  log_.away = false;
  process.owned = Error{ErrorCode::kConflict, "fenced"};
  pass(process);
  EXPECT_EQ(log_.times_owned, 1);
  EXPECT_EQ(process.letters.unwritten(), 1U);
  EXPECT_THAT(log_.keys(), ElementsAre());
}

// The old one has folded further than its checkpoint; the new one starts from that. Then the old
// one wakes, believing for once that the state is still its own.
TEST_F(DeadLettersTest, TwoThatTakeTheTopicFromEachOtherWriteEachLetterOnce) {
  Process old(log_, clock_, 0);
  old.fold(1);
  const int64_t checkpoint = old.letters.resume_offset();
  old.fold(2);
  old.fold(3);
  Process young(log_, clock_, checkpoint);
  young.folded = 2;
  log_.mine = false;  // what the old one sends
  old.fold(4);
  log_.mine = true;
  young.fold(2);
  young.fold(3);
  EXPECT_THAT(log_.keys(), ElementsAre(key_of(1), key_of(2), key_of(3)));
  pass(old);
  EXPECT_EQ(old.letters.unwritten(), 0U);
  log_.mine = false;  // what the young one sends
  young.fold(4);
  young.fold(5);
  pass(young);
  EXPECT_EQ(young.letters.unwritten(), 0U);
  EXPECT_THAT(log_.keys(), ElementsAre(key_of(1), key_of(2), key_of(3), key_of(4), key_of(5)));
}

TEST_F(DeadLettersTest, AStartResumesBeforeTheFirstLetterWhoseRecordIsYetToCome) {
  {
    Process first(log_, clock_, 0);
    for (const int64_t offset : {1, 2, 3}) first.fold(offset);
    EXPECT_EQ(first.letters.resume_offset(), 3);
  }
  Process second(log_, clock_, 0);
  EXPECT_EQ(second.letters.resume_offset(), 0);
  second.fold(1);
  EXPECT_EQ(second.letters.resume_offset(), 1);
  second.fold(2);
  second.fold(3);
  second.fold(4);
  EXPECT_EQ(second.letters.resume_offset(), 4);
  EXPECT_THAT(log_.keys(), ElementsAre(key_of(1), key_of(2), key_of(3), key_of(4)));
}

}  // namespace
}  // namespace shanhuo
