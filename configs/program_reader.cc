#include "configs/program_reader.h"

#include <algorithm>
#include <charconv>

#include "configs/program_campaign.h"
#include "configs/reader.h"
#include "features/digest.h"

namespace shanhuo {
namespace {

constexpr double kUnitsMax = 1e12;
constexpr int kSlotMax = 199;
constexpr int64_t kWindowSecondsMax = 30 * 86'400;

void read_surfaces(MapReader& map, Program& program) {
  const YamlNode* list = map.list("surfaces");
  if (list == nullptr) return;
  if (list->items.empty()) map.error("surfaces", "is empty, at least one surface");
  for (const YamlNode& item : list->items) {
    const std::optional<Surface> surface = parse_surface(item.text);
    if (surface) {
      program.surfaces[static_cast<size_t>(*surface)] = true;
    } else {
      map.error_at(item, "surfaces",
                   (item.text.empty() ? "this" : item.text) +
                       " is no surface, one of feed, live_room, search, detail, festival, "
                       "open_screen");
    }
  }
}

void read_schedule(MapReader& parent, Program& program) {
  const YamlNode* node = parent.map("schedule");
  if (node == nullptr) return;
  MapReader map(*node, "schedule", parent.file(), parent.errors());
  map.require({"start", "end"});
  const size_t errors_before = parent.errors().size();
  map.time("start", program.start);
  map.time("end", program.end);
  const bool both = map.has("start") && map.has("end") && parent.errors().size() == errors_before;
  map.finish();
  if (both && program.end <= program.start) {
    map.error("end", "must come after start");
  }
}

Goal read_goal(const YamlNode& node, const std::string& path, MapReader& parent) {
  Goal goal;
  MapReader map(node, path, parent.file(), parent.errors());
  map.require({"unit", "at_least", "missed_value_fen"});
  int unit = 0, per = 0, share_of = 0;
  map.one_of("unit", {"viewable", "click", "order"}, unit);
  map.one_of("per", {"total", "day"}, per);
  map.one_of("share_of",
             {"none", "feed", "live_room", "search", "detail", "festival", "open_screen"},
             share_of);
  goal.unit = static_cast<GoalUnit>(unit);
  goal.per = static_cast<GoalPeriod>(per);
  goal.share_of = static_cast<Surface>(share_of);
  const double units_max = share_of == 0 ? kUnitsMax : 1.0;
  const size_t errors_before = parent.errors().size();
  map.number("at_least", goal.at_least, 0, units_max);
  map.number("at_most", goal.at_most, 0, units_max);
  const bool both =
      map.has("at_least") && map.has("at_most") && parent.errors().size() == errors_before;
  map.number("missed_value_fen", goal.missed_value_fen, 0, 1e9);
  map.finish();
  if (both && goal.at_most < goal.at_least) {
    map.error("at_most", map.find("at_most")->text + " is below at_least " +
                             map.find("at_least")->text + "; a cap is at least the goal");
  }
  return goal;
}

std::string spell(double number) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  return error == std::errc() ? std::string(buffer, end) : "?";
}

// Two goals for one thing, or a day's that come to more than the whole may have.
void check_goals(const YamlNode& list, MapReader& map, const Program& program) {
  const auto days = static_cast<double>((program.end - program.start).count()) / 8.64e7;
  for (size_t i = 0; i < program.goals.size(); ++i) {
    const Goal& goal = program.goals[i];
    for (size_t j = 0; j < program.goals.size(); ++j) {
      const Goal& other = program.goals[j];
      if (goal.unit != other.unit || goal.share_of != other.share_of || i == j) continue;
      const std::string earlier = "goals[" + std::to_string(j) + "]";
      if (goal.per == other.per && j < i) {
        map.error_at(list.items[i], "goals",
                     "is a second goal of the same unit and period as " + earlier);
      }
      const bool of_days = goal.share_of == Surface::kNone && goal.per == GoalPeriod::kDay &&
                           other.per == GoalPeriod::kTotal && other.at_most > 0;
      if (of_days && goal.at_least * days > other.at_most) {
        map.error_at(list.items[i], "goals",
                     spell(days) + " days of at_least " + spell(goal.at_least) + " are " +
                         spell(goal.at_least * days) + ", past at_most " + spell(other.at_most) +
                         " of " + earlier);
      }
    }
  }
}

void read_goals(MapReader& map, Program& program) {
  const YamlNode* list = map.list("goals");
  if (list == nullptr) return;
  const size_t errors_before = map.errors().size();
  if (list->items.empty()) map.error("goals", "is empty, at least one goal");
  for (size_t i = 0; i < list->items.size(); ++i) {
    program.goals.push_back(read_goal(list->items[i], "goals[" + std::to_string(i) + "]", map));
  }
  if (map.errors().size() == errors_before) check_goals(*list, map, program);
}

void read_placement(MapReader& parent, Program& program) {
  const YamlNode* node = parent.map("placement");
  if (node == nullptr) return;
  Placement& placement = program.placement;
  MapReader map(*node, "placement", parent.file(), parent.errors());
  map.integer("first_slot", placement.first_slot, 0, kSlotMax);
  map.integer("last_slot", placement.last_slot, 0, kSlotMax);
  map.integer("per_request_max", placement.per_request_max, 1, 3);
  map.integer("min_gap", placement.min_gap, 0, kSlotMax);
  map.finish();
  if (placement.last_slot < placement.first_slot) {
    map.error("last_slot", "is before first_slot");
  }
}

void read_room(MapReader& parent, Program& program) {
  const YamlNode* node = parent.map("room");
  if (node == nullptr) return;
  MapReader map(*node, "room", parent.file(), parent.errors());
  RoomPolicy room;
  int64_t window_s = room.window.count() / 1000, hold_ms = room.hold.count();
  map.integer("window_s", window_s, 1, kWindowSecondsMax);
  map.integer("max", room.max, 1, 1);
  map.integer("hold_ms", hold_ms, 1'000, 86'400'000);
  map.boolean("every", room.every);
  map.finish();
  room.window = Millis(window_s * 1000);
  room.hold = Millis(hold_ms);
  if (room.hold > room.window) map.error("hold_ms", "is longer than the window");
  program.room = room;
}

void read_frequency(MapReader& parent, Program& program) {
  const YamlNode* list = parent.list("frequency");
  if (list == nullptr) return;
  for (size_t i = 0; i < list->items.size(); ++i) {
    FrequencyCap cap;
    MapReader map(list->items[i], "frequency[" + std::to_string(i) + "]", parent.file(),
                  parent.errors());
    map.require({"scope", "window_s", "max"});
    int scope = 0;
    int64_t window_s = cap.window.count() / 1000;
    map.one_of("scope", {"item", "program", "county", "creator", "all"}, scope);
    map.integer("window_s", window_s, 1, kWindowSecondsMax);
    map.integer("max", cap.max, 1, 1'000);
    map.finish();
    cap.scope = static_cast<CapScope>(scope);
    cap.window = Millis(window_s * 1000);
    program.frequency.push_back(cap);
  }
}

void read_fairness(MapReader& parent, Program& program) {
  const YamlNode* node = parent.map("fairness");
  if (node == nullptr) return;
  MapReader map(*node, "fairness", parent.file(), parent.errors());
  int group = 0;
  map.one_of("group", {"county"}, group);
  map.number("weight", program.fairness_weight, 0.01, 100);
  map.finish();
  program.fairness_by_county = true;
}

void read_circles(MapReader& map, Area& area) {
  const YamlNode* list = map.list("radius_km");
  if (list == nullptr) return;
  if (list->items.empty()) map.error("radius_km", "is empty, at least one [minutes, kilometres]");
  const auto is_number = [](const YamlNode& node, double& number) {
    return node.plain && parse_json_number(node.text, number);
  };
  for (const YamlNode& pair : list->items) {
    double minutes = 0, km = 0;
    if (pair.kind != YamlNode::Kind::kSequence || pair.items.size() != 2 ||
        !is_number(pair.items[0], minutes) || !is_number(pair.items[1], km) || minutes < 0 ||
        km <= 0 || km > 20'100) {
      map.error_at(pair, "radius_km", "must be [minutes since start, kilometres up to 20100]");
    } else if (!area.radius_km.empty() && minutes <= area.radius_km.back().first) {
      map.error_at(pair, "radius_km", "minutes must ascend");
    } else {
      area.radius_km.emplace_back(minutes, km);
    }
  }
}

void read_area(MapReader& parent, Program& program) {
  const YamlNode* node = parent.map("area");
  if (node == nullptr) return;
  MapReader map(*node, "area", parent.file(), parent.errors());
  Area area;
  map.require({"lat", "lon", "radius_km"});
  map.number("lat", area.center.lat, -90, 90);
  map.number("lon", area.center.lon, -180, 180);
  read_circles(map, area);
  map.finish();
  program.area = area;
}

void read_label(MapReader& parent, Program& program) {
  const YamlNode* node = parent.map("label");
  if (node == nullptr) return;
  MapReader map(*node, "label", parent.file(), parent.errors());
  int kind = 0;
  map.require({"kind"});
  map.one_of("kind", {"ad", "public_good"}, kind);
  map.names(program.label.zh, program.label.en);
  map.finish();
  program.label.kind = kind == 0 ? LabelKind::kAd : LabelKind::kPublicGood;
}

void read_id(MapReader& map, Program& program) {
  std::string id;
  map.text("id", id, kIdBytesMax);
  if (map.has("id") && !valid_id(id))
    map.error("id", "must be 1..128 bytes without control characters");
  program.id = ProgramId(id);
}

// Half a schedule is no schedule, a room policy without its surface never acts: what fits together
// only as a whole.
void check_whole(MapReader& map, const Program& program) {
  const bool live = program.surfaces[static_cast<size_t>(Surface::kLiveRoom)];
  if (program.room && !live) map.error("room", "needs the surface live_room");
}

}  // namespace

std::optional<Program> read_program(std::string_view text, const std::string& file,
                                    ConfigErrors& errors) {
  const size_t errors_before = errors.size();
  YamlNode root;
  if (!parse_yaml(text, file, root, errors)) return std::nullopt;
  Program program;
  MapReader map(root, "", file, errors);
  map.require({"id", "items", "surfaces", "schedule", "goals"});
  read_id(map, program);
  map.names("name", program.name_zh, program.name_en);
  map.boolean("enabled", program.enabled);
  map.integer("priority", program.priority, 0, 1'000);
  map.boolean("urgent", program.urgent);
  program.items = read_condition(map, "items", true);
  program.audience = read_condition(map, "audience", false);
  read_surfaces(map, program);
  read_schedule(map, program);
  read_goals(map, program);
  read_placement(map, program);
  read_room(map, program);
  read_frequency(map, program);
  read_fairness(map, program);
  read_area(map, program);
  read_campaign_keys(map, program);
  read_label(map, program);
  check_whole(map, program);
  map.finish();
  if (errors.size() != errors_before) return std::nullopt;
  program.file = file;
  program.revision = sha256_hex(text).substr(0, 16);
  return program;
}

}  // namespace shanhuo
