// Tested by: tests/serving_evaluate_test.cc: hindsight against min-cost flow on small markets.
#include "serving/adx_market.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>

#include "base/check.h"
#include "serving/table_reader.h"

namespace shanhuo {
namespace {

Error bad_line(const std::string& path, size_t line, std::string_view what) {
  return {ErrorCode::kInvalid, path + ":" + std::to_string(line) + ": " + std::string(what)};
}

// What stands after `key`: "rho: 0.5 ..." or "mean: [1, 2] ...".
std::string_view after(std::string_view line, std::string_view key) {
  const size_t at = line.find(key);
  if (at == line.npos) return {};
  std::string_view rest = line.substr(at + key.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  if (!rest.empty() && rest[0] == '[') return rest.substr(1, rest.find(']') - 1);
  return rest.substr(0, rest.find(' '));
}

bool numbers(std::string_view text, std::vector<double>& out) {
  out.clear();
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view one = text.substr(0, comma);
    one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
    const auto number = parse_decimal(one);
    if (!number) return false;
    out.push_back(*number);
    text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
  }
  return !out.empty();
}

// Lower factor of the matrix whose upper triangle stands by columns; empty: not positive definite.
std::vector<double> cholesky(std::span<const double> upper, size_t n) {
  std::vector<double> factor(n * n, 0);
  for (size_t i = 0, at = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j, ++at) {
      double sum = upper[at];
      for (size_t k = 0; k < j; ++k) sum -= factor[i * n + k] * factor[j * n + k];
      if (i == j && sum <= 0) return {};
      factor[i * n + j] = i == j ? std::sqrt(sum) : sum / factor[j * n + j];
    }
  }
  return factor;
}

Result<std::vector<double>> read_rho(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Error{ErrorCode::kIo, path + ": cannot be read"};
  std::vector<double> rho;
  std::string line;
  for (size_t n = 1; std::getline(file, line); ++n) {
    const auto share = parse_decimal(after(line, "rho:"));
    if (!share || !(*share > 0 && *share <= 1)) {
      return bad_line(path, n, "'advertiser: N rho: SHARE' is expected, SHARE above 0, at most 1");
    }
    rho.push_back(*share);
  }
  if (rho.empty()) return Error{ErrorCode::kInvalid, path + ": no contracts"};
  return rho;
}

Result<std::vector<AdxMarket::Type>> read_types(const std::string& path, size_t contracts) {
  std::ifstream file(path);
  if (!file) return Error{ErrorCode::kIo, path + ": cannot be read"};
  std::vector<AdxMarket::Type> types;
  std::string line;
  for (size_t n = 1; std::getline(file, line); ++n) {
    AdxMarket::Type type;
    std::vector<double> who, upper;
    const auto probability = parse_decimal(after(line, "prob:"));
    bool good = probability && *probability >= 0 && numbers(after(line, "advertisers:"), who) &&
                numbers(after(line, "mean:"), type.mean) && numbers(after(line, "cov:"), upper) &&
                type.mean.size() == who.size() && upper.size() == who.size() * (who.size() + 1) / 2;
    for (const double one : who) {
      good = good && one >= 1 && one <= static_cast<double>(contracts);
      type.contracts.push_back(static_cast<int>(one) - 1);
    }
    if (good) type.factor = cholesky(upper, who.size());
    if (type.factor.empty()) {
      return bad_line(path, n,
                      "a type with contracts, means and a positive covariance is expected");
    }
    type.probability = *probability;
    types.push_back(std::move(type));
  }
  return types;
}

}  // namespace

Result<AdxMarket> AdxMarket::read(const std::string& folder, int publisher) {
  const std::string base =
      (std::filesystem::path(folder) / ("pub" + std::to_string(publisher))).string();
  AdxMarket market;
  Result<std::vector<double>> rho = read_rho(base + "-ads.txt");
  if (!rho.ok()) return rho.error();
  market.rho_ = std::move(rho).value();
  Result<std::vector<Type>> types = read_types(base + "-types.txt", market.contracts());
  if (!types.ok()) return types.error();
  market.types_ = std::move(types).value();
  const std::string path = base + "-sample.txt";
  std::ifstream file(path);
  if (!file) return Error{ErrorCode::kIo, path + ": cannot be read"};
  std::string line;
  std::vector<double> row;
  std::vector<AdxOffer> offers;
  for (size_t n = 1; std::getline(file, line); ++n) {
    if (!numbers(line, row) || row.size() != market.contracts()) {
      return bad_line(path, n,
                      std::to_string(market.contracts()) + " numbers are expected, one a contract");
    }
    offers.clear();
    for (size_t j = 0; j < row.size(); ++j) {
      if (row[j] > 0) offers.push_back({static_cast<int>(j), row[j]});
    }
    market.add(offers);
  }
  if (market.size() == 0) return Error{ErrorCode::kInvalid, path + ": no requests"};
  return market;
}

AdxMarket AdxMarket::of(std::vector<double> rho,
                        const std::vector<std::vector<AdxOffer>>& requests) {
  AdxMarket market;
  market.rho_ = std::move(rho);
  for (const auto& offers : requests) market.add(offers);
  return market;
}

void AdxMarket::add(std::span<const AdxOffer> offers) {
  offers_.insert(offers_.end(), offers.begin(), offers.end());
  begin_.push_back(offers_.size());
}

double AdxMarket::capacity(size_t contract) const {
  return std::floor(rho_[contract] * static_cast<double>(size()) + 1e-9);
}

AdxMarket AdxMarket::draw(uint64_t seed) const {
  CHECK(!types_.empty());
  AdxMarket market;
  market.rho_ = rho_;
  market.types_ = types_;
  std::mt19937_64 random(seed);
  // Not the library's distributions, which differ from one library to the next.
  const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const auto normal = [&] {
    constexpr double kTurn = 6.283185307179586;
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(kTurn * uniform());
  };
  double all = 0;
  for (const Type& type : types_) all += type.probability;
  std::vector<AdxOffer> offers;
  std::vector<double> z;
  for (size_t request = 0; request < size(); ++request) {
    double left = uniform() * all;
    size_t k = 0;
    while (k + 1 < types_.size() && left >= types_[k].probability) left -= types_[k++].probability;
    const Type& type = types_[k];
    const size_t n = type.contracts.size();
    z.assign(n, 0);
    for (double& value : z) value = normal();
    offers.clear();
    for (size_t i = 0; i < n; ++i) {
      double log_quality = type.mean[i];
      for (size_t j = 0; j <= i; ++j) log_quality += type.factor[i * n + j] * z[j];
      offers.push_back({type.contracts[i], std::exp(log_quality)});
    }
    market.add(offers);
  }
  return market;
}

int best_offer(std::span<const AdxOffer> offers, std::span<const double> prices,
               std::span<const uint8_t> open) {
  int best = -1;
  double most = 0;
  for (const AdxOffer& offer : offers) {
    if (!open.empty() && open[offer.contract] == 0) continue;
    const double value = offer.quality + prices[offer.contract];
    if (value <= most) continue;
    most = value;
    best = offer.contract;
  }
  return best;
}

namespace {

double quality_of(std::span<const AdxOffer> offers, int contract) {
  for (const AdxOffer& offer : offers) {
    if (offer.contract == contract) return offer.quality;
  }
  return 0;
}

// By how much each request prefers the contract to whatever else it could have; at a price of minus
// the (capacity + 1)-th largest of these, demand is the capacity.
double clearing_price(const AdxMarket& market, std::span<const double> prices, int contract) {
  std::vector<double> margins;
  for (size_t request = 0; request < market.size(); ++request) {
    double other = 0, own = -1;
    for (const AdxOffer& offer : market.offers(request)) {
      if (offer.contract == contract) {
        own = offer.quality;
      } else {
        other = std::max(other, offer.quality + prices[offer.contract]);
      }
    }
    if (own > other) margins.push_back(own - other);
  }
  const auto capacity = static_cast<size_t>(market.capacity(contract));
  if (margins.size() <= capacity) return 0;
  const auto at = margins.begin() + static_cast<std::ptrdiff_t>(capacity);
  std::nth_element(margins.begin(), at, margins.end(), std::greater<>());
  return -*at;
}

// An assignment within the capacities: requests by how much they would lose without their first
// choice, each at the best that is still open.
void assign(const AdxMarket& market, AdxHindsight& out) {
  std::vector<std::pair<double, size_t>> order;
  for (size_t request = 0; request < market.size(); ++request) {
    double first = 0, second = 0;
    for (const AdxOffer& offer : market.offers(request)) {
      const double value = offer.quality + out.prices[offer.contract];
      second = std::max(second, std::min(first, value));
      first = std::max(first, value);
    }
    order.emplace_back(-(first - second), request);
  }
  std::stable_sort(order.begin(), order.end());
  std::vector<uint8_t> open(market.contracts(), 1);
  out.delivered.assign(market.contracts(), 0);
  // Twice: what the prices would refuse fills up what stayed open.
  const std::vector<double> free(market.contracts(), 0);
  for (const bool fill : {false, true}) {
    for (auto& [margin, request] : order) {
      if (margin > 0) continue;  // has one
      const auto offers = market.offers(request);
      const int chosen = best_offer(offers, fill ? free : out.prices, open);
      if (chosen < 0) continue;
      margin = 1;
      out.lower += quality_of(offers, chosen);
      if (++out.delivered[chosen] >= market.capacity(chosen)) open[chosen] = 0;
    }
  }
}

}  // namespace

AdxHindsight adx_hindsight(const AdxMarket& market, int sweeps) {
  AdxHindsight out;
  out.prices.assign(market.contracts(), 0);
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    const std::vector<double> before = out.prices;
    for (size_t j = 0; j < out.prices.size(); ++j) {
      out.prices[j] = clearing_price(market, out.prices, static_cast<int>(j));
    }
    if (before == out.prices) break;
  }
  for (size_t j = 0; j < out.prices.size(); ++j) out.upper -= out.prices[j] * market.capacity(j);
  for (size_t request = 0; request < market.size(); ++request) {
    double best = 0;
    for (const AdxOffer& offer : market.offers(request)) {
      best = std::max(best, offer.quality + out.prices[offer.contract]);
    }
    out.upper += best;
  }
  assign(market, out);
  return out;
}

AdxSample::AdxSample(const AdxMarket& market, size_t end, size_t size_max)
    : market_(market),
      end_(end),
      stride_(std::max<size_t>(1, end / size_max)),
      size_((end + stride_ - 1) / stride_) {}

double AdxSample::replay(std::span<const double> prices, std::span<double> units) const {
  std::fill(units.begin(), units.end(), 0.0);
  if (size_ == 0) return 0;
  for (size_t k = 0, request = end_ - 1; k < size_; ++k, request -= stride_) {
    const int chosen = best_offer(market_.offers(request), prices, {});
    if (chosen >= 0) units[chosen] += 1;
    if (request < stride_) break;
  }
  for (double& value : units) value /= static_cast<double>(size_);
  return 0;
}

}  // namespace shanhuo
