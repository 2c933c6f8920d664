// Curves: by hand, against a slow twin hour by hour, and learned from simulated weeks.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ranking/traffic.h"
#include "ranking/welfare.h"

namespace shanhuo {
namespace {

constexpr Millis kMonday{1'789'920'000'000};  // 2026-09-21 00:00 UTC+8
constexpr std::array<bool, kSurfaces> kFeedOnly = {false, true, false, false, false, false, false};

std::array<double, kDayHours> flat() {
  std::array<double, kDayHours> hourly;
  hourly.fill(1);
  return hourly;
}

Millis at(int day, int hour, int minute = 0) {
  return kMonday + Millis(day * kDay.count() + hour * kHour.count() + minute * kMinute.count());
}

// Sum over whole minutes: the curve's slow twin for times on the minute.
double by_minutes(const std::array<double, kWeekHours>& week, const FestivalCalendar& festivals,
                  Millis from, Millis to) {
  double sum = 0;
  for (Millis t = from; t < to; t += kMinute) {
    double factor = 1;
    for (const FestivalDay& day : festivals)
      factor = day.start == day_start(t) ? day.factor : factor;
    sum += factor * week[week_hour(t)] / 60;
  }
  return sum;
}

TEST(TrafficCurve, HoursAreThoseOfUtc8AndWeeksBeginOnMonday) {
  EXPECT_EQ(week_hour(kMonday), 0);
  EXPECT_EQ(week_hour(kMonday - Millis(1)), 167);
  EXPECT_EQ(day_hour(at(3, 23, 59)), 23);
  EXPECT_EQ(day_start(at(2, 13)), at(2, 0));
  EXPECT_EQ(week_hour(Millis(0)), 3 * 24 + 8);  // a Thursday, eight o'clock
}

TEST(TrafficCurve, EqualsTheSumOfItsMinutes) {
  std::mt19937_64 random(7);
  std::array<double, kWeekHours> week;
  for (double& weight : week) weight = static_cast<double>(random() % 1000);
  const FestivalCalendar festivals = {{at(1, 0), 2.5}, {at(4, 0), 0}, {at(5, 0), 1.5}};
  const TrafficCurve curve(week, std::make_shared<const FestivalCalendar>(festivals));
  for (int i = 0; i < 200; ++i) {
    const Millis from =
        kMonday + Millis(static_cast<int64_t>(random() % (12 * 1440)) * 60'000 - 2 * kDay.count());
    const Millis to = from + Millis(static_cast<int64_t>(random() % (6 * 1440)) * 60'000);
    const double twin = by_minutes(week, festivals, from, to);
    EXPECT_NEAR(curve.between(from, to), twin, 1e-6 * twin + 1e-6);
  }
  EXPECT_EQ(curve.between(at(1, 0), at(0, 0)), 0);
}

TEST(Festivals, AreReadForEveryYearOrOneAndAnythingElseIsRefused) {
  const auto calendar = read_festivals("11-11=3  2026-11-11=2.5 02-29=2");
  ASSERT_TRUE(calendar.ok());
  int days = 0;
  for (const FestivalDay& day : calendar.value()) {
    if (day_start(day.start) == Millis(1'794'326'400'000)) {  // 2026-11-11 00:00 UTC+8
      EXPECT_EQ(day.factor, 2.5);
      ++days;
    }
  }
  EXPECT_EQ(days, 1);
  EXPECT_EQ(calendar.value().size(), 100U + 25U);
  for (const char* wrong : {"11-11", "11-11=", "11-11=-1", "11-11=101", "13-01=2", "2026-02-30=2",
                            "11/11=2", "11-11=2x", "26-11-11=2", "11-11=nan"}) {
    EXPECT_FALSE(read_festivals(wrong).ok()) << wrong;
  }
  EXPECT_TRUE(read_festivals("").value().empty());
}

// Weeks of traffic: evenings busy, weekends twice as busy, noise.
class Stream {
 public:
  explicit Stream(uint64_t seed) : random_(seed) {}
  static double rate(Millis t) {  // a minute
    const int hour = day_hour(t);
    const bool weekend = week_hour(t) >= 5 * 24;
    return (hour < 7 ? 2 : hour < 18 ? 10 : 30) * (weekend ? 2 : 1);
  }
  void minute(TrafficLearner& learner, Millis t, double factor = 1) {
    const int n = std::poisson_distribution<int>(factor * rate(t))(random_);
    for (int i = 0; i < n; ++i) learner.count(Surface::kFeed, t + Millis(i * 60'000 / (n + 1)));
  }
  void days(TrafficLearner& learner, int from, int to) {
    for (Millis t = at(from, 0); t < at(to, 0); t += kMinute) minute(learner, t);
  }

 private:
  std::mt19937_64 random_;
};

double truth(Millis from, Millis to) {
  double sum = 0;
  for (Millis t = from; t < to; t += kMinute) sum += Stream::rate(t);
  return sum;
}

// The largest error of the curve's progress through a day, as a share of the day.
double progress_error(const TrafficCurve& curve, int day) {
  double most = 0;
  for (int hour = 0; hour <= 24; ++hour) {
    const double expected = truth(at(day, 0), at(day, hour)) / truth(at(day, 0), at(day, 24));
    const double is =
        curve.between(at(day, 0), at(day, hour)) / curve.between(at(day, 0), at(day, 24));
    most = std::max(most, std::abs(is - expected));
  }
  return most;
}

TEST(TrafficLearner, OneDaySufficesForTheShapeAndAWeekForTheWeekend) {
  TrafficLearner learner(flat(), nullptr);
  Stream stream(1);
  EXPECT_GT(progress_error(learner.curve(kFeedOnly, {}), 1), 0.2);
  stream.days(learner, 0, 1);
  learner.advance(at(1, 0));
  EXPECT_LT(progress_error(learner.curve(kFeedOnly, {}), 1), 0.06);
  stream.days(learner, 1, 14);
  learner.advance(at(14, 0));
  const TrafficCurve curve = learner.curve(kFeedOnly, {});
  EXPECT_LT(progress_error(curve, 15), 0.02);
  const double weekend = curve.between(at(19, 0), at(20, 0)) / curve.between(at(15, 0), at(16, 0));
  EXPECT_NEAR(weekend, 2, 0.35);
}

TEST(TrafficLearner, LittleTrafficLeavesTheConfiguredDay) {
  std::array<double, kDayHours> hourly = flat();
  hourly[20] = 5;
  TrafficLearner learner(hourly, nullptr);
  EXPECT_FALSE(learner.known(kFeedOnly));
  for (int i = 0; i < 40; ++i) learner.count(Surface::kFeed, at(0, 3, i));
  learner.advance(at(0, 3, 50));
  EXPECT_TRUE(learner.known(kFeedOnly));
  const TrafficCurve curve = learner.curve(kFeedOnly, {});
  EXPECT_NEAR(curve.between(at(0, 20), at(0, 21)) / curve.between(at(0, 19), at(0, 20)), 5, 1e-6);
}

TEST(TrafficLearner, AnOutageTeachesNothing) {
  TrafficLearner with(flat(), nullptr), without(flat(), nullptr);
  Stream a(3), b(3);
  a.days(with, 0, 3);
  b.days(without, 0, 3);
  for (Millis t = at(3, 0); t < at(4, 0); t += kMinute) {
    const bool out = day_hour(t) == 20 || day_hour(t) == 21;
    if (!out) a.minute(with, t);
    b.minute(without, t);
  }
  with.advance(at(4, 0));
  without.advance(at(4, 0));
  EXPECT_LT(progress_error(with.curve(kFeedOnly, {}), 8),
            progress_error(without.curve(kFeedOnly, {}), 8) + 0.02);
}

TEST(TrafficLearner, ABurstCountsAtMostFourTimesAndTheLevelFollowsTheDay) {
  TrafficLearner learner(flat(), nullptr);
  Stream stream(4);
  stream.days(learner, 0, 4);
  for (Millis t = at(4, 0); t < at(5, 0); t += kMinute) {
    stream.minute(learner, t, day_hour(t) == 10 ? 50 : 1);
  }
  learner.advance(at(5, 0));
  EXPECT_LT(progress_error(learner.curve(kFeedOnly, {}), 7), 0.08);
  // A day with three times its traffic is known as such by noon.
  for (Millis t = at(5, 0); t < at(5, 13); t += kMinute) stream.minute(learner, t, 3);
  const TrafficCurve curve = learner.curve(kFeedOnly, {});
  const double rest = curve.between(at(5, 13), at(6, 0)) / truth(at(5, 13), at(6, 0));
  EXPECT_GT(rest, 2);
  EXPECT_LT(rest, 4);
}

TEST(TrafficLearner, AFestivalIsExpectedAndDoesNotSpoilItsWeekday) {
  const auto calendar = std::make_shared<const FestivalCalendar>(FestivalCalendar{{at(8, 0), 3}});
  TrafficLearner learner(flat(), calendar);
  Stream stream(5);
  stream.days(learner, 0, 8);
  learner.advance(at(8, 0));
  const TrafficCurve before = learner.curve(kFeedOnly, {});
  EXPECT_NEAR(before.between(at(8, 0), at(9, 0)) / before.between(at(9, 0), at(10, 0)), 3, 0.3);
  for (Millis t = at(8, 0); t < at(9, 0); t += kMinute) stream.minute(learner, t, 3);
  learner.advance(at(9, 0));
  const TrafficCurve after = learner.curve(kFeedOnly, {});
  EXPECT_NEAR(after.between(at(15, 0), at(16, 0)) / after.between(at(16, 0), at(17, 0)), 1, 0.2);
}

TEST(TrafficLearner, ARestoredOneGoesOnToTheSameBytes) {
  TrafficLearner one(flat(), nullptr), other(flat(), nullptr);
  Stream stream(6);
  stream.days(one, 0, 2);
  one.advance(at(2, 0));
  std::string bytes;
  one.encode(&bytes);
  std::string_view in = bytes;
  ASSERT_TRUE(other.decode(&in));
  EXPECT_TRUE(in.empty());
  Stream a(7), b(7);
  a.days(one, 2, 3);
  b.days(other, 2, 3);
  std::string first, second;
  one.encode(&first);
  other.encode(&second);
  EXPECT_EQ(first, second);
  for (const size_t cut : {size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
    std::string_view part = std::string_view(bytes).substr(0, cut);
    EXPECT_FALSE(TrafficLearner(flat(), nullptr).decode(&part));
  }
}

TEST(AudienceShare, IsTheHoursOwnOnceThereIsEnoughOfIt) {
  AudienceShare share;
  EXPECT_EQ(share.at(3), 1);
  for (int hour = 0; hour < 24; ++hour) share.count(hour, hour < 8 ? 800 : 100, 1'000);
  EXPECT_NEAR(share.at(3), 0.8, 0.03);
  EXPECT_NEAR(share.at(12), 0.1, 0.02);
  share.count(12, 0, 1e6);
  EXPECT_GE(share.at(12), 0);
}

TEST(CountyWelfare, PricesByExposureToThePowerOfAlpha) {
  WelfareOptions options;
  options.alpha = 2;
  options.lambda_fen = 0.1;
  CountyWelfare welfare(options);
  EXPECT_NEAR(welfare.table()->fen(330'000), 0.1, 1e-6);  // nobody has anything yet
  for (int i = 0; i < 1'000; ++i) {
    welfare.request(kMonday);
    welfare.expose(1, 0.9, kMonday);
    welfare.expose(2, 0.3, kMonday);
  }
  welfare.expose(0, 100, kMonday);
  EXPECT_NEAR(welfare.exposure(1), 900, 1e-6);
  const auto table = welfare.table();
  EXPECT_NEAR(table->fen(1), 0.1 / (1.5 * 1.5), 1e-6);
  EXPECT_NEAR(table->fen(2), 0.1 * 4, 1e-6);
  EXPECT_NEAR(table->fen(3), 0.1 * 400, 1e-4);  // Y_min
  EXPECT_EQ(table->fen(0), 0);
  EXPECT_EQ(welfare.factor(3), 9);
}

TEST(CountyWelfare, ForgetsWithItsHalfLifeOverAnyTime) {
  WelfareOptions options;
  CountyWelfare welfare(options);
  Millis now = kMonday;
  double y1 = 0, y2 = 0, requests = 0;
  std::mt19937_64 random(3);
  for (int i = 0; i < 2'000; ++i) {
    const auto step = Millis(static_cast<int64_t>(random() % (4 * 3'600'000)));
    const double keep = std::exp2(-static_cast<double>(step.count()) /
                                  static_cast<double>(options.half_life.count()));
    now += step;
    y1 *= keep;
    y2 *= keep;
    requests = requests * keep + 1;
    welfare.request(now);
    if (random() % 2 == 0) {
      welfare.expose(1, 0.5, now);
      y1 += 0.5;
    } else {
      welfare.expose(2, 0.25, now);
      y2 += 0.25;
    }
  }
  EXPECT_NEAR(welfare.exposure(1), 1'000 * y1 / requests, 1e-6);
  EXPECT_NEAR(welfare.exposure(2), 1'000 * y2 / requests, 1e-6);
  std::string bytes;
  welfare.encode(&bytes);
  std::string_view in = bytes;
  CountyWelfare other(options);
  ASSERT_TRUE(other.decode(&in));
  EXPECT_EQ(other.exposure(1), welfare.exposure(1));
  for (int32_t county = 1; county < 500; ++county)
    EXPECT_EQ(other.table()->fen(county), welfare.table()->fen(county));
  std::string_view part = std::string_view(bytes).substr(0, bytes.size() - 1);
  EXPECT_FALSE(CountyWelfare(options).decode(&part));
}

}  // namespace
}  // namespace shanhuo
