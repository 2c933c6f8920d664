#include "serving/request_ring.h"

#include <algorithm>

#include "base/hash.h"

namespace shanhuo {
namespace {

constexpr int kHalvingsMax = 20;

}  // namespace

void RequestRing::offer(const RankRequest& request, RankFormat format, std::string& body,
                        int64_t at_ns) {
  if (!request.room_id.empty() || !request.personalized) return;
  const uint64_t number = offered_.fetch_add(1, std::memory_order_relaxed);
  const int halvings = halvings_.load(std::memory_order_relaxed);
  if ((number & ((uint64_t{1} << halvings) - 1)) != 0) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || body.size() > limits_.bytes_max) return;
  auto kept = std::make_shared<RecentRequest>();
  kept->format = format;
  kept->body = std::move(body);
  kept->user_hash = hash64(request.user_id);
  kept->at = request.now;
  bytes_ += kept->body.size();
  kept_.push_back({std::move(kept), at_ns});
  ++since_halving_;
  while (kept_.size() > limits_.requests_max || bytes_ > limits_.bytes_max) {
    bytes_ -= kept_.front().request->body.size();
    kept_.pop_front();
    if (since_halving_ < kept_.size()) continue;  // it shows the share of now once it is all new
    const int64_t reach = at_ns - kept_.front().at_ns;
    if (reach < limits_.reach_ns && halvings < kHalvingsMax) {
      halvings_ = halvings + 1;
      since_halving_ = 0;
    } else if (reach > 4 * limits_.reach_ns && halvings > 0) {
      halvings_ = halvings - 1;
      since_halving_ = 0;
    }
  }
}

void RequestRing::forget(std::string_view user_id) {
  const uint64_t user = hash64(user_id);
  const std::lock_guard lock(mutex_);
  std::erase_if(kept_, [&](const Kept& kept) {
    if (kept.request->user_hash != user) return false;
    bytes_ -= kept.request->body.size();
    return true;
  });
}

std::vector<std::shared_ptr<const RecentRequest>> RequestRing::newest(size_t most) const {
  std::vector<std::shared_ptr<const RecentRequest>> found;
  const std::lock_guard lock(mutex_);
  for (auto it = kept_.rbegin(); it != kept_.rend() && found.size() < most; ++it) {
    found.push_back(it->request);
  }
  return found;
}

}  // namespace shanhuo
