// The habits of a viewer against their slow twin: the list of all events, looked through again for
// each question.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "features/counts.h"
#include "features/user_state.h"

namespace shanhuo {
namespace {

constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kHourMs = 60 * kMinuteMs;
constexpr int64_t kDayMs = 24 * kHourMs;
constexpr int64_t kStart = 1'790'000'000'000;

struct Event {
  EventType type = EventType::kImpression;
  ItemIndex item = 0;
  int64_t ts = kStart;
};

void apply(PackedProfile& profile, const Event& event) {
  Interaction interaction;
  interaction.type = event.type;
  interaction.ts = Millis(event.ts);
  apply_to_profile(profile, interaction, event.item, nullptr);
}

// A stream of a viewer: sessions of some minutes, pauses of hours, now and then of days or years,
// and events that come up to a day after others that are newer.
std::vector<Event> stream(uint64_t seed, int events, bool years) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return static_cast<int64_t>(random() % n); };
  std::vector<Event> all;
  int64_t now = kStart;
  for (int n = 0; n < events; ++n) {
    const auto dice = below(100);
    now += dice < 80   ? below(3 * kMinuteMs)
           : dice < 95 ? below(5 * kHourMs)
           : dice < 99 ? below(4 * kDayMs)
           : years     ? below(900 * kDayMs)
                       : 30 * kMinuteMs;
    const int64_t ts = below(8) == 0 ? now - below(kDayMs) : now;
    all.push_back(
        {static_cast<EventType>(below(kEventTypes)), static_cast<ItemIndex>(below(50)), ts});
  }
  return all;
}

int64_t newest(const std::vector<Event>& events) {
  int64_t last = INT64_MIN;
  for (const Event& event : events) last = std::max(last, event.ts);
  return last;
}

ViewerSession session_of(const std::vector<Event>& events) {
  int64_t last = INT64_MIN, start = 0, count = 0;
  for (const Event& event : events) {
    if (last == INT64_MIN || event.ts - last > 30 * kMinuteMs) {
      start = event.ts;
      count = 0;
    }
    last = std::max(last, event.ts);
    if (event.ts >= start) ++count;
  }
  return {count, Millis(start)};
}

std::array<uint8_t, kWeekBlocks> week_of(const std::vector<Event>& events) {
  std::array<uint8_t, kWeekBlocks> week{};
  int64_t last = INT64_MIN;
  for (const Event& event : events) {
    const auto block = [](int64_t ts) { return (ts + 8 * kHourMs) / (4 * kHourMs); };
    if (last == INT64_MIN || (event.ts > last && block(event.ts) != block(last))) {
      uint8_t& count = week[static_cast<size_t>(week_block(Millis(event.ts)))];
      if (count == 15) std::ranges::for_each(week, [](uint8_t& each) { each /= 2; });
      ++count;
    }
    last = std::max(last, event.ts);
  }
  return week;
}

double decayed(const std::vector<Event>& events, EventType type) {
  double sum = 0;
  const int64_t last = newest(events);
  for (const Event& event : events) {
    if (event.type == type)
      sum += std::exp2(-static_cast<double>(last - event.ts) / (7.0 * kDayMs));
  }
  return sum;
}

std::vector<RecentItem> recent_of(const std::vector<Event>& events) {
  std::vector<RecentItem> list;
  int64_t last = INT64_MIN;
  const auto minutes = [](int64_t ts) { return ts / kMinuteMs; };
  for (const Event& event : events) {
    // The list is looked through when the newest event enters another day.
    if (event.ts > last && last != INT64_MIN && event.ts / kDayMs != last / kDayMs) {
      std::erase_if(list, [&](const RecentItem& each) {
        return minutes(event.ts) - minutes(each.at.count()) > 726 * 1'440;
      });
    }
    last = std::max(last, event.ts);
    RecentItem next{event.item, event.type, Millis(minutes(event.ts) * kMinuteMs)};
    const auto same = std::ranges::find(list, event.item, &RecentItem::item);
    if (same != list.end()) {
      if (event_weight(same->type).strength > event_weight(next.type).strength) {
        next.type = same->type;
      }
      next.at = std::max(next.at, same->at);
      list.erase(same);
    }
    list.insert(list.begin(), next);
    if (list.size() > kRecentItems) list.pop_back();
  }
  return list;
}

void expect_recent(const ViewerState& state, const std::vector<RecentItem>& list) {
  ASSERT_EQ(static_cast<size_t>(state.recent_count), list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(state.recent[i].item, list[i].item) << i;
    EXPECT_EQ(state.recent[i].type, list[i].type) << i;
    EXPECT_EQ(state.recent[i].at, list[i].at) << i;
  }
}

TEST(UserHabits, EqualTheirTwinsAfterEachEventOfRandomStreams) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const std::vector<Event> all = stream(seed, 600, seed % 3 == 0);
    PackedProfile profile{};
    std::vector<Event> seen;
    for (const Event& event : all) {
      apply(profile, event);
      seen.push_back(event);
      if (seen.size() % 7 != 0) continue;
      const ViewerState state = decode(profile);
      const ViewerSession session = session_of(seen);
      ASSERT_EQ(state.session.events, session.events) << seed << " " << seen.size();
      ASSERT_EQ(state.session.start, session.start) << seed << " " << seen.size();
      ASSERT_EQ(state.week, week_of(seen)) << seed << " " << seen.size();
      expect_recent(state, recent_of(seen));
      // An eighth, times the root of the events.
      const double allowed = 0.125 * std::sqrt(static_cast<double>(seen.size())) + 0.125;
      ASSERT_NEAR(state.rates.impressions, decayed(seen, EventType::kImpression), allowed);
      ASSERT_NEAR(state.rates.clicks, decayed(seen, EventType::kClick), allowed);
      ASSERT_NEAR(state.rates.orders, decayed(seen, EventType::kOrder), allowed);
    }
  }
}

TEST(UserHabits, CountsThatReachTheirBoundKeepTheirRatio) {
  PackedProfile profile{};
  for (int n = 0; n < 60'000; ++n) {
    apply(profile, {n % 4 == 0 ? EventType::kClick : EventType::kImpression, 1, kStart + n});
  }
  const ViewerState state = decode(profile);
  EXPECT_GT(state.rates.impressions, 4'000);
  EXPECT_LE(state.rates.impressions, 8'192);
  EXPECT_NEAR(state.rates.clicks / state.rates.impressions, 1.0 / 3, 0.01);
}

TEST(UserHabits, TheWeekBeginsOnMondayMidnightOfChina) {
  // 2026-11-22 is a Sunday; Monday 2026-11-23 00:00 of UTC+8 is Sunday 16:00 of UTC.
  constexpr int64_t kMonday = 1'795'363'200'000;
  EXPECT_EQ(week_block(Millis(kMonday)), 0);
  EXPECT_EQ(week_block(Millis(kMonday - 1)), 41);
  EXPECT_EQ(week_block(Millis(kMonday + 20 * kHourMs)), 5);
  EXPECT_EQ(week_block(Millis(kMonday + 24 * kHourMs)), 6);
  EXPECT_EQ(week_block(Millis(kMonday - 3000 * 7 * kDayMs)), 0);  // before the epoch
}

TEST(UserHabits, ASessionSaturatesAndNeverWrapsAround) {
  PackedProfile profile{};
  for (int64_t n = 0; n < 70'000; ++n) {
    apply(profile, {EventType::kImpression, 1, kStart + n * 25 * kMinuteMs});
  }
  const ViewerState state = decode(profile);
  EXPECT_EQ(state.session.events, UINT16_MAX);
  EXPECT_EQ(state.last_event.count() - state.session.start.count(), int64_t{UINT32_MAX});
}

TEST(UserHabits, WhatTheListCannotDateAnyMoreLeavesIt) {
  PackedProfile profile{};
  apply(profile, {EventType::kClick, 1, kStart});
  apply(profile, {EventType::kClick, 2, kStart + 300 * kDayMs});
  apply(profile, {EventType::kClick, 3, kStart + 727 * kDayMs});
  ViewerState state = decode(profile);
  ASSERT_EQ(state.recent_count, 2);
  EXPECT_EQ(state.recent[1].item, 2U);
  EXPECT_EQ(state.recent[1].at.count(), (kStart + 300 * kDayMs) / kMinuteMs * kMinuteMs);
  apply(profile, {EventType::kClick, 4, kStart});  // older than it may be: not remembered
  state = decode(profile);
  EXPECT_EQ(state.recent_count, 2);
  apply(profile, {EventType::kClick, 5, kStart + 4'000 * kDayMs});
  EXPECT_EQ(decode(profile).recent_count, 1);
}

// The layout of version 1, as engines of that time wrote it.
struct ProfileV1 {
  int64_t last_event_ms;
  uint32_t events;
  PackedVector vectors[2];
  PackedAffinities affinities[3];
  struct {
    uint32_t item_plus_1, type_and_minute;
  } recent[30];
  uint32_t version;
};
static_assert(sizeof(ProfileV1) == 544);

TEST(UserHabits, AProfileOfVersionOneIsReadWithItsRecentItems) {
  ProfileV1 old{};
  old.last_event_ms = kStart;
  old.events = 77;
  old.vectors[0].scale = 2;
  old.vectors[0].high[5] = 3;
  old.affinities[2].scale = 1;
  old.affinities[2].keys[0] = 9;
  old.affinities[2].weights[0] = 4;
  for (uint32_t i = 0; i < 30; ++i) {
    old.recent[i] = {i + 1, 3U << 28 | static_cast<uint32_t>(kStart / kMinuteMs - i)};
  }
  old.version = 1;
  PackedProfile profile{};
  const std::string_view bytes(reinterpret_cast<const char*>(&old), sizeof(old));
  ASSERT_TRUE(read_profile(bytes, profile).ok());
  const ViewerState state = decode(profile);
  EXPECT_EQ(state.events, 77);
  EXPECT_EQ(state.interest_short[5], 24);
  EXPECT_EQ(state.creators[0].key, 9U);
  ASSERT_EQ(state.recent_count, 30);
  EXPECT_EQ(state.recent[29].item, 29U);
  EXPECT_EQ(state.recent[29].type, EventType::kLike);
  EXPECT_EQ(state.recent[29].at.count(), (kStart / kMinuteMs - 29) * kMinuteMs);
  EXPECT_EQ(state.session.events, 0);
  // It goes on as version 2.
  apply(profile, {EventType::kClick, 99, kStart + kMinuteMs});
  PackedProfile again{};
  ASSERT_TRUE(read_profile(profile_bytes(profile), again).ok());
  EXPECT_EQ(decode(again).recent[0].item, 99U);
  EXPECT_EQ(decode(again).session.events, 1);
}

}  // namespace
}  // namespace shanhuo
