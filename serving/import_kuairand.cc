// KuaiRand: logged impressions of short videos, in order of time (evaluation.md, kuairand-stream).
#include <algorithm>
#include <array>
#include <filesystem>

#include "configs/reader.h"
#include "serving/import.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

// Columns of the videos and of the events, in the order in which field() knows them.
enum VideoColumn { kVideoId, kAuthorId, kUploadDt, kDuration, kTag };
enum EventColumn { kUser, kVideo, kTimeMs, kPlayTimeMs, kDurationMs, kFirstFlag };

constexpr std::array kFlagTypes = {EventType::kClick,   EventType::kLike,  EventType::kFollow,
                                   EventType::kComment, EventType::kShare, EventType::kDislike};

// "2022-04-10", a day of UTC+8.
std::optional<Millis> parse_day(std::string_view day) {
  return parse_rfc3339(std::string(day) + "T00:00:00+08:00");
}

std::vector<std::string> split_tags(std::string_view text) {
  std::vector<std::string> tags;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    if (end > 0) tags.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return tags;
}

// What is wrong with the row; empty when `item` is set.
std::string_view read_video(const TableReader& row, Item& item) {
  item = Item();
  if (!valid_id(row.field(kVideoId))) return "video_id is no id";
  if (!valid_id(row.field(kAuthorId))) return "author_id is no id";
  item.id = ItemId(row.field(kVideoId));
  item.kind = ItemKind::kVideo;
  item.title = "KuaiRand video " + item.id.str();
  item.creator_id = CreatorId(row.field(kAuthorId));
  item.tags = split_tags(row.field(kTag));
  if (!item.tags.empty()) item.category = item.tags[0];
  if (!row.field(kUploadDt).empty()) {
    item.published_at = parse_day(row.field(kUploadDt));
    if (!item.published_at) return "upload_dt is no day such as 2022-04-10";
  }
  if (!row.field(kDuration).empty()) {
    const std::optional<double> duration = parse_decimal(row.field(kDuration));
    if (!duration || *duration < 0 || *duration > kDurationMsMax) {
      return "video_duration is no number of ms";
    }
    item.duration = Millis(static_cast<int64_t>(*duration));
  }
  return {};
}

std::string_view write_impression(const TableReader& row, ImportSink& sink) {
  Interaction event;
  event.user_id = row.field(kUser);
  event.item_id = row.field(kVideo);
  if (!valid_id(event.user_id)) return "user_id is no id";
  if (!valid_id(event.item_id)) return "video_id is no id";
  const auto time = parse_integer(row.field(kTimeMs));
  const auto play = parse_integer(row.field(kPlayTimeMs));
  const auto duration = parse_integer(row.field(kDurationMs));
  if (!time || *time < 0) return "time_ms is no time";
  if (!play || *play < 0 || *play > kDurationMsMax) return "play_time_ms is no number of ms";
  if (!duration || *duration < 0) return "duration_ms is no number of ms";
  for (size_t i = 0; i < kFlagTypes.size(); ++i) {
    const std::string_view flag = row.field(kFirstFlag + i);
    if (flag != "0" && flag != "1") return "a flag is neither 0 nor 1";
  }
  event.ts = Millis(*time);
  event.surface = Surface::kFeed;
  event.type = EventType::kImpression;
  event.viewable_ms = std::min(*play, *duration);
  sink.event(event);
  event.viewable_ms = -1;
  if (*play > 0) {
    event.type = EventType::kPlay;
    event.watch_ms = *play;
    sink.event(event);
    event.watch_ms = -1;
  }
  for (size_t i = 0; i < kFlagTypes.size(); ++i) {
    if (row.field(kFirstFlag + i) == "0") continue;
    event.type = kFlagTypes[i];
    sink.event(event);
  }
  return {};
}

Result<std::vector<std::string>> event_files(const std::string& path) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("events_") && name.ends_with(".csv")) {
      files.push_back(entry.path().string());
    }
  }
  if (error) return Error{ErrorCode::kIo, path + ": " + error.message()};
  if (files.empty()) return Error{ErrorCode::kInvalid, path + ": holds no events_*.csv"};
  std::ranges::sort(files);  // by their dates
  return files;
}

}  // namespace

Status import_kuairand(const std::string& path, ImportSink& sink) {
  const Result<std::vector<std::string>> files = event_files(path);
  if (!files.ok()) return files.error();
  Item item;
  const Status videos =
      read_rows((fs::path(path) / "videos.csv").string(), {},
                {"video_id", "author_id", "upload_dt?", "video_duration?", "tag?"}, sink,
                [&](const TableReader& row) {
                  const std::string_view wrong = read_video(row, item);
                  if (wrong.empty()) sink.item(item);
                  return wrong;
                });
  if (!videos.ok()) return videos;
  for (const std::string& file : files.value()) {
    const Status events =
        read_rows(file, {},
                  {"user_id", "video_id", "time_ms", "play_time_ms", "duration_ms", "is_click",
                   "is_like", "is_follow", "is_comment", "is_forward", "is_hate"},
                  sink, [&](const TableReader& row) { return write_impression(row, sink); });
    if (!events.ok()) return events;
  }
  return {};
}

}  // namespace shanhuo
