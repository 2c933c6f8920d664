// KuaiRand-Pure as the suites read it: impressions of short videos in time order with what the
// viewer did, what viewers had watched before (user_history_until_*.csv), and static features of
// viewers and videos. Month totals (video statistics) are not read: they know the future.
//
// Values only. Viewers and videos are indices into this object's lists; an impression of a video or
// a viewer without a row of its own gets an entry without features. Of impressions with equal
// (user_id, video_id, time_ms) the first counts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace shanhuo {

struct KuaiRandVideo {
  int64_t author = -1;
  std::vector<int64_t> tags;  // the first one is the main one
};

struct KuaiRandViewer {
  struct Watched {
    uint32_t video = 0;
    bool longer = false, liked = false;  // a long watch
  };
  std::vector<uint64_t> traits;  // hashes of (column, value)
  std::vector<Watched> history;  // oldest first
  Millis last_watch;             // 0: no history
};

struct KuaiRandImpression {
  uint32_t viewer = 0, video = 0;
  Millis time;
  Millis duration;  // of the video
  int32_t tab = 0;  // where in the app
  bool click = false, long_view = false, like = false, played = false;
};

struct KuaiRandData {
  std::vector<KuaiRandVideo> videos;
  std::vector<KuaiRandViewer> viewers;
  std::vector<KuaiRandImpression> impressions;  // ascending by time
  uint64_t repeats = 0;                         // rows left out

  // Reads `folder`: events_*.csv, videos.csv, user_features.csv, user_history_until_*.csv. kInvalid
  // names the first row that cannot be understood.
  static Result<KuaiRandData> read(const std::string& folder);
};

}  // namespace shanhuo
