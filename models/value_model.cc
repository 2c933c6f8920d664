// Weights are read by other threads while the fold writes them: relaxed atomic loads and stores of
// one number each, which cost what plain ones do. z and n of Algorithm 1 belong to the writer
// alone; the weight that they stand for is stored beside them after each step, so that a reader
// needs neither a square root nor the second line of memory.
//
// Tested by tests/models_value_model_test.cc against Algorithm 1 as it is printed, in doubles and
// with maps instead of tables.
#include "models/value_model.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace shanhuo {
namespace {

float load(const float& from) {
  return std::atomic_ref(const_cast<float&>(from)).load(std::memory_order_relaxed);
}

void store(float& to, float value) { std::atomic_ref(to).store(value, std::memory_order_relaxed); }

float bounded(float value) {
  return std::clamp(value, -ValueModel::kValueMax, ValueModel::kValueMax);
}

bool all_finite(std::span<const float> numbers) {
  return std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); });
}

}  // namespace

ValueModel::ValueModel(std::string name, const ValueModelOptions& options)
    : name_(std::move(name)),
      options_(options),
      per_alpha_(1 / options.alpha),
      weights_(size_t{1} << options.slots_log2),
      gradients_(weights_.size()),
      factors_(size_t{1} << options.factor_slots_log2),
      marks_((weights_.size() + kPageSlots - 1) / kPageSlots +
             (factors_.size() + kPageRows - 1) / kPageRows) {
  CHECK(options.alpha > 0 && options.beta > 0 && options.factor_beta > 0);
  uint64_t draw = 0;
  for (Row& row : factors_) {
    for (float& v : row.v) {
      const auto unit = static_cast<float>(mix64(++draw) >> 40) * 0x1p-24F;
      v = (unit - 0.5F) * options.factor_start;
    }
    row.n.fill(0);
  }
}

void ValueModel::add(const ModelFeatures& features, Sums& sums) const {
  for (const ModelFeature& feature : features.plain) {
    sums.linear += load(weights_[slot_of(feature.hash)]) * bounded(feature.value);
  }
  for (const ModelFeature& feature : features.crossed) {
    const float x = bounded(feature.value);
    sums.linear += load(weights_[slot_of(feature.hash)]) * x;
    const Row& row = factors_[row_of(feature.hash)];
    std::array<float, kFactors> products;
    for (int k = 0; k < kFactors; ++k) products[k] = load(row.v[k]) * x;
    float squares = 0;
    for (int k = 0; k < kFactors; ++k) {
      sums.factors[k] += products[k];
      squares += products[k] * products[k];
    }
    sums.squares += squares;
  }
}

float ValueModel::log_odds(const Sums& sums) {
  float squares = 0;
  for (const float factor : sums.factors) squares += factor * factor;
  return std::clamp(sums.linear + 0.5F * (squares - sums.squares), -kLogOddsMax, kLogOddsMax);
}

float ValueModel::log_odds(const ModelFeatures& features) const {
  Sums sums;
  add(features, sums);
  return log_odds(sums);
}

float ValueModel::probability(float log_odds) { return 1 / (1 + std::exp(-log_odds)); }

float ValueModel::learn(const ModelFeatures& features, bool label, float weight) {
  Sums sums;
  add(features, sums);
  const float before = log_odds(sums);
  step(features, weight * (probability(before) - static_cast<float>(label)), sums);
  ++examples_;
  return before;
}

// With p the model's own prediction, a negative weighs (1 - p) (1 + p) and a positive 1 + p: per
// example the mean gradient is (1 - p^2) (p - P), zero at p = P alone.
float ValueModel::learn_delayed(std::span<const ModelFeatures> parts, bool positive) {
  Sums sums;
  for (const ModelFeatures& part : parts) add(part, sums);
  const float before = log_odds(sums), p = probability(before);
  const float gradient = (1 - p * p) * (positive ? -1 : p);
  for (const ModelFeatures& part : parts) step(part, gradient, sums);
  examples_ += positive ? 0 : 1;
  return before;
}

void ValueModel::step(const ModelFeatures& features, float gradient, const Sums& sums) {
  for (const ModelFeature& feature : features.plain) learn_weight(feature, gradient);
  for (const ModelFeature& feature : features.crossed) {
    learn_weight(feature, gradient);
    if (options_.factor_rate > 0) learn_factors(feature, gradient, sums);
  }
}

// Algorithm 1: w = 0 while |z| <= l1. `root` is the square root of n.
float ValueModel::weight_of(float z, float root) const {
  if (std::abs(z) <= options_.l1) return 0;
  const float pull = z - std::copysign(options_.l1, z);
  return -pull / ((options_.beta + root) * per_alpha_ + options_.l2);
}

void ValueModel::learn_weight(const ModelFeature& feature, float gradient) {
  const size_t slot = slot_of(feature.hash);
  touch(static_cast<uint32_t>(slot / kPageSlots));
  Gradients& at = gradients_[slot];
  const float g = gradient * bounded(feature.value);
  const float n = at.n + g * g, root = std::sqrt(n);
  const float sigma = (root - std::sqrt(at.n)) * per_alpha_;
  const float z = at.z + g - sigma * weights_[slot];
  at = {z, n};
  store(weights_[slot], weight_of(z, root));
}

void ValueModel::learn_factors(const ModelFeature& feature, float gradient, const Sums& sums) {
  const size_t index = row_of(feature.hash);
  touch(static_cast<uint32_t>(weights_.size() / kPageSlots + index / kPageRows));
  Row& row = factors_[index];
  const float x = bounded(feature.value);
  for (int k = 0; k < kFactors; ++k) {
    const float v = row.v[k];
    const float g = gradient * x * (sums.factors[k] - v * x) + options_.factor_l2 * v;
    row.n[k] += g * g;
    const float step = options_.factor_rate * g / (std::sqrt(row.n[k]) + options_.factor_beta);
    store(row.v[k], std::clamp(v - step, -kFactorMax, kFactorMax));
  }
}

void ValueModel::take_over(const ValueModel& other) {
  CHECK(weights_.size() == other.weights_.size() && factors_.size() == other.factors_.size());
  for (uint32_t page = 0; page < marks_.size(); ++page) touch(page);
  for (size_t i = 0; i < weights_.size(); ++i) store(weights_[i], other.weights_[i]);
  gradients_ = other.gradients_;
  for (size_t i = 0; i < factors_.size(); ++i) {
    for (int k = 0; k < kFactors; ++k) store(factors_[i].v[k], other.factors_[i].v[k]);
    factors_[i].n = other.factors_[i].n;
  }
  examples_ = other.examples_;
}

size_t ValueModel::bytes() const {
  return weights_.size() * (sizeof(float) + sizeof(Gradients)) + factors_.size() * sizeof(Row) +
         marks_.size();
}

void ValueModel::touch(uint32_t page) {
  dirty_.touch(&marks_[page], page, [&] { save(page); });
}

void ValueModel::save(uint32_t page) {
  const size_t first_row_page = weights_.size() / kPageSlots;
  const bool rows = page >= first_row_page;
  const auto number = static_cast<uint32_t>(rows ? page - first_row_page : page);
  std::string key = "vm" + name_ + (rows ? 'f' : 'w');
  for (int shift = 24; shift >= 0; shift -= 8) key += static_cast<char>(number >> shift);
  const void* from = rows ? static_cast<const void*>(&factors_[number * kPageRows])
                          : static_cast<const void*>(&gradients_[number * kPageSlots]);
  const size_t size = rows ? kPageRows * sizeof(Row) : kPageSlots * sizeof(Gradients);
  writer_->put(key, {static_cast<const char*>(from), size});
}

void ValueModel::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  dirty_.begin();
}

bool ValueModel::checkpoint_step(size_t records_max) {
  return dirty_.step(
      records_max, [this](uint32_t page) { return &marks_[page]; },
      [this](uint32_t page) { save(page); });
}

Status ValueModel::restore(const StateReader& reader) {
  return reader.scan("vm" + name_, [this](std::string_view key, std::string_view value) {
    return restore_page(key.substr(2 + name_.size()), value);
  });
}

Status ValueModel::restore_page(std::string_view key, std::string_view value) {
  const Error wrong{ErrorCode::kCorrupt, "value model " + name_ +
                                             ": a record of the wrong shape; options of its size "
                                             "may have changed since"};
  if (key.size() != 5) return wrong;
  size_t page = 0;
  for (const char byte : key.substr(1)) page = page << 8 | static_cast<uint8_t>(byte);
  const bool rows = key[0] == 'f';
  const size_t bytes = rows ? kPageRows * sizeof(Row) : kPageSlots * sizeof(Gradients);
  const size_t pages = rows ? factors_.size() / kPageRows : weights_.size() / kPageSlots;
  if ((!rows && key[0] != 'w') || page >= pages || value.size() != bytes) return wrong;
  std::vector<float> numbers(bytes / sizeof(float));
  std::memcpy(numbers.data(), value.data(), bytes);
  if (!all_finite(numbers)) return wrong;
  if (rows) {
    std::memcpy(static_cast<void*>(&factors_[page * kPageRows]), numbers.data(), bytes);
    return {};
  }
  for (size_t i = 0; i < kPageSlots; ++i) {
    if (numbers[2 * i + 1] < 0) return wrong;  // a sum of squares
    const size_t slot = page * kPageSlots + i;
    gradients_[slot] = {numbers[2 * i], numbers[2 * i + 1]};
    weights_[slot] = weight_of(numbers[2 * i], std::sqrt(numbers[2 * i + 1]));
  }
  return {};
}

}  // namespace shanhuo
