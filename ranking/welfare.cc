// Decay without touching what does not change: what comes now counts 2^(age of the start) of the
// unit at the start, and only ratios are read. The unit starts anew before it outgrows a double.
// Tested by: tests/ranking_traffic_test.cc.
#include "ranking/welfare.h"

#include <algorithm>
#include <cmath>

#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr double kHalfLivesMax = 200;  // of one unit

}  // namespace

CountyPrices::CountyPrices(const std::vector<std::pair<int32_t, float>>& prices, float others)
    : others_(others) {
  size_t size = 16;
  while (size < prices.size() * 2) size *= 2;
  table_.assign(size, {0, 0.0F});
  mask_ = size - 1;
  for (const auto& [county, fen] : prices) {
    size_t slot = first_slot(county);
    while (table_[slot].first != 0) slot = (slot + 1) & mask_;
    table_[slot] = {county, fen};
  }
}

double CountyWelfare::worth(Millis now) {
  if (since_.count() == INT64_MIN) since_ = now;
  const auto half_life = static_cast<double>(std::max<int64_t>(1, options_.half_life.count()));
  double age = static_cast<double>((now - since_).count()) / half_life;
  if (age > kHalfLivesMax) {
    const double keep = std::exp2(-age);
    for (auto& [county, exposure] : exposures_) exposure *= keep;
    requests_ *= keep;
    since_ = now;
    age = 0;
  }
  return std::exp2(std::max(0.0, age));
}

void CountyWelfare::request(Millis now) { requests_ += worth(now); }

void CountyWelfare::expose(int32_t county, double expected, Millis now) {
  if (county == 0) return;
  if (exposures_.size() >= kCountiesMax && !exposures_.contains(county)) {
    ++refused_;
    return;
  }
  exposures_[county] += expected * worth(now);
}

double CountyWelfare::exposure(int32_t county) const {
  const auto found = exposures_.find(county);
  if (found == exposures_.end() || requests_ <= 0) return 0;
  return 1'000 * found->second / requests_;
}

double CountyWelfare::factor(double weight) const { return std::pow(weight, options_.alpha); }

std::shared_ptr<const CountyPrices> CountyWelfare::table() const {
  if (options_.lambda_fen <= 0) return nullptr;
  double sum = 0;
  for (const auto& [county, exposure] : exposures_) sum += exposure;
  const double mean = exposures_.empty() ? 0 : sum / static_cast<double>(exposures_.size());
  const auto price = [this, mean](double exposure) {
    const double share = mean > 0 ? std::max(exposure / mean, options_.share_min) : 1;
    return static_cast<float>(options_.lambda_fen * std::pow(share, -options_.alpha));
  };
  std::vector<std::pair<int32_t, float>> prices;
  prices.reserve(exposures_.size());
  for (const auto& [county, exposure] : exposures_) prices.emplace_back(county, price(exposure));
  return std::make_shared<const CountyPrices>(prices, price(0));
}

void CountyWelfare::encode(std::string* out) const {
  put_fixed(out, since_.count());
  put_fixed(out, requests_);
  std::vector<std::pair<int32_t, double>> sorted(exposures_.begin(), exposures_.end());
  std::sort(sorted.begin(), sorted.end());
  put_varint(out, sorted.size());
  for (const auto& [county, sum] : sorted) {
    put_fixed(out, county);
    put_fixed(out, sum);
  }
}

bool CountyWelfare::decode(std::string_view* in) {
  int64_t since = 0;
  uint64_t count = 0;
  if (!take_fixed(in, &since) || !take_fixed(in, &requests_) || !take_varint(in, &count) ||
      count > kCountiesMax || !std::isfinite(requests_) || requests_ < 0) {
    return false;
  }
  since_ = Millis(since);
  for (uint64_t i = 0; i < count; ++i) {
    int32_t county = 0;
    double sum = 0;
    if (!take_fixed(in, &county) || !take_fixed(in, &sum)) return false;
    if (!std::isfinite(sum) || sum < 0) return false;
    exposures_[county] = sum;
  }
  return true;
}

}  // namespace shanhuo
