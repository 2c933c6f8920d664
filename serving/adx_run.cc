#include "serving/adx_run.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <numeric>
#include <random>

namespace shanhuo {
namespace {

class Pass {
 public:
  Pass(const AdxMarket& market, const AdxRun& run)
      : market_(market),
        run_(run),
        law_(make_price_law(run.law)),
        random_(run.seed),
        goals_(market.contracts()),
        offered_(market.contracts(), 0),
        prices_(market.contracts(), 0),
        leases_(market.contracts() * static_cast<size_t>(run.replicas), 0),
        open_(market.contracts(), 1),
        delay_(static_cast<size_t>(run.delay_share * static_cast<double>(market.size()))) {
    for (size_t j = 0; j < goals_.size(); ++j) {
      goals_[j].target = std::round(market.capacity(j) * run.viewability);
      goals_[j].weight = std::max(1.0, goals_[j].target);
      score_.goal.push_back(goals_[j].target);
      all_.push_back(&goals_[j]);
    }
    score_.delivered.assign(market.contracts(), 0);
  }

  AdxScore take() {
    const size_t marks = std::max<size_t>(1, market_.size() / 100);
    push();
    for (size_t request = 0; request < market_.size(); ++request) {
      if (request > 0 && request % run_.step == 0) {
        step(request);
        push();
      }
      answer(request);
      see(request);
      if ((request + 1) % marks == 0) mark(request + 1);
    }
    see(market_.size() + delay_);
    if (marks_ > 0) score_.pacing_mean /= marks_;
    return score_;
  }

 private:
  struct Insertion {
    size_t seen_at;
    int contract;
    double quality;
    bool seen;
  };

  void step(size_t request) {
    const auto seen = static_cast<double>(request);
    const auto all = static_cast<double>(market_.size());
    const auto passed = static_cast<double>(request - stepped_);
    for (GoalState& goal : goals_) {
      goal.curve_now = seen / all;
      goal.requests_left = (all - seen) * run_.viewability;
      law_->step(goal, (seen - passed) / all);
    }
    const AdxSample sample(market_, request, std::max<size_t>(1, run_.sample_max));
    law_->settle(all_, {.sample = run_.sample_max > 0 ? &sample : nullptr, .requests = seen});
    for (GoalState& goal : goals_) goal.inserted_expected = 0;
    stepped_ = request;
  }

  // The table that all replicas work with until the next one.
  void push() {
    const auto replicas = static_cast<int64_t>(run_.replicas);
    for (size_t j = 0; j < goals_.size(); ++j) {
      const GoalState& goal = goals_[j];
      prices_[j] = goal.price;
      const double units = goal.target - goal.delivered - goal.in_flight;
      const auto left = static_cast<int64_t>(std::ceil(std::max(0.0, units) / run_.viewability));
      for (int64_t r = 0; r < replicas; ++r) {
        leases_[j * run_.replicas + r] = left / replicas + (r < left % replicas ? 1 : 0);
      }
    }
  }

  void answer(size_t request) {
    const size_t replica = request % static_cast<size_t>(run_.replicas);
    for (size_t j = 0; j < open_.size(); ++j) {
      open_[j] = leases_[j * run_.replicas + replica] > 0 ? 1 : 0;
    }
    const auto offers = market_.offers(request);
    const int chosen = best_offer(offers, prices_, open_);
    for (const AdxOffer& offer : offers) {
      GoalState& goal = goals_[offer.contract];
      goal.missed_value_fen += (offer.quality - goal.missed_value_fen) / ++offered_[offer.contract];
      if (offer.contract != chosen) continue;
      const double draw = static_cast<double>(random_() >> 11) * 0x1p-53;
      waiting_.push_back({request + delay_, chosen, offer.quality, draw < run_.viewability});
      score_.quality += offer.quality;
      goal.inserted_expected += run_.viewability;
      if (run_.reserve) goal.in_flight += run_.viewability;
      --leases_[static_cast<size_t>(chosen) * run_.replicas + replica];
    }
  }

  void see(size_t request) {
    for (; !waiting_.empty() && waiting_.front().seen_at <= request; waiting_.pop_front()) {
      const Insertion& insertion = waiting_.front();
      GoalState& goal = goals_[insertion.contract];
      if (run_.reserve) goal.in_flight = std::max(0.0, goal.in_flight - run_.viewability);
      if (!insertion.seen) continue;
      goal.delivered += 1;
      score_.delivered[insertion.contract] += 1;
      if (goal.delivered <= goal.target) score_.reward += insertion.quality;
    }
  }

  // Pace is that of insertions: what is seen is late by design.
  void mark(size_t request) {
    double away = 0, whole = 0;
    for (const GoalState& goal : goals_) {
      const double line =
          goal.target * static_cast<double>(request) / static_cast<double>(market_.size());
      away += std::abs(goal.delivered + goal.in_flight - line);
      whole += goal.target;
    }
    if (whole <= 0) return;
    score_.pacing_mean += away / whole;
    score_.pacing_most = std::max(score_.pacing_most, away / whole);
    marks_ += 1;
  }

  const AdxMarket& market_;
  const AdxRun& run_;
  const std::unique_ptr<PriceLaw> law_;
  std::mt19937_64 random_;
  std::vector<GoalState> goals_;
  std::vector<GoalState*> all_;
  std::vector<double> offered_;  // requests that offered a quality to the contract
  std::vector<double> prices_;
  std::vector<int64_t> leases_;  // contract x replica
  std::vector<uint8_t> open_;
  const size_t delay_;
  size_t stepped_ = 0;
  std::deque<Insertion> waiting_;
  AdxScore score_;
  double marks_ = 0;
};

}  // namespace

double AdxScore::over() const {
  double past = 0;
  for (size_t j = 0; j < goal.size(); ++j) past += std::max(0.0, delivered[j] - goal[j]);
  return past / std::accumulate(goal.begin(), goal.end(), 0.0);
}

AdxScore run_adx(const AdxMarket& market, const AdxRun& run) { return Pass(market, run).take(); }

}  // namespace shanhuo
