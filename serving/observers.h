// What hears of every event that the fold has counted, besides the feature store's own state: the
// prices of the programs, the lifetime of items, the calibration of the callers' scores, and the
// value models. Called
// on the fold's thread, in log order; what they write to is thread-safe and outlives them.
#pragma once

#include "features/feature_store.h"
#include "features/item_totals.h"
#include "features/segment_rates.h"
#include "models/calibration.h"
#include "models/value_variations.h"
#include "ranking/price_controller.h"
#include "serving/slate_book.h"

namespace shanhuo {

// Deliveries reach the prices, and leave them again when they are taken back.
class PriceObserver final : public FoldObserver {
 public:
  explicit PriceObserver(PriceController& prices) : prices_(prices) {}
  void observe(const Counted& counted) override;
  void take_back(const Contribution& contribution) override;

 private:
  PriceController& prices_;
};

// What counted adds to the lifetime of its item.
class TotalsObserver final : public FoldObserver {
 public:
  explicit TotalsObserver(ItemTotals& totals) : totals_(totals) {}
  void observe(const Counted& counted) override;
  void take_back(const Contribution& contribution) override;

 private:
  ItemTotals& totals_;
};

// What was boosted counts for the segments of its viewer.
class SegmentObserver final : public FoldObserver {
 public:
  explicit SegmentObserver(SegmentRates& segments) : segments_(segments) {}
  void observe(const Counted& counted) override;

 private:
  SegmentRates& segments_;
};

// Organic impressions and clicks label the scores that their requests carried.
class LabelObserver final : public FoldObserver {
 public:
  LabelObserver(SlateBook& slates, CalibrationLearner& learner)
      : slates_(slates), learner_(learner) {}
  void observe(const Counted& counted) override;

 private:
  SlateBook& slates_;
  CalibrationLearner& learner_;
};

// Impressions of known items, organic or boosted, teach the value models with what was known of
// viewer and item before them; clicks, plays and orders are their labels.
class ValueObserver final : public FoldObserver {
 public:
  // `short_share`: as of encode_viewer(), constant.
  ValueObserver(const FeatureStore& features, ValueVariations& learner, Millis long_watch,
                float short_share)
      : features_(features),
        learner_(learner),
        long_watch_(long_watch),
        short_share_(short_share) {}
  void observe(const Counted& counted) override;

 private:
  ImpressionContext seen(const Counted& counted, uint64_t user_hash, uint64_t item_hash) const;

  const FeatureStore& features_;
  ValueVariations& learner_;
  const Millis long_watch_;
  const float short_share_;
};

}  // namespace shanhuo
