// Rates go in as differences of log-odds: from the rate of all for a video, from that of the viewer
// for the viewer with this tag; so 0 means "nothing known", and a model without an opinion starts
// from the mean. Beside the number itself stands its bucket together with the tab, so that the
// answer need not be a straight line and differs by place.
//
// Scales, smoothing and half-lives were chosen on the first third of the impressions.
#include "serving/kuairand_features.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"

namespace shanhuo {
namespace {

constexpr float kNumberScale = 2;  // numbers learn faster than the rest
constexpr float kIdScale = 1.5F;   // ids are rare: so do they
constexpr float kNumberMax = 4;
constexpr Millis kSessionGap{1'800'000};
constexpr Millis kContentHalfLife{3 * 86'400'000LL};
constexpr Millis kViewerHalfLife{7 * 86'400'000LL};
constexpr Millis kShortHalfLife{2 * 3'600'000LL};
constexpr int64_t kUtc8Hours = 8;

enum class Field : uint64_t {
  kBias,
  kViewer,
  kVideo,
  kAuthor,
  kTag,
  kTab,
  kHour,
  kDuration,
  kTrait,
  kHistorySize,
  kHistoryAge,
  kTagHistory,
  kAuthorHistory,
  kVideoHistory,
  kLongShare,
  kTabDuration,
  kTabViewer,
  kTabVideo,
  kTabAuthor,
  kTabTag,
  kTabHour,
  kTabLongShare,
  kViewerTag,
  kViewerAuthor,
  kSession,
  kTabSession,
  kGap,
  kLastClick,
  kLastClickTabs,
  kLastTag,
  kLastLongDuration,
  kShown,
  kNumber,
  kBucket
};

// The numbers of a viewer and a video, by which kNumber and kBucket tell them apart.
enum class Number : uint64_t {
  kViewerLong,
  kTagLong,
  kVideoLong,
  kVideoWatched,
  kAuthorLong,
  kMainTagLong,
  kVideoRate,
  kAuthorRate,
  kTagRate,
  kViewerRate,
  kViewerTagRate,
  kViewerAuthorRate,
  kViewerTabRate,
  kVideoTabRate,
  kTabDurationRate,
  kViewerShortRate,
  kViewerLongRate,
  kVideoLongRate
};

// What rates are counted for.
enum class Count : uint64_t {
  kTab,
  kVideo,
  kAuthor,
  kTag,
  kVideoTab,
  kTabDuration,
  kVideoLong,
  kViewer,
  kViewerTag,
  kViewerAuthor,
  kViewerTab,
  kViewerShort,
  kViewerLong
};

double log_odds(double p) {
  p = std::clamp(p, 1e-6, 1 - 1e-6);
  return std::log(p / (1 - p));
}

uint64_t magnitude(double x) { return x <= 0 ? 0 : static_cast<uint64_t>(std::log2(1 + x)); }

uint64_t duration_bucket(Millis duration) {
  const double seconds = static_cast<double>(std::max<int64_t>(0, duration.count())) / 1'000;
  return std::min<uint64_t>(20, static_cast<uint64_t>(2 * std::log2(1 + seconds)));
}

uint64_t hour_of(Millis time) {
  return static_cast<uint64_t>((time.count() / 3'600'000 + kUtc8Hours) % 24);
}

uint64_t key_of(Count count, uint64_t a, uint64_t b = 0) {
  return hash_combine(hash_combine(static_cast<uint64_t>(count) + 1, a), b);
}

int64_t main_tag(const KuaiRandVideo& video) { return video.tags.empty() ? -1 : video.tags[0]; }

}  // namespace

struct KuaiRandState::Scene {
  const KuaiRandImpression& impression;
  const KuaiRandVideo& video;
  const Viewer& viewer;
  Taste taste;
  uint64_t tab, author, tag, duration, hour;
};

class KuaiRandState::Writer {
 public:
  Writer(FeatureBuffer& out, uint64_t tab) : out_(out), tab_(tab) {}

  void crossed(Field field, uint64_t key, float scale = 1) {
    out_.crossed.push_back({hash(field, key), scale});
  }
  void plain(Field field, uint64_t key, float scale = 1) {
    out_.plain.push_back({hash(field, key), scale});
  }
  void pair(Field field, uint64_t a, uint64_t b, float scale = 1) {
    plain(field, hash_combine(a, b), scale);
  }
  void number(Number number, double value) {
    const auto name = static_cast<uint64_t>(number);
    const auto x = kNumberScale * std::clamp(static_cast<float>(value), -kNumberMax, kNumberMax);
    plain(Field::kNumber, name, x);
    const auto bucket = static_cast<uint64_t>(static_cast<int64_t>(std::floor(2 * x)));
    plain(Field::kBucket, hash_combine(hash_combine(name, tab_), bucket));
  }

 private:
  static uint64_t hash(Field field, uint64_t key) {
    return hash_combine(static_cast<uint64_t>(field) + 1, key);
  }

  FeatureBuffer& out_;
  const uint64_t tab_;
};

KuaiRandState::KuaiRandState(const KuaiRandData& data)
    : data_(data), videos_(data.videos.size()), viewers_(data.viewers.size()) {
  Share all;
  const auto add = [](Share& share, bool longer) {
    share.watched += 1;
    share.longer += longer;
  };
  for (size_t v = 0; v < data.viewers.size(); ++v) {
    viewers_[v].history = data.viewers[v].history;
    viewers_[v].last_watch = data.viewers[v].last_watch;
    for (const KuaiRandViewer::Watched& watched : data.viewers[v].history) {
      const KuaiRandVideo& video = data.videos[watched.video];
      add(all, watched.longer);
      add(videos_[watched.video], watched.longer);
      add(authors_[video.author], watched.longer);
      for (const int64_t tag : video.tags) add(tags_[tag], watched.longer);
    }
  }
  long_share_ = all.smoothed(0.5, 1);
}

void KuaiRandState::features(const KuaiRandImpression& impression, KuaiRandFeatureSet set,
                             FeatureBuffer& out) const {
  out.plain.clear();
  out.crossed.clear();
  const KuaiRandVideo& video = data_.videos[impression.video];
  const Viewer& viewer = viewers_[impression.viewer];
  const Scene scene{.impression = impression,
                    .video = video,
                    .viewer = viewer,
                    .taste = taste_of(viewer, impression.video),
                    .tab = static_cast<uint64_t>(impression.tab),
                    .author = static_cast<uint64_t>(video.author),
                    .tag = static_cast<uint64_t>(main_tag(video)),
                    .duration = duration_bucket(impression.duration),
                    .hour = hour_of(impression.time)};
  Writer to(out, scene.tab);
  add_ids(scene, to);
  if (set == KuaiRandFeatureSet::kIds) return;
  add_history(scene, to);
  if (set == KuaiRandFeatureSet::kHistories) return;
  add_crosses(scene, to);
  add_session(scene, to);
  add_shares(scene, to);
  add_rates(scene, to);
}

KuaiRandState::Taste KuaiRandState::taste_of(const Viewer& viewer, uint32_t video) const {
  const KuaiRandVideo& shown = data_.videos[video];
  const int64_t tag = main_tag(shown);
  Taste taste;
  for (const KuaiRandViewer::Watched& watched : viewer.history) {
    const KuaiRandVideo& before = data_.videos[watched.video];
    const auto add = [&](Share& share, bool counts) {
      share.watched += counts;
      share.longer += counts && watched.longer;
    };
    add(taste.all, true);
    add(taste.tag, tag >= 0 && main_tag(before) == tag);
    add(taste.author, before.author == shown.author);
    if (watched.video != video) continue;
    ++taste.video;
    taste.longer = taste.longer || watched.longer;
    taste.liked = taste.liked || watched.liked;
  }
  return taste;
}

void KuaiRandState::add_ids(const Scene& scene, Writer& to) const {
  to.crossed(Field::kViewer, scene.impression.viewer, kIdScale);
  to.crossed(Field::kVideo, scene.impression.video, kIdScale);
  to.crossed(Field::kAuthor, scene.author, kIdScale);
  to.crossed(Field::kTag, scene.tag);
  to.crossed(Field::kTab, scene.tab);
  to.crossed(Field::kDuration, scene.duration);
  for (size_t i = 1; i < scene.video.tags.size(); ++i) {
    to.plain(Field::kTag, static_cast<uint64_t>(scene.video.tags[i]));
  }
  to.plain(Field::kBias, 0);
  to.plain(Field::kHour, scene.hour);
  for (const uint64_t trait : data_.viewers[scene.impression.viewer].traits) {
    to.plain(Field::kTrait, trait);
  }
}

void KuaiRandState::add_history(const Scene& scene, Writer& to) const {
  const Taste& taste = scene.taste;
  const Millis now = scene.impression.time, last = scene.viewer.last_watch;
  to.pair(Field::kTagHistory, magnitude(taste.tag.watched), magnitude(taste.tag.longer));
  to.pair(Field::kAuthorHistory, static_cast<uint64_t>(std::min(3.0, taste.author.watched)),
          static_cast<uint64_t>(std::min(3.0, taste.author.longer)));
  to.plain(Field::kVideoHistory,
           static_cast<uint64_t>(4 * std::min(3, taste.video) + 2 * taste.liked + taste.longer));
  to.plain(Field::kHistorySize, magnitude(taste.all.watched));
  to.plain(Field::kHistoryAge, last == Millis(0) ? 99 : magnitude((now - last).count() / 3.6e6));
  to.plain(Field::kLongShare, static_cast<uint64_t>(20 * taste.all.smoothed(long_share_, 5)));
}

void KuaiRandState::add_crosses(const Scene& scene, Writer& to) const {
  const uint64_t viewer = scene.impression.viewer, video = scene.impression.video;
  to.pair(Field::kTabDuration, scene.tab, scene.duration);
  to.pair(Field::kTabViewer, scene.tab, viewer, kIdScale);
  to.pair(Field::kTabVideo, scene.tab, video, kIdScale);
  to.pair(Field::kTabAuthor, scene.tab, scene.author, kIdScale);
  to.pair(Field::kTabTag, scene.tab, scene.tag);
  to.pair(Field::kTabHour, scene.tab, scene.hour);
  to.pair(Field::kTabLongShare, scene.tab,
          static_cast<uint64_t>(10 * scene.taste.all.smoothed(long_share_, 5)));
  to.pair(Field::kViewerTag, viewer, scene.tag, kIdScale);
  to.pair(Field::kViewerAuthor, viewer, scene.author, kIdScale);
}

void KuaiRandState::add_session(const Scene& scene, Writer& to) const {
  const Viewer& viewer = scene.viewer;
  const Millis gap = scene.impression.time - viewer.last_seen;
  const bool first = viewer.last_seen == Millis(0);
  const auto place =
      static_cast<uint64_t>(first || gap > kSessionGap ? 0 : std::min(viewer.session, 10));
  const auto last_click = static_cast<uint64_t>(viewer.last_click + 1);
  const auto last_long = static_cast<uint64_t>(viewer.last_long + 1);
  const auto shown = viewer.shown.find(scene.impression.video);
  to.plain(Field::kSession, place);
  to.pair(Field::kTabSession, scene.tab, place);
  to.plain(Field::kGap, first ? 99 : magnitude(static_cast<double>(gap.count()) / 1'000));
  to.plain(Field::kLastClick, last_click);
  to.pair(Field::kLastClickTabs, last_click,
          hash_combine(scene.tab, static_cast<uint64_t>(viewer.last_tab)));
  to.pair(Field::kLastTag, viewer.last_tag == main_tag(scene.video), last_long);
  to.pair(Field::kLastLongDuration, last_long, scene.duration);
  to.plain(Field::kShown,
           shown == viewer.shown.end() ? 0 : static_cast<uint64_t>(std::min(shown->second, 3)));
}

void KuaiRandState::add_shares(const Scene& scene, Writer& to) const {
  const auto against_all = [&](const Share& share, double strength) {
    return log_odds(share.smoothed(long_share_, strength)) - log_odds(long_share_);
  };
  const auto of = [](const auto& shares, int64_t key) {
    const auto found = shares.find(key);
    return found == shares.end() ? Share() : found->second;
  };
  const Share& video = videos_[scene.impression.video];
  to.number(Number::kViewerLong, against_all(scene.taste.all, 5));
  to.number(Number::kTagLong, against_all(scene.taste.tag, 3));
  to.number(Number::kVideoLong, against_all(video, 10));
  to.number(Number::kVideoWatched, std::log1p(video.watched) / 3 - 1);
  to.number(Number::kAuthorLong, against_all(of(authors_, scene.video.author), 10));
  to.number(Number::kMainTagLong, against_all(of(tags_, main_tag(scene.video)), 30));
}

void KuaiRandState::add_rates(const Scene& scene, Writer& to) const {
  const uint64_t viewer = scene.impression.viewer, video = scene.impression.video;
  const Millis now = scene.impression.time;
  const auto content = [&](uint64_t key, double prior, double strength) {
    return rates_.of(key, kContentHalfLife, now, prior, strength);
  };
  const auto own = [&](uint64_t key, double prior, double strength) {
    return rates_.of(key, kViewerHalfLife, now, prior, strength);
  };
  const auto number = [&](Number name, double rate, double against) {
    to.number(name, log_odds(rate) - log_odds(against));
  };
  constexpr double kLong = 0.31;  // a prior alone
  const double all = (clicks_ + 1) / (impressions_ + 2);
  const double tab = content(key_of(Count::kTab, scene.tab), all, 20);
  number(Number::kVideoRate, content(key_of(Count::kVideo, video), all, 10), all);
  number(Number::kAuthorRate, content(key_of(Count::kAuthor, scene.author), all, 10), all);
  number(Number::kTagRate, content(key_of(Count::kTag, scene.tag), all, 30), all);
  number(Number::kVideoTabRate, content(key_of(Count::kVideoTab, video, scene.tab), tab, 10), tab);
  number(Number::kTabDurationRate,
         content(key_of(Count::kTabDuration, scene.tab, scene.duration), tab, 20), tab);
  number(Number::kVideoLongRate, content(key_of(Count::kVideoLong, video), kLong, 10), kLong);

  const double viewers = own(key_of(Count::kViewer, viewer), all, 5);
  number(Number::kViewerRate, viewers, all);
  number(Number::kViewerTagRate, own(key_of(Count::kViewerTag, viewer, scene.tag), viewers, 2),
         viewers);
  number(Number::kViewerAuthorRate,
         own(key_of(Count::kViewerAuthor, viewer, scene.author), viewers, 2), viewers);
  number(Number::kViewerTabRate, own(key_of(Count::kViewerTab, viewer, scene.tab), tab, 2), tab);
  number(Number::kViewerShortRate,
         rates_.of(key_of(Count::kViewerShort, viewer), kShortHalfLife, now, viewers, 1), viewers);
  number(Number::kViewerLongRate, own(key_of(Count::kViewerLong, viewer), kLong, 3), kLong);
}

void KuaiRandState::learn_viewer(const KuaiRandImpression& impression) {
  const KuaiRandVideo& video = data_.videos[impression.video];
  const auto tag = static_cast<uint64_t>(main_tag(video));
  const uint64_t author = static_cast<uint64_t>(video.author), who = impression.viewer;
  const Millis now = impression.time;
  rates_.count(key_of(Count::kViewer, who), kViewerHalfLife, now, impression.click);
  rates_.count(key_of(Count::kViewerTag, who, tag), kViewerHalfLife, now, impression.click);
  rates_.count(key_of(Count::kViewerAuthor, who, author), kViewerHalfLife, now, impression.click);
  rates_.count(key_of(Count::kViewerTab, who, static_cast<uint64_t>(impression.tab)),
               kViewerHalfLife, now, impression.click);
  rates_.count(key_of(Count::kViewerShort, who), kShortHalfLife, now, impression.click);
  rates_.count(key_of(Count::kViewerLong, who), kViewerHalfLife, now, impression.long_view);

  Viewer& viewer = viewers_[who];
  const bool goes_on = viewer.last_seen != Millis(0) && now - viewer.last_seen <= kSessionGap;
  viewer.session = goes_on ? viewer.session + 1 : 1;
  viewer.last_seen = now;
  viewer.last_click = impression.click;
  viewer.last_long = impression.long_view;
  viewer.last_tab = impression.tab;
  viewer.last_tag = main_tag(video);
  ++viewer.shown[impression.video];
  if (!impression.played) return;
  if (viewer.history.size() == kHistory) viewer.history.erase(viewer.history.begin());
  viewer.history.push_back({impression.video, impression.long_view, impression.like});
  viewer.last_watch = now;
}

void KuaiRandState::learn_content(const KuaiRandImpression& impression) {
  const KuaiRandVideo& video = data_.videos[impression.video];
  const auto tab = static_cast<uint64_t>(impression.tab);
  const auto add = [&](uint64_t key, bool hit) {
    rates_.count(key, kContentHalfLife, impression.time, hit);
  };
  add(key_of(Count::kTab, tab), impression.click);
  add(key_of(Count::kVideo, impression.video), impression.click);
  add(key_of(Count::kAuthor, static_cast<uint64_t>(video.author)), impression.click);
  add(key_of(Count::kTag, static_cast<uint64_t>(main_tag(video))), impression.click);
  add(key_of(Count::kVideoTab, impression.video, tab), impression.click);
  add(key_of(Count::kTabDuration, tab, duration_bucket(impression.duration)), impression.click);
  add(key_of(Count::kVideoLong, impression.video), impression.long_view);
  impressions_ += 1;
  clicks_ += impression.click;
}

}  // namespace shanhuo
