// What a goal of a day counts around midnight and around a restart.
#include <gtest/gtest.h>

#include "features/counts.h"
#include "ranking/goal_account.h"

namespace shanhuo {
namespace {

const int64_t kMonday = day_of(Millis{1'789'833'600'000});
const Millis kNoon = start_of_day(kMonday) + Millis{12 * kHour.count()};

class GoalAccountTest : public testing::Test {
 protected:
  GoalAccountTest() {
    program_.start = start_of_day(kMonday - 7);
    program_.end = start_of_day(kMonday + 7);
    goal_.at_least = 100;
    goal_.per = GoalPeriod::kDay;
    goal_.missed_value_fen = 5;
  }

  // An account as of `now`, which the totals tell of `delivered`.
  GoalAccount account(Millis now, double delivered = 0) const {
    GoalAccount account(program_, goal_, rules_, now);
    account.begin(curve_, delivered, 1, now);
    return account;
  }
  static void see(GoalAccount& account, Millis ts) { account.deliver(ts, ts, 1); }
  static Millis midnight(int days_on) { return start_of_day(kMonday + days_on); }

  const GoalAccount::Rules rules_{Millis{30 * kMinute.count()}, Millis{0}, 0};
  const TrafficCurve curve_{std::array<double, kDayHours>{}};
  Program program_;
  Goal goal_;
};

TEST_F(GoalAccountTest, ADayBeginsWithWhatWasSeenOfItBefore) {
  GoalAccount account = this->account(kNoon, 7);
  see(account, kNoon);
  see(account, midnight(1));  // a clock that is ahead
  see(account, midnight(1) + kMinute);
  EXPECT_EQ(account.state.delivered, 8);
  account.advance(midnight(1));
  EXPECT_EQ(account.state.delivered, 2);
  see(account, midnight(1) + kHour);
  see(account, kNoon);  // late: of a day that is over
  EXPECT_EQ(account.state.delivered, 3);
  account.advance(midnight(2));
  EXPECT_EQ(account.state.delivered, 0);
}

TEST_F(GoalAccountTest, ViewsThatAreTakenBackBeforeTheirDayAreNotCounted) {
  GoalAccount account = this->account(kNoon);
  see(account, midnight(1));
  see(account, midnight(1));
  account.deliver(midnight(1), midnight(1), -1);
  account.advance(midnight(1));
  EXPECT_EQ(account.state.delivered, 1);
}

TEST_F(GoalAccountTest, DaysThatPassWithoutATraceAreSkipped) {
  GoalAccount account = this->account(kNoon);
  see(account, midnight(1));
  see(account, midnight(3) + kHour);
  account.advance(midnight(3));
  EXPECT_EQ(account.state.delivered, 1);
}

TEST_F(GoalAccountTest, NothingIsCountedOfDaysAfterTheProgram) {
  program_.end = midnight(1);
  GoalAccount account = this->account(kNoon);
  see(account, midnight(1));
  account.advance(midnight(1));
  EXPECT_EQ(account.state.delivered, 0);
}

TEST_F(GoalAccountTest, ARestartKnowsWhatWasSeenOfDaysToCome) {
  GoalAccount before = account(kNoon, 7);
  see(before, midnight(1));
  see(before, midnight(2));
  GoalAccount same_day = account(kNoon, 7);
  ASSERT_TRUE(same_day.decode(before.encode()));
  EXPECT_EQ(same_day.state.delivered, 7);
  same_day.advance(midnight(1));
  EXPECT_EQ(same_day.state.delivered, 1);
  // The totals have told the day that the restart falls in.
  GoalAccount next_day = account(midnight(1), 1);
  ASSERT_TRUE(next_day.decode(before.encode()));
  EXPECT_EQ(next_day.state.delivered, 1);
  next_day.advance(midnight(2));
  EXPECT_EQ(next_day.state.delivered, 1);
}

TEST_F(GoalAccountTest, AGoalInTotalCountsAViewOfAnyDayAtOnce) {
  goal_.per = GoalPeriod::kTotal;
  GoalAccount account = this->account(kNoon);
  see(account, midnight(1));
  EXPECT_EQ(account.state.delivered, 1);
  account.advance(midnight(1));
  EXPECT_EQ(account.state.delivered, 1);
}

TEST_F(GoalAccountTest, BrokenBytesAreRefused) {
  GoalAccount before = account(kNoon);
  see(before, midnight(1));
  const std::string bytes = before.encode();
  for (size_t size = 1; size < 8; ++size) {
    GoalAccount after = account(kNoon);
    EXPECT_FALSE(after.decode(std::string_view(bytes).substr(0, bytes.size() - size))) << size;
  }
}

}  // namespace
}  // namespace shanhuo
