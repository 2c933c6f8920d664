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

bool TrafficBook::sampled(std::string_view user_id, Millis at) const {
  const int halvings = halvings_.load(std::memory_order_relaxed);
  return halvings == 0 || key_of(user_id, at) >> (64 - halvings) == 0;
}

// The copy is made before the lock is taken; should the sample be halved meanwhile, it is not kept.
void TrafficBook::add(const RankRequest& request) {
  if (!sampled(request.user_id, request.now)) return keep(nullptr, request.now);
  auto copy = std::make_shared<SampledRequest>();
  copy->at = request.now;
  copy->user_id = request.user_id;
  copy->surface = request.surface;
  copy->room = !request.room_id.empty();
  copy->count = request.count;
  copy->listed =
      static_cast<int>(std::min(request.candidates.size(), static_cast<size_t>(request.count)));
  copy->city = request.city;
  copy->place = request.place;
  copy->attributes = request.attributes;
  copy->personalized = request.personalized;
  keep(std::move(copy), request.now);
}

void TrafficBook::add(SampledRequest request) {
  const Millis at = request.at;
  keep(std::make_shared<const SampledRequest>(std::move(request)), at);
}

void TrafficBook::keep(std::shared_ptr<const SampledRequest> request, Millis at) {
  const std::lock_guard lock(mutex_);
  first_ = std::min(first_.value_or(at), at);
  latest_ = std::max(latest_, at);
  if (request == nullptr || !sampled(request->user_id, at)) return;
  requests_.push_back(std::move(request));
  drop_old();
  while (requests_.size() > limits_.requests_max && halvings_ < 63) halve();
}

void TrafficBook::drop_old() {
  while (!requests_.empty() && requests_.front()->at + limits_.span <= latest_) {
    requests_.pop_front();
  }
}

void TrafficBook::halve() {
  ++halvings_;
  std::erase_if(requests_,
                [this](const auto& request) { return !sampled(request->user_id, request->at); });
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
    sample.from = std::max(first_.value_or(Millis(0)), latest_ - limits_.span);
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
