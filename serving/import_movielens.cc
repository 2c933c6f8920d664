// MovieLens: ratings.csv and movies.csv of the newer sets, u.data and u.item of the 100K set.
#include <algorithm>
#include <filesystem>

#include "serving/import.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

// u.item is Latin-1, whose bytes are the first code points of Unicode.
std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xc0 | byte >> 6));
      out.push_back(static_cast<char>(0x80 | (byte & 0x3f)));
    }
  }
  return out;
}

std::vector<std::string> split_genres(std::string_view text) {
  std::vector<std::string> genres;
  if (text == "(no genres listed)") return genres;
  while (!text.empty()) {
    const size_t end = std::min(text.find('|'), text.size());
    if (end > 0) genres.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return genres;
}

std::string_view write_movie(std::string_view id, std::string title, std::string_view genres,
                             ImportSink& sink) {
  if (!valid_id(id)) return "the movie's id is no id";
  if (title.empty() || !valid_utf8(title)) return "the title is empty or not UTF-8";
  Item item;
  item.id = ItemId(id);
  item.kind = ItemKind::kVideo;
  item.title = std::move(title);
  item.creator_id = CreatorId(std::string_view("movielens"));
  item.tags = split_genres(genres);
  if (!item.tags.empty()) item.category = item.tags[0];
  sink.item(item);
  return {};
}

std::string_view take_rating(const TableReader& row, RatingSorter& ratings) {
  if (!valid_id(row.field(0))) return "the user is no id";
  if (!valid_id(row.field(1))) return "the movie is no id";
  const auto stars = parse_decimal(row.field(2));
  if (!stars || *stars < 0 || *stars > 5) return "the rating is not from 0 to 5";
  const auto seconds = parse_integer(row.field(3));
  if (!seconds || *seconds < 0 || *seconds > 253'402'300'799) return "the time is no time";
  if (!ratings.add(row.field(0), row.field(1), *seconds * 1000, static_cast<float>(*stars))) {
    return "more ratings than fit";
  }
  return {};
}

Status import_newer(const fs::path& folder, ImportSink& sink) {
  const Status movies =
      read_rows((folder / "movies.csv").string(), {}, {"movieId", "title", "genres"}, sink,
                [&](const TableReader& row) {
                  return write_movie(row.field(0), std::string(row.field(1)), row.field(2), sink);
                });
  if (!movies.ok()) return movies;
  RatingSorter ratings;
  const Status rows =
      read_rows((folder / "ratings.csv").string(), {}, {"userId", "movieId", "rating", "timestamp"},
                sink, [&](const TableReader& row) { return take_rating(row, ratings); });
  if (rows.ok()) ratings.write(sink);
  return rows;
}

Status import_100k(const fs::path& folder, ImportSink& sink) {
  const Status movies =
      read_rows((folder / "u.item").string(),
                {.separator = '|', .header = false, .quotes = false, .fields_min = 2}, {}, sink,
                [&](const TableReader& row) {
                  return write_movie(row.field(0), latin1_to_utf8(row.field(1)), "", sink);
                });
  if (!movies.ok()) return movies;
  RatingSorter ratings;
  const Status rows =
      read_rows((folder / "u.data").string(),
                {.separator = '\t', .header = false, .quotes = false, .fields_min = 4}, {}, sink,
                [&](const TableReader& row) { return take_rating(row, ratings); });
  if (rows.ok()) ratings.write(sink);
  return rows;
}

}  // namespace

Status import_movielens(const std::string& path, ImportSink& sink) {
  const fs::path folder(path);
  return fs::exists(folder / "u.data") ? import_100k(folder, sink) : import_newer(folder, sink);
}

}  // namespace shanhuo
