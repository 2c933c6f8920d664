#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "serving/slate_book.h"

namespace shanhuo {
namespace {

constexpr Millis kNow{1'790'000'000'000};
constexpr Millis kMemory{600'000};
constexpr uint64_t kCaller = 1, kBody = 2;

SlateBook::Slate slate(const std::string& response, const std::string& user = "u") {
  SlateBook::Slate slate;
  slate.caller_hash = kCaller;
  slate.body_hash = kBody;
  slate.user_hash = hash64(user);
  slate.surface = Surface::kFeed;
  slate.response = response;
  slate.organic = {{hash64("a"), 0.5}, {hash64("b"), 0.25}};
  return slate;
}

class SlateBookTest : public testing::Test {
 protected:
  std::string find(uint64_t request, Millis now = kNow, uint64_t caller = kCaller,
                   uint64_t body = kBody) const {
    std::string response;
    switch (book_.find(request, caller, body, now, response)) {
      case SlateBook::Found::kNone:
        return "none" + response;
      case SlateBook::Found::kOther:
        return "other" + response;
      case SlateBook::Found::kSame:
        return response;
    }
    return "";
  }
  SlateBook book_{64 * 4, kMemory};  // four a shard; requests of one shard differ by 64
};

TEST_F(SlateBookTest, ARepeatedRequestGetsTheSameBytes) {
  EXPECT_EQ(find(7), "none");
  book_.put(7, slate("{x}"), kNow);
  EXPECT_EQ(find(7), "{x}");
  EXPECT_EQ(find(8), "none");
}

TEST_F(SlateBookTest, AnotherBodyUnderTheSameRequestIsAConflict) {
  book_.put(7, slate("{x}"), kNow);
  EXPECT_EQ(find(7, kNow, kCaller, kBody + 1), "other");
}

TEST_F(SlateBookTest, CallersDoNotSeeEachOthersSlates) {
  book_.put(7, slate("{mine}"), kNow);
  EXPECT_EQ(find(7, kNow, kCaller + 1), "none");
  SlateBook::Slate other = slate("{theirs}");
  other.caller_hash = kCaller + 1;
  other.body_hash = kBody + 1;
  book_.put(7, other, kNow);
  EXPECT_EQ(find(7), "{mine}");
  EXPECT_EQ(find(7, kNow, kCaller + 1, kBody + 1), "{theirs}");
}

TEST_F(SlateBookTest, MemoryLastsItsSpanAndNoLonger) {
  book_.put(7, slate("{x}"), kNow);
  EXPECT_EQ(find(7, kNow + kMemory), "{x}");
  EXPECT_EQ(find(7, kNow + kMemory + Millis(1)), "none");
  EXPECT_EQ(find(7, kNow + kMemory + Millis(1), kCaller, kBody + 1), "none");
}

TEST_F(SlateBookTest, ARequestThatReturnsLaterIsRememberedAnew) {
  book_.put(7, slate("{first}"), kNow);
  const Millis later = kNow + kMemory + Millis(1);
  book_.put(7, slate("{second}"), later);
  EXPECT_EQ(find(7, later), "{second}");
  EXPECT_EQ(book_.dropped(), 0U);
}

TEST_F(SlateBookTest, BeyondItsBoundTheOldestGoesAndIsCounted) {
  for (uint64_t i = 0; i < 6; ++i) book_.put(64 * i, slate(std::to_string(i)), kNow);
  book_.put(1, slate("other shard"), kNow);
  EXPECT_EQ(book_.dropped(), 2U);
  EXPECT_EQ(find(0), "none");
  EXPECT_EQ(find(64), "none");
  for (uint64_t i = 2; i < 6; ++i) EXPECT_EQ(find(64 * i), std::to_string(i));
  EXPECT_EQ(find(1), "other shard");
}

TEST_F(SlateBookTest, WhatHasExpiredMakesRoomWithoutBeingCounted) {
  for (uint64_t i = 0; i < 4; ++i) book_.put(64 * i, slate("x"), kNow);
  const Millis later = kNow + kMemory + Millis(1);
  for (uint64_t i = 4; i < 8; ++i) book_.put(64 * i, slate("y"), later);
  EXPECT_EQ(book_.dropped(), 0U);
  EXPECT_FALSE(book_.score(0, hash64("a")).has_value());
  EXPECT_EQ(find(64 * 4, later), "y");
}

TEST_F(SlateBookTest, ABookOfNoSlatesStillKeepsOneAShard) {
  SlateBook book(0, kMemory);
  std::string response;
  book.put(3, slate("x"), kNow);
  EXPECT_EQ(book.find(3, kCaller, kBody, kNow, response), SlateBook::Found::kSame);
  book.put(67, slate("y"), kNow);
  EXPECT_EQ(book.find(3, kCaller, kBody, kNow, response), SlateBook::Found::kNone);
  EXPECT_EQ(book.dropped(), 1U);
}

TEST_F(SlateBookTest, AnOrganicImpressionFindsTheScoreItsItemHad) {
  book_.put(7, slate("x"), kNow);
  const auto found = book_.score(7, hash64("b"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->first, Surface::kFeed);
  EXPECT_EQ(found->second, 0.25);
  EXPECT_FALSE(book_.score(7, hash64("c")).has_value());
  EXPECT_FALSE(book_.score(8, hash64("b")).has_value());
}

TEST_F(SlateBookTest, AForgottenViewersSlatesAreGoneAndOnlyThose) {
  for (uint64_t i = 0; i < 200; ++i) {
    book_.put(i, slate("x", i % 2 == 0 ? "leaves" : "stays"), kNow);
  }
  book_.forget("leaves");
  for (uint64_t i = 0; i < 200; ++i) {
    EXPECT_EQ(find(i), i % 2 == 0 ? "none" : "x") << i;
    EXPECT_EQ(book_.score(i, hash64("a")).has_value(), i % 2 == 1);
  }
}

TEST_F(SlateBookTest, PlacesOfTheForgottenAreFilledAgain) {
  for (uint64_t i = 0; i < 4; ++i) book_.put(64 * i, slate("x", "leaves"), kNow);
  book_.forget("leaves");
  for (uint64_t i = 4; i < 8; ++i) book_.put(64 * i, slate("y"), kNow);
  EXPECT_EQ(book_.dropped(), 0U);
  for (uint64_t i = 4; i < 8; ++i) EXPECT_EQ(find(64 * i), "y");
}

TEST_F(SlateBookTest, ServesManyThreads) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 2'000; ++i) {
        const uint64_t request = (i * 4 + t) % 512;
        book_.put(request, slate(std::to_string(request), "u" + std::to_string(t)), kNow);
        std::string response;
        const auto found = book_.find((i * 7) % 512, kCaller, kBody, kNow, response);
        if (found == SlateBook::Found::kOther) ++wrong;
        if (found == SlateBook::Found::kSame && response != std::to_string((i * 7) % 512)) ++wrong;
        const auto score = book_.score(i % 512, hash64("a"));
        if (score.has_value() && score->second != 0.5) ++wrong;
        if (i % 500 == 0) book_.forget("u" + std::to_string(t));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace shanhuo
