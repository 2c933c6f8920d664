#include "features/exposure_record.h"

#include <algorithm>

#include "features/packing.h"

namespace shanhuo {
namespace {

void raise(uint32_t* count, int64_t by) {
  *count = static_cast<uint32_t>(std::clamp<int64_t>(*count + by, 0, UINT32_MAX));
}

// Field by field in the order of the grammar.
template <typename Row, typename Visit>
void each_count(Row& row, const Visit& visit) {
  visit(row.served);
  visit(row.viewable);
  visit(row.clicks);
  visit(row.plays);
  visit(row.likes);
  visit(row.orders);
  visit(row.boosted_viewable);
  visit(row.boosted_orders);
}

bool take_row(std::string_view* bytes, ExposureRow* row) {
  uint64_t key = 0;
  if (bytes->empty()) return false;
  const auto dimension = static_cast<uint8_t>(bytes->front());
  bytes->remove_prefix(1);
  bool good = dimension <= static_cast<uint8_t>(ExposureDimension::kVariation) &&
              take_varint(bytes, &key) && key <= UINT32_MAX;
  row->dimension = static_cast<ExposureDimension>(dimension);
  row->key = static_cast<uint32_t>(key);
  each_count(*row, [&](uint32_t& count) {
    uint64_t value = 0;
    good = good && take_varint(bytes, &value) && value <= UINT32_MAX;
    count = static_cast<uint32_t>(value);
  });
  return good && take_signed(bytes, &row->watch_ms) && take_signed(bytes, &row->amount_fen);
}

}  // namespace

void ExposureRow::add(const Counts& counts) {
  raise(&served, counts.served);
  raise(&viewable, counts.viewable);
  raise(&clicks, counts.clicks);
  raise(&plays, counts.plays);
  raise(&likes, counts.likes);
  raise(&orders, counts.orders);
  raise(&boosted_viewable, counts.boosted_viewable);
  raise(&boosted_orders, counts.boosted_orders);
  watch_ms += counts.watch_ms;
  amount_fen += counts.amount_fen;
}

Counts ExposureRow::counts() const {
  return {.served = served,
          .viewable = viewable,
          .clicks = clicks,
          .plays = plays,
          .watch_ms = watch_ms,
          .likes = likes,
          .orders = orders,
          .amount_fen = amount_fen,
          .boosted_viewable = boosted_viewable,
          .boosted_orders = boosted_orders};
}

ExposureRow& ExposureRecord::other_row(ExposureDimension dimension, uint32_t key) {
  const std::pair wanted(dimension, key);
  if (!has_rows()) {
    first_.dimension = dimension;
    first_.key = key;
    return first_;
  }
  auto place =
      std::ranges::find_if(others_, [&](const ExposureRow& row) { return row.place() >= wanted; });
  if (place == others_.end() || place->place() != wanted) {
    place = others_.insert(place, {.dimension = dimension, .key = key});
  }
  return *place;
}

std::string ExposureRecord::encode() const {
  std::string out;
  put_varint(&out, others_.size() + (has_rows() ? 1 : 0));
  each_row([&](const ExposureRow& row) {
    out.push_back(static_cast<char>(row.dimension));
    put_varint(&out, row.key);
    each_count(row, [&](uint32_t count) { put_varint(&out, count); });
    put_signed(&out, row.watch_ms);
    put_signed(&out, row.amount_fen);
  });
  viewers_.append_to(&out);
  return out;
}

Result<ExposureRecord> ExposureRecord::decode(std::string_view bytes) {
  const Error corrupt{ErrorCode::kCorrupt, "exposure record: malformed"};
  ExposureRecord record;
  uint64_t count = 0;
  if (!take_varint(&bytes, &count) || count > bytes.size()) return corrupt;
  const ExposureRow* last = nullptr;
  record.others_.reserve(count > 0 ? count - 1 : 0);
  for (uint64_t i = 0; i < count; ++i) {
    ExposureRow& row = i == 0 ? record.first_ : record.others_.emplace_back();
    if (!take_row(&bytes, &row)) return corrupt;
    if (last != nullptr && last->place() >= row.place()) return corrupt;
    last = &row;
  }
  Result<UniqueSketch> viewers = UniqueSketch::take_from(&bytes);
  if (!viewers.ok()) return viewers.error();
  if (!bytes.empty()) return corrupt;
  record.viewers_ = std::move(viewers).value();
  return record;
}

}  // namespace shanhuo
