#include "ranking/scoring.h"

#include <algorithm>
#include <cmath>

#include "ranking/exploration.h"

namespace shanhuo {
namespace {

float share(const std::array<Affinity, kAffinities>& affinities, uint32_t key, float sum) {
  if (key == 0 || sum <= 0) return 0;
  for (const Affinity& affinity : affinities) {
    if (affinity.key == key && affinity.weight > 0) return affinity.weight / sum;
  }
  return 0;
}

float sum_of(const std::array<Affinity, kAffinities>& affinities) {
  float sum = 0;
  for (const Affinity& affinity : affinities) sum += affinity.weight;
  return sum;
}

double freshness(const BoostCandidate& candidate) {
  return candidate.fatigue > 0 ? std::exp(-candidate.fatigue) : 1;
}

}  // namespace

void examination(const RankingOptions& options, int count, std::vector<double>& out) {
  out.resize(count);
  double p = options.viewable_first;
  for (double& e : out) {
    e = std::max(options.viewable_floor, p);
    p *= options.viewable_decay;
  }
}

void discounts(const RankingOptions& options, int count, std::vector<double>& out) {
  if (options.discount == DiscountKind::kExamination) return examination(options, count, out);
  out.resize(count);
  for (int p = 0; p < count; ++p) out[p] = 1.0 / std::log2(2.0 + p);
}

double smoothed_rate(const RankingOptions& options, ItemKind kind, const ItemRates& rates) {
  const double prior = options.prior_click[static_cast<size_t>(kind)];
  const double strength = options.prior_impressions;
  return std::min(1.0, (rates.clicks + prior * strength) / (rates.impressions + strength));
}

ViewerTaste::ViewerTaste(const RankingOptions& options, const ViewerState& viewer,
                         const World& world, bool personalized)
    : options_(options), viewer_(viewer), personalized_(personalized && viewer.known) {
  if (!personalized_) return;
  interests_ = Interests(viewer, world, options);
  categories_ = sum_of(viewer.categories);
  counties_ = sum_of(viewer.counties);
  creators_ = sum_of(viewer.creators);
}

double ViewerTaste::lift(const Listing& item, const BoostCandidate& candidate) const {
  const double most = options_.lift_log_odds_max;
  if (!personalized_) return std::clamp<double>(candidate.segment_lift, -most, most);
  const auto county = static_cast<uint32_t>(item.county_code);
  const double sum =
      options_.similarity_slope * candidate.similarity +
      options_.category_slope * share(viewer_.categories, item.category_hash, categories_) +
      options_.county_slope * share(viewer_.counties, county, counties_) +
      options_.creator_slope * share(viewer_.creators, item.creator_hash, creators_);
  return std::clamp(sum, -most, most);
}

double lifted(double rate, double lift) {
  const double odds = rate * std::exp(lift);
  return odds / (1 - rate + odds);
}

void score(const RankingOptions& options, const ViewerTaste& taste, const Listing& item,
           const ItemRates& rates, BoostCandidate& candidate) {
  candidate.rate = smoothed_rate(options, item.kind, rates);
  const double lift = taste.lift(item, candidate);
  candidate.p_click = freshness(candidate) * lifted(candidate.rate, lift);
  const double orders = (rates.orders + options.prior_order * options.prior_clicks) /
                        (rates.clicks + options.prior_clicks);
  candidate.p_order = candidate.p_click * std::min(1.0, orders);
  candidate.value_fen = candidate.p_click * options.value_per_click_fen;
  candidate.upper_fen = candidate.value_fen;
}

void score_new(const RankingOptions& options, const ViewerTaste& taste, const Listing& item,
               const ItemRates& rates, BoostCandidate& candidate) {
  judge_novelty(options, rates, candidate);
  if (candidate.novelty != Novelty::kNew) return;
  const double lift = taste.lift(item, candidate);
  candidate.upper_fen =
      freshness(candidate) * lifted(candidate.upper_rate, lift) * options.value_per_click_fen;
}

void take_learned(const RankingOptions& options, const ValueLearner::Values& values,
                  BoostCandidate& candidate) {
  const double fresh = freshness(candidate);
  candidate.p_click = fresh * values.click;
  candidate.p_order = candidate.p_click * values.order;
  candidate.value_fen = candidate.p_click * options.value_per_click_fen +
                        fresh * values.long_watch * options.value_per_long_watch_fen;
  const bool is_new = candidate.novelty == Novelty::kNew;
  candidate.upper_fen = std::max(candidate.value_fen, is_new ? candidate.upper_fen : 0);
}

void organic_values(const RankingOptions& options, const RankRequest& request,
                    std::span<const double> p_click, std::vector<double>& out) {
  const size_t n = request.candidates.size();
  out.resize(n);
  const bool calibrated = p_click.size() == n;
  double by_position = 0.1;
  double most = 1;
  for (size_t i = 0; i < n; ++i) {
    const double score = request.candidates[i].score;
    const bool is_probability = score >= 0 && score <= 1;
    const double p = calibrated ? p_click[i] : is_probability ? score : by_position;
    by_position *= 0.95;
    most = std::min(most, std::max(0.0, p));
    out[i] = most * options.value_per_click_fen;
  }
}

}  // namespace shanhuo
