// Reading exposure.h: for each item first the copy of what is in memory, with the hour at which the
// disk takes over, then the disk without the lock. What moves to disk in between is in the copy
// already, and its disk record lies beyond that hour.
#include <algorithm>
#include <map>

#include "features/exposure.h"
#include "features/exposure_keys.h"

namespace shanhuo {
namespace {

struct Cell {
  Counts counts;
  UniqueSketch viewers;

  ExposureNumbers numbers(bool with_viewers) const {
    if (!with_viewers) return {counts, std::nullopt};
    return {counts, viewers.estimate()};
  }
};

std::optional<ExposureDimension> dimension_of(ExposureBy by) {
  switch (by) {
    case ExposureBy::kSurface:
      return ExposureDimension::kSurface;
    case ExposureBy::kProgram:
      return ExposureDimension::kProgram;
    case ExposureBy::kVariation:
      return ExposureDimension::kVariation;
    case ExposureBy::kNone:
    case ExposureBy::kItem:
    case ExposureBy::kCounty:
      break;
  }
  return std::nullopt;
}

// Sums records into the three parts of a report.
class Report {
 public:
  explicit Report(const ExposureQuery& query) : query_(query) {}

  void add(const CatalogueItem& item, int64_t hour, const ExposureRecord& record) {
    Counts sum;
    record.each_row([&](const ExposureRow& row) {
      if (row.dimension == ExposureDimension::kSurface) sum += row.counts();
    });
    const Millis start = start_of_hour(hour);
    const Millis step = query_.step == ExposureStep::kHour ? start : start_of_day(day_of(start));
    add_to(&totals_, sum, record);
    add_to(&series_[step.count()], sum, record);
    if (query_.by == ExposureBy::kItem) add_to(&groups_[{item.item.id.str(), 0}], sum, record);
    if (query_.by == ExposureBy::kCounty) add_to(&groups_[{item.item.county, 0}], sum, record);
    const auto dimension = dimension_of(query_.by);
    record.each_row([&](const ExposureRow& row) {
      if (row.dimension == dimension) groups_[group_of(row)].counts += row.counts();
    });
  }

  ExposureReport finish() const {
    ExposureReport report;
    report.totals = totals_.numbers(true);
    for (const auto& [ts, cell] : series_) {
      report.series.push_back({Millis(ts), cell.numbers(true)});
    }
    const bool with_viewers = !dimension_of(query_.by).has_value();
    for (const auto& [key, cell] : groups_) {
      report.groups.push_back({key.first, key.second, cell.numbers(with_viewers)});
    }
    return report;
  }

 private:
  using GroupKey = std::pair<std::string, uint32_t>;

  static void add_to(Cell* cell, const Counts& counts, const ExposureRecord& record) {
    cell->counts += counts;
    cell->viewers.merge(record.viewers());
  }
  static GroupKey group_of(const ExposureRow& row) {
    if (row.dimension != ExposureDimension::kSurface) return {"", row.key};
    return {std::string(surface_name(static_cast<Surface>(row.key))), 0};
  }

  const ExposureQuery& query_;
  Cell totals_;
  std::map<int64_t, Cell> series_;
  std::map<GroupKey, Cell> groups_;
};

}  // namespace

std::optional<ExposureStep> parse_exposure_step(std::string_view name) {
  if (name == "hour") return ExposureStep::kHour;
  if (name == "day") return ExposureStep::kDay;
  return std::nullopt;
}

std::optional<ExposureBy> parse_exposure_by(std::string_view name) {
  if (name == "item") return ExposureBy::kItem;
  if (name == "program") return ExposureBy::kProgram;
  if (name == "surface") return ExposureBy::kSurface;
  if (name == "county") return ExposureBy::kCounty;
  if (name == "variation") return ExposureBy::kVariation;
  return std::nullopt;
}

ExposureRollups::Slice ExposureRollups::memory_slice(ItemIndex item, int64_t from,
                                                     int64_t to) const {
  Slice slice;
  const std::lock_guard lock(mutex_);
  slice.disk_before = memory_from_;
  slice.generation = frozen_supplements_.empty() ? generation_ : generation_ - 1;
  for (auto hour = hours_.lower_bound(from); hour != hours_.end() && hour->first < to; ++hour) {
    const uint32_t number = hour->second.find(item);
    if (number == Hour::kNone) continue;
    slice.records.emplace_back(hour->first, hour->second.at(number).record);
  }
  for (const Supplements* supplements : {&frozen_supplements_, &live_supplements_}) {
    const auto end = supplements->lower_bound({item, to});
    for (auto it = supplements->lower_bound({item, from}); it != end; ++it) {
      slice.records.emplace_back(it->first.second, it->second);
    }
  }
  return slice;
}

Status ExposureRollups::read_disk(std::string_view item_id, int64_t from, int64_t to,
                                  const StateReader& reader, Slice* slice) const {
  to = std::min(to, slice->disk_before);
  if (from >= to) return {};
  const auto visit = [&](std::string_view key, std::string_view value) -> Status {
    int64_t hour = 0;
    uint32_t generation = 0;
    std::string_view place = key.substr(key.find('\0') + 1);
    if (!take_key64(&place, &hour) || !take_key32(&place, &generation) || !place.empty()) {
      return Error{ErrorCode::kCorrupt, "exposure record: malformed key"};
    }
    if (generation >= slice->generation) return {};
    if (slice->records.size() >= options_.query_records_max) {
      return Error{ErrorCode::kTooLarge, "too many hours and items: ask for a shorter time"};
    }
    Result<ExposureRecord> record = ExposureRecord::decode(value);
    if (!record.ok()) return record.error();
    slice->records.emplace_back(hour, std::move(record).value());
    return {};
  };
  return reader.scan_range(cold_exposure_key(item_id, from, 0), cold_exposure_key(item_id, to, 0),
                           visit);
}

Result<ExposureReport> ExposureRollups::query(const ExposureQuery& query,
                                              const Catalogue& catalogue,
                                              const StateReader& reader) const {
  std::vector<ItemIndex> items = query.items;
  if (!query.creator.empty()) {
    const std::vector<ItemIndex> own = catalogue.items_of(query.creator);
    items.insert(items.end(), own.begin(), own.end());
  }
  std::ranges::sort(items);
  items.erase(std::unique(items.begin(), items.end()), items.end());
  const int64_t from = hour_of(query.from), to = hour_of(query.to - Millis(1)) + 1;
  Report report(query);
  if (from >= to) return report.finish();
  size_t records = 0;
  for (const ItemIndex index : items) {
    const CatalogueItem* item = catalogue.at(index);
    if (item == nullptr) continue;
    Slice slice = memory_slice(index, from, to);
    const Status disk = read_disk(item->item.id.view(), from, to, reader, &slice);
    if (!disk.ok()) return disk.error();
    records += slice.records.size();
    if (records > options_.query_records_max) {
      return Error{ErrorCode::kTooLarge, "too many hours and items: ask for a shorter time"};
    }
    for (const auto& [hour, record] : slice.records) report.add(*item, hour, record);
  }
  return report.finish();
}

}  // namespace shanhuo
