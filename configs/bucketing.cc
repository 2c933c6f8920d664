// Compiled without fused multiply-add: the edges of ranges must be the same doubles everywhere.
// Tested by tests/configs_bucketing_test.cc and `shanhuo conformance`.
#include "configs/bucketing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace shanhuo {
namespace {

constexpr uint32_t kFnvBasis = 2'166'136'261;
constexpr uint32_t kFnvPrime = 16'777'619;

uint32_t fnv1a(std::string_view text, uint32_t hash = kFnvBasis) {
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * kFnvPrime;
  return hash;
}

}  // namespace

BucketHash::BucketHash(std::string seed, int version)
    : seed_(std::move(seed)), version_(version), seeded_(fnv1a(seed_)) {}

std::optional<double> BucketHash::bucket(std::string_view value) const {
  if (version_ == 2) {
    std::array<char, 10> digits;
    char* const end = digits.data() + digits.size();
    const auto written = std::to_chars(digits.data(), end, fnv1a(value, seeded_));
    const std::string_view decimal(digits.data(), static_cast<size_t>(written.ptr - digits.data()));
    return fnv1a(decimal) % 10'000 / 10'000.0;
  }
  if (version_ == 1) return fnv1a(seed_, fnv1a(value)) % 1'000 / 1'000.0;
  return std::nullopt;
}

bool in_namespace(std::string_view value, const BucketNamespace& space) {
  // The hash of version 1 with the seed "__" + id.
  const uint32_t hash = fnv1a(space.id, fnv1a("__", fnv1a(value)));
  return space.range.contains(hash % 1'000 / 1'000.0);
}

int choose_variation(double bucket, std::span<const BucketRange> ranges) {
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].contains(bucket)) return static_cast<int>(i);
  }
  return -1;
}

std::vector<double> equal_weights(int variations) {
  if (variations < 1) return {};
  return std::vector<double>(static_cast<size_t>(variations), 1.0 / variations);
}

std::vector<BucketRange> bucket_ranges(int variations, double coverage,
                                       std::span<const double> weights) {
  coverage = std::clamp(coverage, 0.0, 1.0);
  double sum = 0;
  for (const double weight : weights) sum += weight;
  const bool usable = static_cast<int>(weights.size()) == variations && sum >= 0.99 && sum <= 1.01;
  const std::vector<double> equal = usable ? std::vector<double>() : equal_weights(variations);
  std::vector<BucketRange> ranges;
  double low = 0;
  for (const double weight : usable ? weights : std::span<const double>(equal)) {
    ranges.push_back({low, low + coverage * weight});
    low += weight;
  }
  return ranges;
}

std::optional<int> query_override(std::string_view key, std::string_view url, int variations) {
  const size_t begin = url.find('?');
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view query = url.substr(begin + 1);
  query = query.substr(0, query.find_first_of("?#"));
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) != key) continue;
    if (equals == std::string_view::npos) return std::nullopt;
    std::string_view digits = pair.substr(equals + 1);
    digits = digits.substr(0, digits.find('='));
    int index = -1;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (read.ec != std::errc() || index < 0 || index >= variations) return std::nullopt;
    return index;
  }
  return std::nullopt;
}

}  // namespace shanhuo
