#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "models/calibration.h"
#include "tests/memory_state.h"

namespace shanhuo {
namespace {

constexpr double kHuge = std::numeric_limits<double>::max();
constexpr double kTiny = std::numeric_limits<double>::denorm_min();

std::vector<double> applied(const Calibration& calibration, const std::vector<double>& scores,
                            const CalibrationOptions& options = {},
                            Surface surface = Surface::kFeed) {
  std::vector<double> out(scores.size(), -1);
  calibration.apply(scores, surface, options, out);
  return out;
}

// Counts of one bin; the score names the bin.
struct Counted {
  double score;
  int impressions, clicks;
};

void feed(CalibrationLearner& learner, const std::vector<Counted>& bins,
          Surface surface = Surface::kFeed) {
  for (const Counted& bin : bins) {
    for (int i = 0; i < bin.impressions; ++i) learner.impression(surface, bin.score);
    for (int i = 0; i < bin.clicks; ++i) learner.click(surface, bin.score);
  }
}

// The max-min formula of isotonic regression, by definition: the fit at i is the largest over a of
// the smallest over b of the mean of a..b, a <= i <= b.
std::vector<double> isotonic_by_definition(const std::vector<Counted>& bins) {
  std::vector<double> fit;
  for (size_t i = 0; i < bins.size(); ++i) {
    double best = -1;
    for (size_t a = 0; a <= i; ++a) {
      double least = 2, impressions = 0, clicks = 0;
      for (size_t b = a; b < bins.size(); ++b) {
        impressions += bins[b].impressions;
        clicks += bins[b].clicks;
        if (b >= i) least = std::min(least, clicks / impressions);
      }
      best = std::max(best, least);
    }
    fit.push_back(best);
  }
  return fit;
}

std::vector<Counted> random_bins(std::mt19937& random, int count) {
  std::vector<Counted> bins;
  for (int i = 0; i < count; ++i) {
    const double score = std::ldexp(1 + (i % 8) / 8.0, i / 8 - 3);
    const int impressions = 1 + static_cast<int>(random() % 20);
    bins.push_back({score, impressions, static_cast<int>(random() % (impressions + 1))});
  }
  return bins;
}

TEST(Calibration, FitsWhatTheDefinitionOfIsotonicRegressionFits) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const std::vector<Counted> bins = random_bins(random, 1 + static_cast<int>(random() % 40));
    CalibrationLearner learner({.labels_min = 1});
    feed(learner, bins);
    learner.publish();
    const auto& points = learner.current()->points[static_cast<size_t>(Surface::kFeed)];
    const std::vector<double> fit = isotonic_by_definition(bins);
    size_t point = 0;
    for (size_t i = 0; i < bins.size(); ++point) {
      double sum = 0, impressions = 0;
      const size_t first = i;
      for (; i < bins.size() && std::abs(fit[i] - fit[first]) < 1e-12; ++i) {
        sum += bins[i].score * bins[i].impressions;
        impressions += bins[i].impressions;
      }
      ASSERT_LT(point, points.size());
      ASSERT_NEAR(points[point].click_rate, fit[first], 1e-12);
      ASSERT_NEAR(points[point].score, sum / impressions, 1e-9);
    }
    ASSERT_EQ(point, points.size());
  }
}

TEST(Calibration, TheMapNeverFallsWithTheScore) {
  std::mt19937 random(4);
  for (int round = 0; round < 50; ++round) {
    CalibrationLearner learner({.labels_min = 1});
    for (int i = 0; i < 300; ++i) {
      const double score = std::ldexp(static_cast<double>(random()) - 2e9, int(random() % 90) - 60);
      learner.impression(Surface::kFeed, score);
      if (random() % 3 == 0) learner.click(Surface::kFeed, score);
    }
    learner.publish();
    std::vector<double> scores;
    for (int i = 0; i < 500; ++i) {
      scores.push_back(std::ldexp(static_cast<double>(random()) - 2e9, int(random() % 90) - 60));
    }
    std::sort(scores.begin(), scores.end());
    double before = 0;
    for (const double score : scores) {
      const double rate = applied(*learner.current(), {score})[0];
      ASSERT_TRUE(rate >= before && rate <= 1) << score;
      before = rate;
    }
  }
}

TEST(Calibration, NoRateRisesDownTheList) {
  CalibrationLearner learner({.labels_min = 1});
  feed(learner, {{1, 100, 10}, {2, 100, 20}, {3, 100, 40}});
  learner.publish();
  EXPECT_EQ(applied(*learner.current(), {2, 3, 1, 3}), (std::vector<double>{0.2, 0.2, 0.1, 0.1}));
  EXPECT_EQ(applied(Calibration(), {0.2, 0.5, 0.1}), (std::vector<double>{0.2, 0.2, 0.1}));
}

TEST(Calibration, BetweenPointsTheMapIsLinearAndBeyondThemLevel) {
  CalibrationLearner learner({.labels_min = 1});
  feed(learner, {{1, 100, 10}, {2, 100, 20}, {4, 100, 40}});
  learner.publish();
  EXPECT_NEAR(applied(*learner.current(), {1.5})[0], 0.15, 1e-12);
  EXPECT_NEAR(applied(*learner.current(), {3})[0], 0.3, 1e-12);
  EXPECT_EQ(applied(*learner.current(), {-kHuge})[0], 0.1);
  EXPECT_EQ(applied(*learner.current(), {kHuge})[0], 0.4);
}

TEST(Calibration, BeforeEnoughLabelsScoresWithinZeroAndOneStandAsTheyAre) {
  EXPECT_EQ(applied(Calibration(), {1, 0.5, 0}), (std::vector<double>{1, 0.5, 0}));
}

TEST(Calibration, BeforeEnoughLabelsOtherListsCountByPosition) {
  const std::vector<double> out = applied(Calibration(), {7, 0.5, -2});
  EXPECT_DOUBLE_EQ(out[0], 0.1);
  EXPECT_DOUBLE_EQ(out[1], 0.1 * 0.95);
  EXPECT_DOUBLE_EQ(out[2], 0.1 * 0.95 * 0.95);
  EXPECT_TRUE(applied(Calibration(), {}).empty());
}

TEST(Calibration, ASurfaceLearnsWhenItsOwnLabelsAreEnough) {
  CalibrationLearner learner({});
  feed(learner, {{0.5, 999, 99}});
  feed(learner, {{0.5, 1'000, 100}}, Surface::kSearch);
  learner.publish();
  EXPECT_EQ(applied(*learner.current(), {0.5})[0], 0.5);
  EXPECT_EQ(applied(*learner.current(), {0.5}, {}, Surface::kSearch)[0], 0.1);
  feed(learner, {{0.5, 1, 0}});
  EXPECT_EQ(applied(*learner.current(), {0.5})[0], 0.5);
  learner.publish();
  EXPECT_EQ(applied(*learner.current(), {0.5})[0], 0.099);
}

TEST(Calibration, ProbabilitiesAreTakenAsTheyAreWhateverWasLearned) {
  CalibrationLearner learner({.labels_min = 1});
  feed(learner, {{0.5, 100, 1}});
  learner.publish();
  const CalibrationOptions options{.score_kind = ScoreKind::kProbability, .labels_min = 1};
  EXPECT_EQ(applied(*learner.current(), {0.9, 0.5, 0.7}, options),
            (std::vector<double>{0.9, 0.5, 0.5}));
}

TEST(Calibration, MoreClicksThanImpressionsAreARateOfOne) {
  CalibrationLearner learner({.labels_min = 1});
  feed(learner, {{1, 2, 5}, {2, 0, 5}});
  learner.publish();
  EXPECT_EQ(applied(*learner.current(), {1})[0], 1);
  EXPECT_EQ(applied(*learner.current(), {2})[0], 1);
}

TEST(Calibration, ScoresOfAnySizeLeaveFiniteRates) {
  CalibrationLearner learner({.labels_min = 1});
  for (int i = 0; i < 10; ++i) {
    for (const double score : {-kHuge, kHuge, -1.0, 0.0, -0.0, kTiny, -kTiny, 5.0}) {
      learner.impression(Surface::kFeed, score);
      if (i % 2 == 0) learner.click(Surface::kFeed, score);
    }
  }
  learner.publish();
  for (const auto& point : learner.current()->points[static_cast<size_t>(Surface::kFeed)]) {
    EXPECT_TRUE(std::isfinite(point.score) && std::isfinite(point.click_rate));
  }
  for (const double score : {-kHuge, kHuge, 0.0, kTiny, 3.0}) {
    EXPECT_EQ(applied(*learner.current(), {score})[0], 0.5) << score;
  }
}

// The largest error of P(click), learned from labels of scores on the scale `score_of`.
template <typename Scale>
double worst_error(const Scale& score_of) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(0, 1);
  CalibrationLearner learner({});
  for (int i = 0; i < 400'000; ++i) {
    const double p = 0.5 * uniform(random);
    learner.impression(Surface::kFeed, score_of(p));
    if (uniform(random) < p) learner.click(Surface::kFeed, score_of(p));
  }
  learner.publish();
  double worst = 0;
  for (double p = 0.02; p < 0.48; p += 0.01) {
    worst = std::max(worst, std::abs(applied(*learner.current(), {score_of(p)})[0] - p));
  }
  return worst;
}

TEST(Calibration, LearnsADistortedMapWithinTwoPercent) {
  EXPECT_LT(worst_error([](double p) { return 3 * std::log(p / (1 - p)); }), 0.02);
  EXPECT_LT(worst_error([](double p) { return std::exp(9 * p); }), 0.02);
  EXPECT_LT(worst_error([](double p) { return 1e6 * p * p * p; }), 0.02);
  EXPECT_LT(worst_error([](double p) { return -1e-3 / (p + 0.01); }), 0.02);
}

TEST(Calibration, ACheckpointGivesTheSameMapBack) {
  std::mt19937 random(6);
  MemoryState state;
  CalibrationLearner before({.labels_min = 1});
  feed(before, random_bins(random, 30));
  feed(before, random_bins(random, 20), Surface::kSearch);
  checkpoint(before, state);
  CalibrationLearner after({.labels_min = 1});
  ASSERT_TRUE(after.restore(state).ok());
  before.publish();
  const std::vector<double> scores = {70, 9, 3.3, 1, 0.2, 0.01};
  for (const Surface surface : {Surface::kFeed, Surface::kSearch, Surface::kDetail}) {
    EXPECT_EQ(applied(*after.current(), scores, {}, surface),
              applied(*before.current(), scores, {}, surface));
  }
  MemoryState again;
  after.impression(Surface::kFeed, 1);
  before.impression(Surface::kFeed, 1);
  checkpoint(after, again);
  checkpoint(before, state);
  EXPECT_EQ(again.records, state.records);
}

TEST(Calibration, ACheckpointWithoutNewsWritesNothing) {
  MemoryState state;
  CalibrationLearner learner({});
  checkpoint(learner, state);
  EXPECT_TRUE(state.records.empty());
  learner.impression(Surface::kFeed, 1);
  checkpoint(learner, state);
  EXPECT_FALSE(state.records.empty());
  state.records.clear();
  checkpoint(learner, state);
  EXPECT_TRUE(state.records.empty());
}

TEST(Calibration, ABrokenCheckpointIsRefused) {
  for (const auto& [key, value] : {std::pair<std::string, std::string>{"cl\x01", "short"},
                                   {"cl\x07", std::string(24 * CalibrationLearner::kBins, '\0')},
                                   {"cl", std::string(24 * CalibrationLearner::kBins, '\0')}}) {
    MemoryState state;
    state.put(key, value);
    CalibrationLearner learner({});
    const Status status = learner.restore(state);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kCorrupt);
  }
}

TEST(Calibration, BinsAscendOverAllMagnitudesAndSigns) {
  std::vector<double> scores = {-kHuge, -1e300, -1e12, -0.0, 0.0, kTiny, -kTiny, 1e-300, kHuge};
  for (int exponent = -40; exponent <= 40; ++exponent) {
    for (int eighth = 0; eighth < 16; ++eighth) {
      scores.push_back(std::ldexp(1 + eighth / 16.0, exponent));
      scores.push_back(-scores.back());
    }
  }
  std::sort(scores.begin(), scores.end());
  int before = 0;
  for (const double score : scores) {
    const int bin = CalibrationLearner::bin_of(score);
    ASSERT_GE(bin, before) << score;
    ASSERT_LT(bin, CalibrationLearner::kBins) << score;
    before = bin;
  }
  EXPECT_EQ(CalibrationLearner::bin_of(-kHuge), 0);
  EXPECT_EQ(CalibrationLearner::bin_of(kHuge), CalibrationLearner::kBins - 1);
  EXPECT_EQ(CalibrationLearner::bin_of(0.0), CalibrationLearner::bin_of(-0.0));
  EXPECT_LT(CalibrationLearner::bin_of(-kTiny), CalibrationLearner::bin_of(0.0));
}

TEST(Calibration, AnOctaveHasEightBins) {
  for (int exponent = -31; exponent < 31; ++exponent) {
    EXPECT_EQ(CalibrationLearner::bin_of(std::ldexp(1.0, exponent + 1)) -
                  CalibrationLearner::bin_of(std::ldexp(1.0, exponent)),
              8);
  }
}

}  // namespace
}  // namespace shanhuo
