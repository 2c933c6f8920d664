#include "serving/page_meters.h"

#include <algorithm>

#include "base/hash.h"

namespace shanhuo {
namespace {

bool is_metered(const Experiment& experiment) {
  return std::any_of(
      experiment.guardrails.begin(), experiment.guardrails.end(),
      [](const Guardrail& each) { return each.metric == kErrorRate || each.metric == kLatency; });
}

MeterWindow new_window(const Experiment& experiment, Millis now) {
  MeterWindow window;
  window.since = now;
  for (size_t i = 0; i < experiment.variations.size(); ++i) {
    window.meters.push_back(std::make_shared<PageMeter>());
  }
  return window;
}

}  // namespace

void PageMeter::add(uint64_t unit, bool degraded, int64_t ns) {
  Group& group = groups_[mix64(unit) % kGroups];
  const int64_t capped = std::clamp<int64_t>(ns, 0, kPageNsMax);
  group.pages.fetch_add(1, std::memory_order_relaxed);
  group.us.fetch_add(static_cast<uint64_t>(capped) / 1'000, std::memory_order_relaxed);
  if (degraded) group.degraded.fetch_add(1, std::memory_order_relaxed);
}

std::array<PageMeter::Counts, PageMeter::kGroups> PageMeter::read() const {
  std::array<Counts, kGroups> counts;
  for (size_t i = 0; i < kGroups; ++i) {
    counts[i] = {groups_[i].pages.load(std::memory_order_relaxed),
                 groups_[i].degraded.load(std::memory_order_relaxed),
                 groups_[i].us.load(std::memory_order_relaxed)};
  }
  return counts;
}

void PageMeters::publish(std::shared_ptr<const MeterTable> table) {
  const bool any = std::any_of(table->windows.begin(), table->windows.end(),
                               [](const MeterWindow& window) { return !window.meters.empty(); });
  table_.set(std::move(table));
  counting_.store(any, std::memory_order_relaxed);
}

void PageMeters::follow(const std::shared_ptr<const ExperimentSet>& set, Millis now) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<const MeterTable> before = table_.get();
  if (before && before->set == set) return;
  auto next = std::make_shared<MeterTable>();
  next->set = set;
  for (const Experiment& experiment : set->experiments()) {
    MeterWindow& window = next->windows.emplace_back();
    if (!is_metered(experiment)) continue;
    const int was = before ? before->set->find(experiment.id) : -1;
    const auto place = static_cast<size_t>(std::max(was, 0));
    const bool goes_on = was >= 0 && !before->windows[place].meters.empty() &&
                         before->set->experiments()[place].phase == experiment.phase;
    window = goes_on ? before->windows[place] : new_window(experiment, now);
  }
  publish(std::move(next));
}

void PageMeters::begin_anew(std::string_view experiment, Millis now) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<const MeterTable> before = table_.get();
  const int index = before ? before->set->find(experiment) : -1;
  if (index < 0) return;
  auto next = std::make_shared<MeterTable>(*before);
  const auto place = static_cast<size_t>(index);
  next->windows[place] = new_window(before->set->experiments()[place], now);
  publish(std::move(next));
}

}  // namespace shanhuo
