// What answers cost their viewers: its sum over a sliding window of engine time, and the account
// that pays for it. Not thread-safe: price_controller.cc guards both.
//
// The account is what keeps the promise of allocation.md, "never above eps in any 10 minutes of at
// least 1,000 requests", where a price of losses (nu) alone keeps it on average. Each page pays in
// 0.9 eps of its organic value and takes out what it costs; the account never holds more than eps
// of 50 pages, and a page that it cannot pay for is not inserted into. So any run of n pages costs
// at most eps (0.9 n + 50) pages' worth: from 500 pages on at most eps, and with 1,000 pages even
// where their mean value falls to half of what it was when the account was filled. Bursts, outages
// and the length of the window do not enter.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "features/interaction.h"
#include "features/packing.h"

namespace shanhuo {

// What an answer costs its viewer, in fen.
struct PageLoss {
  double organic_fen = 0;
  double loss_fen = 0;
  Surface surface = Surface::kFeed;
  bool promised = false;  // decided before, by a room's first call: goes out whatever it costs
  double tried_fen = 0;   // of loss_fen, what trying a new item costs beside the best page
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

class LossAccount {
 public:
  static constexpr double kPaidIn = 0.9;    // of eps, per page
  static constexpr double kPagesHeld = 50;  // at most eps of so many pages

  explicit LossAccount(double budget) : budget_(budget) {}

  // Whether the page may go out: it costs nothing, is promised, or the account can pay for it.
  bool pays(const PageLoss& page) const {
    if (page.loss_fen <= 0 || page.promised) return true;
    const double held = mean_ > 0 ? held_ : most(page.organic_fen);
    return page.loss_fen <= held + kPaidIn * budget_ * page.organic_fen;
  }
  // Counts a page that goes out; one that is promised may leave a debt. Pages worth nothing are not
  // counted.
  void add(const PageLoss& page) {
    if (page.organic_fen <= 0) return;
    if (mean_ <= 0) {
      mean_ = page.organic_fen;
      held_ = most(mean_);
    }
    mean_ += (page.organic_fen - mean_) / kPagesMean;
    held_ += kPaidIn * budget_ * page.organic_fen - page.loss_fen;
    held_ = std::min(held_, most(mean_));
  }
  // How full it is: 1 full, 0 empty, below in debt. Full before the first page.
  double filled() const {
    return mean_ > 0 && budget_ > 0 ? held_ / most(mean_) : (budget_ > 0 ? 1 : 0);
  }
  double mean_page_fen() const { return mean_; }

  // held f64 | mean f64
  void encode(std::string* out) const {
    put_fixed(out, held_);
    put_fixed(out, mean_);
  }
  [[nodiscard]] bool decode(std::string_view* in) {
    return take_fixed(in, &held_) && take_fixed(in, &mean_) && std::isfinite(held_) &&
           std::isfinite(mean_) && mean_ >= 0;
  }

 private:
  static constexpr double kPagesMean = 100;  // memory of the mean
  double most(double mean) const { return kPagesHeld * budget_ * mean; }

  const double budget_;  // eps
  double held_ = 0;      // fen
  double mean_ = 0;      // organic fen of a page; 0: none yet
};

}  // namespace shanhuo
