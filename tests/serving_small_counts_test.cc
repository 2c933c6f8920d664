#include <gtest/gtest.h>

#include <random>

#include "serving/small_counts.h"

namespace shanhuo {
namespace {

ExposureNumbers numbers(int64_t viewers, int64_t served) {
  ExposureNumbers made;
  made.counts.served = served;
  made.unique_viewers = viewers;
  return made;
}

ExposureReport hours(const std::vector<int64_t>& viewers) {
  ExposureReport report;
  for (size_t i = 0; i < viewers.size(); ++i) {
    report.series.push_back({Millis(static_cast<int64_t>(i)), numbers(viewers[i], viewers[i] + 1)});
  }
  return report;
}

ExposureQuery by_hour() {
  ExposureQuery query;
  query.step = ExposureStep::kHour;
  return query;
}

TEST(SmallCounts, CountsSmallHoursInTheNextLargeOne) {
  ExposureReport report = hours({3, 9, 10, 40, 0, 1});
  merge_small_counts(by_hour(), report);
  ASSERT_EQ(report.series.size(), 2u);
  EXPECT_EQ(report.series[0].ts, Millis(2));
  EXPECT_EQ(report.series[0].numbers.counts.served, 4 + 10 + 11);
  EXPECT_FALSE(report.series[0].numbers.unique_viewers);
  EXPECT_EQ(report.series[1].ts, Millis(3));
  EXPECT_EQ(report.series[1].numbers.counts.served, 41 + 1 + 2);
}

TEST(SmallCounts, LeavesLargeHoursAndDaysAlone) {
  ExposureReport report = hours({10, 11});
  merge_small_counts(by_hour(), report);
  ASSERT_EQ(report.series.size(), 2u);
  EXPECT_EQ(report.series[1].numbers.unique_viewers, 11);
  ExposureReport days = hours({1, 2});
  ExposureQuery query;
  query.step = ExposureStep::kDay;
  merge_small_counts(query, days);
  EXPECT_EQ(days.series.size(), 2u);
}

TEST(SmallCounts, ShowsOneSumWhenNoHourIsLarge) {
  ExposureReport report = hours({1, 2, 3}), one = hours({4});
  merge_small_counts(by_hour(), report);
  merge_small_counts(by_hour(), one);
  ASSERT_EQ(report.series.size(), 1u);
  EXPECT_EQ(report.series[0].numbers.counts.served, 2 + 3 + 4);
  ASSERT_EQ(one.series.size(), 1u);
  EXPECT_FALSE(one.series[0].numbers.unique_viewers);
}

TEST(SmallCounts, NeverLosesAnExposureAndNeverShowsASmallHourBesideAnother) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::vector<int64_t> viewers(random() % 30);
    for (int64_t& one : viewers) one = static_cast<int64_t>(random() % 20);
    ExposureReport report = hours(viewers);
    merge_small_counts(by_hour(), report);
    int64_t want = 0, got = 0;
    for (const int64_t one : viewers) want += one + 1;
    for (const ExposurePoint& point : report.series) {
      got += point.numbers.counts.served;
      const auto& own = viewers[static_cast<size_t>(point.ts.count())];
      EXPECT_TRUE(own >= kViewersShownMin || report.series.size() == 1);
    }
    EXPECT_EQ(got, want);
  }
}

TEST(SmallCounts, MakesOneGroupOfSmallCountiesAndOfNothingElse) {
  ExposureReport report;
  report.groups = {
      {"110000", 0, numbers(3, 5)}, {"433124", 0, numbers(70, 90)}, {"530000", 0, numbers(9, 9)}};
  ExposureReport items = report;
  ExposureQuery query = by_hour();
  query.by = ExposureBy::kCounty;
  merge_small_counts(query, report);
  ASSERT_EQ(report.groups.size(), 2u);
  EXPECT_EQ(report.groups[0].key, "433124");
  EXPECT_EQ(report.groups[1].key, "other");
  EXPECT_EQ(report.groups[1].numbers.counts.served, 14);
  EXPECT_FALSE(report.groups[1].numbers.unique_viewers);
  query.by = ExposureBy::kItem;
  merge_small_counts(query, items);
  EXPECT_EQ(items.groups.size(), 3u);
}

TEST(SmallCounts, WidensWhatIsShorterThanADay) {
  ExposureQuery query;
  query.to = Millis(10 * kDay.count());
  query.from = query.to - Millis(3'600'000);
  widen_for_creator(query);
  EXPECT_EQ(query.from, Millis(9 * kDay.count()));
  query.from = Millis(2 * kDay.count());
  widen_for_creator(query);
  EXPECT_EQ(query.from, Millis(2 * kDay.count()));
  query.from = query.to = Millis(5);
  widen_for_creator(query);
  EXPECT_EQ(query.from, Millis(0));
}

}  // namespace
}  // namespace shanhuo
