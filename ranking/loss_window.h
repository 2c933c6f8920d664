// What answers cost their viewers, and its sum over a sliding window of engine time. Not
// thread-safe: price_controller.cc guards it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>

#include "base/ids.h"

namespace shanhuo {

// What an answer has cost its viewer, in fen.
struct PageLoss {
  double organic_fen = 0;
  double loss_fen = 0;
};

// Viewers' loss over a sliding window, in buckets of a twentieth of it.
class LossWindow {
 public:
  explicit LossWindow(Millis window) : width_(std::max<int64_t>(1, window.count() / kBuckets)) {}

  void add(Millis now, const PageLoss& loss) {
    const int64_t slot = window_of(now, width_);
    if (buckets_.empty() || buckets_.back().first < slot) buckets_.push_back({slot, {}});
    buckets_.back().second.organic_fen += loss.organic_fen;
    buckets_.back().second.loss_fen += loss.loss_fen;
    sum_.organic_fen += loss.organic_fen;
    sum_.loss_fen += loss.loss_fen;
    advance(now);
  }
  void advance(Millis now) {
    const int64_t oldest = window_of(now, width_) - kBuckets;
    while (!buckets_.empty() && buckets_.front().first <= oldest) {
      sum_.organic_fen -= buckets_.front().second.organic_fen;
      sum_.loss_fen -= buckets_.front().second.loss_fen;
      buckets_.pop_front();
    }
    if (buckets_.empty()) sum_ = {};
  }
  double ratio() const { return sum_.organic_fen > 0 ? sum_.loss_fen / sum_.organic_fen : 0; }

 private:
  static constexpr int64_t kBuckets = 20;
  const Millis width_;
  std::deque<std::pair<int64_t, PageLoss>> buckets_;
  PageLoss sum_;
};

}  // namespace shanhuo
