#include "serving/day_plan.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json_writer.h"
#include "serving/program_status.h"
#include "serving/simulation.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

constexpr std::array kGoods = {"fruit", "nut",   "grain", "oil",   "tea",       "meat",
                               "egg",   "honey", "herb",  "spice", "vegetable", "mushroom"};
constexpr std::array kVideos = {"三农", "美食", "旅游", "体育", "音乐", "萌宠",
                                "科技", "时尚", "影视", "手工", "健身", "汽车"};
constexpr std::array kCities = {"北京", "上海", "广州", "成都", "深圳", "重庆", "杭州", "武汉"};
constexpr std::array kBursts = {9 * 60 + 20, 15 * 60 + 40, 20 * 60 + 5};  // minutes of the day
constexpr int kBurstMinutes = 10, kOutage = 13 * 60, kOutageMinutes = 30;
constexpr double kBurst = 6;
constexpr double kOutOfReach = 1e9;
constexpr double kViewsOfPage = 0.6;  // about, that programs get

constexpr Millis hours(int64_t n) { return Millis(n * 3'600'000); }

std::string numbered(const char* prefix, int number) {
  std::string digits = std::to_string(number);
  return std::string(prefix) + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
}

void write_item(JsonWriter& json, const std::string& id, const char* kind, const std::string& title,
                const std::string& creator, const char* category) {
  json.begin_object();
  json.field("item_id", id);
  json.field("kind", kind);
  json.field("title", title);
  json.field("creator_id", creator);
  json.field("category", category);
}

int nationals(const DayPlan& plan) { return std::max(2, plan.programs / 5); }

// Every other good is a local program's, if one has the county: of the one with the fewest so far;
// the fourth rather of one that asks for clicks. The others are one or two national ones'.
std::vector<std::string> tags_of(const DayPlan& plan, const std::vector<DayProgram>& programs,
                                 std::vector<int>& goods_of, int county, int good) {
  if (good % 2 == 1) {
    const std::string_view code = counties_832()[static_cast<size_t>(county)].code;
    const auto rank = [&](size_t p) {
      const bool clicks = programs[p].unit == GoalUnit::kClick;
      return std::pair(clicks != (good % 4 == 3), goods_of[p]);
    };
    size_t whose = programs.size();
    for (size_t p = 0; p < programs.size(); ++p) {
      if (std::ranges::count(programs[p].counties, code) == 0) continue;
      if (whose == programs.size() || rank(p) < rank(whose)) whose = p;
    }
    if (whose == programs.size()) return {};
    ++goods_of[whose];
    return {programs[whose].id};
  }
  std::vector<std::string> tags = {numbered("national-", (county + good) % nationals(plan))};
  if (good % 4 == 2) tags.push_back(numbered("national-", (county + good + 1) % nationals(plan)));
  return tags;
}

double units_of_view(GoalUnit unit) { return unit == GoalUnit::kClick ? 0.02 : 1; }

std::string quoted_list(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) {
    out += out.empty() ? "[\"" : ", \"";
    out += text + "\"";
  }
  return out + "]";
}

// "2026-09-20T18:00:00+08:00", of a full hour.
std::string yaml_time(Millis at) {
  const int64_t hour = (at - kDayBegin).count() / 3'600'000;
  char text[40];
  std::snprintf(text, sizeof text, "2026-09-%02dT%02d:00:00+08:00",
                static_cast<int>(20 + hour / 24), static_cast<int>(hour % 24));
  return text;
}

}  // namespace

// Of a viewer, whichever surface: contract 2.3.
const std::vector<DayCap> kDayCaps = {{"item", hours(4), 1},
                                      {"program", Millis(1'800'000), 4},
                                      {"county", hours(12), 4},
                                      {"all", hours(1), 24}};

std::string good_id(const County& county, int good) {
  return "good-" + std::string(county.code) + "-" + std::to_string(good);
}

std::string video_id(int video) { return numbered("video-", video); }

std::string_view day_city(uint32_t viewer) { return kCities[viewer % kCities.size()]; }

std::string day_catalogue(const DayPlan& plan, const std::vector<DayProgram>& programs) {
  std::string out;
  std::vector<int> goods_of(programs.size(), 0);
  const auto counties = counties_832();
  for (int c = 0; c < plan.counties; ++c) {
    const County& county = counties[static_cast<size_t>(c)];
    const std::string code(county.code);
    for (int k = 0; k < plan.goods; ++k) {
      JsonWriter json(out);
      const char* category = kGoods[static_cast<size_t>(c + 3 * k) % kGoods.size()];
      write_item(json, good_id(county, k), "farm_good", std::string(county.name) + " " + category,
                 "farmers-" + code, category);
      json.field("county", county.code);
      json.key("tags");
      json.begin_array();
      for (const std::string& tag : tags_of(plan, programs, goods_of, c, k)) json.value(tag);
      json.end_array();
      json.field("price_fen", 1'000 + 500 * k);
      json.end_object();
      out += '\n';
    }
  }
  for (int v = 0; v < plan.videos; ++v) {
    JsonWriter json(out);
    const char* category = kVideos[static_cast<size_t>(v) % kVideos.size()];
    write_item(json, video_id(v), "video", numbered(category, v), numbered("creator-", v % 200),
               category);
    json.field("duration_ms", 15'000 + 100 * (v % 300));
    json.end_object();
    out += '\n';
  }
  return out;
}

std::vector<DayProgram> day_programs(const DayPlan& plan) {
  Random random(hash_combine(plan.seed, 0x70726f67));
  std::vector<std::string> codes;
  for (const County& county : counties_832().first(static_cast<size_t>(plan.counties))) {
    codes.emplace_back(county.code);
  }
  const auto shuffle = [&](std::vector<std::string>& all) {
    for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.below(i)]);
  };
  shuffle(codes);
  size_t next = 0;  // of codes: those who ask for views have counties of their own
  std::vector<DayProgram> programs;
  for (int i = 0; i < plan.programs; ++i) {
    DayProgram program;
    program.national = i < nationals(plan);
    program.id = numbered(program.national ? "national-" : "local-", i);
    program.start = kDayBegin;
    program.end = kDayEnd;
    if (!program.national) {
      if (i % 20 == 16) program.unit = GoalUnit::kClick;
      if (i % 7 == 5) {
        for (int k = 0; k < 4; ++k)
          program.cities.emplace_back(kCities[(i / 7 + k) % kCities.size()]);
      }
      if (i % 5 == 2) program.end = kDayBegin + hours(18);
      if (i % 5 == 3) program.start = kDayBegin + hours(8);
      if (program.unit == GoalUnit::kClick) {
        program.counties = codes;
        shuffle(program.counties);
        program.counties.resize(static_cast<size_t>(std::min(60, plan.counties / 2)));
      }
      for (int k = 0; k < 3 && program.unit == GoalUnit::kViewable; ++k) {
        program.counties.push_back(codes[next++ % codes.size()]);
      }
    }
    programs.push_back(std::move(program));
  }
  return programs;
}

// What a local program may take: `local_most` of what its counties would have if exposure were
// spread evenly, as clicks or orders where it asks for those.
void set_teacher_goals(const DayPlan& plan, std::vector<DayProgram>& programs) {
  const double county = kViewsOfPage * plan.pages / plan.counties;
  for (DayProgram& program : programs) {
    program.goal = kOutOfReach;
    if (program.national) continue;
    const double views = plan.local_most * county * static_cast<double>(program.counties.size());
    program.goal = std::max(1.0, std::floor(views * units_of_view(program.unit)));
    program.cap = program.goal;
  }
}

void set_goals(const DayPlan& plan, const std::vector<double>& delivered,
               std::vector<DayProgram>& programs) {
  for (size_t p = 0; p < programs.size(); ++p) {
    const double mean = plan.feasible_share * delivered[p];
    programs[p].goal = std::max(1.0, std::floor(mean - 2 * std::sqrt(mean)));
    programs[p].cap = programs[p].goal + std::max(3.0, std::floor(0.005 * programs[p].goal));
  }
}

double missed_value_fen(GoalUnit unit) { return unit == GoalUnit::kClick ? 150 : 3; }

std::string program_yaml(const DayProgram& program) {
  std::string out = "id: " + program.id + "\n";
  out += "items: {tags: {$in: [" + program.id + "]}}\n";
  if (program.national) out += "fairness: {group: county}\n";
  if (!program.cities.empty()) {
    out += "audience: {city: {$in: " + quoted_list(program.cities) + "}}\n";
  }
  out += "surfaces: [feed]\nschedule: {start: " + yaml_time(program.start) +
         ", end: " + yaml_time(program.end) + "}\n";
  out += "placement: {first_slot: 2, last_slot: 19, per_request_max: 1, min_gap: 3}\nfrequency:\n";
  for (const DayCap& cap : kDayCaps) {
    out += "  - {scope: " + std::string(cap.scope) +
           ", window_s: " + std::to_string(cap.window.count() / 1000) +
           ", max: " + std::to_string(cap.max) + "}\n";
  }
  out += "goals:\n  - {unit: " + std::string(goal_unit_name(program.unit)) +
         ", at_least: " + format_fixed(program.goal, 0);
  if (program.cap > 0) out += ", at_most: " + format_fixed(program.cap, 0);
  return out + ", missed_value_fen: " + format_fixed(missed_value_fen(program.unit), 0) + "}\n";
}

double day_traffic(const DayPlan& plan, Millis at) {
  const double usual = traffic_at(at);
  if (!plan.disturbed) return usual;
  const auto minute = static_cast<int>((at - kDayBegin).count() / 60'000);
  if (minute >= kOutage && minute < kOutage + kOutageMinutes) return 0;
  for (const int burst : kBursts) {
    if (minute >= burst && minute < burst + kBurstMinutes) return kBurst * usual;
  }
  return usual;
}

}  // namespace shanhuo
