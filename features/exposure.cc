// The life of a record: made hot by the first event of its item and hour; changed under the mutex;
// written as "exh" by each checkpoint that finds it dirty. When the hour is out of reach of events
// that are not late, begin_checkpoint() declares it moving (hot_from_): it does not change any
// more, and that checkpoint writes all of it as "exi" and erases "exh". The memory goes at the next
// begin, when readers can find it on disk, so an hour is seen once at any time.
//
// Each hour has an index of its own. Beside these, 8 bytes an item say where its latest record is,
// which is the wanted one unless an event comes from an hour before.
//
// Tested by tests/features_exposure_test.cc against integer sums.
#include "features/exposure.h"

#include <algorithm>

#include "base/check.h"
#include "features/exposure_keys.h"

namespace shanhuo {
namespace {

constexpr std::string_view kMetaKey = "exm";

}  // namespace

uint32_t ExposureRollups::Hour::find(ItemIndex item) const {
  return index_.find(mix64(item), [&](uint32_t number) { return at(number).item == item; });
}

uint32_t ExposureRollups::Hour::make(ItemIndex item) {
  const uint32_t number = size_++;
  if (number % kSlabRecords == 0) slabs_.emplace_back().reserve(kSlabRecords);
  slabs_.back().emplace_back(item, memory_);
  index_.insert(mix64(item), number, [&](uint32_t other) { return mix64(at(other).item); });
  bytes += kHeldBytes;
  return number;
}

ExposureRollups::Hour& ExposureRollups::hour_at(int64_t hour) {
  if (last_ != nullptr && last_hour_ == hour) return *last_;
  last_ = &hours_.try_emplace(hour, &memory_).first->second;
  last_hour_ = hour;
  return *last_;
}

ExposureRollups::Held& ExposureRollups::held_at(int64_t hour, ItemIndex item) {
  Hour& place = hour_at(hour);
  if (item >= latest_.size()) latest_.resize(std::max<size_t>(item + 1, 2 * latest_.size()));
  Latest& latest = latest_[item];
  if (latest.hour == hour) return place.at(latest.number);
  uint32_t number = place.find(item);
  if (number == Hour::kNone) number = place.make(item);
  if (latest.hour < hour) latest = {static_cast<int32_t>(hour), number};
  return place.at(number);
}

void ExposureRollups::add_to(const ExposureEvent& event, ExposureRecord* record) {
  if (event.counts.viewable > 0) record->viewers().add(event.user_hash);
  add_rows(event, 1, record);
}

void ExposureRollups::add_rows(const ExposureEvent& event, int64_t sign, ExposureRecord* record) {
  Counts counts = event.counts;
  if (sign < 0) counts = Counts{} - counts;
  record->row(ExposureDimension::kSurface, static_cast<uint32_t>(event.surface)).add(counts);
  if (event.token == nullptr) return;
  for (const uint32_t variation : event.token->variations) {
    if (variation == 0) break;
    record->row(ExposureDimension::kVariation, variation).add(counts);
  }
  for (size_t i = 0; i < event.token->programs.size(); ++i) {
    if (event.token->programs[i] == 0) break;
    counts.viewable = counts.boosted_viewable = event.program_viewable[i] ? sign : 0;
    record->row(ExposureDimension::kProgram, event.token->programs[i]).add(counts);
  }
}

bool ExposureRollups::subtract(const ExposureEvent& event) {
  const int64_t hour = hour_of(event.ts);
  const std::lock_guard lock(mutex_);
  const auto place = hours_.find(hour);
  if (hour < hot_from_ || place == hours_.end()) return false;
  const uint32_t number = place->second.find(event.item);
  if (number == Hour::kNone) return false;
  Held& held = place->second.at(number);
  const Ref ref{hour, &held};
  dirty_.touch(&held.mark, ref, [&] { save_hot(ref); });
  add_rows(event, -1, &held.record);
  return true;
}

const ExposureRollups::Held* ExposureRollups::likely(ItemIndex item, Millis ts) const {
  const int64_t hour = hour_of(ts);
  if (hour != last_hour_ || last_ == nullptr || item >= latest_.size()) return nullptr;
  const Latest& latest = latest_[item];
  return latest.hour == hour ? &last_->at(latest.number) : nullptr;
}

void ExposureRollups::prefetch_index(ItemIndex item) const {
  if (item < latest_.size()) __builtin_prefetch(&latest_[item], 1);
}

void ExposureRollups::prefetch_record(ItemIndex item, Millis ts) const {
  const Held* const held = likely(item, ts);
  if (held == nullptr) return;
  __builtin_prefetch(&held->item, 1);
  __builtin_prefetch(&held->record.viewers(), 1);
}

void ExposureRollups::prefetch_viewers(ItemIndex item, Millis ts, uint64_t user_hash) const {
  if (const Held* const held = likely(item, ts)) held->record.viewers().prefetch(user_hash);
}

void ExposureRollups::add(const ExposureEvent& event, Millis watermark) {
  const int64_t hour = hour_of(event.ts);
  watermark_hour_ = std::max(watermark_hour_, hour_of(watermark));
  const std::lock_guard lock(mutex_);
  if (hour < hot_from_) {
    supplements_.fetch_add(1, std::memory_order_relaxed);
    return add_to(event, &live_supplements_[{event.item, hour}]);
  }
  Hour& place = hour_at(hour);
  const size_t before = place.bytes;
  Held& held = held_at(hour, event.item);
  const Ref ref{hour, &held};
  dirty_.touch(&held.mark, ref, [&] { save_hot(ref); });
  place.bytes -= held.record.heap_bytes();
  add_to(event, &held.record);
  place.bytes += held.record.heap_bytes();
  if (place.bytes != before) bytes_.fetch_add(place.bytes - before, std::memory_order_relaxed);
}

void ExposureRollups::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  const std::pair meta_before(hot_from_, generation_);
  release_moved();
  choose_moving();
  dirty_.begin();
  moving_hour_ = hours_.begin();
  moving_record_ = 0;
  next_supplement_ = frozen_supplements_.begin();
  if (std::pair(hot_from_, generation_) == meta_before) return;
  std::string value;
  put_fixed(&value, hot_from_);
  put_fixed(&value, generation_);
  writer_->put(kMetaKey, value);
}

// What the previous checkpoint moved is on disk now.
void ExposureRollups::release_moved() {
  std::vector<Hours::node_type> moved;  // freed outside the lock
  Supplements written;
  const std::lock_guard lock(mutex_);
  while (!hours_.empty() && hours_.begin()->first < hot_from_) {
    bytes_.fetch_sub(hours_.begin()->second.bytes, std::memory_order_relaxed);
    moved.push_back(hours_.extract(hours_.begin()));
  }
  last_ = nullptr;
  memory_from_ = hot_from_;
  frozen_supplements_.swap(written);
}

void ExposureRollups::choose_moving() {
  const std::lock_guard lock(mutex_);
  if (watermark_hour_ != INT64_MIN) {
    hot_from_ = std::max(hot_from_, watermark_hour_ - kHotHours);
  }
  size_t bytes = 0;
  for (auto hour = hours_.lower_bound(hot_from_); hour != hours_.end(); ++hour) {
    bytes += hour->second.bytes;
  }
  for (auto hour = hours_.lower_bound(hot_from_);
       bytes > options_.bytes_max && hour != hours_.end() && hour->first < watermark_hour_;
       ++hour) {
    bytes -= hour->second.bytes;
    hot_from_ = hour->first + 1;
    moved_early_.fetch_add(1, std::memory_order_relaxed);
  }
  if (live_supplements_.empty()) return;
  frozen_supplements_.swap(live_supplements_);
  ++generation_;
}

void ExposureRollups::save_hot(const Ref& ref) {
  if (ref.hour < hot_from_) return;  // it moves as a whole
  const std::string_view id = interner_.view_of(ref.held->item);
  writer_->put(hot_exposure_key(ref.hour, id), ref.held->record.encode());
}

bool ExposureRollups::checkpoint_step(size_t records_max) {
  const auto mark_of = [](const Ref& ref) { return &ref.held->mark; };
  return dirty_.step(records_max, mark_of, [&](const Ref& ref) { save_hot(ref); }) &&
         move_some(records_max) && write_supplements();
}

bool ExposureRollups::move_some(size_t records_max) {
  for (; moving_hour_ != hours_.end() && moving_hour_->first < hot_from_; ++moving_hour_) {
    auto& [hour, place] = *moving_hour_;
    for (; moving_record_ < place.size(); ++moving_record_) {
      if (records_max-- == 0) return false;
      const Held& held = place.at(moving_record_);
      const std::string_view id = interner_.view_of(held.item);
      writer_->erase(hot_exposure_key(hour, id));
      writer_->put(cold_exposure_key(id, hour, 0), held.record.encode());
    }
    moving_record_ = 0;
  }
  return true;
}

bool ExposureRollups::write_supplements() {
  for (; next_supplement_ != frozen_supplements_.end(); ++next_supplement_) {
    const auto& [key, record] = *next_supplement_;
    writer_->put(cold_exposure_key(interner_.view_of(key.first), key.second, generation_ - 1),
                 record.encode());
  }
  return true;
}

Status ExposureRollups::restore_hot(std::string_view key, std::string_view value) {
  key.remove_prefix(kHotExposure.size());
  int64_t hour = 0;
  const bool good = take_key64(&key, &hour);
  const ItemIndex item = good ? interner_.find(key) : kNoItem;
  Result<ExposureRecord> record = ExposureRecord::decode(value);
  if (item == kNoItem || !record.ok() || hour < hot_from_) {
    return Error{ErrorCode::kCorrupt, "exposure record: malformed, or of an unknown item"};
  }
  Hour& place = hour_at(hour);
  if (place.find(item) != Hour::kNone) {
    return Error{ErrorCode::kCorrupt, "exposure record: repeated"};
  }
  const size_t before = place.bytes;
  Held& held = place.at(place.make(item));
  held.record = std::move(record).value();
  place.bytes += held.record.heap_bytes();
  bytes_.fetch_add(place.bytes - before, std::memory_order_relaxed);
  return {};
}

Status ExposureRollups::restore(const StateReader& reader) {
  const std::lock_guard lock(mutex_);
  const Status meta =
      reader.scan(kMetaKey, [&](std::string_view, std::string_view value) -> Status {
        if (take_fixed(&value, &hot_from_) && take_fixed(&value, &generation_) && value.empty()) {
          return {};
        }
        return Error{ErrorCode::kCorrupt, "exposure rollups: malformed head"};
      });
  if (!meta.ok()) return meta;
  memory_from_ = hot_from_;
  return reader.scan(kHotExposure, [&](std::string_view key, std::string_view value) {
    return restore_hot(key, value);
  });
}

}  // namespace shanhuo
