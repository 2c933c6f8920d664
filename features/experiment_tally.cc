// Tested by tests/features_experiment_tally_test.cc against a recount of all events.
#include "features/experiment_tally.h"

#include <algorithm>
#include <limits>

#include "features/counts.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr std::string_view kTrialPrefix = "xre", kRowPrefix = "xrr";

uint8_t period_of(Millis age) {
  uint8_t number = 0;
  while (number < kTrialPeriodEnds.size() && age.count() >= kTrialPeriodEnds[number] * kDay.count())
    ++number;
  return number;
}

void add_to(TrialCounts& sums, const TrialCounts& counts) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  for (size_t i = 0; i < sums.size(); ++i) {
    // What is taken back may have come before the exposure.
    const int64_t least = i == static_cast<size_t>(TrialCount::kAmountFen) ? -kMost : 0;
    sums[i] = static_cast<int32_t>(std::clamp(int64_t{sums[i]} + counts[i], least, kMost));
  }
}

}  // namespace

std::string_view trial_count_name(TrialCount count) {
  static constexpr std::array<std::string_view, kTrialCounts> kNames = {
      "impressions",      "viewable",      "organic_impressions",
      "organic_clicks",   "clicks",        "plays",
      "watch_ms",         "likes",         "dislikes",
      "orders",           "amount_fen",    "refunds",
      "boosted_viewable", "boosted_orders"};
  return kNames[static_cast<size_t>(count)];
}

ExperimentTally::Trial* ExperimentTally::trial_of(std::string_view id) {
  const auto found = numbers_.find(id);
  if (found != numbers_.end()) return &trials_[found->second];
  if (trials_.size() >= kTrialsMax) return nullptr;
  numbers_.emplace(std::string(id), static_cast<uint32_t>(trials_.size()));
  trials_.emplace_back().id = std::string(id);
  return &trials_.back();
}

uint32_t ExperimentTally::variation_of(Trial& trial, std::string_view key) {
  std::vector<std::string>& keys = trial.summary.variations;
  const auto found = std::find(keys.begin(), keys.end(), key);
  if (found != keys.end()) return static_cast<uint32_t>(found - keys.begin());
  keys.emplace_back(key);
  return static_cast<uint32_t>(keys.size() - 1);
}

TrialRow* ExperimentTally::find_row(uint64_t user_hash, uint32_t experiment, uint32_t phase) {
  const auto viewer = viewers_.find(user_hash);
  if (viewer == viewers_.end()) return nullptr;
  for (TrialRow* row : viewer->second) {
    if (row->experiment == experiment && row->phase == phase) return row;
  }
  return nullptr;
}

TrialRow* ExperimentTally::make_row(Trial& trial, uint64_t user_hash, uint32_t phase) {
  TrialRow* row = nullptr;
  if (trial.free.empty()) {
    row = &trial.rows.emplace_back();
  } else {
    row = trial.free.back();
    trial.free.pop_back();
    *row = TrialRow{};
  }
  row->user_hash = user_hash;
  row->experiment = numbers_.find(trial.id)->second;
  row->phase = phase;
  viewers_[user_hash].push_back(row);
  ++rows_;
  return row;
}

void ExperimentTally::expose(uint64_t user_hash, const ExperimentExposure& exposure,
                             const std::function<ViewerRates()>& before) {
  const std::lock_guard lock(mutex_);
  let_go(exposure.at);
  Trial* const trial = trial_of(exposure.experiment);
  if (trial == nullptr) {
    ++trials_refused_;
    return;
  }
  trial->changed = true;
  TrialRow* row = find_row(user_hash, numbers_.find(trial->id)->second, exposure.phase);
  if (row != nullptr && !row->gone) {
    const uint32_t variation = variation_of(*trial, exposure.variation);
    if (row->multiple || row->variation == variation) return;
    touch(row);
    row->multiple = true;
    return;
  }
  if (rows_ >= options_.viewers_max) {
    ++trial->summary.left_out;
    return;
  }
  if (row == nullptr) {
    row = make_row(*trial, user_hash, exposure.phase);
  } else {
    std::erase(gone_, row);  // the viewer comes back before the erasure is written
    ++rows_;
  }
  touch(row);
  row->gone = row->multiple = false;
  row->variation = variation_of(*trial, exposure.variation);
  row->first = exposure.at;
  row->before = before();
  trial->last_first = std::max(trial->last_first, exposure.at);
  trial->summary.newest = std::max(trial->summary.newest, exposure.at);
}

void ExperimentTally::add(uint64_t user_hash, Millis ts, const TrialCounts& counts) {
  const auto viewer = viewers_.find(user_hash);
  if (viewer == viewers_.end()) return;
  const std::vector<TrialRow*>& rows = viewer->second;
  // The phase that the viewer was in at the time: the newest that had begun.
  const auto is_of = [ts](const TrialRow* row) { return !row->gone && row->first <= ts; };
  for (TrialRow* row : rows) {
    const bool later = std::any_of(rows.begin(), rows.end(), [&](const TrialRow* other) {
      return is_of(other) && other->experiment == row->experiment && other != row &&
             std::pair(other->first, other->phase) > std::pair(row->first, row->phase);
    });
    if (!is_of(row) || later) continue;
    const std::lock_guard lock(mutex_);
    touch(row);
    const uint8_t number = period_of(ts - row->first);
    auto period = std::find_if(row->periods.begin(), row->periods.end(),
                               [&](const TrialPeriod& each) { return each.number == number; });
    if (period == row->periods.end()) {
      period = row->periods.insert(period, {number, {}});
    }
    add_to(period->counts, counts);
    Trial& trial = trials_[row->experiment];
    trial.changed = true;
    trial.summary.newest = std::max(trial.summary.newest, ts);
  }
}

void ExperimentTally::drop(TrialRow& row) {
  if (row.gone) return;
  touch(&row);
  row.gone = true;
  row.periods = {};
  row.before = {};
  --rows_;
  gone_.push_back(&row);
}

void ExperimentTally::forget(uint64_t user_hash) {
  const auto viewer = viewers_.find(user_hash);
  if (viewer == viewers_.end()) return;
  const std::lock_guard lock(mutex_);
  for (TrialRow* row : viewer->second) drop(*row);
}

// Once a day of the exposures' time.
void ExperimentTally::let_go(Millis now) {
  if (day_of(now) <= let_go_day_) return;
  let_go_day_ = day_of(now);
  for (Trial& trial : trials_) {
    if (let_go_day_ - day_of(trial.last_first) <= options_.keep_days) continue;
    for (TrialRow& row : trial.rows) drop(row);
  }
}

std::optional<ExperimentTally::Summary> ExperimentTally::summary(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = numbers_.find(id);
  if (found == numbers_.end()) return std::nullopt;
  return trials_[found->second].summary;
}

void ExperimentTally::read(std::string_view id,
                           const std::function<void(const TrialRow&)>& visit) const {
  for (size_t next = 0;;) {
    const std::lock_guard lock(mutex_);
    const auto found = numbers_.find(id);
    if (found == numbers_.end()) return;
    const std::deque<TrialRow>& rows = trials_[found->second].rows;
    for (size_t i = 0; i < kRowsAtOnce; ++i, ++next) {
      if (next >= rows.size()) return;
      if (!rows[next].gone) visit(rows[next]);
    }
  }
}

size_t ExperimentTally::rows() const {
  const std::lock_guard lock(mutex_);
  return rows_;
}

uint64_t ExperimentTally::left_out() const {
  const std::lock_guard lock(mutex_);
  uint64_t sum = trials_refused_;
  for (const Trial& trial : trials_) sum += trial.summary.left_out;
  return sum;
}

void ExperimentTally::touch(TrialRow* row) {
  dirty_.touch(&row->mark, row, [&] { save(*row); });
}

void ExperimentTally::save(const TrialRow& row) {
  const Trial& trial = trials_[row.experiment];
  std::string key(kRowPrefix), value;
  put_key32(&key, static_cast<uint32_t>(row.user_hash >> 32));
  put_key32(&key, static_cast<uint32_t>(row.user_hash));
  put_key32(&key, row.phase);
  key += trial.id;
  if (row.gone) return writer_->erase(key);
  put_text(&value, trial.summary.variations[row.variation]);
  put_signed(&value, row.first.count());
  for (const float rate : {row.before.impressions, row.before.clicks, row.before.orders}) {
    put_fixed(&value, rate);
  }
  put_fixed(&value, static_cast<uint8_t>(row.multiple));
  for (const TrialPeriod& period : row.periods) {
    put_fixed(&value, period.number);
    for (const int32_t count : period.counts) put_signed(&value, count);
  }
  writer_->put(key, value);
}

// Rows whose erasure has been written leave.
void ExperimentTally::free_gone() {
  const std::lock_guard lock(mutex_);
  std::vector<TrialRow*> waiting;
  for (TrialRow* row : gone_) {
    if (row->mark != 0) {
      waiting.push_back(row);
      continue;
    }
    const auto viewer = viewers_.find(row->user_hash);
    std::erase(viewer->second, row);
    if (viewer->second.empty()) viewers_.erase(viewer);
    trials_[row->experiment].free.push_back(row);
  }
  gone_.swap(waiting);
}

void ExperimentTally::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  free_gone();
  dirty_.begin();
  for (Trial& trial : trials_) {
    if (!trial.changed) continue;
    trial.changed = false;
    std::string value;
    put_varint(&value, trial.summary.left_out);
    put_signed(&value, trial.summary.newest.count());
    frozen_.emplace_back(std::string(kTrialPrefix) + trial.id, std::move(value));
  }
}

bool ExperimentTally::checkpoint_step(size_t records_max) {
  for (const auto& [key, value] : frozen_) writer_->put(key, value);
  frozen_.clear();
  return dirty_.step(
      records_max, [](TrialRow* row) { return &row->mark; }, [this](TrialRow* row) { save(*row); });
}

Status ExperimentTally::restore_row(std::string_view key, std::string_view value) {
  const Error corrupt{ErrorCode::kCorrupt, "results of experiments: malformed record"};
  key.remove_prefix(kRowPrefix.size());
  uint32_t high = 0, low = 0, phase = 0;
  if (!take_key32(&key, &high) || !take_key32(&key, &low) || !take_key32(&key, &phase)) {
    return corrupt;
  }
  Trial* const trial = trial_of(key);
  std::string_view variation;
  int64_t first = 0;
  ViewerRates before;
  uint8_t multiple = 0;
  if (trial == nullptr || !take_text(&value, &variation) || !take_signed(&value, &first) ||
      !take_fixed(&value, &before.impressions) || !take_fixed(&value, &before.clicks) ||
      !take_fixed(&value, &before.orders) || !take_fixed(&value, &multiple) || multiple > 1) {
    return corrupt;
  }
  TrialRow* const row = make_row(*trial, uint64_t{high} << 32 | low, phase);
  row->variation = variation_of(*trial, variation);
  row->first = Millis(first);
  row->before = before;
  row->multiple = multiple == 1;
  trial->last_first = std::max(trial->last_first, row->first);
  while (!value.empty()) {
    TrialPeriod& period = row->periods.emplace_back();
    if (!take_fixed(&value, &period.number)) return corrupt;
    for (int32_t& count : period.counts) {
      int64_t number = 0;
      if (!take_signed(&value, &number)) return corrupt;
      count = static_cast<int32_t>(number);
    }
  }
  return {};
}

Status ExperimentTally::restore(const StateReader& reader) {
  const std::lock_guard lock(mutex_);
  const Status trials =
      reader.scan(kTrialPrefix, [&](std::string_view key, std::string_view value) {
        Trial* const trial = trial_of(key.substr(kTrialPrefix.size()));
        int64_t newest = 0;
        if (trial == nullptr || !take_varint(&value, &trial->summary.left_out) ||
            !take_signed(&value, &newest) || !value.empty()) {
          return Status(Error{ErrorCode::kCorrupt, "results of experiments: malformed record"});
        }
        trial->summary.newest = Millis(newest);
        return Status();
      });
  if (!trials.ok()) return trials;
  return reader.scan(kRowPrefix, [&](std::string_view key, std::string_view value) {
    return restore_row(key, value);
  });
}

}  // namespace shanhuo
