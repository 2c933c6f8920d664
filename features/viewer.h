// A viewer as ranking sees one: the profile decoded from its packed form (user_state.h), copied out
// under a lock, and the list of what was inserted for this viewer lately. Values only.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "features/catalogue.h"
#include "features/interaction.h"
#include "features/item.h"

namespace shanhuo {

inline constexpr int kRecentItems = 30;
inline constexpr int kAffinities = 6;

struct RecentItem {
  ItemIndex item = kNoItem;
  EventType type = EventType::kImpression;  // the strongest reaction so far
  Millis at;                                // to the minute
};

// A decayed weight (half-life in user_state.h) of a key: category_hash, county_code or creator_hash
// of CatalogueItem.
struct Affinity {
  uint32_t key = 0;
  float weight = 0;  // 0: free place
};

// The present session, as of the last event: events between which no gap is longer than
// ProfileOptions::session_gap.
struct ViewerSession {
  int64_t events = 0;  // stays at 65,535
  Millis start;
};

// Sums of 2^(-age / 7 d) of the viewer's own events, as of the last one (user_state.h).
inline constexpr int kViewerCounts = 3;
struct ViewerRates {
  float impressions = 0;
  float clicks = 0;
  float orders = 0;
};

// A rate of few trials, drawn towards `prior` as if that had been seen in `strength` trials before.
// Requires: strength > 0.
constexpr double smoothed_share(double successes, double trials, double prior, double strength) {
  const double share = (successes + prior * strength) / (trials + strength);
  return share < 1 ? share : 1;
}
// Of a viewer's clicks per impression and orders per click.
inline constexpr double kViewerPriorClick = 0.05, kViewerPriorImpressions = 20;
inline constexpr double kViewerPriorOrder = 0.03, kViewerPriorClicks = 30;

// The week in blocks of four hours, UTC+8, from Monday 0:00.
inline constexpr Millis kWeekBlock{4 * 3'600'000};
inline constexpr int kWeekBlocks = 42;
int week_block(Millis t);  // 0..41

struct ViewerState {
  bool known = false;       // false: no profile; everything else is zero
  Vector interest_short{};  // sum of w * 2^(-age / half-life) * item vector, NOT normalised; zero:
                            // no interest yet
  Vector interest_long{};
  int64_t events = 0;  // applied, lifetime
  Millis last_event;   // largest ts applied
  int recent_count = 0;
  std::array<RecentItem, kRecentItems> recent{};  // newest first
  std::array<Affinity, kAffinities> categories{};
  std::array<Affinity, kAffinities> counties{};
  std::array<Affinity, kAffinities> creators{};
  ViewerSession session;
  ViewerRates rates;
  std::array<uint8_t, kWeekBlocks> week{};  // how often each block was entered, 0..15
};

// One boosted item that was put into an answer for a viewer; frequency caps count these
// (contract 2.3).
inline constexpr int kProgramsPerItemMax = 4;
struct Insertion {
  Millis at;                  // engine time
  uint64_t request_hash = 0;  // of (user, request_id): makes recording idempotent
  ItemIndex item = kNoItem;
  std::array<uint32_t, kProgramsPerItemMax>
      programs{};  // program_hash() of each named program; 0: none
};
using Insertions = std::vector<Insertion>;  // oldest first

// Smoothed-rate inputs of one item: exponentially decayed counts, half-life 7 d of event time, read
// without a lock.
struct ItemRates {
  float impressions = 0;
  float clicks = 0;
  float viewable = 0;
  float orders = 0;
};

// Who has them. Lock-free and thread-safe; indices without events give zeros.
class ItemRatesReader {
 public:
  virtual ~ItemRatesReader() = default;
  virtual ItemRates rates(ItemIndex index) const = 0;
  virtual void prefetch(ItemIndex) const {}  // a hint that rates() of it comes soon
};

}  // namespace shanhuo
