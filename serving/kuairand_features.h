// What a model is told of an impression of KuaiRand: ids, crosses of them, what the viewer did
// lately, and decayed click rates of the viewer, the video, its author and its tag, each as of the
// moment before. The state behind them has two halves that can be of different ages: what is known
// of viewers, and what is known of content.
//
// One thread. Bounded by the data: a rate for each pair that occurs.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "models/value_model.h"
#include "serving/decayed_rates.h"
#include "serving/kuairand_data.h"

namespace shanhuo {

// How much a model is told. Each contains what stands before it.
enum class KuaiRandFeatureSet : uint8_t {
  kIds,        // ids of viewer, video, author, tags; static features, tab, hour, duration
  kHistories,  // and what the viewer had watched before, in buckets
  kCrosses,    // and pairs of these, the session, decayed rates as numbers
};

// Features of one impression; reused, so that nothing is allocated once it has grown.
struct FeatureBuffer {
  std::vector<ModelFeature> plain, crossed;
  ModelFeatures features() const { return {plain, crossed}; }
};

class KuaiRandState {
 public:
  // `data` must outlive this; histories are known from the beginning.
  explicit KuaiRandState(const KuaiRandData& data);

  void features(const KuaiRandImpression& impression, KuaiRandFeatureSet set,
                FeatureBuffer& out) const;

  // What happened becomes known.
  void learn_viewer(const KuaiRandImpression& impression);
  void learn_content(const KuaiRandImpression& impression);

 private:
  static constexpr size_t kHistory = 50;
  struct Viewer {
    std::vector<KuaiRandViewer::Watched> history;  // the last kHistory, oldest first
    Millis last_watch, last_seen;                  // 0: never
    int session = 0;                               // impressions in it before this one
    int last_click = -1, last_long = -1;           // -1: none yet
    int32_t last_tab = -1;
    int64_t last_tag = -1;
    std::unordered_map<uint32_t, int> shown;  // video -> impressions
  };
  // Long watches among those of the histories.
  struct Share {
    double watched = 0, longer = 0;
    double smoothed(double prior, double strength) const {
      return (longer + prior * strength) / (watched + strength);
    }
  };
  // What a viewer's history says of one video.
  struct Taste {
    Share all, tag, author;
    int video = 0;  // how often it was watched
    bool longer = false, liked = false;
  };
  class Writer;

  struct Scene;  // an impression with all that is looked up for it

  Taste taste_of(const Viewer& viewer, uint32_t video) const;
  void add_ids(const Scene& scene, Writer& to) const;
  void add_history(const Scene& scene, Writer& to) const;
  void add_crosses(const Scene& scene, Writer& to) const;
  void add_session(const Scene& scene, Writer& to) const;
  void add_shares(const Scene& scene, Writer& to) const;
  void add_rates(const Scene& scene, Writer& to) const;

  const KuaiRandData& data_;
  double long_share_ = 0;      // of all that histories hold
  std::vector<Share> videos_;  // by video; of the histories alone, as the next
  std::unordered_map<int64_t, Share> authors_, tags_;
  std::vector<Viewer> viewers_;
  DecayedRates rates_;
  double impressions_ = 0, clicks_ = 0;
};

}  // namespace shanhuo
