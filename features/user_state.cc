// The idea: keep integers, and let decay touch only the scale that they share.
//
//   value = q * scale      decay: scale *= 2^(-dt / half-life)      add: q += delta / scale
//
// Untouched components keep their integers exactly; as the scale falls, additions grow in units of
// it until one leaves 10 bits, then the scale doubles and every q is halved. So the largest
// component stays between 1/4 and all of the range. What does not fit an integer is rounded down
// after adding u(n, i) = frac(n * phi + i * c), the golden-ratio sequence over events n: additions
// of a constant fraction f round up in f of all events, evenly spread, so their sum is right within
// O(log n) steps.
//
// All loops are over 64 components without branches (the compiler vectorises them; this file is
// built without contraction of a * b + c, so that the bits do not depend on the machine). Tested by
// tests/features_user_state_test.cc against double arithmetic without any packing.
#include "features/user_state.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "features/decay.h"
#include "features/user_habits.h"

namespace shanhuo {
namespace {

static_assert(std::endian::native == std::endian::little, "records are their own disk format");

constexpr float kComponentMax = 511;    // of 10 bits, two's complement
constexpr float kComponentSmall = 128;  // a smaller largest one wastes bits
constexpr float kFirstComponent = 256;  // the largest one of a vector's first addition
constexpr float kScaleMin = 1e-20F;     // below it a decayed value is nothing
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

// Where each component stands in the dither's period.
constexpr std::array<uint32_t, kDims> kPhases = [] {
  std::array<uint32_t, kDims> phases{};
  for (uint32_t i = 0; i < kDims; ++i) phases[i] = i * 0xC2B2AE35U;
  return phases;
}();

using Integers = std::array<int32_t, kDims>;
using Components = std::array<float, kDims>;

void unpack(const PackedVector& packed, Integers& q) {
  constexpr int kQuarter = kDims / 4;
  for (int part = 0; part < 4; ++part) {
    for (int i = 0; i < kQuarter; ++i) {
      const int low = (packed.low[i] >> (2 * part)) & 3;
      q[part * kQuarter + i] = packed.high[part * kQuarter + i] * 4 + low;
    }
  }
}

void pack(const Integers& q, PackedVector& packed) {
  constexpr int kQuarter = kDims / 4;
  for (int i = 0; i < kDims; ++i) packed.high[i] = static_cast<int8_t>(q[i] >> 2);
  for (int i = 0; i < kQuarter; ++i) {
    packed.low[i] =
        static_cast<uint8_t>((q[i] & 3) | (q[i + kQuarter] & 3) << 2 |
                             (q[i + 2 * kQuarter] & 3) << 4 | (q[i + 3 * kQuarter] & 3) << 6);
  }
}

float largest(const Components& x) {
  std::array<float, 16> top{};  // sixteen lanes, because a float maximum in order is slow
  for (int i = 0; i < kDims; i += 16) {
    for (int lane = 0; lane < 16; ++lane) {
      const float a = std::fabs(x[i + lane]);
      top[lane] = a > top[lane] ? a : top[lane];
    }
  }
  float all = 0;
  for (const float lane : top) all = lane > all ? lane : all;
  return all;
}

// Rounds down after the dither of event `n`. 1,024 keeps the sum positive and all its digits exact.
void round_dithered(const Components& x, uint32_t n, Integers& q) {
  const uint32_t phase = n * 0x9E3779B9U;
  for (int i = 0; i < kDims; ++i) {
    const uint32_t u = (phase + kPhases[i]) >> 20;
    const float dither = static_cast<float>(static_cast<int32_t>(2 * u + 1)) * (1.0F / 8192);
    q[i] = static_cast<int32_t>(x[i] + (dither + 1024.0F)) - 1024;
  }
}

// packed = packed * decay + weight * direction, whose largest component is `direction_top`.
void add(PackedVector& packed, float decay, float weight, const Vector& direction,
         float direction_top, uint32_t n) {
  packed.scale *= decay;
  if (packed.scale < kScaleMin) packed = PackedVector{};
  const float reach = std::fabs(weight) * direction_top;
  if (!(reach > 0)) return;
  if (packed.scale == 0) packed.scale = std::max(reach / kFirstComponent, kScaleMin);
  Integers q;
  Components x;
  unpack(packed, q);
  const float factor = weight / packed.scale;
  for (int i = 0; i < kDims; ++i) x[i] = static_cast<float>(q[i]) + factor * direction[i];
  float top = largest(x);
  float shrink = 1;
  for (; top * shrink >= kComponentMax; shrink *= 0.5F) packed.scale *= 2;
  for (; top > 1 && top * shrink < kComponentSmall; shrink *= 2) packed.scale *= 0.5F;
  if (shrink != 1) {
    for (int i = 0; i < kDims; ++i) x[i] *= shrink;
  }
  round_dithered(x, n, q);
  pack(q, packed);
}

// The place of `key`; else a free place, else the lightest one, to be taken over.
int affinity_place(const PackedAffinities& packed, uint32_t key) {
  int lightest = 0;
  for (int i = 0; i < kAffinities; ++i) {
    if (packed.weights[i] != 0 && packed.keys[i] == key) return i;
    if (packed.weights[i] < packed.weights[lightest]) lightest = i;
  }
  return lightest;
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

void decode(const PackedVector& packed, Vector& out) {
  Integers q;
  unpack(packed, q);
  for (int i = 0; i < kDims; ++i) out[i] = static_cast<float>(q[i]) * packed.scale;
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
  note_counts(profile, event, newer, older);
  if (newer.count() > 0) drop_ancient(profile, Millis(ts));
  profile.last_event_ms += newer.count();
  profile.version = kProfileVersion;
  if (index != kNoItem) remember(profile, event, index);

  static constexpr Vector kNowhere{};
  float weight = 0;
  if (item != nullptr) {
    weight = interest_weight(event, item->item.duration.value_or(Millis()).count());
  }
  const auto fold = [&](Millis half_life, auto&& add_to) {
    add_to(static_cast<float>(half_life_decay(newer, half_life)),
           weight * static_cast<float>(half_life_decay(older, half_life)));
  };
  const Vector& direction = item != nullptr ? item->vector : kNowhere;
  const float top = weight == 0 ? 0 : largest(direction);
  fold(options.half_life_short, [&](float decay, float w) {
    add(profile.interest_short, decay, w, direction, top, profile.events);
  });
  fold(options.half_life_long, [&](float decay, float w) {
    add(profile.interest_long, decay, w, direction, top, profile.events);
  });
  fold(options.half_life_affinity, [&](float decay, float w) {
    const bool known = item != nullptr;
    const bool in_category = known && !item->item.category.empty();
    const bool in_county = known && item->county_code > 0;
    add(profile.categories, decay, w, in_category ? item->category_hash : 0);
    add(profile.counties, decay, w, in_county ? static_cast<uint32_t>(item->county_code) : 0);
    add(profile.creators, decay, w, known ? item->creator_hash : 0);
  });
}

ViewerState decode(const PackedProfile& profile) {
  ViewerState state;
  state.known = profile.events > 0;
  state.events = profile.events;
  state.last_event = Millis(profile.last_event_ms);
  decode(profile.interest_short, state.interest_short);
  decode(profile.interest_long, state.interest_long);
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
