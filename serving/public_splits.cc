#include "serving/public_splits.h"

#include <algorithm>
#include <optional>

#include "serving/table_reader.h"

namespace shanhuo {
namespace {

constexpr int64_t kIdMax = 10'000'000;

std::optional<uint32_t> id_of(std::string_view text) {
  const std::optional<int64_t> parsed = parse_integer(text);
  if (!parsed || *parsed < 0 || *parsed > kIdMax) return std::nullopt;
  return static_cast<uint32_t>(*parsed);
}

// Calls row() for each row until one is refused: false, for a number that is none.
template <typename Row>
Status read_rows(TableReader& rows, const Row& row) {
  for (TableReader::Next next = rows.next(); next != TableReader::Next::kEnd; next = rows.next()) {
    if (next == TableReader::Next::kMalformed) {
      return Error{ErrorCode::kInvalid, rows.place() + ": " + rows.what()};
    }
    if (!row()) {
      return Error{ErrorCode::kInvalid, rows.place() + ": an id or a time is no number"};
    }
  }
  return {};
}

}  // namespace

Result<std::vector<SparseRows::Entry>> read_user_lines(const std::string& path) {
  Result<TableReader> opened =
      TableReader::open(path, {.separator = ' ', .header = false, .quotes = false});
  if (!opened.ok()) return opened.error();
  TableReader& rows = opened.value();
  std::vector<SparseRows::Entry> entries;
  const Status read = read_rows(rows, [&rows, &entries] {
    for (size_t f = 1; f < rows.fields(); ++f) {
      if (rows.field(f).empty()) continue;  // a blank at the end
      const auto user = id_of(rows.field(0)), item = id_of(rows.field(f));
      if (!user || !item) return false;
      entries.emplace_back(*user, *item);
    }
    return true;
  });
  if (!read.ok()) return read.error();
  return entries;
}

Result<std::vector<Review>> read_reviews(const std::string& path) {
  Result<TableReader> opened = TableReader::open(path, {}, {"user_id", "item_id", "time"});
  if (!opened.ok()) return opened.error();
  TableReader& rows = opened.value();
  std::vector<Review> reviews;
  const Status read = read_rows(rows, [&rows, &reviews] {
    const auto user = id_of(rows.field(0)), item = id_of(rows.field(1));
    const auto seconds = parse_integer(rows.field(2));
    if (user && item && seconds) reviews.push_back({*user, *item, *seconds});
    return user && item && seconds;
  });
  if (!read.ok()) return read.error();
  std::ranges::stable_sort(reviews, {}, &Review::seconds);
  return reviews;
}

Result<std::vector<uint32_t>> read_categories(const std::string& path) {
  Result<TableReader> opened =
      TableReader::open(path, {.separator = '\t'}, {"item_id", "i_category"});
  if (!opened.ok()) return opened.error();
  TableReader& rows = opened.value();
  std::vector<uint32_t> categories;
  const Status read = read_rows(rows, [&rows, &categories] {
    const auto item = id_of(rows.field(0)), category = id_of(rows.field(1));
    if (!item || !category) return false;
    categories.resize(std::max<size_t>(categories.size(), *item + 1));
    categories[*item] = *category;
    return true;
  });
  if (!read.ok()) return read.error();
  return categories;
}

}  // namespace shanhuo
