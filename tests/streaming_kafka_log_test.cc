// KafkaLog against librdkafka's mock cluster, which runs in this process and gives the errors that
// it is asked for: what a caller learns of each, and that the log is itself again afterwards. What
// a real broker does is tests/kafka_test.py's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/kafka_mock_cluster.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int16_t kProduce = 0, kFetch = 1,
                  kEndTransaction = 26;  // request kinds of Kafka's protocol
constexpr int64_t kPatienceNs = 30'000'000'000;

struct Read {
  int64_t offset;
  ContentType content;
  std::string key, value;
  bool operator==(const Read&) const = default;
};

// What the reader gives, until `count` records or the first error that is not to be tried again.
Status read_some(LogReader& reader, size_t count, std::vector<Read>& out) {
  std::vector<LogRecord> records;
  const int64_t end_ns = monotonic_ns() + kPatienceNs;
  while (out.size() < count && monotonic_ns() < end_ns) {
    const Status polled = reader.poll(100, 100, records);
    if (!polled.ok() && polled.error().code != ErrorCode::kIo) return polled;
    for (const LogRecord& record : records) {
      out.push_back(
          {record.offset, record.content, std::string(record.key), std::string(record.value)});
    }
  }
  return {};
}

std::vector<Read> read_partition(KafkaLog& log, size_t count) {
  auto reader = log.read(Topic::kInteractions, {{0, 0}});
  CHECK(reader.ok());
  std::vector<Read> records;
  EXPECT_TRUE(read_some(*reader.value(), count, records).ok());
  return records;
}

Status append(KafkaLog& log, const std::string& value) {
  const auto appended = append_wait(log, Topic::kInteractions, {{"viewer", value}});
  return appended.ok() ? Status() : Status(appended.error());
}

// Tries until the log takes it: a client reconnects in its own time.
bool append_in_the_end(KafkaLog& log, const std::string& value) {
  const int64_t end_ns = monotonic_ns() + kPatienceNs;
  while (monotonic_ns() < end_ns) {
    if (append(log, value).ok()) return true;
  }
  return false;
}

TEST(KafkaLog, GivesBackWhatWasAppendedWithItsKeyAndKind) {
  const MockCluster cluster;
  const auto log = cluster.open();
  EXPECT_EQ(log->partitions(Topic::kInteractions), 2U);
  const auto first = append_wait(*log, Topic::kInteractions,
                                 {{"a", "one", ContentType::kJson},
                                  {"b", "two", ContentType::kProtobuf},
                                  {"c", "", ContentType::kForget}});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first.value(), 0);
  EXPECT_THAT(read_partition(*log, 3), ElementsAre(Read{0, ContentType::kJson, "a", "one"},
                                                   Read{1, ContentType::kProtobuf, "b", "two"},
                                                   Read{2, ContentType::kForget, "c", ""}));
  EXPECT_EQ(log->end_offset(Topic::kInteractions, 0), 3);
  EXPECT_EQ(log->stats().delivered, 3U);
}

TEST(KafkaLog, AnAppendThatTheBrokerRefusesForGoodIsRefusedWithItsReason) {
  MockCluster cluster;
  const auto log = cluster.open();
  cluster.fail(kProduce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  const Status refused = append(*log, "refused");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("authorization failed"));
  EXPECT_EQ(log->stats().refused, 1U);
  EXPECT_TRUE(append_in_the_end(*log, "taken"));
  EXPECT_THAT(read_partition(*log, 1),
              ElementsAre(Read{0, ContentType::kProtobuf, "viewer", "taken"}));
}

TEST(KafkaLog, WhatABrokerRefusesForAWhileIsTriedAgainAndStandsThereOnce) {
  MockCluster cluster;
  const auto log = cluster.open();
  cluster.fail(kProduce,
               {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS});
  EXPECT_TRUE(append(*log, "one").ok());
  EXPECT_TRUE(append(*log, "two").ok());
  EXPECT_EQ(log->stats().refused, 0U);
  EXPECT_THAT(read_partition(*log, 2),
              ElementsAre(Read{0, ContentType::kProtobuf, "viewer", "one"},
                          Read{1, ContentType::kProtobuf, "viewer", "two"}));
}

TEST(KafkaLog, AProducerThatHasLostItsSequenceIsMadeAnew) {
  MockCluster cluster;
  const auto log = cluster.open();
  ASSERT_TRUE(append(*log, "before").ok());
  cluster.fail(kProduce, {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER});
  EXPECT_FALSE(append(*log, "lost").ok());
  EXPECT_TRUE(append_in_the_end(*log, "after"));
  EXPECT_GE(log->stats().producers_renewed, 1U);
}

TEST(KafkaLog, APositionThatTheTopicDoesNotHaveIsAGapAndNotASilentReset) {
  const MockCluster cluster;
  const auto log = cluster.open();
  ASSERT_TRUE(append(*log, "one").ok());
  auto reader = log->read(Topic::kInteractions, {{0, 100}});
  ASSERT_TRUE(reader.ok());
  std::vector<Read> records;
  const Status polled = read_some(*reader.value(), 1, records);
  ASSERT_FALSE(polled.ok());
  EXPECT_EQ(polled.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(polled.error().message, HasSubstr("shanhuo.interactions[0] offset 100"));
  EXPECT_THAT(records, ElementsAre());
  EXPECT_EQ(reader.value()->position(0), 100);
}

TEST(KafkaLog, AReaderGoesOnAfterFetchesThatFail) {
  MockCluster cluster;
  const auto log = cluster.open();
  ASSERT_TRUE(append(*log, "one").ok());
  cluster.fail(kFetch, {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR__TRANSPORT});
  EXPECT_THAT(read_partition(*log, 1),
              ElementsAre(Read{0, ContentType::kProtobuf, "viewer", "one"}));
}

TEST(KafkaLog, ABrokerThatIsAwayRefusesInTimeAndIsFoundAgain) {
  MockCluster cluster;
  cluster.options.append_timeout_ms = 300;
  const auto log = cluster.open();
  ASSERT_TRUE(append(*log, "one").ok());
  cluster.set_down(true);
  const Status refused = append(*log, "away");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  cluster.set_down(false);
  EXPECT_TRUE(append_in_the_end(*log, "back"));
}

TEST(KafkaLog, BeyondItsQueueItRefusesAtOnce) {
  MockCluster cluster;
  cluster.options.queue_bytes_max = 1'000;
  const auto log = cluster.open();
  const Status refused = append(*log, std::string(2'000, 'x'));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("queue of undelivered records is full"));
  EXPECT_EQ(log->stats().queued_bytes, 0U);
}

// That a broker does fence the owner before is tests/kafka_members_test.py's.
TEST(KafkaLog, DeadLettersAreTakenFromWhoeverOwnsThemAndNotAfterAFailure) {
  MockCluster cluster;
  const auto log = cluster.open();
  const auto letter = [&log] {
    const auto appended = append_wait(*log, Topic::kDeadLetters, {{"key", "letter"}});
    return appended.ok() ? Status() : Status(appended.error());
  };
  EXPECT_FALSE(letter().ok());
  ASSERT_TRUE(log->own(Topic::kDeadLetters).ok());
  EXPECT_TRUE(letter().ok());
  EXPECT_TRUE(letter().ok());
  EXPECT_EQ(log->stats().delivered, 2U);
  cluster.fail(kEndTransaction, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH});
  const Status fenced = letter();
  ASSERT_FALSE(fenced.ok());
  EXPECT_EQ(fenced.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(fenced.error().message, HasSubstr("dead letters"));
  EXPECT_FALSE(letter().ok());
  EXPECT_TRUE(append(*log, "an event").ok());
  EXPECT_EQ(log->stats().producers_renewed, 0U);
  ASSERT_TRUE(log->own(Topic::kDeadLetters).ok());
  EXPECT_TRUE(letter().ok());
  EXPECT_GE(log->end_offset(Topic::kDeadLetters, 0), 3);
}

TEST(KafkaLog, AMissingTopicAndTwoPartitionsOfDecisionsAreRefusedAtTheStart) {
  MockCluster cluster;
  cluster.options.topic_prefix = "two.";
  cluster.options.open_timeout_ms = 0;
  cluster.make(Topic::kItems, 1);
  cluster.make(Topic::kInteractions, 1);
  cluster.make(Topic::kDecisions, 2);
  const auto opened = KafkaLog::open(cluster.options);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(opened.error().message, HasSubstr("two.decisions must have 1 partition"));
}

}  // namespace
}  // namespace shanhuo
