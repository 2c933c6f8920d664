#include "serving/small_counts.h"

#include <optional>
#include <utility>
#include <vector>

namespace shanhuo {
namespace {

bool is_small(const ExposureNumbers& numbers) {
  return numbers.unique_viewers.value_or(0) < kViewersShownMin;
}

void merge_into(ExposureNumbers& target, const ExposureNumbers& part) {
  target.counts += part.counts;
  target.unique_viewers.reset();
}

void merge_hours(std::vector<ExposurePoint>& series) {
  std::vector<ExposurePoint> shown;
  std::optional<ExposurePoint> waiting;  // small hours since the last one that is shown
  for (ExposurePoint& point : series) {
    if (is_small(point.numbers)) {
      if (waiting) {
        merge_into(waiting->numbers, point.numbers);
      } else {
        waiting = point;
      }
      continue;
    }
    if (waiting) merge_into(point.numbers, waiting->numbers);
    waiting.reset();
    shown.push_back(point);
  }
  if (waiting && !shown.empty()) {
    merge_into(shown.back().numbers, waiting->numbers);
  } else if (waiting) {
    waiting->numbers.unique_viewers.reset();
    shown.push_back(*waiting);
  }
  series = std::move(shown);
}

void merge_counties(std::vector<ExposureGroup>& groups) {
  std::vector<ExposureGroup> shown;
  std::optional<ExposureGroup> other;
  for (ExposureGroup& group : groups) {
    if (!is_small(group.numbers)) {
      shown.push_back(std::move(group));
      continue;
    }
    if (!other) other = ExposureGroup{"other", 0, {}};
    merge_into(other->numbers, group.numbers);
  }
  if (other) shown.push_back(*std::move(other));
  groups = std::move(shown);
}

}  // namespace

void widen_for_creator(ExposureQuery& query) {
  if (query.to - query.from >= kDay) return;
  query.from = query.to < kDay ? Millis(0) : query.to - kDay;
}

void merge_small_counts(const ExposureQuery& query, ExposureReport& report) {
  if (query.step == ExposureStep::kHour) merge_hours(report.series);
  if (query.by == ExposureBy::kCounty) merge_counties(report.groups);
}

}  // namespace shanhuo
