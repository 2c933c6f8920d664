// Tested by tests/models_text_map_test.cc.
#include "models/text_map.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/hash.h"
#include "models/ngrams.h"
#include "models/row_math.h"

namespace shanhuo {
namespace {

constexpr size_t kLongest = 3;
constexpr uint64_t kSeed = 17;

// One number a column: the inner products of the columns of a and b, row-major.
std::vector<double> column_products(std::span<const float> a, std::span<const float> b,
                                    size_t columns) {
  std::vector<double> sums(columns);
  for (size_t i = 0; i < a.size(); ++i) sums[i % columns] += static_cast<double>(a[i]) * b[i];
  return sums;
}

// to += scale[column] * from
void add_columns(std::span<const float> from, const std::vector<double>& scales, double sign,
                 std::span<float> to) {
  for (size_t i = 0; i < to.size(); ++i) {
    to[i] += static_cast<float>(sign * scales[i % scales.size()] * from[i]);
  }
}

std::vector<double> quotients(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> out(a.size());
  for (size_t i = 0; i < a.size(); ++i) out[i] = b[i] > 1e-30 ? a[i] / b[i] : 0;
  return out;
}

}  // namespace

std::vector<uint32_t> TextMap::buckets_of(std::string_view text) const {
  std::vector<uint32_t> buckets;
  for_each_ngram(text, kLongest, [&](std::string_view ngram) {
    buckets.push_back(static_cast<uint32_t>(hash64(ngram, kSeed) >> (64 - options_.bits)));
  });
  std::ranges::sort(buckets);
  return buckets;
}

// log((1 + texts) / (1 + texts with it)) + 1, as is common for tf-idf.
void TextMap::weigh_rareness(std::span<const std::string> texts) {
  rareness_.assign(size_t{1} << options_.bits, 0);
  for (const std::string& text : texts) {
    std::vector<uint32_t> buckets = buckets_of(text);
    buckets.erase(std::unique(buckets.begin(), buckets.end()), buckets.end());
    for (const uint32_t bucket : buckets) ++rareness_[bucket];
  }
  const auto all = static_cast<float>(texts.size());
  for (float& count : rareness_) {
    if (count > 0) count = std::log((1 + all) / (1 + count)) + 1;
  }
}

TextMap::Features TextMap::features_of(std::string_view text) const {
  Features features;
  for (const uint32_t bucket : buckets_of(text)) {
    if (rareness_[bucket] == 0) continue;
    if (features.empty() || features.back().first != bucket) features.emplace_back(bucket, 0);
    ++features.back().second;
  }
  float square = 0;
  for (auto& [bucket, weight] : features) {
    weight = (1 + std::log(weight)) * rareness_[bucket];
    square += weight * weight;
  }
  for (auto& [bucket, weight] : features) weight /= std::sqrt(square);
  return features;
}

// All columns of the target at once, each with step lengths of its own.
void TextMap::fit(const std::vector<Features>& rows, std::span<const float> targets) {
  weights_.assign(rareness_.size() * dims_, 0);
  std::vector<float> image(rows.size() * dims_);
  const auto multiply = [&](std::span<const float> by) {  // X by
    std::ranges::fill(image, 0.0F);
    for (size_t r = 0; r < rows.size(); ++r) {
      for (const auto& [bucket, weight] : rows[r]) {
        add_scaled(by.data() + bucket * dims_, weight, image.data() + r * dims_, dims_);
      }
    }
  };
  const auto add_back = [&](std::span<const float> from, std::span<float> to) {  // to += X^T from
    for (size_t r = 0; r < rows.size(); ++r) {
      for (const auto& [bucket, weight] : rows[r]) {
        add_scaled(from.data() + r * dims_, weight, to.data() + bucket * dims_, dims_);
      }
    }
  };
  std::vector<float> rest(weights_.size());
  add_back(targets, rest);
  std::vector<float> direction = rest, product(weights_.size());
  std::vector<double> square = column_products(rest, rest, dims_);
  for (int step = 0; step < options_.steps; ++step) {
    multiply(direction);
    std::ranges::transform(direction, product.begin(),
                           [this](float x) { return static_cast<float>(options_.ridge) * x; });
    add_back(image, product);
    const std::vector<double> length =
        quotients(square, column_products(direction, product, dims_));
    add_columns(direction, length, 1, weights_);
    add_columns(product, length, -1, rest);
    const std::vector<double> next = column_products(rest, rest, dims_);
    const std::vector<double> share = quotients(next, square);
    for (size_t i = 0; i < direction.size(); ++i) {
      direction[i] = rest[i] + static_cast<float>(share[i % dims_]) * direction[i];
    }
    square = next;
  }
}

Result<TextMap> TextMap::learn(std::span<const std::string> texts, std::span<const float> targets,
                               size_t dims, const TextMapOptions& options) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  if (options.bits < 8 || options.bits > 20) return wrong("bits: allowed are 8 to 20");
  if (!(options.ridge >= 1e-6 && options.ridge <= 1e6)) {
    return wrong("ridge: allowed are 1e-6 to 1e6");
  }
  if (options.steps < 1 || options.steps > 1'000) return wrong("steps: allowed are 1 to 1000");
  if (texts.empty()) return wrong("there is no text to learn from");
  CHECK(dims > 0 && targets.size() == texts.size() * dims);
  if (!std::ranges::all_of(targets, [](float x) { return std::isfinite(x); })) {
    return wrong("a vector to learn holds what is no number");
  }
  TextMap map(dims, options);
  map.weigh_rareness(texts);
  std::vector<Features> rows;
  rows.reserve(texts.size());
  for (const std::string& text : texts) rows.push_back(map.features_of(text));
  map.fit(rows, targets);
  return map;
}

void TextMap::apply(std::string_view text, std::span<float> out) const {
  CHECK(out.size() == dims_);
  std::ranges::fill(out, 0.0F);
  for (const auto& [bucket, weight] : features_of(text)) {
    add_scaled(weights_.data() + bucket * dims_, weight, out.data(), dims_);
  }
}

}  // namespace shanhuo
