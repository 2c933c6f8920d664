// Tested by: tests/serving_evaluate_test.cc: bounds against the best of all pages on small
// data, the exact page against all subsets.
#include "serving/steam_run.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

namespace shanhuo {
namespace {

constexpr double kFastest = 0.1;  // move of the viewers' price, a request

class Pass {
 public:
  Pass(const SteamPages& pages, size_t begin, size_t end, const SteamRun& run)
      : pages_(pages),
        begin_(begin),
        end_(end),
        run_(run),
        law_(make_price_law(run.law)),
        score_(pages.groups()),
        goals_(pages.groups()),
        prices_(pages.groups(), 0) {
    const auto part = static_cast<double>(end - begin) / static_cast<double>(pages.size());
    const double share =
        static_cast<double>(kSteamPage * (end - begin)) / static_cast<double>(pages.groups());
    for (GoalState& goal : goals_) {
      goal.missed_value_fen = 1;
      goal.target = run.equal_shares ? share * (1 + 1.0 / pages.groups()) : run.floor * part;
      all_.push_back(&goal);
    }
  }

  SteamScore take() {
    for (size_t request = begin_; request < end_; ++request) {
      move_prices(request);
      pages_.choose(request, terms(), page_);
      score_.add(pages_, request, page_);
      give(request);
    }
    return score_;
  }

 private:
  SteamPrices terms() const {
    return {run_.rule, prices_, viewer_price_, mean_ideal_ > 0 ? mean_ideal_ : 1};
  }

  void move_prices(size_t request) {
    const auto seen = static_cast<double>(request - begin_);
    const auto all = static_cast<double>(end_ - begin_);
    mean_ideal_ += (pages_.ideal(request) - mean_ideal_) / (seen + 1);
    for (GoalState& goal : goals_) {
      goal.curve_now = seen / all;
      goal.requests_left = all - seen;
      law_->step(goal, std::max(0.0, seen - 1) / all);
    }
    const SteamSample sample(pages_, begin_, request, std::max<size_t>(1, run_.sample_max), terms(),
                             run_.count_items);
    const LawStep step{.sample = run_.sample_max > 0 ? &sample : nullptr,
                       .requests = seen,
                       .loss_share = last_loss_,
                       .loss_budget = run_.loss_budget,
                       .page_rate = manifold_rate(pages_.candidates(request))};
    law_->settle(all_, step);
    for (size_t g = 0; g < goals_.size(); ++g) {
      prices_[g] = goals_[g].price;
      goals_[g].inserted_expected = 0;
    }
    if (run_.loss_budget > 0 && sample.size() > 0) move_viewer_price(sample, all - seen);
  }

  void move_viewer_price(const SteamSample& sample, double requests_left) {
    const auto n = static_cast<double>(sample.size());
    std::vector<double> units(prices_.size());
    const double loss = sample.replay(prices_, units);
    const double whole = run_.loss_budget * static_cast<double>(end_ - begin_);
    const double left = std::max(0.0, whole - loss_so_far_) / requests_left;
    const double belief = n / (n + run_.law.shrink_requests);
    // Towards the end it moves faster: there is less time to make up for a miss.
    const double end = requests_left / static_cast<double>(end_ - begin_);
    const double size = std::min(kFastest, run_.viewer_price_step / end);
    viewer_price_ = next_viewer_price(viewer_price_, loss, left, run_.loss_budget, belief * size);
  }

  void give(size_t request) {
    const auto candidates = pages_.candidates(request);
    for (const int i : page_) {
      const double units = run_.count_items ? 1 : candidates[i].counted;
      goals_[candidates[i].group].delivered += units;
      goals_[candidates[i].group].inserted_expected += units;
    }
    last_loss_ = 1 - pages_.ndcg(request, page_);
    loss_so_far_ += last_loss_;
  }

  const SteamPages& pages_;
  const size_t begin_, end_;
  const SteamRun& run_;
  const std::unique_ptr<PriceLaw> law_;
  SteamScore score_;
  std::vector<GoalState> goals_;
  std::vector<GoalState*> all_;
  std::vector<double> prices_;
  SteamPage page_;
  double viewer_price_ = 0, mean_ideal_ = 0, last_loss_ = 0, loss_so_far_ = 0;
};

// max over pages of NDCG + w . V, summed over requests, and what those pages give.
double best_pages(const SteamPages& pages, std::span<const double> price, SteamScore& score) {
  SteamPage page;
  double sum = 0;
  for (size_t request = 0; request < pages.size(); ++request) {
    sum += pages.choose_exactly(request, price, page);
    score.add(pages, request, page);
  }
  return sum;
}

}  // namespace

SteamScore run_steam(const SteamPages& pages, size_t begin, size_t end, const SteamRun& run) {
  return Pass(pages, begin, end, run).take();
}

SteamBound bound_ndcg(const SteamPages& pages, double floor, int rounds) {
  const auto n = static_cast<double>(pages.size());
  std::vector<double> price(pages.groups(), 0), direction(pages.groups(), 0);
  SteamBound bound{1, 0, 0};
  for (int round = 0; round < rounds; ++round) {
    SteamScore score(pages.groups());
    const double value = best_pages(pages, price, score) / n -
                         floor * std::accumulate(price.begin(), price.end(), 0.0) / n;
    if (value < bound.ndcg) bound = {value, score.ndcg(), score.worst()};
    const double size = 0.01 / (1 + round / 40.0);
    for (size_t g = 0; g < price.size(); ++g) {
      direction[g] = 0.8 * direction[g] + 0.2 * (floor - score.given()[g]) / floor;
      price[g] = std::max(0.0, price[g] + size * direction[g]);
    }
  }
  return bound;
}

// NDCG >= N leaves at most (mean of max (NDCG + w V) - N) * requests for w . V, and the worst group
// has at most w . V / sum w. Prices are moved towards groups below `start`, the level that is
// thought to be reachable; any level gives a valid bound.
double bound_worst(const SteamPages& pages, double ndcg, double start, int rounds) {
  const auto n = static_cast<double>(pages.size());
  std::vector<double> price(pages.groups(), 0), direction(pages.groups(), 0);
  double bound = std::numeric_limits<double>::infinity(), level = start;
  for (int round = 0; round < rounds; ++round) {
    SteamScore score(pages.groups());
    const double value = best_pages(pages, price, score);
    const double whole = std::accumulate(price.begin(), price.end(), 0.0);
    if (whole > 0) bound = std::min(bound, (value - n * ndcg) / whole);
    // A level that these prices hold too easily, or not at all, is moved along.
    level *=
        1 + 0.02 * std::clamp((score.ndcg() - ndcg) / (1 - ndcg), -1.0, 1.0) / (1 + round / 20.0);
    const double size = 0.01 / (1 + round / 40.0);
    for (size_t g = 0; g < price.size(); ++g) {
      direction[g] = 0.8 * direction[g] + 0.2 * (level - score.given()[g]) / level;
      price[g] = std::max(0.0, price[g] + size * direction[g]);
    }
  }
  return bound;
}

}  // namespace shanhuo
