// `shanhuo import FORMAT PATH --out DIR`: public data sets into the two files that `replay` sends.
//
//   DIR/items.ndjson    one Item a line (contract 2.1)
//   DIR/events.ndjson   one Event a line (contract 2.2), in order of time
//
//   kuairand     folder with events_*.csv and videos.csv. A row gives impression (viewable_ms =
//                min(play_time_ms, duration_ms)), play (watch_ms) if play_time_ms > 0, then click,
//                like, follow, comment, share (is_forward), dislike (is_hate) where the flag is 1;
//                rows in file order, repeats kept
//   movielens    folder with ratings.csv and movies.csv, or u.data and u.item. A rating gives
//   click,
//                and like from 4 on, dislike up to 2; ordered by time
//   gowalla      folder with train.txt (and test.txt), lines "user item item ...". A check-in gives
//                click. The split has no times: the n-th check-in of both files together is at
//                2010-01-01T00:00:00Z + n seconds
//   reviews-csv  a file with columns user_id, item_id, time (seconds or ms) and perhaps rating, or
//   a
//                folder with train.csv, dev.csv, test.csv of that shape and perhaps
//                item_category.tsv. A review gives click, and like or dislike by its rating as
//                above; ordered by time
//
// event_id is user:item:time_ms:type. Rows that cannot be used are counted, the first of them shown
// as file:line: what. Columns that nobody asked for do not matter. Files appear under their names
// only when they are complete.
#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "features/interaction.h"
#include "features/item.h"
#include "serving/cli.h"
#include "serving/table_reader.h"
#include "serving/terminal.h"

namespace shanhuo {

struct ImportSummary {
  uint64_t items = 0;
  uint64_t events = 0;
  uint64_t rows = 0;       // read, malformed ones included
  uint64_t malformed = 0;  // rows that gave nothing
};

// Where importers put what they read. One thread.
class ImportSink {
 public:
  static constexpr size_t kMalformedShown = 10;

  // Makes the folder when it is missing.
  static Result<ImportSink> open(const std::string& directory);

  void item(const Item& item);
  // The event's id is made here: user:item:time_ms:type.
  void event(Interaction event);
  void malformed(const std::string& place, std::string_view what);
  void row(double share_done);  // one more row was read: progress

  // Flushes and gives the files their names. kInvalid when there is no event at all.
  Result<ImportSummary> finish();

 private:
  ImportSink() = default;
  void write_line(std::ofstream& file);

  std::string directory_;
  std::ofstream items_, events_;
  std::string line_, event_id_;
  ImportSummary summary_;
  std::unique_ptr<Progress> progress_;
};

// Calls `take` for each row of a file; what it answers is wrong with the row, empty when it was
// taken.
Status read_rows(const std::string& path, const TableFormat& format,
                 const std::vector<std::string>& columns, ImportSink& sink,
                 const std::function<std::string_view(const TableReader& row)>& take);

// Each reads the whole of `path`. kIo and kInvalid when a file or a column is missing.
Status import_kuairand(const std::string& path, ImportSink& sink);
Status import_movielens(const std::string& path, ImportSink& sink);
Status import_gowalla(const std::string& path, ImportSink& sink);
Status import_reviews(const std::string& path, ImportSink& sink);

// Ratings wait here to be put in order of time: sources are ordered by user.
class RatingSorter {
 public:
  static constexpr size_t kRatingsMax = 100'000'000;  // 32 bytes each

  struct Rating {
    int64_t ts_ms;
    uint64_t user, item;  // numbers of ids below
    float stars;          // below 0: none
  };
  // False when the limit is reached.
  bool add(std::string_view user, std::string_view item, int64_t ts_ms, float stars);
  // click, and like or dislike, for each in order of time, then of arrival.
  void write(ImportSink& sink);

 private:
  uint64_t number_of(std::string_view id);

  std::vector<Rating> ratings_;
  std::unordered_map<std::string, uint64_t> numbers_;
  std::vector<std::string_view> ids_;  // views of the keys above, which never move
};

int import_verb(const CliArguments& arguments);
extern const std::span<const FlagSpec> kImportFlags;

}  // namespace shanhuo
