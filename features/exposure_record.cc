#include "features/exposure_record.h"

#include <algorithm>

#include "features/packing.h"

namespace shanhuo {
namespace {

void raise(uint32_t* count, int64_t by) {
  *count = static_cast<uint32_t>(std::clamp<int64_t>(*count + by, 0, UINT32_MAX));
}

auto place_of(const ExposureRow& row) { return std::pair(row.dimension, row.key); }

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

ExposureRow& ExposureRecord::row(ExposureDimension dimension, uint32_t key) {
  const std::pair wanted(dimension, key);
  auto place = std::find_if(rows.begin(), rows.end(),
                            [&](const ExposureRow& row) { return place_of(row) >= wanted; });
  if (place == rows.end() || place_of(*place) != wanted) {
    place = rows.insert(place, {.dimension = dimension, .key = key});
  }
  return *place;
}

std::string ExposureRecord::encode() const {
  std::string out;
  put_varint(&out, rows.size());
  for (const ExposureRow& row : rows) {
    out.push_back(static_cast<char>(row.dimension));
    put_varint(&out, row.key);
    each_count(row, [&](uint32_t count) { put_varint(&out, count); });
    put_signed(&out, row.watch_ms);
    put_signed(&out, row.amount_fen);
  }
  viewers.append_to(&out);
  return out;
}

Result<ExposureRecord> ExposureRecord::decode(std::string_view bytes) {
  const Error corrupt{ErrorCode::kCorrupt, "exposure record: malformed"};
  ExposureRecord record;
  uint64_t count = 0;
  if (!take_varint(&bytes, &count) || count > bytes.size()) return corrupt;
  record.rows.resize(count);
  for (ExposureRow& row : record.rows) {
    if (!take_row(&bytes, &row)) return corrupt;
  }
  const auto not_ascending = [](const ExposureRow& a, const ExposureRow& b) {
    return place_of(a) >= place_of(b);
  };
  if (std::adjacent_find(record.rows.begin(), record.rows.end(), not_ascending) !=
      record.rows.end()) {
    return corrupt;
  }
  Result<UniqueSketch> viewers = UniqueSketch::take_from(&bytes);
  if (!viewers.ok()) return viewers.error();
  if (!bytes.empty()) return corrupt;
  record.viewers = std::move(viewers).value();
  return record;
}

}  // namespace shanhuo
