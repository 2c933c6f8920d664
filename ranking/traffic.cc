// Minutes are the unit of trust: a minute counts when somebody came, or when few were expected.
// An hour of which at least half counts is scaled to a whole one and folded into its means; the
// rest of an hour that was lost to an outage is simply not there. Tested by:
// tests/ranking_traffic_test.cc.
#include "ranking/traffic.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>

#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr Millis kUtc8{8 * 3'600'000};
constexpr int kMondayHours = 72;           // the epoch was a Thursday
constexpr double kDayPrior = 0.15;         // strength of the configured day, in days
constexpr double kWeekPrior = 0.5;         // of the hour of the day, in weeks
constexpr float kDaysRemembered = 14;      // means are over about so many days ...
constexpr float kWeeksRemembered = 6;      // ... and weeks
constexpr double kHourOff = 4;             // an hour counts at most so many times what it should be
constexpr float kTrusted = 2;              // days after which that bound holds
constexpr double kOutageRequests = 10;     // expected in a row of minutes in which nobody came
constexpr double kLevelHalfLifeMin = 180;  // of the level's memory
constexpr double kShareStrength = 50;      // requests before a share of an hour outweighs the mean
constexpr float kShareMemory = 20'000;     // requests of an hour that a share remembers

int64_t local_hour(Millis t) { return window_of(t + kUtc8, kHour); }
int64_t positive_mod(int64_t value, int64_t of) { return ((value % of) + of) % of; }

template <size_t N>
void scale_to_mean_one(std::array<double, N>& values) {
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  for (double& value : values) value = sum > 0 ? value * N / sum : 1;
}

bool read_number(std::string_view text, int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// "11-11" or "2026-09-09"; year 0: every year.
bool read_day(std::string_view text, int& year, int& month, int& day) {
  year = 0;
  if (text.size() == 10) {
    if (text[4] != '-' || !read_number(text.substr(0, 4), year) || year < 2000 || year > 2099) {
      return false;
    }
    text.remove_prefix(5);
  }
  return text.size() == 5 && text[2] == '-' && read_number(text.substr(0, 2), month) &&
         read_number(text.substr(3), day) && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

}  // namespace

Millis day_start(Millis t) { return Millis(window_of(t + kUtc8, kDay) * kDay.count()) - kUtc8; }

int day_hour(Millis t) { return static_cast<int>(positive_mod(local_hour(t), kDayHours)); }

int week_hour(Millis t) {
  return static_cast<int>(positive_mod(local_hour(t) + kMondayHours, kWeekHours));
}

Result<FestivalCalendar> read_festivals(std::string_view text) {
  std::map<int64_t, std::pair<bool, double>> days;  // start -> (of one year, factor)
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    const std::string entry(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
    if (entry.empty()) continue;
    const Error wrong{ErrorCode::kInvalid,
                      "'" + entry + "' must be MM-DD=factor or YYYY-MM-DD=factor, factor 0..100"};
    const size_t equals = entry.find('=');
    int year = 0, month = 0, day = 0;
    double factor = -1;
    if (equals == std::string::npos ||
        !read_day(std::string_view(entry).substr(0, equals), year, month, day)) {
      return wrong;
    }
    const char* const last = entry.data() + entry.size();
    const auto [end, error] = std::from_chars(entry.data() + equals + 1, last, factor);
    if (error != std::errc() || end != last || !(factor >= 0) || factor > 100) return wrong;
    bool exists = false;
    for (int y = year > 0 ? year : 2000; y <= (year > 0 ? year : 2099); ++y) {
      const std::chrono::year_month_day date{std::chrono::year(y), std::chrono::month(month),
                                             std::chrono::day(day)};
      if (!date.ok()) continue;  // 02-29
      exists = true;
      const int64_t days_since = std::chrono::sys_days(date).time_since_epoch().count();
      const auto [at, fresh] = days.try_emplace(days_since, year > 0, factor);
      if (!fresh && (year > 0 || !at->second.first)) at->second = {year > 0, factor};
    }
    if (!exists) return wrong;
  }
  FestivalCalendar calendar;
  for (const auto& [day, entry] : days) {
    calendar.push_back({Millis(day * kDay.count()) - kUtc8, entry.second});
  }
  return calendar;
}

// --- TrafficCurve ---

TrafficCurve::TrafficCurve(const std::array<double, kDayHours>& hourly) {
  std::array<double, kDayHours> day = hourly;
  scale_to_mean_one(day);
  for (int h = 0; h < kWeekHours; ++h) cumulative_[h + 1] = cumulative_[h] + day[h % kDayHours];
}

TrafficCurve::TrafficCurve(const std::array<double, kWeekHours>& weekly,
                           std::shared_ptr<const FestivalCalendar> festivals)
    : festivals_(std::move(festivals)) {
  for (int h = 0; h < kWeekHours; ++h) cumulative_[h + 1] = cumulative_[h] + weekly[h];
}

double TrafficCurve::usual(Millis from, Millis to) const {
  const auto until = [this](Millis t) {
    const int64_t hours = local_hour(t) + kMondayHours;
    const int64_t week = (hours - positive_mod(hours, kWeekHours)) / kWeekHours;
    const int hour = week_hour(t);
    const double part = static_cast<double>(positive_mod(t.count(), kHour.count())) / kHour.count();
    return static_cast<double>(week) * cumulative_[kWeekHours] + cumulative_[hour] +
           part * (cumulative_[hour + 1] - cumulative_[hour]);
  };
  return until(to) - until(from);
}

double TrafficCurve::between(Millis from, Millis to) const {
  if (to <= from) return 0;
  double sum = usual(from, to);
  if (!festivals_) return std::max(0.0, sum);
  auto day =
      std::lower_bound(festivals_->begin(), festivals_->end(), from - kDay,
                       [](const FestivalDay& festival, Millis t) { return festival.start <= t; });
  for (; day != festivals_->end() && day->start < to; ++day) {
    const Millis begin = std::max(from, day->start), end = std::min(to, day->start + kDay);
    if (begin < end) sum += (day->factor - 1) * usual(begin, end);
  }
  return std::max(0.0, sum);
}

// --- AudienceShare ---

void AudienceShare::count(int hour, double asked, double seen) {
  asked_[hour] += static_cast<float>(asked);
  seen_[hour] += static_cast<float>(seen);
  if (seen_[hour] < kShareMemory) return;
  asked_[hour] /= 2;
  seen_[hour] /= 2;
}

double AudienceShare::mean() const {
  const double asked = std::accumulate(asked_.begin(), asked_.end(), 0.0);
  const double seen = std::accumulate(seen_.begin(), seen_.end(), 0.0);
  return (asked + 1) / (seen + 1);
}

double AudienceShare::at(int hour) const {
  return (asked_[hour] + kShareStrength * mean()) / (seen_[hour] + kShareStrength);
}

void AudienceShare::encode(std::string* out) const {
  for (int h = 0; h < kDayHours; ++h) {
    put_fixed(out, asked_[h]);
    put_fixed(out, seen_[h]);
  }
}

bool AudienceShare::decode(std::string_view* in) {
  bool good = true;
  for (int h = 0; h < kDayHours; ++h) {
    good = good && take_fixed(in, &asked_[h]) && take_fixed(in, &seen_[h]) &&
           std::isfinite(asked_[h]) && std::isfinite(seen_[h]) && asked_[h] >= 0 && seen_[h] >= 0;
  }
  return good;
}

// --- TrafficLearner ---

void TrafficLearner::Mean::add(double x, float weight_max) {
  weight = std::min(weight + 1, weight_max);
  value += (static_cast<float>(x) - value) / weight;
}

TrafficLearner::TrafficLearner(const std::array<double, kDayHours>& hourly,
                               std::shared_ptr<const FestivalCalendar> festivals)
    : prior_(hourly), festivals_(std::move(festivals)) {
  scale_to_mean_one(prior_);
  refresh();
}

double TrafficLearner::festival(Millis t) const {
  if (!festivals_) return 1;
  const Millis day = day_start(t);
  const auto at = std::lower_bound(
      festivals_->begin(), festivals_->end(), day,
      [](const FestivalDay& festival, Millis start) { return festival.start < start; });
  return at != festivals_->end() && at->start == day ? at->factor : 1;
}

// Requests an hour: the learned mean of each hour of the day, drawn towards the configured day at
// the learned level. Without any: the configured day.
std::array<double, kDayHours> TrafficLearner::by_day_hour(const PerSurface& surface) const {
  double learned = 0, configured = 0;
  for (int h = 0; h < kDayHours; ++h) {
    learned += surface.day[h].weight * surface.day[h].value;
    configured += surface.day[h].weight * prior_[h];
  }
  const double level = learned > 0 && configured > 0 ? learned / configured : 1;
  std::array<double, kDayHours> day{};
  for (int h = 0; h < kDayHours; ++h) {
    const auto& [value, weight] = surface.day[h];
    day[h] = (weight * value + kDayPrior * level * prior_[h]) / (weight + kDayPrior);
  }
  return day;
}

std::array<double, kWeekHours> TrafficLearner::shape(const PerSurface& surface) const {
  const std::array<double, kDayHours> day = by_day_hour(surface);
  std::array<double, kWeekHours> week{};
  for (int h = 0; h < kWeekHours; ++h) {
    const auto& [value, weight] = surface.week[h];
    week[h] = (weight * value + kWeekPrior * day[h % kDayHours]) / (weight + kWeekPrior);
  }
  scale_to_mean_one(week);
  return week;
}

void TrafficLearner::refresh() {
  for (int s = 0; s < kSurfaces; ++s) shapes_[s] = shape(surfaces_[s]);
}

void TrafficLearner::count(Surface surface, Millis now) {
  advance(now);
  PerSurface& counts = surfaces_[static_cast<size_t>(surface)];
  ++counts.minute_requests;
  ++counts.total;
}

void TrafficLearner::advance(Millis now) {
  const int64_t minute = window_of(now, kMinute);
  if (minute_ == INT64_MIN) minute_ = minute;
  // Past a gap of a day nothing is known of what was missed.
  if (minute - minute_ > 24 * 60) {
    end_minute();
    end_hour();
    minute_ = minute;
  }
  while (minute_ < minute) {
    end_minute();
    if ((minute_ + 1) % 60 == 0) end_hour();
    ++minute_;
  }
}

// The level of each surface takes the minute in. Minutes without anybody wait until somebody comes:
// when too many were expected by then, they were an outage.
void TrafficLearner::end_minute() {
  const Millis at(minute_ * kMinute.count());
  const int hour = week_hour(at);
  const double factor = festival(at);
  uint64_t came = 0;
  for (const PerSurface& surface : surfaces_) came += surface.minute_requests;
  if (came > 0) end_quiet();
  const double keep = std::exp2(-1 / kLevelHalfLifeMin);
  ++(came > 0 ? minutes_seen_ : quiet_minutes_);
  for (int s = 0; s < kSurfaces; ++s) {
    PerSurface& surface = surfaces_[s];
    if (surface.total == 0 && surface.level_requests <= 0) continue;
    const double hours = shapes_[s][hour] * factor / 60;
    if (came == 0) {
      surface.quiet_hours += hours;
      if (surface.level_hours > 0) {
        quiet_expected_ += hours * surface.level_requests / surface.level_hours;
      }
      continue;
    }
    const auto requests = static_cast<double>(surface.minute_requests);
    surface.level_requests = keep * surface.level_requests + requests;
    surface.level_hours = keep * surface.level_hours + hours;
    surface.hour_requests += requests;
    surface.minute_requests = 0;
  }
}

// Takes in the minutes without anybody, unless they were an outage.
void TrafficLearner::end_quiet() {
  const bool outage = quiet_expected_ >= kOutageRequests;
  const double keep = outage ? 1 : std::exp2(-quiet_minutes_ / kLevelHalfLifeMin);
  for (PerSurface& surface : surfaces_) {
    surface.level_requests *= keep;
    surface.level_hours = keep * surface.level_hours + (outage ? 0 : surface.quiet_hours);
    surface.quiet_hours = 0;
  }
  if (!outage) minutes_seen_ += quiet_minutes_;
  quiet_minutes_ = 0;
  quiet_expected_ = 0;
}

// Requires: minute_ is still of the hour that ends.
void TrafficLearner::end_hour() {
  const Millis at(minute_ * kMinute.count());
  const double factor = festival(at);
  if (quiet_expected_ < kOutageRequests) end_quiet();
  const bool counts = minutes_seen_ >= 30 && factor > 0;
  for (PerSurface& surface : surfaces_) {
    if (counts && (surface.total > 0 || surface.level_requests > 0)) {
      double requests = surface.hour_requests * 60 / minutes_seen_ / factor;
      Mean& day = surface.day[day_hour(at)];
      if (day.weight >= kTrusted && day.value > 0) {
        requests = std::clamp(requests, day.value / kHourOff, day.value * kHourOff);
      }
      day.add(requests, kDaysRemembered);
      surface.week[week_hour(at)].add(requests, kWeeksRemembered);
    }
    surface.hour_requests = 0;
  }
  minutes_seen_ = 0;
  if (counts) refresh();
}

uint64_t TrafficLearner::counted(const std::array<bool, kSurfaces>& surfaces) const {
  uint64_t sum = 0;
  for (int s = 0; s < kSurfaces; ++s) sum += surfaces[s] ? surfaces_[s].total : 0;
  return sum;
}

bool TrafficLearner::known(const std::array<bool, kSurfaces>& surfaces) const {
  double level = 0;
  for (int s = 0; s < kSurfaces; ++s) level += surfaces[s] ? surfaces_[s].level_requests : 0;
  return level > 0;
}

TrafficCurve TrafficLearner::curve(const std::array<bool, kSurfaces>& surfaces,
                                   const AudienceShare& audience) const {
  std::array<double, kDayHours> share{};
  for (int h = 0; h < kDayHours; ++h) share[h] = audience.at(h);
  const bool some = known(surfaces);
  std::array<double, kWeekHours> week{};
  for (int s = 0; s < kSurfaces; ++s) {
    const PerSurface& surface = surfaces_[s];
    if (!surfaces[s] || (some && surface.level_hours <= 0)) continue;
    const double level = some ? surface.level_requests / surface.level_hours : 1;
    for (int h = 0; h < kWeekHours; ++h) week[h] += level * shapes_[s][h] * share[h % kDayHours];
  }
  return TrafficCurve(week, festivals_);
}

void TrafficLearner::encode(std::string* out) const {
  const auto put_mean = [out](const Mean& mean) {
    put_fixed(out, mean.value);
    put_fixed(out, mean.weight);
  };
  put_fixed(out, minute_);
  put_fixed(out, static_cast<int64_t>(minutes_seen_));
  put_fixed(out, static_cast<int64_t>(quiet_minutes_));
  put_fixed(out, quiet_expected_);
  for (const PerSurface& surface : surfaces_) {
    for (const double value :
         {surface.level_requests, surface.level_hours, surface.quiet_hours,
          surface.hour_requests + static_cast<double>(surface.minute_requests)}) {
      put_fixed(out, value);
    }
    for (const Mean& mean : surface.day) put_mean(mean);
    for (const Mean& mean : surface.week) put_mean(mean);
  }
}

bool TrafficLearner::decode(std::string_view* in) {
  const auto take_mean = [in](Mean& mean) {
    return take_fixed(in, &mean.value) && take_fixed(in, &mean.weight) &&
           std::isfinite(mean.value) && std::isfinite(mean.weight) && mean.value >= 0 &&
           mean.weight >= 0;
  };
  constexpr int64_t kMinutesMax = 10'000;
  int64_t seen = 0, quiet = 0;
  bool good = take_fixed(in, &minute_) && take_fixed(in, &seen) && take_fixed(in, &quiet) &&
              take_fixed(in, &quiet_expected_) && seen >= 0 && seen <= kMinutesMax && quiet >= 0 &&
              quiet <= kMinutesMax && std::isfinite(quiet_expected_);
  minutes_seen_ = static_cast<int>(seen);
  quiet_minutes_ = static_cast<int>(quiet);
  for (PerSurface& surface : surfaces_) {
    for (double* value : {&surface.level_requests, &surface.level_hours, &surface.quiet_hours,
                          &surface.hour_requests}) {
      good = good && take_fixed(in, value) && std::isfinite(*value) && *value >= 0;
    }
    for (Mean& mean : surface.day) good = good && take_mean(mean);
    for (Mean& mean : surface.week) good = good && take_mean(mean);
  }
  if (good) refresh();
  return good;
}

}  // namespace shanhuo
