#include "serving/forecast.h"

#include <algorithm>
#include <cmath>

#include "serving/program_status.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

constexpr double kNinety = 1.645;   // deviations of a 90 % interval
constexpr double kUnderWay = 0.02;  // of the traffic over: then its own record speaks
constexpr size_t kConflictsMax = 10;
constexpr double kTakenWorthSaying = 0.01;

// "1,234", or "0.12" where there is less than ten.
std::string number(double value) {
  if (std::abs(value) < 10) return format_fixed(value, value == std::floor(value) ? 0 : 2);
  return with_separators(static_cast<uint64_t>(std::llround(value)));
}

std::string percent(double share) { return format_fixed(100 * share, share < 0.1 ? 1 : 0) + " %"; }

const ProgramStatus* status_of(const ForecastParts& parts, std::string_view id) {
  for (const ProgramStatus& status : parts.status) {
    if (status.id == id) return &status;
  }
  return nullptr;
}

double days_left(const Program& program, const Goal& goal, Millis now) {
  const Millis from = std::max(now, program.start);
  if (program.end <= from) return 0;
  const double days = static_cast<double>((program.end - from).count()) / 8.64e7;
  return goal.per == GoalPeriod::kDay ? std::min(days, 1.0) : days;
}

// A status belongs to a goal as long as both mean the same thing.
const GoalStatus* goal_of(const ProgramStatus* status, const Program& program, size_t g) {
  if (status == nullptr || g >= status->goals.size()) return nullptr;
  const GoalStatus& found = status->goals[g];
  const bool same = found.unit == program.goals[g].unit && found.per == program.goals[g].per;
  return same ? &found : nullptr;
}

double needed_day(const Program& program, size_t g, const ProgramStatus* status, Millis now) {
  const Goal& goal = program.goals[g];
  const GoalStatus* known = goal_of(status, program, g);
  if (goal.per == GoalPeriod::kDay) {
    return known != nullptr && known->target > 0 ? known->target : goal.at_least;
  }
  const double left = std::max(0.0, goal.at_least - (known == nullptr ? 0 : known->delivered));
  const double days = days_left(program, goal, now);
  return days > 0 ? left / days : left;
}

// Viewable exposures a day that its absolute goals ask for.
double wanted_day(const Program& program, const ProgramStatus* status, Millis now) {
  double wanted = 0;
  for (size_t g = 0; g < program.goals.size(); ++g) {
    const Goal& goal = program.goals[g];
    if (goal.share_of != Surface::kNone || goal.unit != GoalUnit::kViewable) continue;
    wanted = std::max(wanted, needed_day(program, g, status, now));
  }
  return wanted;
}

bool comes_before(const Program& a, const Program& b) {
  if (a.urgent != b.urgent) return a.urgent;
  if (a.priority != b.priority) return a.priority > b.priority;
  return a.id < b.id;
}

std::vector<SurveyedProgram> surveyed(const Program& program, const ForecastParts& parts) {
  std::vector<SurveyedProgram> all;
  const auto add = [&](const Program& each) {
    all.push_back({&each, items_of_program(each, parts.world),
                   wanted_day(each, status_of(parts, each.id.view()), parts.now)});
  };
  add(program);
  for (const auto& other : parts.world.programs().programs) {
    const bool meets = other->enabled && other->end > std::max(parts.now, program.start) &&
                       other->start < program.end;
    if (meets && other->id != program.id) add(*other);
  }
  std::sort(all.begin(), all.end(), [](const SurveyedProgram& a, const SurveyedProgram& b) {
    return comes_before(*a.program, *b.program);
  });
  return all;
}

std::string arithmetic(const GoalForecast& goal, const Supply& supply) {
  const std::string unit(goal_unit_name(goal.goal.unit));
  std::string out = number(goal.needed_day) + " " + unit + " a day are still needed (" +
                    number(goal.target) + " less " + number(goal.delivered) + " in " +
                    format_fixed(goal.days_left, 1) + " days). Of " + number(supply.requests_day) +
                    " requests a day (seen over " + format_fixed(24 * supply.days_seen, 1) +
                    " h of traffic) it asks for " + number(supply.asked_day) + ", of " +
                    number(supply.viewers_day) + " viewers; its slots allow " +
                    number(supply.slots_day) + " insertions, frequency caps leave " +
                    number(supply.capped_day) + ", programs before it " + number(supply.left_day) +
                    "; " + percent(supply.viewable_share) + " of those are viewable";
  if (goal.goal.unit == GoalUnit::kClick) out += " and " + percent(supply.p_click) + " clicked";
  if (goal.goal.unit == GoalUnit::kOrder) {
    out += " and " + format_fixed(100 * supply.p_order, 3) + " % ordered";
  }
  if (supply.season_share < 1)
    out += ", " + percent(supply.season_share) + " of the days in season";
  return out + ": " + number(goal.available_day) + " a day";
}

void expect(GoalForecast& goal, const GoalStatus* status, const Supply& supply) {
  const double left = std::max(0.0, goal.target - goal.delivered);
  if (status != nullptr && status->curve >= kUnderWay) {
    goal.value = status->forecast;
    goal.low = status->forecast_low;
    goal.high = status->forecast_high;
    return;
  }
  const double possible = goal.available_day * goal.days_left;
  // What a sample of so many viewers says is uncertain, and arrivals are a matter of chance.
  const double viewers = static_cast<double>(std::max<uint64_t>(1, supply.viewers_sampled));
  const auto at_most = [&](double deviations) {
    const double supplied = possible * std::max(0.0, 1 + deviations / std::sqrt(viewers));
    const double rest = std::min(left, supplied);
    return goal.delivered + std::max(0.0, rest + deviations * std::sqrt(rest));
  };
  goal.value = at_most(0);
  goal.low = at_most(-kNinety);
  goal.high = at_most(kNinety);
}

GoalForecast forecast_goal(const Program& program, size_t g, const ForecastParts& parts,
                           const Supply& supply) {
  const ProgramStatus* all = status_of(parts, program.id.view());
  const GoalStatus* status = goal_of(all, program, g);
  GoalForecast goal;
  goal.goal = program.goals[g];
  goal.target = goal.goal.at_least;
  goal.delivered = status == nullptr ? 0 : status->delivered;
  goal.days_left = days_left(program, goal.goal, parts.now);
  if (goal.goal.share_of != Surface::kNone) {
    if (status != nullptr) goal.target = status->target;
    goal.value = goal.low = goal.high = goal.delivered;
    goal.message = percent(goal.goal.at_least) + " of what is inserted on " +
                   std::string(surface_name(goal.goal.share_of)) + ": follows that traffic";
    return goal;
  }
  goal.needed_day = needed_day(program, g, all, parts.now);
  goal.available_day =
      supply.items_ready == 0 ? 0 : supply.units_day(goal.goal.unit) * supply.season_share;
  expect(goal, status, supply);
  if (goal.goal.at_most > 0) {
    const double most = std::max(goal.goal.at_most, goal.delivered);
    for (double* units : {&goal.value, &goal.low, &goal.high}) *units = std::min(*units, most);
  }
  if (program.end <= parts.now) {
    goal.attainable = goal.delivered >= goal.target;
    goal.message = "the deadline is past";
  } else if (supply.items_ready == 0) {
    goal.attainable = goal.delivered >= goal.target;
    goal.message = number(static_cast<double>(supply.items)) +
                   " items belong to it, none of them there, in stock and not blocked";
  } else if (supply.days_seen <= 0 || supply.requests_day <= 0) {
    goal.message = "no traffic has been recorded yet: nothing to compare with";
  } else {
    goal.attainable = goal.available_day >= goal.needed_day;
    goal.message =
        arithmetic(goal, supply) + (*goal.attainable ? ": can be met" : ": cannot be met");
  }
  return goal;
}

std::vector<Conflict> conflicts_of(const std::vector<SurveyedProgram>& all, size_t mine,
                                   const SupplySurvey& survey) {
  std::vector<Conflict> conflicts;
  for (const Competitor& shares : survey.competitors(mine, kConflictsMax)) {
    const Program& other = *all[shares.program].program;
    Conflict conflict{other.id.str(), shares.program < mine, shares, ""};
    conflict.message =
        other.id.str() + (other.name_zh.empty() ? "" : " " + other.name_zh) + " asks for " +
        percent(shares.pages) + " of the same pages and " + percent(shares.viewers) +
        " of the viewers, with " + percent(shares.items) + " of the items; " +
        (conflict.before
             ? "it comes first and takes " + percent(shares.taken) + " of the insertions"
             : "it comes after this one");
    conflicts.push_back(std::move(conflict));
  }
  return conflicts;
}

}  // namespace

ProgramForecast forecast(const Program& program, const ForecastParts& parts) {
  const std::vector<SurveyedProgram> all = surveyed(program, parts);
  const auto found = std::find_if(all.begin(), all.end(), [&](const SurveyedProgram& each) {
    return each.program == &program;
  });
  const auto mine = static_cast<size_t>(found - all.begin());
  const SupplySurvey survey(parts.sample, parts.world, parts.features, parts.options, parts.hourly,
                            all, parts.now);
  ProgramForecast result;
  result.supply = survey.of(mine);
  if (program.enabled && result.supply.items == 0) {
    result.warnings.push_back("items: names none of the " +
                              std::to_string(parts.world.catalogue().items) +
                              " items of the catalogue: nothing can be shown");
  } else if (program.enabled && result.supply.items_ready == 0) {
    result.warnings.push_back("items: names " + std::to_string(result.supply.items) +
                              ", of which 0 are available, in stock and not blocked");
  }
  for (size_t g = 0; g < program.goals.size(); ++g) {
    result.goals.push_back(forecast_goal(program, g, parts, result.supply));
    const GoalForecast& goal = result.goals.back();
    if (goal.attainable && !*goal.attainable) {
      result.warnings.push_back("goals[" + std::to_string(g) + "]: " + goal.message);
    }
  }
  result.conflicts = conflicts_of(all, mine, survey);
  for (const Conflict& conflict : result.conflicts) {
    if (conflict.shares.taken >= kTakenWorthSaying) result.warnings.push_back(conflict.message);
  }
  return result;
}

namespace {

void write_goal(JsonWriter& json, const GoalForecast& goal, Millis end) {
  json.begin_object();
  json.field("unit", goal_unit_name(goal.goal.unit));
  json.field("per", goal.goal.per == GoalPeriod::kTotal ? "total" : "day");
  json.field("target", goal.target);
  json.field("delivered", goal.delivered);
  json.field("deadline_ms", end.count());
  json.field("days_left", goal.days_left);
  json.field("needed_per_day", goal.needed_day);
  json.field("available_per_day", goal.available_day);
  json.key("attainable");
  goal.attainable ? json.value(*goal.attainable) : json.null();
  json.key("forecast");
  json.begin_object();
  json.field("value", goal.value);
  json.field("low", goal.low);
  json.field("high", goal.high);
  json.end_object();
  json.field("message", goal.message);
  json.end_object();
}

void write_supply(JsonWriter& json, const Supply& supply) {
  json.key("supply");
  json.begin_object();
  json.field("hours_seen", 24 * supply.days_seen);
  json.field("viewers_sampled", supply.viewers_sampled);
  json.field("requests_per_day", supply.requests_day);
  json.field("asked_per_day", supply.asked_day);
  json.field("viewers_per_day", supply.viewers_day);
  json.field("slots_per_day", supply.slots_day);
  json.field("within_caps_per_day", supply.capped_day);
  json.field("left_per_day", supply.left_day);
  json.field("viewable_share", supply.viewable_share);
  json.field("items", supply.items);
  json.field("items_ready", supply.items_ready);
  json.field("season_share", supply.season_share);
  json.end_object();
}

}  // namespace

void write_forecast(JsonWriter& json, const Program& program, const ProgramForecast& forecast) {
  json.field("id", program.id.view());
  json.key("goals");
  json.begin_array();
  for (const GoalForecast& goal : forecast.goals) write_goal(json, goal, program.end);
  json.end_array();
  write_supply(json, forecast.supply);
  json.key("conflicts");
  json.begin_array();
  for (const Conflict& conflict : forecast.conflicts) {
    json.begin_object();
    json.field("program", conflict.program);
    json.field("before", conflict.before);
    json.field("pages", conflict.shares.pages);
    json.field("viewers", conflict.shares.viewers);
    json.field("items", conflict.shares.items);
    json.field("taken", conflict.shares.taken);
    json.field("message", conflict.message);
    json.end_object();
  }
  json.end_array();
}

}  // namespace shanhuo
