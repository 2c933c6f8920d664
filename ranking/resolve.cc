// Projected subgradient descent on the dual of what is left: at prices w every snapshot is answered
// with its best candidates, and each price moves by how far the goal's units per request are from
// what is still needed, relative to the need, in steps that shrink. The mean of the last half of
// the rounds is the answer: single rounds flicker between candidates of equal worth.
//
// A page takes each candidate at its best place and then the best candidates, as many as it may:
// gaps between places are not looked at, which the next steps of the law make good.
//
// Sources: arXiv 2412.09594 (re-solving on a sample), arXiv 2209.00399 (remaining goals). Tested
// by: tests/ranking_resolve_test.cc (twin: small problems by grid search).
#include "ranking/resolve.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace shanhuo {
namespace {

constexpr int kRounds = 60, kRoundsMeant = 30;  // the answer is the mean of so many
constexpr double kFirstStep = 0.8;    // of a price's logarithm, for a goal that gets nothing
constexpr double kLeastPrice = 1e-3;  // of the ceiling; a price that stays there is 0

double rate(GoalUnit unit, const SnapshotOption& option) {
  switch (unit) {
    case GoalUnit::kViewable:
      return 1;
    case GoalUnit::kClick:
      return option.p_click;
    case GoalUnit::kOrder:
      return option.p_order;
  }
  return 0;
}

// The sample with goals by index, and answers to it at given prices.
class Replay {
 public:
  Replay(const std::vector<std::shared_ptr<const RequestSnapshot>>& sample,
         std::span<const ResolveGoal> goals, double nu)
      : asking_(goals.size(), 0) {
    std::unordered_map<uint32_t, std::vector<uint32_t>> by_program;
    for (size_t j = 0; j < goals.size(); ++j) {
      by_program[goals[j].program].push_back(static_cast<uint32_t>(j));
    }
    for (const auto& snapshot : sample) {
      for (size_t j = 0; j < goals.size(); ++j) {
        const bool asks = goals[j].surfaces[static_cast<size_t>(snapshot->surface)];
        asking_[j] += asks ? goals[j].audience : 0;
      }
      for (const SnapshotOption& option : snapshot->options) {
        const size_t first = shares_.size();
        for (const uint32_t program : option.programs) {
          const auto found = program == 0 ? by_program.end() : by_program.find(program);
          if (found == by_program.end()) continue;
          for (const uint32_t j : found->second) {
            shares_.push_back({j, rate(goals[j].unit, option) * option.examine});
          }
        }
        options_.push_back({(1 + nu) * option.viewer_fen + option.extra_fen * option.examine,
                            option.candidate, first, shares_.size()});
      }
      pages_.push_back({options_.size(), std::max(0, snapshot->insertions_max)});
    }
  }

  // units[j] := units of goal j a request that asks for it would bring.
  void run(std::span<const double> prices, std::span<double> units) {
    std::fill(units.begin(), units.end(), 0);
    size_t first = 0;
    for (const Page& page : pages_) {
      answer(first, page, prices, units);
      first = page.end;
    }
    for (size_t j = 0; j < units.size(); ++j) units[j] = asking_[j] > 0 ? units[j] / asking_[j] : 0;
  }

 private:
  struct Share {
    uint32_t goal;
    double units;  // that the option brings to it
  };
  struct Option {
    double own_gain;  // at prices of 0
    int32_t candidate;
    size_t first, end;  // of its shares
  };
  struct Page {
    size_t end;  // of its options
    int insertions_max;
  };
  struct Best {
    double gain;
    const Option* option;
  };

  void answer(size_t first, const Page& page, std::span<const double> prices,
              std::span<double> units) {
    best_.clear();
    int candidate = -1;
    for (size_t i = first; i < page.end; ++i) {
      const Option& option = options_[i];
      double gain = option.own_gain;
      for (size_t k = option.first; k < option.end; ++k) {
        gain += prices[shares_[k].goal] * shares_[k].units;
      }
      if (gain <= 0) continue;
      if (option.candidate != candidate) {
        best_.push_back({gain, &option});
        candidate = option.candidate;
      } else if (gain > best_.back().gain) {
        best_.back() = {gain, &option};
      }
    }
    const size_t most = std::min(best_.size(), static_cast<size_t>(page.insertions_max));
    std::partial_sort(best_.begin(), best_.begin() + static_cast<std::ptrdiff_t>(most), best_.end(),
                      [](const Best& a, const Best& b) {
                        return a.gain != b.gain ? a.gain > b.gain
                                                : a.option->candidate < b.option->candidate;
                      });
    for (size_t i = 0; i < most; ++i) {
      for (size_t k = best_[i].option->first; k < best_[i].option->end; ++k) {
        units[shares_[k].goal] += shares_[k].units;
      }
    }
  }

  std::vector<double> asking_;  // snapshots that ask for the goal
  std::vector<Share> shares_;
  std::vector<Option> options_;
  std::vector<Page> pages_;
  std::vector<Best> best_;
};

}  // namespace

Resolver::Resolver(const ResolveOptions& options)
    : options_(options), next_(options.period.count() > 0 ? INT64_MIN : INT64_MAX) {}

void Resolver::add(RequestSnapshot snapshot, Millis now) {
  const std::lock_guard lock(mutex_);
  if (!wants(now)) return;
  const int64_t gap = options_.memory.count() / std::max(1, options_.snapshots_max);
  next_.store(now.count() + std::max<int64_t>(1, gap), std::memory_order_relaxed);
  sample_.emplace_back(now, std::make_shared<const RequestSnapshot>(std::move(snapshot)));
  while (sample_.size() > static_cast<size_t>(options_.snapshots_max) ||
         sample_.front().first + options_.memory < now) {
    sample_.pop_front();
  }
}

size_t Resolver::size() const {
  const std::lock_guard lock(mutex_);
  return sample_.size();
}

std::vector<double> Resolver::solve(std::span<const ResolveGoal> goals, double nu) const {
  std::vector<std::shared_ptr<const RequestSnapshot>> sample;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [at, snapshot] : sample_) sample.push_back(snapshot);
  }
  if (sample.size() < static_cast<size_t>(options_.snapshots_min) || goals.empty()) return {};
  Replay replay(sample, goals, nu);
  std::vector<double> prices(goals.size()), units(goals.size()), sums(goals.size(), 0);
  for (size_t j = 0; j < goals.size(); ++j) {
    prices[j] = std::max(goals[j].price, kLeastPrice * goals[j].ceiling);
  }
  for (int round = 0; round < kRounds; ++round) {
    replay.run(prices, units);
    const double step = kFirstStep / std::sqrt(1.0 + round);
    for (size_t j = 0; j < goals.size(); ++j) {
      const ResolveGoal& goal = goals[j];
      if (goal.requests_left <= 0) continue;
      const double needed = std::max(0.0, goal.remaining) / goal.requests_left;
      const double scale = std::max({needed, units[j], 1e-12});
      prices[j] = std::clamp(prices[j] * std::exp(step * (needed - units[j]) / scale),
                             kLeastPrice * goal.ceiling, goal.ceiling);
    }
    if (round < kRounds - kRoundsMeant) continue;
    for (size_t j = 0; j < goals.size(); ++j) sums[j] += prices[j];
  }
  for (size_t j = 0; j < goals.size(); ++j) {
    const ResolveGoal& goal = goals[j];
    sums[j] /= kRoundsMeant;
    if (goal.requests_left <= 0) sums[j] = goal.price;
    if (sums[j] <= 1.5 * kLeastPrice * goal.ceiling) sums[j] = 0;
  }
  return sums;
}

}  // namespace shanhuo
