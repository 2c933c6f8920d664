#include "features/program_totals.h"

#include "features/packing.h"

namespace shanhuo {
namespace {

ProgramCounts& operator+=(ProgramCounts& sum, const ProgramCounts& counts) {
  sum.viewable += counts.viewable;
  sum.clicks += counts.clicks;
  sum.orders += counts.orders;
  return sum;
}

}  // namespace

void ProgramTotals::add(uint32_t program, Millis ts, const ProgramCounts& counts) {
  const Key key(program, day_of(ts));
  const std::lock_guard lock(mutex_);
  auto found = rows_.find(key);
  if (found == rows_.end()) {
    if (rows_.size() >= options_.rows_max) {
      ++rows_refused_;
      return;
    }
    found = rows_.try_emplace(key).first;
  }
  dirty_.touch(&found->second.mark, &*found, [&] { save(*found); });
  found->second.counts += counts;
  lifetime_[program] += counts;
}

ProgramCounts ProgramTotals::total(uint32_t program) const {
  const std::lock_guard lock(mutex_);
  const auto found = lifetime_.find(program);
  return found == lifetime_.end() ? ProgramCounts{} : found->second;
}

ProgramCounts ProgramTotals::day(uint32_t program, Millis t) const {
  const std::lock_guard lock(mutex_);
  const auto found = rows_.find({program, day_of(t)});
  return found == rows_.end() ? ProgramCounts{} : found->second.counts;
}

std::vector<std::pair<int64_t, ProgramCounts>> ProgramTotals::days(uint32_t program) const {
  std::vector<std::pair<int64_t, ProgramCounts>> days;
  const std::lock_guard lock(mutex_);
  for (auto it = rows_.lower_bound({program, INT64_MIN});
       it != rows_.end() && it->first.first == program; ++it) {
    days.emplace_back(it->first.second, it->second.counts);
  }
  return days;
}

uint64_t ProgramTotals::rows_refused() const {
  const std::lock_guard lock(mutex_);
  return rows_refused_;
}

size_t ProgramTotals::bytes() const {
  constexpr size_t kRowBytes = sizeof(Entry) + 40, kLifetimeBytes = 80;  // nodes of std::map
  const std::lock_guard lock(mutex_);
  return rows_.size() * kRowBytes + lifetime_.size() * kLifetimeBytes;
}

void ProgramTotals::save(const Entry& entry) {
  std::string key = "pg", value;
  put_key32(&key, entry.first.first);
  put_key64(&key, entry.first.second);
  const ProgramCounts& counts = entry.second.counts;
  for (const int64_t n : {counts.viewable, counts.clicks, counts.orders}) put_signed(&value, n);
  writer_->put(key, value);
}

void ProgramTotals::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  dirty_.begin();
}

bool ProgramTotals::checkpoint_step(size_t records_max) {
  const auto mark_of = [](Entry* entry) { return &entry->second.mark; };
  return dirty_.step(records_max, mark_of, [&](Entry* entry) { save(*entry); });
}

Status ProgramTotals::restore(const StateReader& reader) {
  const std::lock_guard lock(mutex_);
  return reader.scan("pg", [&](std::string_view key, std::string_view value) -> Status {
    key.remove_prefix(2);
    Key place;
    ProgramCounts counts;
    const bool good = take_key32(&key, &place.first) && take_key64(&key, &place.second) &&
                      key.empty() && take_signed(&value, &counts.viewable) &&
                      take_signed(&value, &counts.clicks) && take_signed(&value, &counts.orders) &&
                      value.empty();
    if (!good) return Error{ErrorCode::kCorrupt, "program totals: malformed record"};
    rows_[place].counts = counts;
    lifetime_[place.first] += counts;
    return {};
  });
}

}  // namespace shanhuo
