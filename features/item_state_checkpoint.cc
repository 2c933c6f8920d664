// How item_state.h is kept. A head is rewritten whenever its item changed; of the hours only those
// from the first changed one on (usually the present one). Hours that expired are erased with the
// next write of their item.
//
//   head := at_ms:i64 impressions clicks viewable orders:f64 varint n, n * (slot:zigzag bucket)
//   hour := bucket
//   bucket := served viewable clicks plays likes orders:varint watch_ms amount_fen:zigzag
#include "base/check.h"
#include "features/item_state_cells.h"

namespace shanhuo {
namespace {

// After a sweep that no write has followed, stale hours may be on disk, but never more than these.
constexpr int64_t kDiskHoursMax = kHoursKept + 1;

std::string hour_key(std::string_view id, int64_t hour) {
  std::string key = "it";
  key.append(id).push_back('\0');
  put_key64(&key, hour);
  return key;
}

}  // namespace

std::string ItemState::encode_head(Cell& cell) {
  std::string out;
  put_fixed(&out, cell.at_ms.load(std::memory_order_relaxed));
  for (const auto* sum : cell.sums()) put_fixed(&out, sum->load(std::memory_order_relaxed));
  put_varint(&out, cell.recent_count());
  cell.each_recent([&](const Bucket& bucket) {
    put_signed(&out, bucket.slot);
    bucket.append_to(&out);
  });
  return out;
}

void ItemState::save(ItemIndex item) {
  Cell& cell = writable_cell(item);
  const std::string_view id = interner_.view_of(item);
  writer_->put(std::string("it").append(id), encode_head(cell));
  if (!cell.hours.empty()) {
    const int64_t first = cell.first_hour();
    const int64_t erased_end = std::min(first, cell.disk_from + kDiskHoursMax);
    for (int64_t hour = cell.disk_from; hour < erased_end; ++hour) {
      writer_->erase(hour_key(id, hour));
    }
    cell.disk_from = cell.first_hour();
  }
  std::string value;
  cell.each_hour([&](const Bucket& bucket) {
    if (bucket.slot < cell.dirty_from) return;
    value.clear();
    bucket.append_to(&value);
    writer_->put(hour_key(id, bucket.slot), value);
  });
  cell.dirty_from = kNever;
}

void ItemState::begin_checkpoint(StateWriter& writer) {
  writer_ = &writer;
  dirty_.begin();
  if (watermark() == saved_watermark_) return;
  saved_watermark_ = watermark();
  std::string value;
  put_fixed(&value, saved_watermark_.count());
  writer_->put(std::string_view("it\0", 3), value);
}

bool ItemState::checkpoint_step(size_t records_max) {
  const auto mark_of = [&](ItemIndex item) { return &writable_cell(item).mark; };
  return dirty_.step(records_max, mark_of, [&](ItemIndex item) { save(item); });
}

bool ItemState::restore_head(Cell* cell, std::string_view value) {
  int64_t at = 0;
  uint64_t count = 0;
  if (!take_fixed(&value, &at)) return false;
  cell->at_ms = at;
  for (auto* sum : cell->sums()) {
    double number = 0;
    if (!take_fixed(&value, &number) || !(number >= 0 && number < 1e15)) return false;
    *sum = number;
  }
  cell->sequence = 2;
  if (!take_varint(&value, &count) || count > kRecentKept) return false;
  for (; count > 0; --count) {
    int64_t slot = 0;
    Bucket bucket;
    if (!take_signed(&value, &slot) || !bucket.take_from(&value)) return false;
    bucket.slot = static_cast<int32_t>(slot);
    if (bucket.slot <= cell->recent.slot()) return false;
    if (!cell->recent.empty()) cell->make_older().recent.push_back(cell->recent.load());
    cell->recent.store(bucket);
    ++buckets_;
  }
  return value.empty();
}

bool ItemState::restore_hour(Cell* cell, std::string_view key, std::string_view value) {
  int64_t hour = 0;
  Bucket bucket;
  if (!take_key64(&key, &hour) || !key.empty() || !bucket.take_from(&value)) return false;
  bucket.slot = static_cast<int32_t>(hour);
  if (cell->hours.empty()) {
    cell->disk_from = bucket.slot;
  } else {
    cell->make_older().hours.push_back(cell->hours.load());
  }
  cell->hours.store(bucket);
  ++buckets_;
  return value.empty();
}

Status ItemState::restore_record(std::string_view key, std::string_view value) {
  key.remove_prefix(2);
  const size_t end = key.find('\0');
  const std::string_view id = key.substr(0, end);
  bool good = false;
  if (id.empty()) {
    int64_t watermark = 0;
    good = take_fixed(&value, &watermark) && value.empty();
    watermark_ms_ = watermark;
    saved_watermark_ = Millis(watermark);
  } else if (const ItemIndex item = interner_.find(id); item < options_.items_max) {
    Cell& cell = writable_cell(item);
    items_end_ = std::max<size_t>(items_end_, item + 1);
    good = end == std::string_view::npos ? restore_head(&cell, value)
                                         : restore_hour(&cell, key.substr(end + 1), value);
  }
  if (good) return {};
  return Error{ErrorCode::kCorrupt, "item counters of \"" + std::string(id) + "\": malformed"};
}

Status ItemState::restore(const StateReader& reader) {
  return reader.scan("it", [&](std::string_view key, std::string_view value) {
    return restore_record(key, value);
  });
}

}  // namespace shanhuo
