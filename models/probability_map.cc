#include "models/probability_map.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <utility>

namespace shanhuo {
namespace {

// p (1 - p) of a label is at most a quarter; a step that is made for the middle is cautious at the
// ends.
constexpr float kCurvature = 0.25F;

float load(const float& from) {
  return std::atomic_ref(const_cast<float&>(from)).load(std::memory_order_relaxed);
}
void store(float& to, float value) { std::atomic_ref(to).store(value, std::memory_order_relaxed); }

float logistic(float log_odds) { return 1 / (1 + std::exp(-log_odds)); }

}  // namespace

ProbabilityMap::ProbabilityMap(std::string name, const ProbabilityMapOptions& options)
    : name_(std::move(name)), options_(options) {
  for (int k = 0; k < kKnots; ++k) values_[k] = kFirst + kStep * static_cast<float>(k);
}

ProbabilityMap::Place ProbabilityMap::place_of(float log_odds) {
  const float at = std::clamp((log_odds - kFirst) / kStep, 0.0F, kKnots - 1.001F);
  const auto knot = static_cast<size_t>(at);
  return {knot, at - static_cast<float>(knot)};
}

float ProbabilityMap::mapped(Place at) const {
  const float low = load(values_[at.knot]), high = load(values_[at.knot + 1]);
  return low + at.share * (high - low);
}

float ProbabilityMap::probability(float log_odds) const {
  return logistic(mapped(place_of(log_odds)));
}

void ProbabilityMap::learn(float log_odds, bool label, float weight) {
  const Place at = place_of(log_odds);
  move(at, weight * (static_cast<float>(label) - logistic(mapped(at))), true);
}

// A positive that was a negative before: (1 - p) - (0 - p).
void ProbabilityMap::learn_delayed(float log_odds, bool positive) {
  const Place at = place_of(log_odds);
  move(at, positive ? 1 : -logistic(mapped(at)), !positive);
}

void ProbabilityMap::move(Place at, float gradient, bool counts) {
  move_knot(at.knot, gradient, 1 - at.share, counts);
  move_knot(at.knot + 1, gradient, at.share, counts);
  dirty_ = true;
}

void ProbabilityMap::move_knot(size_t knot, float gradient, float share, bool counts) {
  const float seen = std::min(labels_[knot] + (counts ? share : 0), options_.memory_labels);
  store(labels_[knot], seen);
  const float step = share * gradient / (kCurvature * (options_.prior_labels + seen));
  const float low = knot > 0 ? values_[knot - 1] : kFirst - kStep;
  const float high = knot + 1 < kKnots ? values_[knot + 1] : kFirst + kStep * kKnots;
  store(values_[knot], std::clamp(values_[knot] + step, low, high));
}

void ProbabilityMap::take_over(const ProbabilityMap& other) {
  for (size_t k = 0; k < kKnots; ++k) {
    store(values_[k], other.values_[k]);
    store(labels_[k], other.labels_[k]);
  }
  dirty_ = true;
}

std::vector<ProbabilityMap::Point> ProbabilityMap::points() const {
  std::vector<Point> points;
  for (int k = 0; k < kKnots; ++k) {
    points.push_back({logistic(kFirst + kStep * static_cast<float>(k)), logistic(load(values_[k])),
                      load(labels_[k])});
  }
  return points;
}

// Record: values, labels; host byte order.
void ProbabilityMap::begin_checkpoint(StateWriter& writer) {
  if (!dirty_) return;
  std::array<float, 2 * kKnots> numbers;
  std::ranges::copy(values_, numbers.begin());
  std::ranges::copy(labels_, numbers.begin() + kKnots);
  writer.put("pm" + name_, {reinterpret_cast<const char*>(numbers.data()), sizeof numbers});
  dirty_ = false;
}

Status ProbabilityMap::restore(const StateReader& reader) {
  auto record = reader.get("pm" + name_);
  if (!record.ok()) return record.error();
  if (!record.value()) return {};
  std::array<float, 2 * kKnots> numbers;
  const Error wrong{ErrorCode::kCorrupt, "probability map " + name_ + ": a broken record"};
  if (record.value()->size() != sizeof numbers) return wrong;
  std::memcpy(numbers.data(), record.value()->data(), sizeof numbers);
  const auto middle = numbers.begin() + kKnots;
  if (!std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); }) ||
      !std::is_sorted(numbers.begin(), middle)) {
    return wrong;
  }
  std::copy(numbers.begin(), middle, values_.begin());
  std::copy(middle, numbers.end(), labels_.begin());
  return {};
}

}  // namespace shanhuo
