// What a value model is told of an impression, in 40 bytes: who, what, where, and what was known of
// both at that moment. The fold makes one of each impression and keeps it until its label comes;
// ranking makes one of each candidate. Both go through the same functions, so that a model scores
// what it has learned.
//
// Numbers are kept as bytes, on scales of their own. Position is there for the bias that it brings
// to what was seen; scoring sets it to kReferencePosition for every candidate (position as a
// feature: Guo et al., "PAL: a position-bias aware learning framework for CTR prediction", RecSys
// 2019, here as a term of the log-odds).
//
// Pure values and functions; no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "features/item.h"
#include "features/viewer.h"
#include "models/value_model.h"

namespace shanhuo {

// What is known of the viewer and the request: the same for all items of a page.
struct ViewerContext {
  uint32_t viewer = 0;  // of hash64(user_id); 0: nobody in particular
  uint32_t city = 0;    // city_hash() (features/segment_rates.h); 0: not known
  uint8_t surface = 0, hour = 0, week_block = 0;
  uint8_t click_rate = 0, evidence = 0, session = 0;
  bool personalized = false;
  const ViewerState* state = nullptr;  // outlives this
  float category_sum = 0, county_sum = 0, creator_sum = 0;
};

// `state`: as of before the impression. Not known: everything about the viewer stays at nothing.
ViewerContext viewer_context(const ViewerState& state, uint64_t user_hash, Surface surface,
                             Millis now, uint32_t city = 0);

// What is known of one item for that viewer.
struct ItemContext {
  uint64_t id_hash = 0;  // hash64 of its id
  uint32_t creator_hash = 0, category_hash = 0;
  int32_t county_code = 0;
  ItemKind kind = ItemKind::kVideo;
  ItemRates rates;       // as of before the impression
  float similarity = 0;  // cosine with the viewer's vector
};

inline constexpr uint8_t kReferencePosition = 0, kUnknownPosition = 31;

struct ImpressionContext {
  uint32_t viewer = 0, item = 0, creator = 0, category = 0;
  int32_t county = 0;
  uint8_t surface = 0, hour = 0, week_block = 0, position = kReferencePosition;
  uint8_t viewer_rate = 0, viewer_evidence = 0, session = 0;
  uint8_t kind = 0, item_rate = 0, item_evidence = 0, order_rate = 0;
  uint8_t similarity = 0, category_share = 0, county_share = 0, creator_share = 0;
  uint8_t labels = 0;  // bits of who keeps it (value_learner.h); no feature
  uint32_t city = 0;
};
static_assert(std::is_trivially_copyable_v<ImpressionContext> && sizeof(ImpressionContext) == 40);

// `position`: as an Interaction's; -1: not known.
ImpressionContext impression_context(const ViewerContext& viewer, const ItemContext& item,
                                     int32_t position);

// Features of an impression in two parts: those that all items of a page share, and the item's own
// with all crosses.
class ImpressionFeatures {
 public:
  void set_shared(const ImpressionContext& context);
  void set_own(const ImpressionContext& context);
  ModelFeatures shared() const { return shared_.view(); }
  ModelFeatures own() const { return own_.view(); }

 private:
  struct List {
    std::array<ModelFeature, 32> plain;
    std::array<ModelFeature, 8> crossed;
    size_t plain_count = 0, crossed_count = 0;
    void add(uint64_t field, uint64_t key, float value = 1);
    void add_crossed(uint64_t field, uint64_t key, float value = 1);
    void add_number(uint64_t field, uint8_t byte, uint64_t beside);
    ModelFeatures view() const {
      return {{plain.data(), plain_count}, {crossed.data(), crossed_count}};
    }
  };
  List shared_, own_;
};

}  // namespace shanhuo
