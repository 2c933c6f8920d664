// A sample of the last day's rank requests, to count what programs could get (serving/supply.h).
//
// It is a sample of viewers: of those whose hash lies below a threshold all requests of the span
// are kept, so that what a viewer's frequency caps leave can be counted without bias. Where there
// would be more than requests_max, the threshold is halved and the other viewers' requests go; it
// never rises again. After a restart the decisions that are read again fill it.
//
// Thread-safe; a request of a viewer who is not in the sample copies nothing. Memory: about 300
// bytes a request, and what its attributes take.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "features/attributes.h"
#include "features/interaction.h"
#include "features/item.h"
#include "ranking/request.h"

namespace shanhuo {

struct SampledRequest {
  Millis at;            // engine time
  std::string user_id;  // empty: a room without a viewer
  Surface surface = Surface::kFeed;
  int count = 0;   // slots of the page
  int listed = 0;  // candidates that stood in them at most; at most `count`
  std::string city;
  std::optional<Place> place;
  Value attributes;
  bool personalized = true;
  bool room = false;
};

// As a request again, for conditions; borrows from `sampled`.
RankRequest as_request(const SampledRequest& sampled);

struct TrafficSample {
  std::vector<std::shared_ptr<const SampledRequest>> requests;  // oldest first
  double share = 1;  // of all viewers' hashes that are sampled, 0..1
  Millis from, to;   // what it covers
};

class TrafficBook {
 public:
  struct Limits {
    size_t requests_max = 20'000;
    Millis span = kDay;
  };
  explicit TrafficBook(const Limits& limits) : limits_(limits) {}

  void add(const RankRequest& request);
  void add(SampledRequest request);
  void forget(std::string_view user_id);
  // At most `most` requests: a larger sample is thinned by viewers.
  TrafficSample take(size_t most) const;

 private:
  static uint64_t key_of(std::string_view user_id, Millis at);
  bool sampled(std::string_view user_id, Millis at) const;
  // Counts the moment of a request, and keeps it unless it is nullptr.
  void keep(std::shared_ptr<const SampledRequest> request, Millis at);
  // These require: mutex_ is held.
  void drop_old();
  void halve();

  const Limits limits_;
  std::atomic<int> halvings_{0};  // changes under mutex_
  mutable std::mutex mutex_;
  // All guarded by mutex_; requests are nearly in order of time.
  std::deque<std::shared_ptr<const SampledRequest>> requests_;
  std::optional<Millis> first_;
  Millis latest_;
};

}  // namespace shanhuo
