// What others ask the feature store beside single parts of it.
#include <algorithm>

#include "features/feature_store.h"

namespace shanhuo {

ViewerState FeatureStore::viewer(std::string_view user_id) const {
  PackedProfile profile;
  return viewers_.copy(user_id, profile) ? decode(profile) : ViewerState{};
}

Result<FeatureStore::UniqueViewers> FeatureStore::unique_viewers(std::span<const ItemIndex> items,
                                                                 const Catalogue& catalogue,
                                                                 const StateReader& reader) const {
  const int64_t end = hour_of(std::max(watermark(), Millis(0))) + 1;
  ExposureQuery query;
  query.items.assign(items.begin(), items.end());
  query.to = start_of_hour(end);
  UniqueViewers unique;
  for (const auto& [hours, count] : {std::pair(24, &unique.day), std::pair(168, &unique.week)}) {
    query.from = start_of_hour(end - hours);
    const Result<ExposureReport> report = exposure(query, catalogue, reader);
    if (!report.ok()) return report.error();
    *count = report.value().totals.unique_viewers.value_or(0);
  }
  return unique;
}

FeatureStoreStats FeatureStore::stats() const {
  FeatureStoreStats stats;
  std::ranges::transform(applied_, stats.applied.begin(), [](const auto& n) { return n.load(); });
  stats.late = late_;
  stats.bad_tokens = bad_tokens_;
  stats.token_expired = token_expired_;
  stats.unknown_items = unknown_items_;
  stats.bad_exposures = bad_exposures_;
  stats.viewable_repeated = viewable_repeated_;
  std::ranges::transform(invalid_events_, stats.invalid.begin(),
                         [](const auto& n) { return n.load(); });
  stats.taken_back = taken_back_;
  stats.taken_back_partly = taken_back_partly_;
  stats.orders_flagged = orders_flagged_;
  for (const auto& invalid : invalid_) {
    stats.invalid_unwatched += invalid->unwatched();
    stats.invalid_forgotten += invalid->forgotten();
    stats.invalid_bytes += invalid->bytes();
  }
  for (const auto* memories : {&viewable_, &tokens_}) {
    for (const auto& memory : *memories) {
      stats.dedup_forgotten += memory->forgotten();
      stats.dedup_bytes += memory->bytes();
    }
  }
  stats.table = viewers_.stats();
  stats.viewers = viewers_.size();
  stats.viewers_refused = viewers_.refused();
  stats.insertions_dropped = frequency_.dropped();
  stats.buckets_dropped = items_.buckets_dropped();
  stats.hours_moved_early = exposure_.moved_early();
  stats.supplements = exposure_.supplements();
  stats.orders_refused = ledger_.orders_refused();
  stats.program_rows_refused = programs_.rows_refused();
  stats.items_refused = interner_.refused();
  stats.viewer_bytes = viewers_.bytes();
  stats.item_bytes = items_.bytes();
  stats.exposure_bytes = exposure_.bytes();
  stats.ledger_bytes = ledger_.bytes();
  stats.program_bytes = programs_.bytes();
  stats.interner_bytes = interner_.bytes();
  return stats;
}

}  // namespace shanhuo
