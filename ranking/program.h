// A program as ranking sees it: one campaign of an operator, compiled (contract 3). configs/ reads
// the YAML into it; it is immutable afterwards. A ProgramSet is all programs of one revision, in
// the order in which conflicts resolve: urgent first, then priority descending, then id.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/ids.h"
#include "features/condition.h"
#include "features/interaction.h"
#include "features/item.h"
#include "features/item_totals.h"

namespace shanhuo {

enum class GoalUnit : uint8_t { kViewable, kClick, kOrder };
enum class GoalPeriod : uint8_t { kTotal, kDay };

struct Goal {
  GoalUnit unit = GoalUnit::kViewable;
  double at_least = 0;  // units; with share_of, a share 0..1 of the surface's inserted slots
  double at_most = 0;   // cap; > at_least is slack, = 0: no cap
  GoalPeriod per = GoalPeriod::kTotal;
  Surface share_of = Surface::kNone;  // kNone: counts are absolute
  double missed_value_fen =
      0;  // p_j: what one missed unit costs at most; also the price's upper bound
};

struct Placement {
  int first_slot = 0;  // positions count from 0
  int last_slot = 199;
  int per_request_max = 1;
  int min_gap =
      0;  // positions between two inserted items, the largest of the page's programs holds
};

struct RoomPolicy {
  Millis window{3'600'000};
  int max = 1;  // boosted goods per room and window
  Millis hold{180'000};
  bool every = false;  // each room gets one as long as a good may be shown: not a matter of prices
};

enum class CapScope : uint8_t { kItem, kProgram, kCounty, kCreator, kAll };
struct FrequencyCap {
  CapScope scope = CapScope::kItem;
  Millis window{86'400'000};
  int max = 1;
};

struct Area {
  Place center;
  std::vector<std::pair<double, double>>
      radius_km;  // (minutes since start, kilometres), ascending minutes
};

// Days of every year (UTC+8) on which a program asks for more.
struct CalendarDays {
  Season days;
  double goals = 1;         // times at_least and at_most of goals per day
  double missed_value = 1;  // times missed_value_fen of every goal
};

// An item leaves the program once its lifetime has brought so much: first exposures, then merit.
enum class UntilScope : uint8_t { kItem, kCreator };
struct Until {
  UntilScope scope = UntilScope::kItem;  // kCreator: the creator's items of the program together
  TotalUnit unit = TotalUnit::kViewable;
  int64_t reaches = 0;
};

// Items for viewers of their own, beside the program's conditions: of each other's pair alone.
struct Pair {
  Condition items, audience;
};
inline constexpr size_t kPairsOfProgramMax = 64;

// What holds for the items of every program that is not urgent while this one asks for the page.
struct Limits {
  int per_request_max = 3;
  Millis window{86'400'000};  // of max
  std::optional<int> max;     // inserted items of all programs
  double p_click_min = 0;     // an item that this viewer would click less likely stays out
};

enum class LabelKind : uint8_t { kNone, kAd, kPublicGood };
struct Label {
  LabelKind kind = LabelKind::kNone;
  std::string zh, en;
};

struct Program {
  ProgramId id;
  std::string name_zh, name_en;
  bool enabled = true;
  int priority = 0;
  bool urgent = false;
  Condition items;     // over item attributes (ranking/attributes.h)
  Condition audience;  // over viewer attributes
  std::array<bool, kSurfaces> surfaces{};
  Millis start, end;  // [start, end)
  std::vector<Goal> goals;
  Placement placement;
  std::optional<RoomPolicy> room;
  std::vector<FrequencyCap> frequency;
  double fairness_weight = 1.0;
  bool fairness_by_county = false;
  std::optional<Area> area;
  std::vector<CalendarDays> calendar;
  std::optional<Until> until;
  std::vector<Pair> pairs;  // at most kPairsOfProgramMax; empty: none
  std::optional<Limits> limits;
  Label label;
  std::string revision;  // first 16 hex digits of the file's SHA-256
  std::string file;      // where it was read from

  bool runs_at(Millis now) const { return enabled && start <= now && now < end; }
};

// The 32-bit name of a program in insertions and tokens; never 0.
inline uint32_t program_hash(std::string_view id) { return static_cast<uint32_t>(hash64(id)) | 1U; }

struct ProgramSet {
  std::vector<std::shared_ptr<const Program>> programs;
  std::string version;  // changes with any program's revision

  int find(std::string_view id) const {
    for (size_t i = 0; i < programs.size(); ++i) {
      if (programs[i]->id.view() == id) return static_cast<int>(i);
    }
    return -1;
  }
};

}  // namespace shanhuo
