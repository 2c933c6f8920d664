// Reviews as ReChorus and many others keep them: user_id,item_id,time and perhaps a rating.
#include <filesystem>
#include <map>
#include <set>

#include "serving/import.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

// Times below are seconds: 10^11 s is the year 5138, 10^11 ms is 1973.
constexpr int64_t kSecondsBelow = 100'000'000'000;
constexpr int64_t kTimeMsMax = 253'402'300'799'999;

struct Reviews {
  ImportSink& sink;
  std::map<std::string, std::string, std::less<>> categories{};  // by item
  std::set<std::string, std::less<>> items{};                    // written
  RatingSorter ratings{};

  void add_item(std::string_view id) {
    if (!items.emplace(id).second) return;
    Item item;
    item.id = ItemId(id);
    item.kind = ItemKind::kFarmGood;
    item.title = "Item " + item.id.str();
    item.creator_id = CreatorId(std::string_view("reviews"));
    if (const auto found = categories.find(id); found != categories.end()) {
      item.category = found->second;
    }
    sink.item(item);
  }

  std::string_view add_row(const TableReader& row) {
    if (!valid_id(row.field(0))) return "user_id is no id";
    if (!valid_id(row.field(1))) return "item_id is no id";
    auto time = parse_integer(row.field(2));
    if (time && *time < kSecondsBelow) *time *= 1000;
    if (!time || *time < 0 || *time > kTimeMsMax) return "time is no time in seconds or ms";
    float stars = -1;
    if (!row.field(3).empty()) {
      const auto rating = parse_decimal(row.field(3));
      if (!rating || *rating < 0 || *rating > 5) return "rating is not from 0 to 5";
      stars = static_cast<float>(*rating);
    }
    if (!ratings.add(row.field(0), row.field(1), *time, stars)) return "more reviews than fit";
    add_item(row.field(1));
    return {};
  }
};

Status read_categories(const fs::path& file, Reviews& reviews) {
  if (!fs::exists(file)) return {};
  return read_rows(file.string(), {.separator = '\t'}, {"item_id", "i_category"}, reviews.sink,
                   [&](const TableReader& row) -> std::string_view {
                     if (!valid_id(row.field(0))) return "item_id is no id";
                     reviews.categories.insert_or_assign(std::string(row.field(0)),
                                                         std::string(row.field(1)));
                     return {};
                   });
}

}  // namespace

Status import_reviews(const std::string& path, ImportSink& sink) {
  Reviews reviews{sink};
  std::vector<fs::path> files;
  if (fs::is_directory(path)) {
    const Status read = read_categories(fs::path(path) / "item_category.tsv", reviews);
    if (!read.ok()) return read;
    for (const char* name : {"train.csv", "dev.csv", "test.csv"}) {
      if (fs::exists(fs::path(path) / name)) files.push_back(fs::path(path) / name);
    }
    if (files.empty()) {
      return Error{ErrorCode::kInvalid, path + ": holds no train.csv, dev.csv or test.csv"};
    }
  } else {
    files.emplace_back(path);
  }
  for (const fs::path& file : files) {
    const Status read =
        read_rows(file.string(), {}, {"user_id", "item_id", "time", "rating?"}, sink,
                  [&](const TableReader& row) { return reviews.add_row(row); });
    if (!read.ok()) return read;
  }
  reviews.ratings.write(sink);
  return {};
}

}  // namespace shanhuo
