#include "features/segment_rates.h"

#include <algorithm>
#include <cmath>

#include "features/packing.h"

namespace shanhuo {
namespace {

using ItemCounts = SegmentRates::ItemCounts;

bool worth_more(const ItemCounts& a, const ItemCounts& b) {
  if (a.clicks != b.clicks) return a.clicks > b.clicks;
  if (a.impressions != b.impressions) return a.impressions < b.impressions;
  return a.item < b.item;
}

float decay(Millis age) {
  return std::exp2(-static_cast<float>(age.count()) / static_cast<float>(kRateHalfLife.count()));
}

}  // namespace

// Counts stand as of the newest event; an older one counts for what is left of it by then.
SegmentRates::Entry* SegmentRates::touched(uint64_t segment, Millis ts) {
  auto found = rows_.find(segment);
  if (found == rows_.end()) {
    if (rows_.size() >= options_.segments_max) {
      ++refused_;
      return nullptr;
    }
    found = rows_.try_emplace(segment).first;
    found->second.as_of = ts;
  }
  Row& row = found->second;
  dirty_.touch(&row.mark, &*found, [&] { save(*found); });
  if (row.as_of < ts) {
    const float left = decay(ts - row.as_of);
    for (ItemCounts& counts : row.items) {
      counts.impressions *= left;
      counts.clicks *= left;
    }
    row.as_of = ts;
  }
  return &*found;
}

void SegmentRates::impression(uint64_t segment, ItemIndex item, Millis ts) {
  const std::lock_guard lock(mutex_);
  Entry* const entry = touched(segment, ts);
  if (entry == nullptr) return;
  auto& items = entry->second.items;
  auto place = std::find_if(items.begin(), items.end(), [item](const ItemCounts& counts) {
    return counts.item == item || counts.item == kNoItem;  // those without one stand last
  });
  if (place == items.end()) {
    place = std::max_element(items.begin(), items.end(), worth_more);
    *place = {};
  }
  place->item = item;
  place->impressions += decay(entry->second.as_of - ts);
}

void SegmentRates::click(uint64_t segment, ItemIndex item, Millis ts) {
  const std::lock_guard lock(mutex_);
  Entry* const entry = touched(segment, ts);
  if (entry == nullptr) return;
  for (ItemCounts& counts : entry->second.items) {
    if (counts.item == item) counts.clicks += decay(entry->second.as_of - ts);
  }
}

std::vector<SegmentRates::Segment> SegmentRates::top() const {
  std::vector<uint64_t> keys;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, row] : rows_) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<Segment> segments;
  for (const uint64_t key : keys) {
    Segment segment{key, {}};
    {
      const std::lock_guard lock(mutex_);
      const auto& items = rows_.at(key).items;
      segment.items.assign(items.begin(), items.end());
    }
    std::erase_if(segment.items, [](const ItemCounts& c) { return c.item == kNoItem; });
    std::sort(segment.items.begin(), segment.items.end(), worth_more);
    segments.push_back(std::move(segment));
  }
  return segments;
}

uint64_t SegmentRates::segments_refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void SegmentRates::save(const Entry& entry) {
  std::string key = "sg", value;
  put_key64(&key, static_cast<int64_t>(entry.first));
  put_signed(&value, entry.second.as_of.count());
  for (const ItemCounts& counts : entry.second.items) {
    if (counts.item == kNoItem) break;
    put_fixed(&value, counts.item);
    put_fixed(&value, counts.impressions);
    put_fixed(&value, counts.clicks);
  }
  writer_->put(key, value);
}

void SegmentRates::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  dirty_.begin();
}

bool SegmentRates::checkpoint_step(size_t records_max) {
  const auto mark_of = [](Entry* entry) { return &entry->second.mark; };
  return dirty_.step(records_max, mark_of, [&](Entry* entry) { save(*entry); });
}

Status SegmentRates::restore(const StateReader& reader) {
  const std::lock_guard lock(mutex_);
  return reader.scan("sg", [&](std::string_view key, std::string_view value) -> Status {
    key.remove_prefix(2);
    int64_t segment = 0, as_of = 0;
    bool good = take_key64(&key, &segment) && key.empty() && take_signed(&value, &as_of);
    Row row;
    row.as_of = Millis(as_of);
    size_t n = 0;
    for (; good && !value.empty() && n < kItems; ++n) {
      ItemCounts& counts = row.items[n];
      good = take_fixed(&value, &counts.item) && take_fixed(&value, &counts.impressions) &&
             take_fixed(&value, &counts.clicks) && counts.impressions >= 0 && counts.clicks >= 0;
    }
    if (!good || !value.empty()) {
      return Error{ErrorCode::kCorrupt, "segment rates: malformed record"};
    }
    rows_[static_cast<uint64_t>(segment)] = row;
    return {};
  });
}

}  // namespace shanhuo
