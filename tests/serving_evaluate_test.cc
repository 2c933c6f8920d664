// The suites on small data of their own: pages and bounds against enumeration, the market's
// hindsight against min-cost flow, reading against broken files; and a short form of each on the
// real data, where they stand beside the project or where SHANHUO_DATA says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <queue>
#include <random>

#include "serving/adx_run.h"
#include "serving/evaluate.h"
#include "serving/steam_run.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

double unit(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

fs::path real_data(const char* what) {
  const char* data = std::getenv("SHANHUO_DATA");
  return fs::path(data != nullptr ? data : "../shared/data") / "allocation" / what;
}

SteamPages small_pages(std::mt19937_64& random, size_t requests, int candidates, int groups) {
  std::vector<std::vector<SteamCandidate>> all(requests);
  for (auto& request : all) {
    for (int i = 0; i < candidates; ++i) {
      const double score = 0.05 + unit(random);
      request.push_back({static_cast<int>(random() % static_cast<uint64_t>(groups)), score,
                         std::round(score * 1e4) / 1e4});
    }
  }
  return SteamPages::of(std::move(all), groups);
}

// Every page of min(10, candidates) of one request.
template <typename Visit>
void every_page(const SteamPages& pages, size_t request, const Visit& visit) {
  const auto n = pages.candidates(request).size();
  std::vector<bool> takes(n, false);
  std::fill(takes.begin(),
            takes.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(n, kSteamPage)), true);
  do {
    SteamPage page;
    for (size_t i = 0; i < n; ++i) {
      if (takes[i]) page.push_back(static_cast<int>(i));
    }
    visit(page);
  } while (std::prev_permutation(takes.begin(), takes.end()));
}

TEST(SteamPages, TheExactPageIsTheBestOfAll) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 60; ++round) {
    const SteamPages pages = small_pages(random, 1, 5 + static_cast<int>(random() % 9), 3);
    std::vector<double> price(3);
    for (double& value : price) value = 0.4 * unit(random);
    double best = 0;
    every_page(pages, 0, [&](const SteamPage& page) {
      double value = pages.ndcg(0, page);
      for (const int i : page) {
        const SteamCandidate& candidate = pages.candidates(0)[i];
        value += price[candidate.group] * candidate.counted;
      }
      best = std::max(best, value);
    });
    SteamPage page;
    EXPECT_NEAR(pages.choose_exactly(0, price, page), best, 1e-12);
  }
}

TEST(SteamPages, ThePageOfTheRuleIsTheTopTenByItsKey) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    const SteamPages pages = small_pages(random, 1, 30, 4);
    std::vector<double> price(4);
    for (double& value : price) value = unit(random) - 0.4;
    for (const SteamRule rule : {SteamRule::kPerItem, SteamRule::kPerScore, SteamRule::kPerShare}) {
      const SteamPrices terms{rule, price, 0.5, 2};
      std::vector<std::pair<double, int>> keys;
      for (int i = 0; i < 30; ++i) {
        const SteamCandidate& c = pages.candidates(0)[i];
        const double w = price[c.group] / 1.5;
        const double key = rule == SteamRule::kPerItem    ? c.score + w
                           : rule == SteamRule::kPerScore ? c.score * (1 + w)
                                                          : c.score * (2 / pages.ideal(0) + w);
        keys.emplace_back(-key, i);
      }
      std::sort(keys.begin(), keys.end());
      SteamPage expected, page;
      for (int p = 0; p < kSteamPage; ++p) expected.push_back(keys[p].second);
      std::sort(expected.begin(), expected.end());
      pages.choose(0, terms, page);
      ASSERT_EQ(page, expected) << round;
    }
  }
}

// Three requests of 12 candidates: 66 pages each, all 287,496 combinations.
TEST(SteamBound, IsNeverBelowTheBestOfAllPagesAndCloseToIt) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 3; ++round) {
    const SteamPages pages = small_pages(random, 3, 12, 2);
    struct Option {
      double ndcg, first, second;
    };
    std::vector<std::vector<Option>> options(3);
    for (size_t request = 0; request < 3; ++request) {
      every_page(pages, request, [&](const SteamPage& page) {
        Option option{pages.ndcg(request, page) / 3, 0, 0};
        for (const int i : page) {
          const SteamCandidate& c = pages.candidates(request)[i];
          (c.group == 0 ? option.first : option.second) += c.counted;
        }
        options[request].push_back(option);
      });
    }
    double most_even = 0;
    std::vector<std::pair<double, double>> all;  // worst group, NDCG
    for (const Option& a : options[0]) {
      for (const Option& b : options[1]) {
        for (const Option& c : options[2]) {
          all.emplace_back(std::min(a.first + b.first + c.first, a.second + b.second + c.second),
                           a.ndcg + b.ndcg + c.ndcg);
          most_even = std::max(most_even, all.back().first);
        }
      }
    }
    const double floor = 0.97 * most_even;
    double best = 0, worst = 0;
    for (const auto& [least, ndcg] : all) {
      if (least >= floor) best = std::max(best, ndcg);
      if (ndcg >= 0.99) worst = std::max(worst, least);
    }
    const SteamBound bound = bound_ndcg(pages, floor, 400);
    EXPECT_GE(bound.ndcg, best - 1e-9);
    EXPECT_LE(bound.ndcg, best + 0.02);
    EXPECT_GE(bound_worst(pages, 0.99, worst, 200), worst - 1e-9);
  }
}

// Successive shortest paths: the most quality that any assignment has, exactly.
double best_assignment(const std::vector<std::vector<AdxOffer>>& requests,
                       const std::vector<double>& capacity) {
  const int n = static_cast<int>(requests.size()), m = static_cast<int>(capacity.size());
  std::vector<int> owner(n, -1);
  std::vector<double> used(m, 0);
  double total = 0;
  for (;;) {
    // Longest path by Bellman-Ford: from any free request over offers, and back over assignments.
    std::vector<double> at_request(n, -1e300), at_contract(m, -1e300);
    std::vector<int> from_request(m, -1);
    for (int t = 0; t < n; ++t) at_request[t] = owner[t] < 0 ? 0 : -1e300;
    for (bool moved = true; moved;) {
      moved = false;
      for (int t = 0; t < n; ++t) {
        for (const AdxOffer& offer : requests[t]) {
          const double value = at_request[t] + offer.quality;
          if (owner[t] == offer.contract || value <= at_contract[offer.contract] + 1e-12) continue;
          at_contract[offer.contract] = value;
          from_request[offer.contract] = t;
          moved = true;
        }
      }
      for (int t = 0; t < n; ++t) {
        if (owner[t] < 0) continue;
        for (const AdxOffer& offer : requests[t]) {
          if (offer.contract != owner[t]) continue;
          const double value = at_contract[owner[t]] - offer.quality;
          if (value <= at_request[t] + 1e-12) continue;
          at_request[t] = value;
          moved = true;
        }
      }
    }
    int end = -1;
    for (int j = 0; j < m; ++j) {
      if (used[j] < capacity[j] && (end < 0 || at_contract[j] > at_contract[end])) end = j;
    }
    if (end < 0 || at_contract[end] <= 1e-12) return total;
    total += at_contract[end];
    used[end] += 1;
    for (int j = end; j >= 0;) {
      const int t = from_request[j];
      const int before = owner[t];
      owner[t] = j;
      j = before;
    }
  }
}

TEST(AdxHindsight, BracketsMinCostFlow) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 40; ++round) {
    const size_t contracts = 1 + random() % 4, n = 20 + random() % 40;
    std::vector<std::vector<AdxOffer>> requests(n);
    for (auto& offers : requests) {
      for (size_t j = 0; j < contracts; ++j) {
        if (unit(random) < 0.6) offers.push_back({static_cast<int>(j), 0.1 + unit(random)});
      }
    }
    std::vector<double> rho(contracts), capacity(contracts);
    for (double& share : rho) share = 0.05 + 0.2 * unit(random);
    const AdxMarket market = AdxMarket::of(rho, requests);
    for (size_t j = 0; j < contracts; ++j) capacity[j] = market.capacity(j);
    const double best = best_assignment(requests, capacity);
    const AdxHindsight hindsight = adx_hindsight(market, 200);
    EXPECT_GE(hindsight.upper, best - 1e-9);
    EXPECT_LE(hindsight.lower, best + 1e-9);
    EXPECT_GE(hindsight.lower, 0.9 * best);
    EXPECT_LE(hindsight.upper, 1.05 * best);
    for (size_t j = 0; j < contracts; ++j) EXPECT_LE(hindsight.delivered[j], capacity[j]);
  }
}

AdxMarket random_market(size_t requests, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<AdxOffer>> all(requests);
  for (auto& offers : all) {
    for (int j = 0; j < 3; ++j) {
      if (unit(random) < 0.5) offers.push_back({j, std::exp(2 * unit(random))});
    }
  }
  return AdxMarket::of({0.05, 0.1, 0.2}, all);
}

AdxRun shipped_run() {
  AdxRun run;
  run.law.step_share = 0.2;
  run.law.top_share = 0;
  run.law.credit_share = 20;
  run.law.rounds = 5;
  run.law.smoothing = 1;
  run.law.shrink_requests = 0;
  run.law.decay_requests = 1'000;
  run.sample_max = 2'000;
  return run;
}

TEST(AdxRun, NeverPassesAGoalWhenAllIsSeenAtOnce) {
  const AdxMarket market = random_market(6'000, 8);
  AdxRun run = shipped_run();
  for (const int replicas : {1, 8}) {
    run.replicas = replicas;
    const AdxScore score = run_adx(market, run);
    EXPECT_EQ(score.over(), 0);
    EXPECT_LE(score.reward, adx_hindsight(market, 60).upper);
    EXPECT_EQ(score.reward, score.quality);
  }
}

TEST(AdxRun, ReservationHoldsWhatIsSeenLate) {
  const AdxMarket market = random_market(10'000, 12);
  AdxRun run = shipped_run();
  run.replicas = 8;
  run.delay_share = 0.05;
  const AdxScore with = run_adx(market, run);
  run.reserve = false;
  const AdxScore without = run_adx(market, run);
  EXPECT_EQ(with.over(), 0);
  EXPECT_GT(without.over(), 0.01);
  EXPECT_GT(with.reward, without.reward);
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::temp_directory_path() / ("shanhuo_evaluate_" + std::to_string(::getpid()) + "_" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_ / "allocation");
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  fs::path folder_;
};

TEST_F(Files, WhatIsMissingOrBrokenIsNamedWithItsLine) {
  const auto steam = [&] { return SteamPages::read(folder_.string(), SteamRepeats::kSum); };
  EXPECT_EQ(steam().error().code, ErrorCode::kIo);
  EXPECT_NE(steam().error().message.find("item_group.tsv"), std::string::npos);
  write("item_group.tsv", "item\tgroup\n5\t1\n7\t0\n");
  write("scores.tsv", "request\titem\tscore\n0\t5\t0.5\n0\t7\tmany\n");
  EXPECT_NE(steam().error().message.find("scores.tsv:3"), std::string::npos);
  write("scores.tsv", "request\titem\tscore\n0\t5\t0.5\n0\t5\t0.25\n0\t7\t0.125\n");
  ASSERT_TRUE(steam().ok());
  EXPECT_EQ(steam().value().repeats(), 1u);
  EXPECT_EQ(steam().value().candidates(0)[0].score, 0.75);
  EXPECT_EQ(SteamPages::read(folder_.string(), SteamRepeats::kFirst).value().candidates(0)[0].score,
            0.5);

  const auto adx = [&] { return AdxMarket::read(folder_.string(), 1); };
  EXPECT_NE(adx().error().message.find("pub1-ads.txt"), std::string::npos);
  write("pub1-ads.txt", "advertiser: 1 rho: 0.5\nadvertiser: 2 rho: 7\n");
  EXPECT_NE(adx().error().message.find("pub1-ads.txt:2"), std::string::npos);
  write("pub1-ads.txt", "advertiser: 1 rho: 0.5\nadvertiser: 2 rho: 0.25\n");
  write("pub1-types.txt",
        "type: 1 prob: 1 advertisers: [1, 2] mean: [0.5, 1] cov: [0.25, 0.1, 0.5]\n");
  write("pub1-sample.txt", "0,2.5\n1\n");
  EXPECT_NE(adx().error().message.find("pub1-sample.txt:2"), std::string::npos);
  write("pub1-sample.txt", "0,2.5\n1,0\n3,4\n0,0\n");
  ASSERT_TRUE(adx().ok());
  EXPECT_EQ(adx().value().size(), 4u);
  EXPECT_EQ(adx().value().capacity(0), 2);
  EXPECT_EQ(adx().value().offers(0)[0].contract, 1);
  EXPECT_TRUE(adx().value().offers(3).empty());
}

TEST_F(Files, ASuiteWithoutItsDataSaysWhichFile) {
  const auto quiet = [](double) {};
  SuiteInput input;
  input.data = folder_.string();
  const auto steam = evaluate_allocation_steam(input, quiet);
  ASSERT_FALSE(steam.ok());
  EXPECT_NE(steam.error().message.find("allocation/steam"), std::string::npos);
  const auto adx = evaluate_allocation_adx(input, quiet);
  ASSERT_FALSE(adx.ok());
  EXPECT_NE(adx.error().message.find("pub1-ads.txt"), std::string::npos);
}

TEST(Evaluate, TheSameReportIsTextAndJson) {
  const SuiteReport report{"s",
                           {"a note"},
                           {{"t",
                             "A table",
                             {"law", "share"},
                             {{cell("x"), cell(0.5, 3)}, {cell("y"), cell(std::nan(""), 1)}}}}};
  EXPECT_NE(text_of(report).find("0.500"), std::string::npos);
  EXPECT_EQ(json_of(report), R"({"suite":"s","notes":["a note"],"t":[{"law":"x","share":0.5},)"
                             R"({"law":"y","share":"-"}]})");
}

// ManifoldRank at its published parameters gives its published figures: the protocol is the same.
TEST(EvaluateOnRealData, ManifoldRankIsAsPublished) {
  if (!fs::is_directory(real_data("steam"))) GTEST_SKIP() << real_data("steam") << " is absent";
  const auto pages = SteamPages::read(real_data("steam").string(), SteamRepeats::kSum);
  ASSERT_TRUE(pages.ok()) << pages.error().message;
  EXPECT_EQ(pages.value().size(), 1'645u);
  EXPECT_EQ(pages.value().groups(), 43);
  EXPECT_EQ(pages.value().repeats(), 24'810u);
  SteamRun run;
  run.law.kind = PriceLawKind::kManifoldRank;
  run.law.shape = -3;
  run.law.shape_low = -1.5;
  run.law.strength = 1;
  run.law.credit_share = run.law.top_share = 20;
  run.sample_max = 0;
  const SteamScore score = run_steam(pages.value(), 0, pages.value().size(), run);
  EXPECT_NEAR(score.ndcg(), 0.9958, 5e-5);
  EXPECT_NEAR(score.mmf(), 0.3189, 5e-5);
  EXPECT_NEAR(score.gini(), 0.2968, 5e-5);
  EXPECT_NEAR(score.worst(), 254.35, 0.1);
}

TEST(EvaluateOnRealData, TheShippedLawHoldsFloorsOnTheFirstRequests) {
  if (!fs::is_directory(real_data("steam"))) GTEST_SKIP() << real_data("steam") << " is absent";
  const auto pages = SteamPages::read(real_data("steam").string(), SteamRepeats::kSum);
  ASSERT_TRUE(pages.ok()) << pages.error().message;
  SteamRun run;
  run.rule = SteamRule::kPerShare;
  run.floor = 254.35;
  run.law.smoothing = 0.2;
  run.sample_max = 60;
  const SteamScore score = run_steam(pages.value(), 0, 400, run);
  EXPECT_GE(score.worst(), 0.93 * 254.35 * 400 / 1'645);
  EXPECT_GE(score.ndcg(), 0.996);
}

TEST(EvaluateOnRealData, AShortDayOfThePublishersGetsNearHindsight) {
  if (!fs::is_directory(real_data("adx2014"))) GTEST_SKIP() << real_data("adx2014") << " is absent";
  const auto market = AdxMarket::read(real_data("adx2014").string(), 1);
  ASSERT_TRUE(market.ok()) << market.error().message;
  std::vector<std::vector<AdxOffer>> first;
  for (size_t request = 0; request < 20'000; ++request) {
    const auto offers = market.value().offers(request);
    first.emplace_back(offers.begin(), offers.end());
  }
  std::vector<double> rho;
  for (size_t j = 0; j < market.value().contracts(); ++j) {
    rho.push_back(market.value().capacity(j) / 100'000);
  }
  const AdxMarket day = AdxMarket::of(rho, first);
  const AdxHindsight hindsight = adx_hindsight(day, 60);
  EXPECT_LE(hindsight.gap(), 0.002);
  const AdxScore score = run_adx(day, shipped_run());
  EXPECT_GE(score.reward, 0.98 * hindsight.upper);
}

}  // namespace
}  // namespace shanhuo
