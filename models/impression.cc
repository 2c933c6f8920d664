#include "models/impression.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/hash.h"

namespace shanhuo {
namespace {

constexpr float kIdScale = 1.5F;   // ids are rare: they learn faster
constexpr float kNumberScale = 2;  // so do numbers
constexpr float kRateSpan = 4;     // log-odds against the prior: -4..4
constexpr double kItemPrior = 0.05, kItemImpressions = 30;
constexpr double kOrderPrior = 0.03, kOrderClicks = 30;
constexpr int64_t kUtc8Hours = 8;

// Names of features; numbers are for ever, checkpointed weights stand under them.
enum Field : uint64_t {
  kBias = 1,
  kSurface,
  kPosition,
  kHourOfDay,
  kBlockOfWeek,
  kViewer,
  kViewerRate,
  kViewerEvidence,
  kSession,
  kKind,
  kKindSurface,
  kItem,
  kCreator,
  kCategory,
  kCounty,
  kItemSurface,
  kViewerCategory,
  kViewerCreator,
  kViewerCounty,
  kViewerKind,
  kCategoryHour,
  kCategorySurface,
  kItemRate,
  kItemEvidence,
  kOrderRate,
  kSimilarity,
  kCategoryShare,
  kCountyShare,
  kCreatorShare,
  kRateSimilarity,
  kRateViewer,
  kCity,
  kCityCategory,
  kCityItem
};
constexpr uint64_t kBuckets = 64;  // a number's buckets are another field

uint64_t hash_of(uint64_t field, uint64_t key) {
  return mix64(key * 0x9e3779b97f4a7c15ULL + field * 0xd1342543de82ef95ULL);
}
uint64_t pair(uint64_t a, uint64_t b) { return a * 0x9fb21c651e98df25ULL + b; }

// A number of -1..1 as a byte, and back.
uint8_t to_byte(float x) {
  return static_cast<uint8_t>(std::lround((std::clamp(x, -1.0F, 1.0F) + 1) * 127));
}
float from_byte(uint8_t byte) { return static_cast<float>(byte) / 127 - 1; }

uint8_t log_odds_byte(double rate, double prior) {
  const auto log_odds = [](double p) { return std::log(p / (1 - p)); };
  rate = std::clamp(rate, 1e-6, 1 - 1e-6);
  return to_byte(static_cast<float>(log_odds(rate) - log_odds(prior)) / kRateSpan);
}

uint8_t magnitude(double x) {
  return x <= 0 ? 0 : static_cast<uint8_t>(std::min(40.0, 2 * std::log2(1 + x)));
}

float sum_of(const std::array<Affinity, kAffinities>& affinities) {
  float sum = 0;
  for (const Affinity& affinity : affinities) sum += affinity.weight;
  return sum;
}

// 0..1, on the upper half of a byte's scale.
uint8_t share_byte(const std::array<Affinity, kAffinities>& affinities, uint32_t key, float sum) {
  if (key == 0 || sum <= 0) return to_byte(0);
  for (const Affinity& affinity : affinities) {
    if (affinity.key == key) return to_byte(affinity.weight / sum);
  }
  return to_byte(0);
}

}  // namespace

ViewerContext viewer_context(const ViewerState& state, uint64_t user_hash, Surface surface,
                             Millis now, uint32_t city) {
  ViewerContext viewer;
  viewer.city = city;
  viewer.surface = static_cast<uint8_t>(surface);
  viewer.hour = static_cast<uint8_t>((window_of(now, Millis(3'600'000)) + kUtc8Hours) % 24);
  viewer.week_block = static_cast<uint8_t>(week_block(now));
  viewer.click_rate = to_byte(0);
  viewer.state = &state;
  if (!state.known) return viewer;
  viewer.personalized = true;
  viewer.viewer = static_cast<uint32_t>(user_hash >> 32);
  const double rate = smoothed_share(state.rates.clicks, state.rates.impressions, kViewerPriorClick,
                                     kViewerPriorImpressions);
  viewer.click_rate = log_odds_byte(rate, kViewerPriorClick);
  viewer.evidence = magnitude(state.rates.impressions);
  viewer.session = magnitude(static_cast<double>(state.session.events));
  viewer.category_sum = sum_of(state.categories);
  viewer.county_sum = sum_of(state.counties);
  viewer.creator_sum = sum_of(state.creators);
  return viewer;
}

ImpressionContext impression_context(const ViewerContext& viewer, const ItemContext& item,
                                     int32_t position) {
  ImpressionContext context;
  context.viewer = viewer.viewer;
  context.surface = viewer.surface;
  context.city = viewer.city;
  context.hour = viewer.hour;
  context.week_block = viewer.week_block;
  context.viewer_rate = viewer.click_rate;
  context.viewer_evidence = viewer.evidence;
  context.session = viewer.session;
  context.position = position < 0 ? kUnknownPosition
                                  : static_cast<uint8_t>(std::min(position, kUnknownPosition - 1));
  context.item = static_cast<uint32_t>(item.id_hash >> 32);
  context.creator = item.creator_hash;
  context.category = item.category_hash;
  context.county = item.county_code;
  context.kind = static_cast<uint8_t>(item.kind);
  const ItemRates& rates = item.rates;
  context.item_rate = log_odds_byte(
      smoothed_share(rates.clicks, rates.impressions, kItemPrior, kItemImpressions), kItemPrior);
  context.item_evidence = magnitude(rates.impressions);
  context.order_rate = log_odds_byte(
      smoothed_share(rates.orders, rates.clicks, kOrderPrior, kOrderClicks), kOrderPrior);
  context.similarity = to_byte(item.similarity);
  context.category_share = context.county_share = context.creator_share = to_byte(0);
  if (!viewer.personalized) return context;
  const ViewerState& state = *viewer.state;
  context.category_share = share_byte(state.categories, item.category_hash, viewer.category_sum);
  context.county_share =
      share_byte(state.counties, static_cast<uint32_t>(item.county_code), viewer.county_sum);
  context.creator_share = share_byte(state.creators, item.creator_hash, viewer.creator_sum);
  return context;
}

void ImpressionFeatures::List::add(uint64_t field, uint64_t key, float value) {
  CHECK(plain_count < plain.size());
  plain[plain_count++] = {hash_of(field, key), value};
}

void ImpressionFeatures::List::add_crossed(uint64_t field, uint64_t key, float value) {
  CHECK(crossed_count < crossed.size());
  crossed[crossed_count++] = {hash_of(field, key), value};
}

// The number itself, and its bucket beside something else, so that the answer need be no line.
void ImpressionFeatures::List::add_number(uint64_t field, uint8_t byte, uint64_t beside) {
  add(field, 0, kNumberScale * from_byte(byte));
  add(field + kBuckets, pair(byte / 16, beside));
}

void ImpressionFeatures::set_shared(const ImpressionContext& c) {
  shared_.plain_count = shared_.crossed_count = 0;
  shared_.add(kBias, 0);
  shared_.add(kSurface, c.surface);
  shared_.add(kPosition, pair(c.position, c.surface));
  shared_.add(kHourOfDay, c.hour);
  shared_.add(kBlockOfWeek, c.week_block);
  shared_.add_number(kViewerRate, c.viewer_rate, c.surface);
  shared_.add(kViewerEvidence, c.viewer_evidence);
  shared_.add(kSession, c.session);
  if (c.city != 0) shared_.add(kCity, c.city);
  if (c.viewer != 0) shared_.add_crossed(kViewer, c.viewer, kIdScale);
}

void ImpressionFeatures::set_own(const ImpressionContext& c) {
  own_.plain_count = own_.crossed_count = 0;
  const auto county = static_cast<uint64_t>(c.county);
  own_.add_crossed(kItem, c.item, kIdScale);
  own_.add_crossed(kCreator, c.creator, kIdScale);
  if (c.category != 0) own_.add_crossed(kCategory, c.category);
  if (c.county != 0) own_.add_crossed(kCounty, county);
  own_.add(kKind, c.kind);
  own_.add(kKindSurface, pair(c.kind, c.surface));
  own_.add(kItemSurface, pair(c.item, c.surface), kIdScale);
  own_.add(kCategoryHour, pair(c.category, c.hour));
  own_.add(kCategorySurface, pair(c.category, c.surface));
  if (c.viewer != 0) {
    own_.add(kViewerCategory, pair(c.viewer, c.category), kIdScale);
    own_.add(kViewerCreator, pair(c.viewer, c.creator), kIdScale);
    own_.add(kViewerCounty, pair(c.viewer, county), kIdScale);
    own_.add(kViewerKind, pair(c.viewer, c.kind), kIdScale);
  }
  if (c.city != 0) {
    own_.add(kCityCategory, pair(c.city, c.category));
    own_.add(kCityItem, pair(c.city, c.item));
  }
  own_.add_number(kItemRate, c.item_rate, c.kind);
  own_.add(kItemEvidence, pair(c.item_evidence, c.item_rate / 32));
  own_.add_number(kOrderRate, c.order_rate, c.kind);
  own_.add_number(kSimilarity, c.similarity, c.kind);
  own_.add_number(kCategoryShare, c.category_share, c.kind);
  own_.add_number(kCountyShare, c.county_share, c.kind);
  own_.add_number(kCreatorShare, c.creator_share, c.kind);
  own_.add(kRateSimilarity, pair(c.item_rate / 16, c.similarity / 16));
  own_.add(kRateViewer, pair(c.item_rate / 16, c.viewer_rate / 16));
}

}  // namespace shanhuo
