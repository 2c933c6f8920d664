#include "serving/kuairand_pass.h"

#include <deque>

namespace shanhuo {
namespace {

// One pass over the data.
class Pass {
 public:
  Pass(const KuaiRandData& data, const ClickContestant& contestant, const ClickFreshness& freshness,
       size_t learn_until)
      : data_(data),
        contestant_(contestant),
        freshness_(freshness),
        learn_until_(learn_until),
        state_(data),
        model_("ctr", contestant.model),
        map_("ctr", {}) {}

  ClickPass run(const std::function<void(size_t)>& progress) {
    constexpr size_t kShown = 1'000;
    ClickPass pass;
    pass.predictions.reserve(data_.impressions.size());
    for (size_t i = 0; i < data_.impressions.size(); ++i) {
      const KuaiRandImpression& impression = data_.impressions[i];
      catch_up(impression.time);
      const float log_odds = predict(impression);
      pass.predictions.push_back({probability(log_odds), impression.click});
      if (i < learn_until_) learn(i, log_odds);
      if ((i + 1) % kShown == 0) progress(kShown);
    }
    pass.map = map_.points();
    return pass;
  }

 private:
  struct Example {
    size_t impression = 0;
    float log_odds = 0;  // as it was predicted
    FeatureBuffer features;
  };

  float predict(const KuaiRandImpression& impression) {
    if (contestant_.predictor == ClickPredictor::kConstant) return 0;
    state_.features(impression, contestant_.features, buffer_);
    if (!contestant_.factored) {
      buffer_.plain.insert(buffer_.plain.end(), buffer_.crossed.begin(), buffer_.crossed.end());
      buffer_.crossed.clear();
    }
    return model_.log_odds(buffer_.features());
  }

  float probability(float log_odds) const {
    if (contestant_.predictor == ClickPredictor::kConstant) {
      return (clicks_ + 1) / (impressions_ + 2);
    }
    return contestant_.mapped ? map_.probability(log_odds) : ValueModel::probability(log_odds);
  }

  static bool due(Millis period, Millis then, Millis now) {
    return period == Millis(0) || window_of(then, period) < window_of(now, period);
  }

  void learn(size_t i, float log_odds) {
    const KuaiRandImpression& impression = data_.impressions[i];
    if (freshness_.model == Millis(0)) {
      learn_model(impression, log_odds, buffer_);
    } else {
      examples_.push_back({i, log_odds, buffer_});
    }
    if (freshness_.viewers == Millis(0)) {
      state_.learn_viewer(impression);
    } else {
      viewers_.push_back(i);
    }
    if (freshness_.content == Millis(0)) {
      state_.learn_content(impression);
    } else {
      content_.push_back(i);
    }
  }

  void learn_model(const KuaiRandImpression& impression, float log_odds,
                   const FeatureBuffer& features) {
    impressions_ += 1;
    clicks_ += static_cast<float>(impression.click);
    if (contestant_.predictor == ClickPredictor::kConstant) return;
    model_.learn(features.features(), impression.click);
    if (contestant_.mapped) map_.learn(log_odds, impression.click);
  }

  // What waited for the end of its hour or day.
  void catch_up(Millis now) {
    const auto time_of = [this](size_t i) { return data_.impressions[i].time; };
    for (; !viewers_.empty() && due(freshness_.viewers, time_of(viewers_.front()), now);
         viewers_.pop_front()) {
      state_.learn_viewer(data_.impressions[viewers_.front()]);
    }
    for (; !content_.empty() && due(freshness_.content, time_of(content_.front()), now);
         content_.pop_front()) {
      state_.learn_content(data_.impressions[content_.front()]);
    }
    for (; !examples_.empty() && due(freshness_.model, time_of(examples_.front().impression), now);
         examples_.pop_front()) {
      const Example& one = examples_.front();
      learn_model(data_.impressions[one.impression], one.log_odds, one.features);
    }
  }

  const KuaiRandData& data_;
  const ClickContestant& contestant_;
  const ClickFreshness freshness_;
  const size_t learn_until_;
  KuaiRandState state_;
  ValueModel model_;
  ProbabilityMap map_;
  FeatureBuffer buffer_;
  float impressions_ = 0, clicks_ = 0;
  std::deque<size_t> viewers_, content_;
  std::deque<Example> examples_;
};

}  // namespace

ClickPass run_clicks(const KuaiRandData& data, const ClickContestant& contestant,
                     const ClickFreshness& freshness, size_t learn_until,
                     const std::function<void(size_t)>& progress) {
  return Pass(data, contestant, freshness, learn_until).run(progress);
}

}  // namespace shanhuo
