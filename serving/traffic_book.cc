#include "serving/traffic_book.h"

#include <algorithm>

#include "base/hash.h"

namespace shanhuo {

RankRequest as_request(const SampledRequest& sampled) {
  RankRequest request;
  request.user_id = sampled.user_id;
  request.surface = sampled.surface;
  request.count = sampled.count;
  request.city = sampled.city;
  request.place = sampled.place;
  request.attributes = sampled.attributes;
  request.personalized = sampled.personalized;
  request.now = sampled.at;
  return request;
}

uint64_t TrafficBook::key_of(std::string_view user_id, Millis at) {
  return hash_combine(user_id.empty() ? static_cast<uint64_t>(at.count()) : hash64(user_id), 0x5a3);
}

void TrafficBook::add(const RankRequest& request) {
  {
    const std::lock_guard lock(mutex_);
    any_ = true;
    if (first_.count() == 0) first_ = request.now;
    latest_ = std::max(latest_, request.now);
    if (halvings_ > 0 && key_of(request.user_id, request.now) >> (64 - halvings_) != 0) return;
  }
  SampledRequest sampled;
  sampled.at = request.now;
  sampled.user_id = request.user_id;
  sampled.surface = request.surface;
  sampled.room = !request.room_id.empty();
  sampled.count = request.count;
  sampled.listed =
      static_cast<int>(std::min(request.candidates.size(), static_cast<size_t>(request.count)));
  sampled.city = request.city;
  sampled.place = request.place;
  sampled.attributes = request.attributes;
  sampled.personalized = request.personalized;
  add(std::move(sampled));
}

void TrafficBook::add(SampledRequest request) {
  auto kept = std::make_shared<const SampledRequest>(std::move(request));
  const std::lock_guard lock(mutex_);
  if (!any_ || kept->at < first_ || first_.count() == 0) first_ = kept->at;
  any_ = true;
  latest_ = std::max(latest_, kept->at);
  if (halvings_ > 0 && key_of(kept->user_id, kept->at) >> (64 - halvings_) != 0) return;
  requests_.push_back(std::move(kept));
  drop_old();
  while (requests_.size() > limits_.requests_max && halvings_ < 63) halve();
}

// Requires: mutex_ is held, as below.
void TrafficBook::drop_old() {
  while (!requests_.empty() && requests_.front()->at + limits_.span <= latest_) {
    requests_.pop_front();
  }
}

void TrafficBook::halve() {
  ++halvings_;
  std::erase_if(requests_, [this](const auto& request) {
    return key_of(request->user_id, request->at) >> (64 - halvings_) != 0;
  });
}

void TrafficBook::forget(std::string_view user_id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(requests_, [&](const auto& request) { return request->user_id == user_id; });
}

TrafficSample TrafficBook::take(size_t most) const {
  TrafficSample sample;
  int halvings = 0;
  {
    const std::lock_guard lock(mutex_);
    sample.requests.assign(requests_.begin(), requests_.end());
    sample.to = latest_;
    sample.from = std::max(first_, latest_ - limits_.span);
    halvings = halvings_;
  }
  while (sample.requests.size() > most && halvings < 62) {
    ++halvings;
    std::erase_if(sample.requests, [&](const auto& request) {
      return key_of(request->user_id, request->at) >> (64 - halvings) != 0;
    });
  }
  sample.share = 1.0 / static_cast<double>(uint64_t{1} << halvings);
  return sample;
}

}  // namespace shanhuo
