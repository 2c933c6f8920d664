#include "serving/kuairand_data.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/hash.h"
#include "serving/table_reader.h"

namespace shanhuo {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kTraits = {
    "user_active_degree",  "is_live_streamer",      "is_video_author",     "follow_user_num_range",
    "fans_user_num_range", "friend_user_num_range", "register_days_range", "onehot_feat0",
    "onehot_feat1",        "onehot_feat2",          "onehot_feat4",        "onehot_feat5",
    "onehot_feat6",        "onehot_feat7",          "onehot_feat9",        "onehot_feat10",
    "onehot_feat11",       "onehot_feat12",         "onehot_feat13",       "onehot_feat14",
    "onehot_feat15",       "onehot_feat16",         "onehot_feat17"};

// Dense numbers of ids, given out as they come.
class Numbers {
 public:
  uint32_t of(int64_t id) {
    return numbers_.try_emplace(id, static_cast<uint32_t>(numbers_.size())).first->second;
  }

 private:
  std::unordered_map<int64_t, uint32_t> numbers_;
};

class Reading {
 public:
  Result<KuaiRandData> read(const std::string& folder) {
    Result<std::vector<std::string>> events = files(folder, "events_");
    if (!events.ok()) return events.error();
    Result<std::vector<std::string>> histories = files(folder, "user_history_until_");
    if (!histories.ok()) return histories.error();
    Status status = rows(folder + "/videos.csv", {"video_id", "author_id", "tag"},
                         [this](const TableReader& row) { return video(row); });
    if (!status.ok()) return status.error();
    std::vector<std::string> columns = kTraits;
    columns.insert(columns.begin(), "user_id");
    status = rows(folder + "/user_features.csv", columns,
                  [this](const TableReader& row) { return viewer(row); });
    for (const std::string& file : histories.value()) {
      if (!status.ok()) return status.error();
      status = rows(file, {"user_id", "last_time_ms", "watch_seq", "like_seq", "long_watch_seq"},
                    [this](const TableReader& row) { return history(row); });
    }
    for (const std::string& file : events.value()) {
      if (!status.ok()) return status.error();
      status = rows(file,
                    {"user_id", "video_id", "time_ms", "is_click", "is_like", "long_view",
                     "play_time_ms", "duration_ms", "tab"},
                    [this](const TableReader& row) { return impression(row); });
    }
    if (!status.ok()) return status.error();
    std::ranges::stable_sort(data_.impressions, {}, &KuaiRandImpression::time);
    if (data_.impressions.empty()) return Error{ErrorCode::kInvalid, folder + ": no impressions"};
    return std::move(data_);
  }

 private:
  static Result<std::vector<std::string>> files(const std::string& folder,
                                                const std::string& prefix) {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(prefix) && name.ends_with(".csv")) found.push_back(entry.path());
    }
    if (error) return Error{ErrorCode::kIo, folder + ": " + error.message()};
    if (found.empty()) {
      return Error{ErrorCode::kInvalid, folder + ": holds no " + prefix + "*.csv"};
    }
    std::ranges::sort(found);  // by their dates
    return found;
  }

  // `take` says whether it understood the row.
  template <typename Take>
  static Status rows(const std::string& path, const std::vector<std::string>& columns,
                     const Take& take) {
    Result<TableReader> opened = TableReader::open(path, {}, columns);
    if (!opened.ok()) return opened.error();
    TableReader& table = opened.value();
    for (TableReader::Next next; (next = table.next()) != TableReader::Next::kEnd;) {
      if (next == TableReader::Next::kMalformed) {
        return Error{ErrorCode::kInvalid, table.place() + ": " + table.what()};
      }
      if (!take(table)) {
        return Error{ErrorCode::kInvalid, table.place() + ": a number cannot be read"};
      }
    }
    return {};
  }

  uint32_t viewer_of(int64_t id) {
    const uint32_t number = viewer_numbers_.of(id);
    if (number >= data_.viewers.size()) data_.viewers.resize(number + 1);
    return number;
  }
  uint32_t video_of(int64_t id) {
    const uint32_t number = video_numbers_.of(id);
    if (number >= data_.videos.size()) data_.videos.resize(number + 1);
    return number;
  }

  bool video(const TableReader& row) {
    const auto id = parse_integer(row.field(0)), author = parse_integer(row.field(1));
    if (!id || !author) return false;
    KuaiRandVideo& video = data_.videos[video_of(*id)];
    video.author = *author;
    return numbers(row.field(2), ',', [&](int64_t tag) { video.tags.push_back(tag); });
  }

  bool viewer(const TableReader& row) {
    const auto id = parse_integer(row.field(0));
    if (!id) return false;
    KuaiRandViewer& viewer = data_.viewers[viewer_of(*id)];
    for (size_t i = 0; i < kTraits.size(); ++i) {
      viewer.traits.push_back(hash64(row.field(i + 1), i));
    }
    return true;
  }

  bool history(const TableReader& row) {
    const auto id = parse_integer(row.field(0)), last = parse_integer(row.field(1));
    if (!id || !last) return false;
    KuaiRandViewer& viewer = data_.viewers[viewer_of(*id)];
    viewer.last_watch = Millis(*last);
    std::unordered_set<int64_t> liked, longer;
    return numbers(row.field(3), ' ', [&](int64_t video) { liked.insert(video); }) &&
           numbers(row.field(4), ' ', [&](int64_t video) { longer.insert(video); }) &&
           numbers(row.field(2), ' ', [&](int64_t video) {
             viewer.history.push_back(
                 {video_of(video), longer.contains(video), liked.contains(video)});
           });
  }

  bool impression(const TableReader& row) {
    std::array<int64_t, 9> values;
    for (size_t i = 0; i < values.size(); ++i) {
      const auto value = parse_integer(row.field(i));
      if (!value) return false;
      values[i] = *value;
    }
    const auto [user, video, time, click, like, longer, play, duration, tab] = values;
    const uint64_t key = hash_combine(hash_combine(static_cast<uint64_t>(user), video), time);
    if (!seen_.insert(key).second) {
      ++data_.repeats;
      return true;
    }
    data_.impressions.push_back({.viewer = viewer_of(user),
                                 .video = video_of(video),
                                 .time = Millis(time),
                                 .duration = Millis(duration),
                                 .tab = static_cast<int32_t>(tab),
                                 .click = click != 0,
                                 .long_view = longer != 0,
                                 .like = like != 0,
                                 .played = play > 0});
    return true;
  }

  template <typename Visit>
  static bool numbers(std::string_view text, char separator, const Visit& visit) {
    while (!text.empty()) {
      const size_t end = std::min(text.find(separator), text.size());
      if (end > 0) {
        const auto number = parse_integer(text.substr(0, end));
        if (!number) return false;
        visit(*number);
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return true;
  }

  KuaiRandData data_;
  Numbers viewer_numbers_, video_numbers_;
  std::unordered_set<uint64_t> seen_;
};

}  // namespace

Result<KuaiRandData> KuaiRandData::read(const std::string& folder) {
  return Reading().read(folder);
}

}  // namespace shanhuo
