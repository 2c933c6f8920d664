// kuairand-ctr and open-bandit on small worlds of their own: what is read, what is measured, that
// no prediction knows what comes after it.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <string>

#include "serving/evaluate.h"
#include "serving/kuairand_pass.h"
#include "serving/prequential.h"
#include "tests/streaming_fakes.h"

namespace shanhuo {
namespace {

constexpr int kTraits = 23;

// Viewers of even number like videos of even number; tab 1 gets more clicks.
void write_world(const std::string& folder, int impressions) {
  std::filesystem::create_directories(folder);
  std::ofstream videos(folder + "/videos.csv"), viewers(folder + "/user_features.csv"),
      histories(folder + "/user_history_until_0424.csv"), events(folder + "/events_0425.csv");
  videos << "video_id,author_id,tag\n";
  for (int v = 0; v < 40; ++v) {
    videos << v << ',' << 1'000 + v % 7 << ",\"" << v % 2 << ',' << v % 5 << "\"\n";
  }
  viewers << "user_id,user_active_degree,is_live_streamer,is_video_author,follow_user_num_range,"
             "fans_user_num_range,friend_user_num_range,register_days_range";
  for (const int n : {0, 1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17}) {
    viewers << ",onehot_feat" << n;
  }
  viewers << '\n';
  histories << "user_id,history_len,last_time_ms,watch_seq,like_seq,long_watch_seq\n";
  for (int u = 0; u < 60; ++u) {
    viewers << u;
    for (int t = 0; t < kTraits; ++t) viewers << ",x" << (u + t) % 3;
    viewers << '\n';
    histories << u << ",3,1650700000000,0 1 " << u % 40 << ',' << u % 2 << ',' << u % 2 << "\n";
  }
  events << "user_id,video_id,time_ms,is_click,is_like,long_view,play_time_ms,duration_ms,tab\n";
  std::mt19937_64 random(1);
  for (int i = 0; i < impressions; ++i) {
    const uint64_t user = random() % 60, video = random() % 40, tab = random() % 2;
    const double p = 0.1 + 0.3 * static_cast<double>(tab) + (user % 2 == video % 2 ? 0.4 : 0);
    const bool click = static_cast<double>(random() >> 11) * 0x1p-53 < p;
    const std::string row = std::to_string(user) + ',' + std::to_string(video) + ',' +
                            std::to_string(1'650'812'741'000 + i * 120'000LL) + ',' +
                            (click ? "1,0,1,9000" : "0,0,0,700") + ",12000," + std::to_string(tab);
    events << row << '\n';
    if (i % 50 == 0) events << row << '\n';  // a repeat
  }
}

KuaiRandData world(const TempDir& dir, int impressions) {
  write_world(dir / "kuairand", impressions);
  Result<KuaiRandData> data = KuaiRandData::read(dir / "kuairand");
  CHECK(data.ok());
  return std::move(data).value();
}

ClickContestant ours() {
  ClickContestant contestant{.name = "ours", .model = {}, .mapped = true};
  contestant.model.slots_log2 = 14;
  contestant.model.factor_slots_log2 = 8;
  return contestant;
}

ClickPass run(const KuaiRandData& data, const ClickContestant& contestant,
              const ClickFreshness& freshness = {}, size_t learn_until = kLearnForEver) {
  return run_clicks(data, contestant, freshness, learn_until, [](size_t) {});
}

TEST(KuaiRandData, ReadsEachImpressionOnceAndNamesTheRowThatIsWrong) {
  const TempDir dir;
  const KuaiRandData data = world(dir, 200);
  EXPECT_EQ(data.impressions.size(), 200U);
  EXPECT_EQ(data.repeats, 4U);
  EXPECT_EQ(data.viewers[3].history.size(), 3U);
  EXPECT_TRUE(data.viewers[3].history[1].longer);
  EXPECT_FALSE(data.viewers[3].history[0].longer);
  EXPECT_EQ(data.videos[3].tags, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(data.viewers[3].traits.size(), static_cast<size_t>(kTraits));

  std::ofstream(dir / "kuairand" + "/events_0425.csv", std::ios::app) << "1,2,x,0,0,0,0,0,0\n";
  const Result<KuaiRandData> broken = KuaiRandData::read(dir / "kuairand");
  ASSERT_FALSE(broken.ok());
  EXPECT_NE(broken.error().message.find("events_0425.csv:206"), std::string::npos)
      << broken.error().message;
  EXPECT_FALSE(KuaiRandData::read(dir / "nowhere").ok());
}

// AUC by definition, over all pairs.
double auc_by_pairs(const std::vector<Prediction>& predictions) {
  double right = 0, pairs = 0;
  for (const Prediction& a : predictions) {
    for (const Prediction& b : predictions) {
      if (!a.label || b.label) continue;
      pairs += 1;
      right += a.probability > b.probability ? 1 : a.probability == b.probability ? 0.5 : 0;
    }
  }
  return right / pairs;
}

TEST(Prequential, AucIsTheShareOfPairsInOrder) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<Prediction> predictions(10 + random() % 60);
    for (Prediction& one : predictions) {
      one = {static_cast<float>(random() % 12) / 12, random() % 3 == 0};
    }
    predictions[0].label = true;
    predictions[1].label = false;
    EXPECT_NEAR(quality_of(predictions).auc, auc_by_pairs(predictions), 1e-12);
  }
}

TEST(Prequential, DecilesHoldEachPredictionOnce) {
  std::vector<Prediction> predictions;
  for (int i = 0; i < 97; ++i) predictions.push_back({static_cast<float>(i) / 100, i % 2 == 0});
  const PredictionQuality quality = quality_of(predictions);
  size_t count = 0;
  double observed = 0, worst = 0;
  for (const PredictionDecile& decile : quality.deciles) {
    count += decile.count;
    observed += decile.observed * static_cast<double>(decile.count);
    worst = std::max(worst, std::abs(decile.observed - decile.predicted));
  }
  EXPECT_EQ(count, 97U);
  EXPECT_NEAR(observed, 49, 1e-9);
  EXPECT_DOUBLE_EQ(quality.calibration_error, worst);
  const std::vector<Prediction> all(20, {1, true});
  EXPECT_TRUE(std::isnan(quality_of(all).auc));
  EXPECT_LT(quality_of(all).logloss, 1e-6);
}

TEST(ClickPass, NoPredictionKnowsWhatComesAfterIt) {
  const TempDir dir;
  const KuaiRandData data = world(dir, 600);
  for (const ClickFreshness freshness :
       {ClickFreshness{}, ClickFreshness{Millis(3'600'000), Millis(3'600'000), Millis(0)}}) {
    const std::vector<Prediction> before = run(data, ours(), freshness).predictions;
    for (const size_t from : {0, 1, 300, 599}) {
      KuaiRandData other = data;
      for (size_t i = from; i < other.impressions.size(); ++i) {
        KuaiRandImpression& impression = other.impressions[i];
        impression.click = !impression.click;
        impression.long_view = !impression.long_view;
        impression.like = impression.played = !impression.played;
      }
      const std::vector<Prediction> after = run(other, ours(), freshness).predictions;
      for (size_t i = 0; i <= from; ++i) {
        ASSERT_EQ(before[i].probability, after[i].probability) << i << " of " << from;
      }
    }
  }
}

TEST(ClickPass, AFrozenModelKnowsNothingOfTheSecondHalf) {
  const TempDir dir;
  const KuaiRandData data = world(dir, 600);
  KuaiRandData other = data;
  for (size_t i = 300; i < 600; ++i) other.impressions[i].click = !data.impressions[i].click;
  const ClickPass one = run(data, ours(), {}, 300), two = run(other, ours(), {}, 300);
  for (size_t i = 0; i < 600; ++i) {
    ASSERT_EQ(one.predictions[i].probability, two.predictions[i].probability);
  }
}

TEST(ClickPass, LearnsTheWorldAndBetterWhenItIsFresh) {
  const TempDir dir;
  const KuaiRandData data = world(dir, 6'000);
  const ClickPass live = run(data, ours());
  constexpr Millis kDay{86'400'000};
  const ClickPass daily = run(data, ours(), {kDay, kDay, kDay});
  ClickContestant constant = ours();
  constant.predictor = ClickPredictor::kConstant;
  const double best = quality_of(live.predictions).logloss;
  EXPECT_LT(best, quality_of(run(data, constant).predictions).logloss - 0.05);
  EXPECT_LT(best, quality_of(daily.predictions).logloss);
  const ClickPass again = run(data, ours());
  EXPECT_TRUE(std::ranges::equal(live.predictions, again.predictions, {}, &Prediction::probability,
                                 &Prediction::probability));
}

TEST(KuaiRandCtr, MakesItsTables) {
  const TempDir dir;
  write_world(dir / "kuairand", 700);
  SuiteInput input;
  input.data = dir / ".";
  double shown = 0;
  const Result<SuiteReport> report =
      evaluate_kuairand_ctr(input, [&](double share) { shown = share; });
  ASSERT_TRUE(report.ok()) << report.error().message;
  std::vector<std::string> names;
  for (const SuiteTable& table : report.value().tables) names.push_back(table.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"models", "ages", "deciles", "map", "freshness", "targets"}));
  EXPECT_LE(shown, 1);
  write_world(dir / "kuairand", 100);
  EXPECT_FALSE(evaluate_kuairand_ctr(input, [](double) {}).ok());
}

// Two items; the random policy draws each alike, bts the better one four times in five.
void write_bandit(const std::string& folder, const char* first_propensity = "0.5") {
  std::filesystem::create_directories(folder);
  std::mt19937_64 random(3);
  for (const std::string policy : {"random", "bts"}) {
    for (const std::string campaign : {"men", "women"}) {
      std::ofstream file(folder + "/" + policy + "_" + campaign + ".csv");
      file << ",timestamp,item_id,position,click,propensity_score\n";
      for (int i = 0; i < 2'000; ++i) {
        const bool better = random() % 10 < (policy == "random" ? 5U : 8U);
        const bool click = random() % 100 < (better ? 30U : 10U);
        file << i << ",2019-11-24," << (better ? 1 : 0) << ",1," << (click ? 1 : 0) << ','
             << (i == 0               ? first_propensity
                 : policy == "random" ? "0.5"
                 : better             ? "0.8"
                                      : "0.2")
             << '\n';
      }
    }
  }
}

TEST(OpenBandit, EstimatesAPolicyFromTheLogOfTheOther) {
  const TempDir dir;
  write_bandit(dir / "open_bandit");
  SuiteInput input;
  input.data = dir / ".";
  const Result<SuiteReport> report = evaluate_open_bandit(input, [](double) {});
  ASSERT_TRUE(report.ok()) << report.error().message;
  const SuiteTable& table = report.value().tables.front();
  ASSERT_EQ(table.rows.size(), 12U);
  for (const auto& row : table.rows) {
    const bool bts = row[0].text.find("bts from random") != std::string::npos;
    EXPECT_NEAR(*row[2].number, bts ? 26 : 20, 3) << row[0].text << ' ' << row[1].text;
  }
  write_bandit(dir / "open_bandit", "0");
  const Result<SuiteReport> wrong = evaluate_open_bandit(input, [](double) {});
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().message.find("random_men.csv:2"), std::string::npos);
}

}  // namespace
}  // namespace shanhuo
