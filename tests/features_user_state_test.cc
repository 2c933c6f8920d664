// The packed profile against its slow twin: the same sums in double precision, nothing packed, each
// event kept and decayed from scratch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>

#include "base/hash.h"
#include "features/decay.h"
#include "features/interest_vector.h"
#include "features/user_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kStart = 1'760'000'000'000;

// Event times must not depend on a build's libm: the twin uses exp2, decay.h must agree.
TEST(HalfLifeDecay, AgreesWithExp2) {
  const Millis half_life(kDayMs);
  for (int64_t age = 0; age < 70 * kDayMs; age += 7'654'321) {
    const double exact = std::exp2(-static_cast<double>(age) / static_cast<double>(kDayMs));
    EXPECT_NEAR(half_life_decay(Millis(age), half_life), exact, 1e-12 * exact + 1e-18) << age;
  }
  EXPECT_EQ(half_life_decay(Millis(-5), half_life), 1.0);
  EXPECT_NEAR(half_life_decay(Millis(kDayMs), half_life), 0.5, 1e-12);
}

TEST(HalfLifeDecay, OfSeveralHalfLivesTogetherHasTheSameBits) {
  std::mt19937_64 random(12);
  for (int n = 0; n < 20'000; ++n) {
    std::array<Millis, 4> half_lives;
    for (Millis& each : half_lives)
      each = Millis(static_cast<int64_t>(random() % (1ULL << 40)) + 1);
    const Millis age(static_cast<int64_t>(random() >> (20 + random() % 44)) - 1'000);
    const auto together = half_life_decays<4>(age, half_lives);
    for (size_t i = 0; i < 4; ++i) {
      ASSERT_EQ(together[i], half_life_decay(age, half_lives[i])) << age.count();
    }
  }
}

struct Fixture {
  explicit Fixture(uint64_t seed = 1) : random(seed) {}

  Vector unit_vector() {
    std::normal_distribution<float> normal;
    Vector v;
    for (float& x : v) x = normal(random);
    return normalised(v);
  }
  static Vector normalised(Vector v) {
    double square = 0;
    for (float x : v) square += double{x} * x;
    for (float& x : v) x = static_cast<float>(x / std::sqrt(square));
    return v;
  }
  static Vector near(const Vector& center, const Vector& noise, float share) {
    Vector v;
    for (int i = 0; i < kDims; ++i) v[i] = center[i] + share * noise[i];
    return normalised(v);
  }
  static CatalogueItem item(const Vector& vector, uint32_t n) {
    CatalogueItem item;
    item.vector = vector;
    item.index = n;
    item.item.category = "fruit";
    item.category_hash = 100 + n % 10;
    item.creator_hash = 200 + n % 40;
    item.county_code = 433124;
    return item;
  }
  Interaction event(EventType type, int64_t ts) const {
    Interaction event;
    event.type = type;
    event.ts = Millis(ts);
    return event;
  }
  EventType any_type() { return static_cast<EventType>(random() % kEventTypes); }

  std::mt19937_64 random;
};

struct Twin {
  struct Seen {
    int64_t ts;
    double weight;
    Vector vector;
  };
  void apply(const Interaction& event, const CatalogueItem& item) {
    const auto duration = item.item.duration.value_or(Millis()).count();
    seen.push_back({event.ts.count(), interest_weight(event, duration), item.vector});
    last = std::max(last, event.ts.count());
  }
  std::array<double, kDims> interest(double half_life_ms) const {
    std::array<double, kDims> sum{};
    for (const Seen& s : seen) {
      const double w = s.weight * std::exp2(-static_cast<double>(last - s.ts) / half_life_ms);
      for (int i = 0; i < kDims; ++i) sum[i] += w * s.vector[i];
    }
    return sum;
  }
  std::vector<Seen> seen;
  int64_t last = INT64_MIN;
};

double cosine(const Vector& a, const std::array<double, kDims>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (int i = 0; i < kDims; ++i) {
    ab += a[i] * b[i];
    aa += double{a[i]} * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

double length(const Vector& v) {
  double square = 0;
  for (float x : v) square += double{x} * x;
  return std::sqrt(square);
}

// Runs `events` events over `days` days, each up to an hour out of order, and compares with the
// twin.
void expect_near_twin(uint64_t seed, int events, double days, float noise, double cosine_min) {
  Fixture f(seed);
  const Vector taste = f.unit_vector();
  PackedProfile profile{};
  Twin twin;
  for (int n = 0; n < events; ++n) {
    const auto at = static_cast<int64_t>(days * static_cast<double>(kDayMs) * n / events);
    const auto jitter = static_cast<int64_t>(f.random() % 3'600'000);
    Interaction event = f.event(f.any_type(), kStart + at - jitter);
    event.watch_ms = static_cast<int64_t>(f.random() % 40'000);
    const CatalogueItem item =
        Fixture::item(Fixture::near(taste, f.unit_vector(), noise), static_cast<uint32_t>(n));
    apply_to_profile(profile, event, item.index, &item);
    twin.apply(event, item);
  }
  const ViewerState state = decode(profile);
  const double in_short = cosine(state.interest_short, twin.interest(1.0 * kDayMs));
  const double in_long = cosine(state.interest_long, twin.interest(30.0 * kDayMs));
  EXPECT_GE(in_short, cosine_min) << seed;
  EXPECT_GE(in_long, cosine_min) << seed;
  double exact = 0;
  for (double x : twin.interest(30.0 * kDayMs)) exact += x * x;
  EXPECT_NEAR(length(state.interest_long) / std::sqrt(exact), 1.0, 0.1) << seed;
  EXPECT_EQ(state.events, events);
  EXPECT_EQ(state.last_event.count(), twin.last);
}

TEST(UserState, StaysNearTheDoubleTwinOverAThousandRandomEvents) {
  for (uint64_t seed = 1; seed <= 20; ++seed) expect_near_twin(seed, 1'000, 30, 1000.0F, 0.995);
  for (uint64_t seed = 1; seed <= 20; ++seed) expect_near_twin(seed, 1'000, 3, 1.0F, 0.995);
}

TEST(UserState, StaysNearTheDoubleTwinForAHeavyViewer) {
  for (uint64_t seed = 1; seed <= 5; ++seed) expect_near_twin(seed, 20'000, 20, 1.0F, 0.995);
  // Without any taste to learn, the sum grows no faster than the rounding errors.
  for (uint64_t seed = 1; seed <= 5; ++seed) expect_near_twin(seed, 20'000, 20, 1000.0F, 0.94);
}

// With rounding to nearest, clicks of weight 1 would vanish beside a vector of length 5,000.
TEST(UserState, AHeavyViewersVectorStillFollowsANewTaste) {
  Fixture f(3);
  const Vector before = f.unit_vector(), after = f.unit_vector();
  const CatalogueItem was = Fixture::item(before, 1), is = Fixture::item(after, 2);
  PackedProfile profile{};
  Twin twin;
  const auto click = [&](const CatalogueItem& item, int n) {
    const Interaction event = f.event(EventType::kClick, kStart + n * 100'000LL);
    apply_to_profile(profile, event, item.index, &item);
    twin.apply(event, item);
  };
  for (int n = 0; n < 10'000; ++n) click(was, n);
  for (int n = 10'000; n < 15'000; ++n) click(is, n);
  const ViewerState state = decode(profile);
  const auto exact = twin.interest(30.0 * kDayMs);
  double along = 0, along_exact = 0;
  for (int i = 0; i < kDims; ++i) {
    along += state.interest_long[i] * after[i];
    along_exact += exact[i] * after[i];
  }
  EXPECT_NEAR(along / along_exact, 1.0, 0.03);
  EXPECT_GE(cosine(state.interest_long, exact), 0.99);
}

TEST(UserState, AnOlderEventEntersDecayedAndTheOrderOfArrivalDoesNotMatter) {
  Fixture f(4);
  const CatalogueItem a = Fixture::item(f.unit_vector(), 1), b = Fixture::item(f.unit_vector(), 2);
  const Interaction early = f.event(EventType::kLike, kStart);
  const Interaction late = f.event(EventType::kOrder, kStart + 2 * kDayMs);
  PackedProfile in_order{}, reversed{};
  apply_to_profile(in_order, early, 1, &a);
  apply_to_profile(in_order, late, 2, &b);
  apply_to_profile(reversed, late, 2, &b);
  apply_to_profile(reversed, early, 1, &a);
  const ViewerState x = decode(in_order), y = decode(reversed);
  EXPECT_EQ(x.last_event, y.last_event);
  for (int i = 0; i < kDims; ++i) {
    const double exact = 3 * 0.25 * a.vector[i] + 8 * b.vector[i];
    EXPECT_NEAR(x.interest_short[i], exact, 0.03);
    EXPECT_NEAR(y.interest_short[i], exact, 0.03);
  }
  EXPECT_NEAR(x.creators[0].weight, y.creators[0].weight, 0.01);
}

TEST(UserState, SameEventsGiveTheSameBytes) {
  PackedProfile profiles[2] = {};
  for (PackedProfile& profile : profiles) {
    Fixture f(5);
    for (int n = 0; n < 500; ++n) {
      const CatalogueItem item = Fixture::item(f.unit_vector(), static_cast<uint32_t>(n));
      apply_to_profile(profile, f.event(f.any_type(), kStart + n * 60'000), item.index, &item);
    }
  }
  EXPECT_EQ(profile_bytes(profiles[0]), profile_bytes(profiles[1]));
}

// With vector instructions or without: small and huge additions, such as turn the vector around,
// and decay from none to all.
TEST(InterestVector, BothFormsGiveTheSameBytes) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Fixture f(seed);
    PackedVector fast{}, plain{};
    for (uint32_t n = 0; n < 1'000; ++n) {
      Vector direction = f.unit_vector();
      for (float& x : direction) x = f.random() % 3 == 0 ? 0 : x;
      const auto exponent = static_cast<int>(f.random() % 24) - 12;
      const float weight =
          f.random() % 5 == 0 ? 0 : std::ldexp(f.random() % 2 == 0 ? 1.5F : -1.0F, exponent);
      const float decay = f.random() % 100 == 0
                              ? 1e-12F
                              : 1 - std::ldexp(1.0F, -1 - static_cast<int>(f.random() % 20));
      const float top = weight == 0 ? 0 : largest_component(direction);
      const auto event = static_cast<uint32_t>(f.random());
      add_to_interest(fast, decay, weight, direction, top, event);
      add_to_interest_plain(plain, decay, weight, direction, top, event);
      ASSERT_EQ(std::memcmp(&fast, &plain, sizeof(fast)), 0) << seed << " " << n;
    }
  }
}

// The bytes are in checkpoints and are compared between machines: whoever changes this number gives
// the same log another state.
TEST(UserState, TheBytesAreThoseOfEveryBuildSoFar) {
  std::mt19937_64 random(21);
  uint64_t digest = 0;
  for (int viewer = 0; viewer < 20; ++viewer) {
    PackedProfile profile{};
    int64_t now = kStart;
    for (int n = 0; n < 400; ++n) {
      CatalogueItem item = Fixture::item({}, static_cast<uint32_t>(random() % 60));
      for (float& x : item.vector) x = static_cast<float>(random() % 2'001) / 4'000.0F - 0.25F;
      now += static_cast<int64_t>(random() >> (34 + random() % 30));
      Interaction event;
      event.type = static_cast<EventType>(random() % kEventTypes);
      event.ts = Millis(now - static_cast<int64_t>(random() % 3 == 0 ? random() % kDayMs : 0));
      event.watch_ms = static_cast<int64_t>(random() % 60'000) - 10'000;
      apply_to_profile(profile, event, item.index, random() % 9 == 0 ? nullptr : &item);
    }
    digest = hash_combine(digest, hash64(profile_bytes(profile)));
  }
  EXPECT_EQ(digest, 0xd4b899036b0f24d0ULL);
}

TEST(UserState, TenYearsLaterNothingIsLeftButTheCount) {
  Fixture f(6);
  const CatalogueItem item = Fixture::item(f.unit_vector(), 1);
  PackedProfile profile{};
  apply_to_profile(profile, f.event(EventType::kOrder, kStart), 1, &item);
  apply_to_profile(profile, f.event(EventType::kImpression, kStart + 3650 * kDayMs), 1, nullptr);
  const ViewerState state = decode(profile);
  EXPECT_EQ(length(state.interest_short), 0);
  EXPECT_EQ(length(state.interest_long), 0);
  EXPECT_EQ(state.creators[0].weight, 0);
  EXPECT_EQ(state.events, 2);
}

TEST(UserState, DislikeTurnsInterestAwayAndUnknownItemsChangeOnlyTheList) {
  Fixture f(7);
  const CatalogueItem item = Fixture::item(f.unit_vector(), 1);
  PackedProfile profile{};
  apply_to_profile(profile, f.event(EventType::kClick, kStart), 1, &item);
  apply_to_profile(profile, f.event(EventType::kDislike, kStart + 1), 1, &item);
  ViewerState state = decode(profile);
  double along = 0;
  for (int i = 0; i < kDims; ++i) along += state.interest_short[i] * item.vector[i];
  EXPECT_NEAR(along, -3.0, 0.02);
  EXPECT_EQ(state.creators[0].weight, 0);  // an affinity is never negative
  const PackedProfile before = profile;
  apply_to_profile(profile, f.event(EventType::kOrder, kStart + 1), 77, nullptr);
  state = decode(profile);
  EXPECT_EQ(state.recent[0].item, 77U);
  EXPECT_EQ(state.recent_count, 2);
  EXPECT_EQ(decode(before).interest_long, state.interest_long);
}

TEST(UserState, PlaysCountByTheWatchedShare) {
  Interaction play;
  play.type = EventType::kPlay;
  EXPECT_FLOAT_EQ(interest_weight(play, 10'000), 0.5F);  // not measured
  play.watch_ms = 1'000;
  EXPECT_LT(interest_weight(play, 60'000), 0);  // skipped
  EXPECT_GT(interest_weight(play, 1'500), 1);   // most of a short one
  play.watch_ms = 30'000;
  EXPECT_FLOAT_EQ(interest_weight(play, 60'000), 1.0F);
  EXPECT_FLOAT_EQ(interest_weight(play, 0), 2.0F);
  play.watch_ms = 1'000'000;
  EXPECT_FLOAT_EQ(interest_weight(play, 60'000), 2.0F);  // watched in a loop
}

TEST(UserState, TheRecentListEqualsItsSlowTwin) {
  Fixture f(8);
  PackedProfile profile{};
  std::vector<RecentItem> twin;
  for (int n = 0; n < 3'000; ++n) {
    const auto index = static_cast<ItemIndex>(f.random() % 50);
    const Interaction event = f.event(f.any_type(), kStart + n * 1'000);
    apply_to_profile(profile, event, index, nullptr);
    RecentItem next{index, event.type, Millis(event.ts.count() / 60'000 * 60'000)};
    const auto same = std::find_if(twin.begin(), twin.end(),
                                   [&](const RecentItem& r) { return r.item == index; });
    if (same != twin.end()) {
      if (event_weight(same->type).strength > event_weight(next.type).strength)
        next.type = same->type;
      twin.erase(same);
    }
    twin.insert(twin.begin(), next);
    if (twin.size() > kRecentItems) twin.pop_back();
    const ViewerState state = decode(profile);
    ASSERT_EQ(state.recent_count, static_cast<int>(twin.size()));
    for (int i = 0; i < state.recent_count; ++i) {
      ASSERT_EQ(state.recent[i].item, twin[i].item) << n;
      ASSERT_EQ(state.recent[i].type, twin[i].type) << n;
      ASSERT_EQ(state.recent[i].at, twin[i].at) << n;
    }
  }
}

TEST(UserState, AffinitiesOfFewKeysAreTheirDecayedSums) {
  Fixture f(9);
  PackedProfile profile{};
  std::map<uint32_t, double> exact;
  int64_t last = kStart;
  for (int n = 0; n < 2'000; ++n) {
    CatalogueItem item = Fixture::item(f.unit_vector(), 1);
    item.creator_hash = 1 + static_cast<uint32_t>(std::min(f.random() % 6, f.random() % 6));
    const int64_t ts = last + static_cast<int64_t>(f.random() % 3'600'000);
    for (auto& [key, weight] : exact) {
      weight *= std::exp2(-static_cast<double>(ts - last) / (30.0 * kDayMs));
    }
    exact[item.creator_hash] += 1;
    last = ts;
    apply_to_profile(profile, f.event(EventType::kClick, ts), 1, &item);
  }
  const ViewerState state = decode(profile);
  for (int i = 0; i < kAffinities; ++i) {
    ASSERT_GT(state.creators[i].weight, 0);
    EXPECT_NEAR(state.creators[i].weight / exact[state.creators[i].key], 1.0, 0.01);
    EXPECT_LE(state.creators[i].weight, state.creators[std::max(i - 1, 0)].weight);
  }
}

TEST(UserState, AFrequentKeyIsNeverLostAmongManyRareOnes) {
  Fixture f(10);
  PackedProfile profile{};
  for (int n = 0; n < 5'000; ++n) {
    CatalogueItem item = Fixture::item(f.unit_vector(), 1);
    item.creator_hash = n % 4 == 0 ? 7 : 1'000 + static_cast<uint32_t>(n);
    apply_to_profile(profile, f.event(EventType::kClick, kStart + n), 1, &item);
  }
  const ViewerState state = decode(profile);
  const auto found = std::find_if(state.creators.begin(), state.creators.end(),
                                  [](const Affinity& a) { return a.key == 7; });
  ASSERT_NE(found, state.creators.end());
  EXPECT_GE(found->weight, 1'250 * 0.99);
  EXPECT_LE(found->weight, 5'000);
}

TEST(UserState, BytesReadBackAndDamagedOnesAreRefused) {
  Fixture f(11);
  const CatalogueItem item = Fixture::item(f.unit_vector(), 1);
  PackedProfile profile{}, back{};
  apply_to_profile(profile, f.event(EventType::kOrder, kStart), 1, &item);
  ASSERT_TRUE(read_profile(profile_bytes(profile), back).ok());
  EXPECT_EQ(profile_bytes(back), profile_bytes(profile));
  EXPECT_FALSE(read_profile(profile_bytes(profile).substr(1), back).ok());
  PackedProfile damaged = profile;
  damaged.interest_long.scale = std::nanf("");
  EXPECT_EQ(read_profile(profile_bytes(damaged), back).error().code, ErrorCode::kCorrupt);
  damaged = profile;
  damaged.recent_types[0] |= 0xF0;
  EXPECT_FALSE(read_profile(profile_bytes(damaged), back).ok());
  damaged = profile;
  damaged.version = kProfileVersion + 1;
  EXPECT_FALSE(read_profile(profile_bytes(damaged), back).ok());
  EXPECT_FALSE(decode(PackedProfile{}).known);
}

TEST(UserState, AHistoryIsWhatWasChosenAndNotTakenBack) {
  for (int t = 0; t < kEventTypes; ++t) {
    const auto type = static_cast<EventType>(t);
    const bool wanted = type != EventType::kImpression && type != EventType::kRefund &&
                        type != EventType::kDislike && type != EventType::kDeed;
    EXPECT_EQ(chosen(type), wanted) << event_type_name(type);
    EXPECT_EQ(taken_back(type), type == EventType::kRefund || type == EventType::kDislike);
    Interaction event;
    event.type = type;
    event.watch_ms = kViewablePlayMs - 1;
    EXPECT_EQ(chosen(event), wanted && type != EventType::kPlay) << event_type_name(type);
    event.watch_ms = kViewablePlayMs;
    EXPECT_EQ(chosen(event), wanted) << event_type_name(type);
  }
}

}  // namespace
}  // namespace shanhuo
