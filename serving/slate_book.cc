#include "serving/slate_book.h"

#include <algorithm>

#include "base/hash.h"

namespace shanhuo {

SlateBook::SlateBook(size_t slates_max, Millis memory)
    : shard_max_(std::max<size_t>(1, slates_max / kShards)), memory_(memory) {}

SlateBook::Found SlateBook::find(uint64_t request, uint64_t caller_hash, uint64_t body_hash,
                                 Millis now, std::string& response) const {
  const Shard& shard = shards_[request % kShards];
  const std::lock_guard lock(shard.mutex);
  const auto [begin, end] = shard.slates.equal_range(request);
  for (auto it = begin; it != end; ++it) {
    const Entry& entry = it->second;
    if (entry.slate.caller_hash != caller_hash || entry.at + memory_ < now) continue;
    if (entry.slate.body_hash != body_hash) return Found::kOther;
    response = entry.slate.response;
    return Found::kSame;
  }
  return Found::kNone;
}

std::optional<std::pair<Surface, double>> SlateBook::score(uint64_t request,
                                                           uint64_t item_hash) const {
  const Shard& shard = shards_[request % kShards];
  const std::lock_guard lock(shard.mutex);
  const auto [begin, end] = shard.slates.equal_range(request);
  for (auto it = begin; it != end; ++it) {
    for (const auto& [hash, score] : it->second.slate.organic) {
      if (hash == item_hash) return std::pair(it->second.slate.surface, score);
    }
  }
  return std::nullopt;
}

void SlateBook::put(uint64_t request, Slate slate, Millis now) {
  Shard& shard = shards_[request % kShards];
  const std::lock_guard lock(shard.mutex);
  while (!shard.order.empty()) {
    const auto [oldest, number] = shard.order.front();
    const auto [begin, end] = shard.slates.equal_range(oldest);
    const auto it = std::find_if(
        begin, end, [n = number](const auto& entry) { return entry.second.number == n; });
    const bool full = shard.slates.size() >= shard_max_;
    if (it != end && it->second.at + memory_ >= now && !full) break;
    if (it != end && it->second.at + memory_ >= now)
      dropped_.fetch_add(1, std::memory_order_relaxed);
    drop_oldest(shard);
  }
  const uint64_t number = shard.next_number++;
  shard.slates.emplace(request, Entry{now, number, std::move(slate)});
  shard.order.emplace_back(request, number);
}

// Requires: the shard's mutex is held.
void SlateBook::drop_oldest(Shard& shard) {
  const auto [request, number] = shard.order.front();
  shard.order.pop_front();
  const auto [begin, end] = shard.slates.equal_range(request);
  for (auto it = begin; it != end; ++it) {
    if (it->second.number != number) continue;
    shard.slates.erase(it);
    return;
  }
}

void SlateBook::forget(std::string_view user_id) {
  const uint64_t user_hash = hash64(user_id);
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    std::erase_if(shard.slates,
                  [&](const auto& entry) { return entry.second.slate.user_hash == user_hash; });
  }
}

}  // namespace shanhuo
