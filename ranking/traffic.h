// How much traffic is still to come: the curve F_j of allocation.md 2, learned from the stream.
//
// FestivalCalendar: days of UTC+8 with so many times their usual traffic. TrafficCurve: a value,
// expected requests an hour by hour of the week (UTC+8, from Monday 0:00), times the calendar.
// TrafficLearner: counts requests by surface and hour, and makes curves of them. AudienceShare: the
// part of those requests that one program asks for, by hour of the day.
//
// What is learned, per surface: the mean of each hour of the week, drawn towards that of the hour
// of the day, drawn towards the configured day (one past day outweighs it). Minutes in a row in
// which nobody at all came though ten requests or more were expected are an outage and teach
// nothing; an hour enters at most four times off what was expected of it; a festival's hours enter
// divided by its factor. The level of a surface follows the last hours, so that a day with more
// traffic than any before is seen while it happens.
//
// Times are engine time, passed in; an older one counts as the latest seen. Not thread-safe.
// Memory: about 12 kB.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "features/interaction.h"

namespace shanhuo {

inline constexpr int kDayHours = 24;
inline constexpr int kWeekHours = 168;

// The start of the day (UTC+8) that holds `t`; its hour of the day, 0..23; of the week, 0..167.
Millis day_start(Millis t);
int day_hour(Millis t);
int week_hour(Millis t);

struct FestivalDay {
  Millis start;       // of the day, UTC+8
  double factor = 1;  // times its usual traffic
};
using FestivalCalendar = std::vector<FestivalDay>;  // ascending, one entry a day

// Reads "11-11=2.5 2026-09-09=1.5": each day of every year, or of one, with its factor (0..100).
// Of two entries for a day the one with a year holds. Years 2000..2099. kInvalid otherwise.
Result<FestivalCalendar> read_festivals(std::string_view text);

class TrafficCurve {
 public:
  // Traffic by hour of the day, any scale. Requires: no weight is negative. All zero: flat.
  explicit TrafficCurve(const std::array<double, kDayHours>& hourly);
  explicit TrafficCurve(const std::array<double, kWeekHours>& weekly,
                        std::shared_ptr<const FestivalCalendar> festivals = nullptr);
  // Traffic in [from, to), in the curve's own scale; linear within an hour. 0 when to <= from.
  double between(Millis from, Millis to) const;

 private:
  double usual(Millis from, Millis to) const;

  std::array<double, kWeekHours + 1> cumulative_{};
  std::shared_ptr<const FestivalCalendar> festivals_;
};

// Which part of its surfaces' requests a program asks for, by hour of the day; 1 until it is known.
class AudienceShare {
 public:
  void count(int hour, double asked, double seen);
  double at(int hour) const;
  double mean() const;  // over all hours

  void encode(std::string* out) const;
  bool decode(std::string_view* in);

 private:
  std::array<float, kDayHours> asked_{}, seen_{};
};

class TrafficLearner {
 public:
  TrafficLearner(const std::array<double, kDayHours>& hourly,
                 std::shared_ptr<const FestivalCalendar> festivals);

  // One request.
  void count(Surface surface, Millis now);
  // Ends minutes and hours that are over.
  void advance(Millis now);

  // Requests of these surfaces since the start of the process.
  uint64_t counted(const std::array<bool, kSurfaces>& surfaces) const;
  // Whether a first minute of their traffic has been seen: before that there is no level.
  bool known(const std::array<bool, kSurfaces>& surfaces) const;
  // Expected requests an hour of a program with these surfaces and that audience.
  TrafficCurve curve(const std::array<bool, kSurfaces>& surfaces,
                     const AudienceShare& audience) const;

  void encode(std::string* out) const;
  bool decode(std::string_view* in);

 private:
  struct Mean {
    float value = 0, weight = 0;
    void add(double x, float weight_max);
  };
  struct PerSurface {
    std::array<Mean, kWeekHours> week{};
    std::array<Mean, kDayHours> day{};
    double level_requests = 0, level_hours = 0;  // decayed; their ratio is the level
    double quiet_hours = 0;                      // as level_hours, of quiet minutes
    double hour_requests = 0;                    // of the present hour
    uint64_t minute_requests = 0, total = 0;
  };

  double festival(Millis t) const;
  std::array<double, kDayHours> by_day_hour(const PerSurface& surface) const;
  std::array<double, kWeekHours> shape(const PerSurface& surface) const;  // of mean 1
  void refresh();
  void end_minute();
  void end_quiet();
  void end_hour();

  std::array<double, kDayHours> prior_{};  // of mean 1
  const std::shared_ptr<const FestivalCalendar> festivals_;
  std::array<PerSurface, kSurfaces> surfaces_{};
  std::array<std::array<double, kWeekHours>, kSurfaces> shapes_{};  // of surfaces_
  int64_t minute_ = INT64_MIN;                                      // since the epoch
  int minutes_seen_ = 0;                                            // of the present hour
  int quiet_minutes_ = 0;      // in which nobody came, since somebody did
  double quiet_expected_ = 0;  // requests, in those
};

}  // namespace shanhuo
