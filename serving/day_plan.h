// The world of `shanhuo evaluate allocation-day`: a catalogue of counties and videos, programs of
// every kind as YAML, and when viewers come. Everything follows from the seed.
//
// Programs are national (goods of every county, treated fairly) or local (goods of a few counties);
// of the local ones some are for viewers of a few cities, some run for a part of the day, some ask
// for clicks. All have frequency caps and a hard cap just above the goal.
//
// Feasible by construction: the same day is answered by a teacher first, the same engine with
// constant prices, under the same loss budget, slots and frequency caps, with goals out of reach.
// Goals are a share of what that delivered, at most 0.9 less two deviations of chance: more than
// the 5 % slack that allocation.md asks for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "features/counties.h"
#include "ranking/program.h"

namespace shanhuo {

struct DayPlan {
  uint64_t seed = 1;
  int programs = 200;           // >= 10
  int counties = 832;           // of the 832, the first ones
  int pages = 100'000;          // about
  int viewers = 4'000;          // different ones
  int goods = 4;                // of a county
  int videos = 2'000;           // organic items
  bool disturbed = true;        // bursts and the outage
  double feasible_share = 0.9;  // of what the teacher delivered
  double local_most = 0.3;      // of what its counties would have, evenly
};

// What the judge must know of a program; the engine has its YAML alone.
struct DayProgram {
  std::string id;
  bool national = false;
  GoalUnit unit = GoalUnit::kViewable;
  Millis start, end;
  std::vector<std::string> cities;    // empty: every viewer
  std::vector<std::string> counties;  // of a local one
  double goal = 0, cap = 0;
};

// The frequency caps that every program has.
struct DayCap {
  const char* scope;
  Millis window;
  int max;
};
extern const std::vector<DayCap> kDayCaps;

// 2026-09-20 00:00 UTC+8, and a day later.
inline constexpr Millis kDayBegin{1'789'833'600'000};
inline constexpr Millis kDayEnd = kDayBegin + kDay;

// Without goals.
std::vector<DayProgram> day_programs(const DayPlan& plan);

// Item JSON, one a line: what PUT /v1/items takes. Tags say whose a good is: of at most two
// national programs, or of one local one.
std::string day_catalogue(const DayPlan& plan, const std::vector<DayProgram>& programs);
// The teacher's: out of reach, but for what keeps local programs from taking all.
void set_teacher_goals(const DayPlan& plan, std::vector<DayProgram>& programs);
// Gives each program its goal and cap, by what the teacher delivered; 1 unit at least.
void set_goals(const DayPlan& plan, const std::vector<double>& delivered,
               std::vector<DayProgram>& programs);

std::string program_yaml(const DayProgram& program);
double missed_value_fen(GoalUnit unit);

inline constexpr int kDayPlaces = 20;  // of a page
std::string good_id(const County& county, int good);
std::string video_id(int video);
std::string_view day_city(uint32_t viewer);

// Traffic relative to the day's mean: traffic_at(), three bursts of ten minutes at six times it,
// and half an hour of none.
double day_traffic(const DayPlan& plan, Millis at);
inline constexpr double kDayTrafficMax = 13;

}  // namespace shanhuo
