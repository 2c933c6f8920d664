#include "serving/program_status.h"

#include <algorithm>
#include <span>

#include "features/attributes_json.h"
#include "ranking/request.h"
#include "serving/config_json.h"

namespace shanhuo {
namespace {

// Of each would-be exposure that something removed: by what. Units are those of this goal.
void write_shortfall(JsonWriter& json, const GoalStatus& goal, const ProgramStatus& status) {
  double lost = 0;
  for (const double units : std::span(status.counts.lost).subspan(1)) lost += units;
  json.field("short_by", std::max(0.0, goal.target - goal.forecast));
  json.key("shortfall");
  json.begin_array();
  for (size_t i = 1; i < status.counts.causes.size(); ++i) {
    if (status.counts.causes[i] == 0) continue;
    json.begin_object();
    json.field("cause", cause_name(static_cast<Cause>(i)));
    json.field("share", lost > 0 ? status.counts.lost[i] / lost : 0.0);
    json.field("pages", status.counts.causes[i]);
    json.field("viewable", status.counts.lost[i]);
    json.end_object();
  }
  json.end_array();
}

void write_goal(JsonWriter& json, const GoalStatus& goal, const ProgramStatus& status) {
  json.begin_object();
  json.field("unit", goal_unit_name(goal.unit));
  json.field("per", goal.per == GoalPeriod::kTotal ? "total" : "day");
  json.field("target", goal.target);
  json.field("delivered", goal.delivered);
  json.field("in_flight", goal.in_flight);
  json.field("cap", goal.cap);
  json.field("curve", goal.curve);
  json.field("pace", goal.pace);
  json.field("price", goal.price);
  json.key("forecast");
  json.begin_object();
  json.field("value", goal.forecast);
  json.field("low", goal.forecast_low);
  json.field("high", goal.forecast_high);
  json.end_object();
  write_shortfall(json, goal, status);
  json.end_object();
}

void write_whole(JsonWriter& json, const ProgramExtras& extras) {
  json.key("definition");
  write_value(json, extras.definition);
  write_texts(json, "warnings", extras.warnings);
  write_changes(json, extras.history);
}

// What viewers see on its items.
void write_label(JsonWriter& json, const Label& label) {
  if (label.kind == LabelKind::kNone) return;
  json.key("label");
  json.begin_object();
  json.field("kind", label.kind == LabelKind::kAd ? "ad" : "public_good");
  json.field("zh-CN", label.zh);
  json.field("en", label.en);
  json.end_object();
}

}  // namespace

void write_program(JsonWriter& json, const Program& program, const ProgramStatus& status,
                   const ProgramExtras& extras) {
  json.begin_object();
  json.field("id", program.id.view());
  write_names(json, program.name_zh, program.name_en);
  json.field("enabled", program.enabled);
  json.field("blocked", extras.blocked);
  json.field("priority", program.priority);
  json.field("urgent", program.urgent);
  json.field("revision", program.revision);
  json.key("surfaces");
  json.begin_array();
  for (int surface = 1; surface < kSurfaces; ++surface) {
    if (program.surfaces[static_cast<size_t>(surface)]) {
      json.value(surface_name(static_cast<Surface>(surface)));
    }
  }
  json.end_array();
  json.key("schedule");
  json.begin_object();
  json.field("start_ms", program.start.count());
  json.field("end_ms", program.end.count());
  json.end_object();
  write_label(json, program.label);
  json.field("inserted", status.counts.inserted);
  json.field("counted_since_ms", status.counts.since.count());
  json.key("goals");
  json.begin_array();
  for (const GoalStatus& goal : status.goals) write_goal(json, goal, status);
  json.end_array();
  write_texts(json, "refused", extras.refused);
  if (extras.whole) write_whole(json, extras);
  json.end_object();
}

std::string_view goal_unit_name(GoalUnit unit) {
  return unit == GoalUnit::kViewable ? "viewable" : unit == GoalUnit::kClick ? "click" : "order";
}

std::string pointer_of(std::string_view key) {
  std::string pointer;
  for (const char c : key) {
    if (pointer.empty()) pointer = "/";
    if (c == ']') continue;
    if (c == '.' || c == '[') {
      pointer += '/';
    } else if (c == '~' || c == '/') {
      pointer += c == '~' ? "~0" : "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

}  // namespace shanhuo
