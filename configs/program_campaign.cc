#include "configs/program_campaign.h"

#include <algorithm>
#include <chrono>

#include "ranking/attributes.h"

namespace shanhuo {
namespace {

constexpr double kFactorMax = 1'000;
constexpr size_t kCalendarMax = 366;
constexpr int64_t kWindowSecondsMax = 30 * 86'400;

// Calls `read(map, i)` for each map of a list.
template <typename Read>
void read_each(MapReader& parent, std::string_view key, size_t most, const Read& read) {
  const YamlNode* list = parent.list(key);
  if (list == nullptr) return;
  if (list->items.empty() || list->items.size() > most) {
    parent.error(key, "has " + std::to_string(list->items.size()) + " entries, 1 to " +
                          std::to_string(most) + " are allowed");
    return;
  }
  for (size_t i = 0; i < list->items.size(); ++i) {
    MapReader map(list->items[i], std::string(key) + "[" + std::to_string(i) + "]", parent.file(),
                  parent.errors());
    read(map);
    map.finish();
  }
}

// "MM-DD" of a leap year.
void read_day(MapReader& map, std::string_view key, int& month, int& day) {
  std::string text;
  map.text(key, text, 5);
  if (!map.has(key) || text.empty()) return;
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  const bool shaped =
      text.size() == 5 && digit(0) && digit(1) && text[2] == '-' && digit(3) && digit(4);
  const int m = shaped ? (text[0] - '0') * 10 + text[1] - '0' : 0;
  const int d = shaped ? (text[3] - '0') * 10 + text[4] - '0' : 0;
  using std::chrono::month_day, std::chrono::year;
  const std::chrono::year_month_day date{year(2000), std::chrono::month(static_cast<unsigned>(m)),
                                         std::chrono::day(static_cast<unsigned>(d))};
  if (!date.ok()) return map.error(key, "must be a day of the year, \"MM-DD\"");
  month = m;
  day = d;
}

void read_calendar(MapReader& parent, Program& program) {
  read_each(parent, "calendar", kCalendarMax, [&](MapReader& map) {
    CalendarDays entry;
    map.require({"from", "to"});
    read_day(map, "from", entry.days.from_month, entry.days.from_day);
    read_day(map, "to", entry.days.to_month, entry.days.to_day);
    map.number("goals", entry.goals, 0, kFactorMax);
    map.number("missed_value", entry.missed_value, 0, kFactorMax);
    const auto by_day = [](const Goal& goal) {
      return goal.per == GoalPeriod::kDay && goal.share_of == Surface::kNone;
    };
    if (map.has("goals") && std::none_of(program.goals.begin(), program.goals.end(), by_day)) {
      map.error("goals", "raises goals `per: day`, of which there is none here");
    }
    program.calendar.push_back(entry);
  });
}

void read_until(MapReader& parent, Program& program) {
  const YamlNode* node = parent.map("until");
  if (node == nullptr) return;
  MapReader map(*node, "until", parent.file(), parent.errors());
  Until until;
  int scope = 0, unit = 0;
  map.require({"scope", "unit", "reaches"});
  map.one_of("scope", {"item", "creator"}, scope);
  map.one_of("unit", {"viewable", "click", "order", "deed"}, unit);
  map.integer("reaches", until.reaches, 1, 1'000'000'000'000);
  map.finish();
  until.scope = static_cast<UntilScope>(scope);
  until.unit = static_cast<TotalUnit>(unit);
  program.until = until;
}

void read_pairs(MapReader& parent, Program& program) {
  read_each(parent, "pairs", kPairsOfProgramMax, [&](MapReader& map) {
    map.require({"items", "audience"});
    Pair pair;
    pair.items = read_condition(map, "items", true);
    pair.audience = read_condition(map, "audience", false);
    program.pairs.push_back(std::move(pair));
  });
}

void read_limits(MapReader& parent, Program& program) {
  const YamlNode* node = parent.map("limits");
  if (node == nullptr) return;
  MapReader map(*node, "limits", parent.file(), parent.errors());
  Limits limits;
  int64_t window_s = limits.window.count() / 1000;
  int most = 0;
  map.integer("per_request_max", limits.per_request_max, 0, 3);
  map.integer("window_s", window_s, 1, kWindowSecondsMax);
  map.integer("max", most, 0, 1'000);
  map.number("p_click_min", limits.p_click_min, 0, 1);
  if (map.has("max")) limits.max = most;
  if (map.has("window_s") && !map.has("max")) map.error("window_s", "says nothing without max");
  map.finish();
  limits.window = Millis(window_s * 1000);
  program.limits = limits;
}

}  // namespace

Condition read_condition(MapReader& map, std::string_view key, bool item_attributes) {
  const YamlNode* node = map.any(key);
  if (node == nullptr) return {};
  ConditionOptions options;
  if (item_attributes) {
    options.attribute_known = item_attribute_known;
    options.attributes_allowed = item_attributes_allowed();
  } else {
    // Requests bring attributes of their own; only what is no path of any can be told.
    options.attribute_known = viewer_attribute_possible;
    options.attributes_allowed = viewer_attributes_allowed();
  }
  std::vector<ConditionError> errors;
  Result<Condition> condition = Condition::compile(to_value(*node), options, &errors);
  if (condition.ok()) return std::move(condition).value();
  if (errors.empty()) errors.push_back({"", condition.error().message});
  for (const ConditionError& error : errors) {
    map.error_at(*node, key, (error.pointer.empty() ? "" : error.pointer + ": ") + error.detail);
  }
  return {};
}

void read_campaign_keys(MapReader& map, Program& program) {
  read_calendar(map, program);
  read_until(map, program);
  read_pairs(map, program);
  read_limits(map, program);
}

}  // namespace shanhuo
