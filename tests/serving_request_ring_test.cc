#include <gtest/gtest.h>

#include "serving/request_ring.h"

namespace shanhuo {
namespace {

class RequestRingTest : public testing::Test {
 protected:
  // Whether it was kept.
  bool offer(RequestRing& ring, const std::string& user, int64_t at_ns, size_t bytes = 10) {
    RankRequest request;
    request.user_id = user;
    request.personalized = personalized_;
    request.room_id = room_;
    std::string body(bytes, 'x');
    ring.offer(request, RankFormat::kJson, body, at_ns);
    return body.empty();
  }
  bool personalized_ = true;
  std::string room_;
};

TEST_F(RequestRingTest, KeepsTheNewestWithinItsBounds) {
  RequestRing ring({.requests_max = 3, .bytes_max = 100, .reach_ns = 0});
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(offer(ring, std::string(1, static_cast<char>('a' + i)), i));
  EXPECT_EQ(ring.newest(9).size(), 3U);
  EXPECT_EQ(ring.newest(1).size(), 1U);
  EXPECT_TRUE(offer(ring, "big", 6, 95));
  EXPECT_EQ(ring.newest(9).size(), 1U);
  EXPECT_FALSE(offer(ring, "too big", 7, 101));
}

TEST_F(RequestRingTest, LeavesOutRoomsAndWhoWantsNoProfile) {
  RequestRing ring({});
  personalized_ = false;
  EXPECT_FALSE(offer(ring, "a", 1));
  personalized_ = true;
  room_ = "room";
  EXPECT_FALSE(offer(ring, "a", 2));
}

TEST_F(RequestRingTest, UnderLoadItReachesBackAsFarAsItShould) {
  RequestRing ring({.requests_max = 100, .bytes_max = 1 << 20, .reach_ns = 50'000});
  int64_t now = 0;
  int kept = 0;
  for (int i = 0; i < 100'000; ++i) kept += offer(ring, "a", now += 10) ? 1 : 0;
  kept = 0;
  for (int i = 0; i < 20'000; ++i) kept += offer(ring, "a", now += 10) ? 1 : 0;
  EXPECT_EQ(ring.newest(1'000).size(), 100U);
  EXPECT_LE(kept, 400);  // one in 64: 100 of them reach back 64,000 ns
  EXPECT_GE(kept, 100);
  for (int i = 0; i < 20'000; ++i) offer(ring, "a", now += 100'000);
  EXPECT_TRUE(offer(ring, "a", now += 100'000));  // it is quiet now: all of them
}

TEST_F(RequestRingTest, ForgetsAViewer) {
  RequestRing ring({});
  for (const char* user : {"a", "b", "a"}) offer(ring, user, 1);
  ring.forget("a");
  ASSERT_EQ(ring.newest(9).size(), 1U);
  EXPECT_EQ(ring.newest(9)[0]->body.size(), 10U);
}

}  // namespace
}  // namespace shanhuo
