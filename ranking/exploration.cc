#include "ranking/exploration.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"

namespace shanhuo {
namespace {

// Uniform in (0, 1): the n-th draw of a seed.
double draw(uint64_t seed, uint64_t n) {
  return (static_cast<double>(hash_combine(seed, n) >> 11) + 0.5) / 9007199254740992.0;
}
constexpr uint64_t kDrawPair = 0, kDrawGumbel = 1, kDrawNew = 1 + kPairsMax;

// Softmax of the pairs' gains over the temperature: what a Gumbel draw picks each with.
std::array<double, kPairsMax> pair_chances(const AllocationResult& best, double temperature) {
  std::array<double, kPairsMax> chance{};
  double sum = 0;
  for (int k = 0; k < best.pair_count; ++k) {
    chance[k] = std::exp((best.pairs[k].gain_fen - best.pairs[0].gain_fen) / temperature);
    sum += chance[k];
  }
  for (int k = 0; k < best.pair_count; ++k) chance[k] /= sum;
  return chance;
}

int gumbel_pick(const AllocationResult& best, double temperature, uint64_t seed) {
  int pick = 0;
  double most = -INFINITY;
  for (int k = 0; k < best.pair_count; ++k) {
    const double u = draw(seed, kDrawGumbel + static_cast<uint64_t>(k));
    const double key = best.pairs[k].gain_fen / temperature - std::log(-std::log(u));
    if (key <= most) continue;
    most = key;
    pick = k;
  }
  return pick;
}

bool same(const PlacedItem& a, const PlacedItem& b) {
  return a.item == b.item && a.position == b.position;
}

bool shows(const AllocationResult& page, const PlacedItem& placed) {
  return std::any_of(page.placed.begin(), page.placed.begin() + page.count,
                     [&](const PlacedItem& other) { return same(other, placed); });
}

}  // namespace

bool tries_new(const RankingOptions& options, const PriceTable& prices) {
  return options.explore_new_share > 0 && prices.tries_new;
}

void judge_novelty(const RankingOptions& options, const ItemRates& rates,
                   BoostCandidate& candidate) {
  candidate.novelty = Novelty::kGraduated;
  candidate.upper_rate = candidate.rate;
  if (rates.viewable >= options.explore_new_viewable) return;
  const double n = rates.impressions + options.prior_impressions;
  const double half = options.explore_z * std::sqrt(candidate.rate * (1 - candidate.rate) / n);
  if (half <= options.explore_new_width * candidate.rate) return;
  candidate.novelty = Novelty::kNew;
  candidate.upper_rate = std::min(1.0, candidate.rate + half);
}

int retire(std::span<BoostCandidate> candidates) {
  double sum = 0;
  int graduated = 0, retired = 0;
  for (const BoostCandidate& candidate : candidates) {
    if (candidate.novelty != Novelty::kGraduated) continue;
    sum += candidate.rate;
    ++graduated;
  }
  for (BoostCandidate& candidate : candidates) {
    if (candidate.novelty != Novelty::kNew || candidate.upper_rate * graduated >= sum) continue;
    candidate.novelty = Novelty::kRetired;
    ++retired;
  }
  return retired;
}

int choose_new(std::span<const BoostCandidate> candidates) {
  int best = -1;
  double most = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const BoostCandidate& candidate = candidates[i];
    if (candidate.novelty != Novelty::kNew || candidate.organic_rank >= 0) continue;
    if (candidate.upper_fen <= most) continue;
    most = candidate.upper_fen;
    best = static_cast<int>(i);
  }
  return best;
}

Choice choose(const AllocationResult& best, const AllocationResult* with_new,
              const RankingOptions& options, uint64_t seed) {
  Choice choice;
  const double pair = best.pair_count > 0 ? options.explore_probability : 0;
  const double fresh = with_new != nullptr ? options.explore_new_share : 0;
  const auto chance = pair_chances(best, options.explore_temperature_fen);
  if (pair > 0 && draw(seed, kDrawPair) < pair) {
    choice.drawn_pair = true;
    choice.count = 1;
    choice.placed[0] = best.pairs[gumbel_pick(best, options.explore_temperature_fen, seed)].placed;
  } else {
    choice.drawn_new = fresh > 0 && draw(seed, kDrawNew) < fresh;
    const AllocationResult& page = choice.drawn_new ? *with_new : best;
    choice.count = page.count;
    choice.placed = page.placed;
  }
  for (int i = 0; i < choice.count; ++i) {
    const PlacedItem& placed = choice.placed[i];
    double p = shows(best, placed) ? (1 - pair) * (1 - fresh) : 0;
    if (fresh > 0 && shows(*with_new, placed)) p += (1 - pair) * fresh;
    for (int k = 0; k < best.pair_count; ++k) {
      if (same(best.pairs[k].placed, placed)) p += pair * chance[k];
    }
    choice.propensity[i] = p;
  }
  return choice;
}

}  // namespace shanhuo
