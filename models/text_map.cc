// Tested by tests/models_text_map_test.cc.
#include "models/text_map.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/check.h"
#include "base/hash.h"
#include "features/packing.h"
#include "models/ngrams.h"
#include "models/row_math.h"

namespace shanhuo {
namespace {

constexpr size_t kLongest = 3;
constexpr uint64_t kNgramSeed = 17, kKeySeed = 18;
constexpr std::string_view kMagic = "shtmap1\n";

template <typename Take>
void for_each_line(std::string_view text, const Take& take) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    take(text.substr(at, end - at));
    at = end + 1;
  }
}

// Without the lines that are keys.
std::string_view without_keys(std::string_view text, std::string& room) {
  if (text.find(TextMap::kKeyMark) == text.npos) return text;
  for_each_line(text, [&room](std::string_view line) {
    if (!line.starts_with(TextMap::kKeyMark)) room.append(line) += '\n';
  });
  return room;
}

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

size_t TextMap::rows() const {
  return (size_t{1} << options_.bits) + (options_.characters ? options_.characters->width() : 0);
}

uint32_t TextMap::bucket_of(std::string_view feature, uint64_t seed) const {
  return static_cast<uint32_t>(hash64(feature, seed) >> (64 - options_.bits));
}

std::vector<uint32_t> TextMap::ngram_buckets(std::string_view text) const {
  std::vector<uint32_t> buckets;
  for_each_ngram(text, kLongest,
                 [&](std::string_view ngram) { buckets.push_back(bucket_of(ngram, kNgramSeed)); });
  std::ranges::sort(buckets);
  return buckets;
}

std::vector<uint32_t> TextMap::key_buckets(std::string_view text) const {
  std::vector<uint32_t> buckets;
  if (options_.key_weight == 0) return buckets;
  for_each_line(text, [&](std::string_view line) {
    if (line.starts_with(kKeyMark)) buckets.push_back(bucket_of(line, kKeySeed));
  });
  std::ranges::sort(buckets);
  return buckets;
}

// log((1 + texts) / (1 + texts with it)) + 1, as is common for tf-idf.
void TextMap::weigh_rareness(std::span<const std::string> texts) {
  rareness_.assign(size_t{1} << options_.bits, 0);
  for (const std::string& text : texts) {
    std::string room;
    std::vector<uint32_t> buckets = ngram_buckets(without_keys(text, room));
    std::ranges::copy(key_buckets(text), std::back_inserter(buckets));
    std::ranges::sort(buckets);
    buckets.erase(std::unique(buckets.begin(), buckets.end()), buckets.end());
    for (const uint32_t bucket : buckets) ++rareness_[bucket];
  }
  const auto all = static_cast<float>(texts.size());
  for (float& count : rareness_) {
    if (count > 0) count = std::log((1 + all) / (1 + count)) + 1;
  }
}

// Adds a part of that length, or nothing when none of it was ever met.
void TextMap::add_features(const std::vector<uint32_t>& buckets, float length,
                           Features& features) const {
  const size_t first = features.size();
  for (const uint32_t bucket : buckets) {
    if (rareness_[bucket] == 0) continue;
    if (features.size() == first || features.back().first != bucket) {
      features.emplace_back(bucket, 0);
    }
    ++features.back().second;
  }
  const std::span part = std::span(features).subspan(first);
  float square = 0;
  for (auto& [bucket, weight] : part) {
    weight = (1 + std::log(weight)) * rareness_[bucket];
    square += weight * weight;
  }
  for (auto& [bucket, weight] : part) weight *= length / std::sqrt(square);
}

void TextMap::add_characters(std::string_view text, Features& features) const {
  if (!options_.characters || options_.character_weight == 0) return;
  std::vector<float> direction(options_.characters->width());
  options_.characters->encode(text, direction);
  const auto first = static_cast<uint32_t>(rareness_.size());
  for (uint32_t k = 0; k < direction.size(); ++k) {
    if (direction[k] == 0) continue;
    features.emplace_back(first + k, direction[k] * static_cast<float>(options_.character_weight));
  }
}

TextMap::Features TextMap::features_of(std::string_view text) const {
  std::string room;
  const std::string_view plain = without_keys(text, room);
  Features features;
  add_features(ngram_buckets(plain), 1, features);
  const size_t ngrams = features.size();
  add_features(key_buckets(text), static_cast<float>(options_.key_weight), features);
  add_characters(plain, features);
  if (ngrams == features.size()) return features;
  float square = 0;
  for (const auto& [bucket, weight] : features) square += weight * weight;
  for (auto& [bucket, weight] : features) weight /= std::sqrt(square);
  return features;
}

// All columns of the target at once, each with step lengths of its own.
void TextMap::fit(const std::vector<Features>& rows, std::span<const float> targets) {
  weights_.assign(this->rows() * dims_, 0);
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

Status TextMap::check(const TextMapOptions& options) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  if (options.bits < 8 || options.bits > 20) return wrong("bits: allowed are 8 to 20");
  if (!(options.ridge >= 1e-6 && options.ridge <= 1e6)) {
    return wrong("ridge: allowed are 1e-6 to 1e6");
  }
  if (options.steps < 1 || options.steps > 1'000) return wrong("steps: allowed are 1 to 1000");
  if (!(options.key_weight >= 0 && options.key_weight <= 100)) {
    return wrong("key_weight: allowed are 0 to 100");
  }
  if (!(options.character_weight >= 0 && options.character_weight <= 100)) {
    return wrong("character_weight: allowed are 0 to 100");
  }
  return {};
}

Result<TextMap> TextMap::learn(std::span<const std::string> texts, std::span<const float> targets,
                               size_t dims, const TextMapOptions& options,
                               std::span<const float> weights) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kInvalid, what}; };
  if (const Status checked = check(options); !checked.ok()) return checked.error();
  if (texts.empty()) return wrong("there is no text to learn from");
  CHECK(dims > 0 && dims <= kDimsMax && targets.size() == texts.size() * dims);
  if (!std::ranges::all_of(targets, [](float x) { return std::isfinite(x); })) {
    return wrong("a vector to learn holds what is no number");
  }
  CHECK(weights.empty() || weights.size() == texts.size());
  if (!std::ranges::all_of(weights, [](float x) { return x >= 0 && std::isfinite(x); })) {
    return wrong("a weight is no number of 0 or more");
  }
  TextMap map(dims, options);
  map.weigh_rareness(texts);
  std::vector<Features> rows;
  rows.reserve(texts.size());
  for (const std::string& text : texts) rows.push_back(map.features_of(text));
  std::vector<float> weighted(targets.begin(), targets.end());
  for (size_t r = 0; r < weights.size(); ++r) {  // both sides by the root: the error by the weight
    const float root = std::sqrt(weights[r]);
    for (auto& [bucket, weight] : rows[r]) weight *= root;
    for (size_t k = 0; k < dims; ++k) weighted[r * dims + k] *= root;
  }
  map.fit(rows, weighted);
  return map;
}

void TextMap::apply(std::string_view text, std::span<float> out) const {
  CHECK(out.size() == dims_);
  std::ranges::fill(out, 0.0F);
  for (const auto& [bucket, weight] : features_of(text)) {
    add_scaled(weights_.data() + bucket * dims_, weight, out.data(), dims_);
  }
}

void TextMap::to_bytes(std::string& out) const {
  out.assign(kMagic);
  put_fixed(&out, static_cast<uint32_t>(dims_));
  put_fixed(&out, static_cast<uint32_t>(options_.bits));
  put_fixed(&out, options_.ridge);
  put_fixed(&out, static_cast<uint32_t>(options_.steps));
  put_fixed(&out, options_.key_weight);
  put_fixed(&out, options_.character_weight);
  const auto used = std::ranges::count_if(rareness_, [](float x) { return x > 0; });
  put_fixed(&out, static_cast<uint32_t>(used));
  const auto put_weights = [&](size_t row) {
    for (size_t k = 0; k < dims_; ++k) put_fixed(&out, weights_[row * dims_ + k]);
  };
  for (size_t bucket = 0; bucket < rareness_.size(); ++bucket) {
    if (rareness_[bucket] == 0) continue;
    put_fixed(&out, static_cast<uint32_t>(bucket));
    put_fixed(&out, rareness_[bucket]);
    put_weights(bucket);
  }
  if (!options_.characters) return;
  options_.characters->to_bytes(out);
  for (size_t row = rareness_.size(); row < rows(); ++row) put_weights(row);
}

Result<TextMap> TextMap::from_bytes(std::string_view bytes) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kCorrupt, what}; };
  if (!bytes.starts_with(kMagic)) return wrong("is no text map of a format that is known");
  bytes.remove_prefix(kMagic.size());
  uint32_t dims = 0, bits = 0, steps = 0, used = 0;
  TextMapOptions options;
  if (!take_fixed(&bytes, &dims) || !take_fixed(&bytes, &bits) ||
      !take_fixed(&bytes, &options.ridge) || !take_fixed(&bytes, &steps) ||
      !take_fixed(&bytes, &options.key_weight) || !take_fixed(&bytes, &options.character_weight) ||
      !take_fixed(&bytes, &used)) {
    return wrong("ends within its header");
  }
  options.bits = static_cast<int>(std::min<uint32_t>(bits, 1'000));
  options.steps = static_cast<int>(std::min<uint32_t>(steps, 1'000'000));
  if (const Status checked = check(options); !checked.ok()) {
    return Error{ErrorCode::kCorrupt, checked.error().message};
  }
  if (dims < 1 || dims > kDimsMax) return wrong("dims: allowed are 1 to 1024");
  TextMap map(dims, options);
  Status taken = map.take_entries(bytes, used);
  if (taken.ok() && !bytes.empty()) taken = map.take_characters(bytes);
  if (!taken.ok()) return taken.error();
  return bytes.empty() ? Result<TextMap>(std::move(map)) : wrong("is longer than it says");
}

Status TextMap::take_entries(std::string_view& bytes, uint32_t used) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::kCorrupt, what}; };
  if (bytes.size() / (8 + 4 * dims_) < used) return wrong("is shorter than its header says");
  rareness_.assign(size_t{1} << options_.bits, 0);
  weights_.assign(rareness_.size() * dims_, 0);
  for (int64_t last = -1; used > 0; --used) {
    uint32_t bucket = 0;
    float rareness = 0;
    take_fixed(&bytes, &bucket);
    take_fixed(&bytes, &rareness);
    if (bucket <= last || bucket >= rareness_.size()) return wrong("a bucket out of its place");
    if (!(rareness > 0 && std::isfinite(rareness))) return wrong("a rareness that cannot be");
    last = bucket;
    rareness_[bucket] = rareness;
    for (float& weight : std::span(weights_).subspan(bucket * dims_, dims_)) {
      take_fixed(&bytes, &weight);
      if (!std::isfinite(weight)) return wrong("a weight that is no number");
    }
  }
  return {};
}

Status TextMap::take_characters(std::string_view& bytes) {
  Result<CharVectors> characters = CharVectors::take_bytes(bytes);
  if (!characters.ok()) return characters.error();
  options_.characters = std::make_shared<const CharVectors>(std::move(characters).value());
  const size_t before = weights_.size();
  weights_.resize(rows() * dims_);
  for (float& weight : std::span(weights_).subspan(before)) {
    if (!take_fixed(&bytes, &weight) || !std::isfinite(weight)) {
      return Error{ErrorCode::kCorrupt, "weights of characters that are missing or no number"};
    }
  }
  return {};
}

}  // namespace shanhuo
