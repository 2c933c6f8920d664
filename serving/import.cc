#include "serving/import.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/json_writer.h"
#include "streaming/codec.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

constexpr FlagSpec kFlags[] = {
    {"out", FlagSpec::Kind::kText, "DIR", "where items.ndjson and events.ndjson go"},
};

struct Format {
  std::string_view name;
  Status (*run)(const std::string& path, ImportSink& sink);
};
constexpr Format kFormats[] = {{"kuairand", import_kuairand},
                               {"movielens", import_movielens},
                               {"gowalla", import_gowalla},
                               {"reviews-csv", import_reviews}};

constexpr float kLikedStarsMin = 4;
constexpr float kDislikedStarsMax = 2;

Result<ImportSummary> import(const Format& format, const std::string& path,
                             const std::string& directory) {
  Result<ImportSink> sink = ImportSink::open(directory);
  if (!sink.ok()) return sink.error();
  const Status read = format.run(path, sink.value());
  if (!read.ok()) return read.error();
  return sink.value().finish();
}

}  // namespace

const std::span<const FlagSpec> kImportFlags = kFlags;

Result<ImportSink> ImportSink::open(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return Error{ErrorCode::kIo, directory + ": " + error.message()};
  ImportSink sink;
  sink.directory_ = directory;
  sink.items_.open(fs::path(directory) / "items.ndjson.partial", std::ios::binary);
  sink.events_.open(fs::path(directory) / "events.ndjson.partial", std::ios::binary);
  if (!sink.items_ || !sink.events_) {
    return Error{ErrorCode::kIo, directory + ": " + std::strerror(errno)};
  }
  sink.progress_ = std::make_unique<Progress>("import", "rows");
  return sink;
}

void ImportSink::item(const Item& item) {
  line_.clear();
  JsonWriter json(line_);
  write_item_json(json, item);
  write_line(items_);
  ++summary_.items;
}

void ImportSink::event(Interaction event) {
  event_id_.assign(event.user_id).append(":").append(event.item_id).append(":");
  event_id_.append(std::to_string(event.ts.count())).append(":");
  event_id_.append(event_type_name(event.type));
  event.event_id = event_id_;
  line_.clear();
  JsonWriter json(line_);
  write_event_json(json, event);
  write_line(events_);
  ++summary_.events;
}

void ImportSink::write_line(std::ofstream& file) {
  line_.push_back('\n');
  file.write(line_.data(), static_cast<std::streamsize>(line_.size()));
}

void ImportSink::malformed(const std::string& place, std::string_view what) {
  if (++summary_.malformed > kMalformedShown) return;
  std::fprintf(stderr, "%s: %s\n", place.c_str(), std::string(what).c_str());
  if (summary_.malformed == kMalformedShown) std::fputs("(further ones are counted)\n", stderr);
}

void ImportSink::row(double share_done) { progress_->update(share_done, ++summary_.rows); }

Result<ImportSummary> ImportSink::finish() {
  progress_->finish();
  items_.close();
  events_.close();
  if (!items_ || !events_) {
    return Error{ErrorCode::kIo, directory_ + ": writing failed: " + std::strerror(errno)};
  }
  if (summary_.events == 0) {
    return Error{ErrorCode::kInvalid, "nothing usable in " + std::to_string(summary_.rows) +
                                          " rows, " + std::to_string(summary_.malformed) +
                                          " of them malformed"};
  }
  for (const char* name : {"items.ndjson", "events.ndjson"}) {
    const fs::path path = fs::path(directory_) / name;
    std::error_code error;
    fs::rename(path.string() + ".partial", path, error);
    if (error) return Error{ErrorCode::kIo, path.string() + ": " + error.message()};
  }
  return summary_;
}

Status read_rows(const std::string& path, const TableFormat& format,
                 const std::vector<std::string>& columns, ImportSink& sink,
                 const std::function<std::string_view(const TableReader& row)>& take) {
  Result<TableReader> opened = TableReader::open(path, format, columns);
  if (!opened.ok()) return opened.error();
  TableReader& rows = opened.value();
  const auto bytes = static_cast<double>(std::max<uintmax_t>(fs::file_size(path), 1));
  for (auto next = rows.next(); next != TableReader::Next::kEnd; next = rows.next()) {
    const std::string_view wrong = next == TableReader::Next::kRow ? take(rows) : rows.what();
    if (!wrong.empty()) sink.malformed(rows.place(), wrong);
    sink.row(static_cast<double>(rows.bytes_read()) / bytes);
  }
  return {};
}

bool RatingSorter::add(std::string_view user, std::string_view item, int64_t ts_ms, float stars) {
  if (ratings_.size() == kRatingsMax) return false;
  ratings_.push_back({ts_ms, number_of(user), number_of(item), stars});
  return true;
}

uint64_t RatingSorter::number_of(std::string_view id) {
  const auto [entry, added] = numbers_.try_emplace(std::string(id), ids_.size());
  if (added) ids_.push_back(entry->first);
  return entry->second;
}

void RatingSorter::write(ImportSink& sink) {
  std::ranges::stable_sort(ratings_, {}, &Rating::ts_ms);
  for (const Rating& rating : ratings_) {
    Interaction event;
    event.type = EventType::kClick;
    event.user_id = ids_[rating.user];
    event.item_id = ids_[rating.item];
    event.ts = Millis(rating.ts_ms);
    sink.event(event);
    if (rating.stars < 0) continue;
    if (rating.stars > kDislikedStarsMax && rating.stars < kLikedStarsMin) continue;
    event.type = rating.stars >= kLikedStarsMin ? EventType::kLike : EventType::kDislike;
    sink.event(event);
  }
}

int import_verb(const CliArguments& arguments) {
  const auto format = std::ranges::find(kFormats, arguments.operands[0], &Format::name);
  if (format == std::end(kFormats)) {
    return bad_usage(arguments, "unknown format '" + arguments.operands[0] +
                                    "'; allowed: kuairand, movielens, gowalla, reviews-csv");
  }
  if (!arguments.given("out")) return bad_usage(arguments, "--out DIR is missing");
  const Result<ImportSummary> done = import(*format, arguments.operands[1], arguments.text("out"));
  if (!done.ok()) return fail(arguments, done.error());
  const ImportSummary& summary = done.value();
  if (arguments.json) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.field("items", summary.items);
    json.field("events", summary.events);
    json.field("rows", summary.rows);
    json.field("malformed", summary.malformed);
    json.end_object();
    std::printf("%s\n", out.c_str());
  } else {
    std::printf("%s items, %s events in %s; %s of %s rows malformed\n",
                with_separators(summary.items).c_str(), with_separators(summary.events).c_str(),
                arguments.text("out").c_str(), with_separators(summary.malformed).c_str(),
                with_separators(summary.rows).c_str());
  }
  return kExitDone;
}

}  // namespace shanhuo
