#include "ranking/recall_watch.h"

#include <algorithm>
#include <unordered_set>

#include "base/hash.h"
#include "ranking/retrieval.h"

namespace shanhuo {

RecallWatch::RecallWatch(RecallWatchOptions options) : options_(options) {
  kept_.reserve(static_cast<size_t>(options_.samples_max));
}

void RecallWatch::offer(const Vector& viewer, uint64_t turn) {
  if (options_.one_in == 0 || mix64(~turn) % static_cast<uint64_t>(options_.one_in) != 0) return;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock && kept_.size() < static_cast<size_t>(options_.samples_max)) kept_.push_back(viewer);
}

RecallWatch::Recall RecallWatch::measure(const RetrievalIndex& index, size_t k) {
  std::vector<Vector> queries;
  {
    const std::lock_guard lock(mutex_);
    queries.assign(kept_.begin(), kept_.end());
    kept_.clear();
  }
  Recall recall;
  std::vector<VectorHit> hits;
  for (const Vector& query : queries) {
    index.nearest_exact(query, k, hits);
    std::unordered_set<ItemIndex> wanted;
    for (const VectorHit& hit : hits) wanted.insert(hit.item);
    index.nearest(query, k, hits);
    recall.wanted += wanted.size();
    for (const VectorHit& hit : hits) recall.found += wanted.count(hit.item);
  }
  return recall;
}

}  // namespace shanhuo
