// An interaction touches every part of a profile: habits (user_habits.cc), interest vectors
// (interest_vector.cc), affinities (here). All decay by the same age, whose powers are found
// together (decay.h).
//
// Built without contraction of a * b + c, so that the bits do not depend on the machine. Tested by
// tests/features_user_state_test.cc against double arithmetic without any packing.
#include "features/user_state.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "features/decay.h"
#include "features/interest_vector.h"
#include "features/user_habits.h"

namespace shanhuo {
namespace {

static_assert(std::endian::native == std::endian::little, "records are their own disk format");

constexpr float kScaleMin = 1e-20F;  // below it a decayed value is nothing
constexpr float kFirstAffinity = 1024;
constexpr float kAffinityMax = 65535;
constexpr int64_t kTimeMax = int64_t{1} << 60;  // so that differences of times do not overflow

constexpr int64_t kUnknownDurationMs = 30'000;
constexpr int64_t kSkipMs = 2'000;
constexpr float kSkipShare = 0.25F;
constexpr float kSkipWeight = -0.5F;
constexpr float kWatchedWeight = 2.0F;   // of a play to the end
constexpr float kUnmeasuredPlay = 0.5F;  // of a play without watch_ms

// An impression alone says nothing of interest: what follows it does, and the value models learn
// from both. Order of EventType.
constexpr EventWeight kWeights[kEventTypes] = {
    {0.0F, 0},    // impression
    {1.0F, 2},    // click
    {0.0F, 1},    // play: by watched share, interest_weight()
    {3.0F, 5},    // like
    {2.0F, 4},    // comment
    {4.0F, 7},    // share
    {3.0F, 6},    // follow
    {4.0F, 8},    // add_to_cart
    {8.0F, 9},    // order
    {-4.0F, 10},  // refund: takes half of the order back
    {-4.0F, 11},  // dislike
    {2.0F, 3},    // deed
};

// The place of `key`; else the first free or lightest one, to be taken over. Without branches:
// where a key stands is anyone's guess.
int affinity_place(const PackedAffinities& packed, uint32_t key) {
  uint32_t lightest = UINT32_MAX;  // weight * 8 + place
  int found = kAffinities;
  for (int i = kAffinities - 1; i >= 0; --i) {
    const uint32_t weight = packed.weights[i];
    lightest = std::min(lightest, weight << 3 | static_cast<uint32_t>(i));
    found = packed.keys[i] == key && weight != 0 ? i : found;
  }
  return found < kAffinities ? found : static_cast<int>(lightest & 7);
}

void add(PackedAffinities& packed, float decay, float weight, uint32_t key) {
  packed.scale *= decay;
  if (packed.scale < kScaleMin) packed = PackedAffinities{};
  if (weight == 0 || key == 0) return;
  const int place = affinity_place(packed, key);
  const bool known = packed.weights[place] != 0 && packed.keys[place] == key;
  if (weight < 0 && !known) return;
  if (packed.scale == 0) packed.scale = std::max(weight / kFirstAffinity, kScaleMin);
  float units = static_cast<float>(packed.weights[place]) + weight / packed.scale;
  while (units > kAffinityMax) {
    units *= 0.5F;
    packed.scale *= 2;
    for (uint16_t& w : packed.weights) w = static_cast<uint16_t>((w + 1) / 2);
  }
  packed.keys[place] = key;
  packed.weights[place] = static_cast<uint16_t>(std::max(units, 0.0F) + 0.5F);
}

void decode(const PackedAffinities& packed, std::array<Affinity, kAffinities>& out) {
  for (int i = 0; i < kAffinities; ++i) {
    const float weight = static_cast<float>(packed.weights[i]) * packed.scale;
    out[i] = weight > 0 ? Affinity{packed.keys[i], weight} : Affinity{};
  }
  for (int i = 1; i < kAffinities; ++i) {  // six of them: insertion sort, heaviest first
    for (int k = i; k > 0 && out[k].weight > out[k - 1].weight; --k) std::swap(out[k], out[k - 1]);
  }
}

bool plausible_scale(float scale) { return std::isfinite(scale) && scale >= 0; }

bool plausible(const PackedProfile& profile) {
  return profile.version == kProfileVersion && profile.events > 0 &&
         plausible_scale(profile.interest_short.scale) &&
         plausible_scale(profile.interest_long.scale) &&
         plausible_scale(profile.categories.scale) && plausible_scale(profile.counties.scale) &&
         plausible_scale(profile.creators.scale) && plausible_habits(profile);
}

}  // namespace

EventWeight event_weight(EventType type) { return kWeights[static_cast<size_t>(type)]; }

bool chosen(EventType type) {
  return type != EventType::kImpression && type != EventType::kDeed && !taken_back(type);
}

bool chosen(const Interaction& event) {
  if (event.type == EventType::kPlay) return event.watch_ms >= kViewablePlayMs;
  return chosen(event.type);
}

bool taken_back(EventType type) {
  return type == EventType::kRefund || type == EventType::kDislike;
}

float interest_weight(const Interaction& event, int64_t duration_ms) {
  if (event.type != EventType::kPlay) return event_weight(event.type).interest;
  if (event.watch_ms < 0) return kUnmeasuredPlay;
  const int64_t duration = duration_ms > 0 ? duration_ms : kUnknownDurationMs;
  const float share = static_cast<float>(event.watch_ms) / static_cast<float>(duration);
  if (event.watch_ms < kSkipMs && share < kSkipShare) return kSkipWeight;
  return kWatchedWeight * std::min(share, 1.0F);
}

void apply_to_profile(PackedProfile& profile, const Interaction& event, ItemIndex index,
                      const CatalogueItem* item, const ProfileOptions& options) {
  const int64_t ts = std::clamp(event.ts.count(), -kTimeMax, kTimeMax);
  if (profile.events == 0) profile.last_event_ms = ts;
  const Millis newer(std::max<int64_t>(ts - profile.last_event_ms, 0));
  const Millis older(std::max<int64_t>(profile.last_event_ms - ts, 0));
  if (profile.events != UINT32_MAX) ++profile.events;
  note_session(profile, Millis(ts), newer, options.session_gap);
  note_week(profile, Millis(ts), newer);
  const auto decays =
      half_life_decays<4>(newer + older, {options.half_life_short, options.half_life_long,
                                          options.half_life_affinity, kViewerRateHalfLife});
  const auto decay = [&](size_t which) {
    const auto factor = static_cast<float>(decays[which]);
    return older.count() > 0 ? Decay{1, factor} : Decay{factor, 1};
  };
  const Decay in_short = decay(0), in_long = decay(1), in_affinities = decay(2);
  note_counts(profile, event, decay(3));
  if (newer.count() > 0) drop_ancient(profile, Millis(ts));
  profile.last_event_ms += newer.count();
  profile.version = kProfileVersion;
  if (index != kNoItem) remember(profile, event, index);

  float weight = 0;
  if (item != nullptr) {
    weight = interest_weight(event, item->item.duration.value_or(Millis()).count());
  }
  static constexpr Vector kNowhere{};
  const Vector& direction = item != nullptr ? item->vector : kNowhere;
  const float top = weight == 0 ? 0 : largest_component(direction);
  add_to_interest(profile.interest_short, in_short.state, weight * in_short.event, direction, top,
                  profile.events);
  add_to_interest(profile.interest_long, in_long.state, weight * in_long.event, direction, top,
                  profile.events);
  const float w = weight * in_affinities.event;
  const bool in_category = item != nullptr && !item->item.category.empty();
  const bool in_county = item != nullptr && item->county_code > 0;
  add(profile.categories, in_affinities.state, w, in_category ? item->category_hash : 0);
  add(profile.counties, in_affinities.state, w,
      in_county ? static_cast<uint32_t>(item->county_code) : 0);
  add(profile.creators, in_affinities.state, w, item != nullptr ? item->creator_hash : 0);
}

ViewerState decode(const PackedProfile& profile) {
  ViewerState state;
  state.known = profile.events > 0;
  state.events = profile.events;
  state.last_event = Millis(profile.last_event_ms);
  unpack_interest(profile.interest_short, state.interest_short);
  unpack_interest(profile.interest_long, state.interest_long);
  decode(profile.categories, state.categories);
  decode(profile.counties, state.counties);
  decode(profile.creators, state.creators);
  decode_habits(profile, state);
  return state;
}

std::string_view profile_bytes(const PackedProfile& profile) {
  return {reinterpret_cast<const char*>(&profile), sizeof(profile)};
}

Status read_profile(std::string_view bytes, PackedProfile& out) {
  if (bytes.size() != sizeof(PackedProfile)) {
    return Error{ErrorCode::kCorrupt, "profile of " + std::to_string(bytes.size()) +
                                          " bytes, not " + std::to_string(sizeof(PackedProfile))};
  }
  PackedProfile profile;
  if (is_version_1(bytes)) {
    profile = upgrade_version_1(bytes);
  } else {
    std::memcpy(&profile, bytes.data(), sizeof(profile));
  }
  if (!plausible(profile)) return Error{ErrorCode::kCorrupt, "profile with impossible values"};
  out = profile;
  return {};
}

}  // namespace shanhuo
