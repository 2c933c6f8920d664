// Programs as operators see them (contract 2.5), and the parameters of engine.yaml.
#include <map>

#include "serving/http_api.h"

namespace shanhuo {
namespace {

constexpr std::string_view goal_unit_name(GoalUnit unit) {
  return unit == GoalUnit::kViewable ? "viewable" : unit == GoalUnit::kClick ? "click" : "order";
}

void write_shortfall(JsonWriter& json, const ProgramStatus& status) {
  uint64_t pages = 0;
  for (size_t i = 1; i < status.causes.size(); ++i) pages += status.causes[i];
  json.key("shortfall");
  json.begin_array();
  for (size_t i = 1; i < status.causes.size(); ++i) {
    if (status.causes[i] == 0) continue;
    json.begin_object();
    json.field("cause", cause_name(static_cast<Cause>(i)));
    json.field("share", static_cast<double>(status.causes[i]) / static_cast<double>(pages));
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
  write_shortfall(json, status);
  json.end_object();
}

void write_program(JsonWriter& json, const Program& program, const ProgramStatus& status,
                   bool blocked) {
  json.begin_object();
  json.field("id", program.id.view());
  json.key("name");
  json.begin_object();
  json.field("zh-CN", program.name_zh);
  json.field("en", program.name_en);
  json.end_object();
  json.field("enabled", program.enabled);
  json.field("blocked", blocked);
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
  json.field("inserted", status.inserted);
  json.key("goals");
  json.begin_array();
  for (const GoalStatus& goal : status.goals) write_goal(json, goal, status);
  json.end_array();
  json.end_object();
}

// By id: the set and the status may be of two moments.
std::map<std::string, ProgramStatus> status_by_id(const Engine& engine, Millis now) {
  std::map<std::string, ProgramStatus> by_id;
  for (ProgramStatus& status : engine.prices().status(now)) by_id[status.id] = std::move(status);
  return by_id;
}

}  // namespace

void HttpApi::list_programs(Call& call) {
  const std::shared_ptr<const World> world = engine_.world();
  auto status = status_by_id(engine_, engine_.time().now());
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("programs");
  json.begin_array();
  for (const auto& program : world->programs().programs) {
    write_program(json, *program, status[program->id.str()],
                  world->catalogue().program_blocked(program->id));
  }
  json.end_array();
  json.key("errors");  // of the files as they are on disk now; empty when they are live
  json.begin_array();
  for (const ConfigError& error : engine_.programs().errors()) json.value(error.to_string());
  json.end_array();
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::get_program(Call& call) {
  const std::shared_ptr<const World> world = engine_.world();
  const int index = world->programs().find(call.arguments[0]);
  if (index < 0) {
    call.respond(problem(404, "", "no such program"));
    return;
  }
  const Program& program = world->program(static_cast<ProgramIndex>(index));
  auto status = status_by_id(engine_, engine_.time().now());
  std::string out;
  JsonWriter json(out);
  write_program(json, program, status[program.id.str()],
                world->catalogue().program_blocked(program.id));
  call.respond(json_answer(200, std::move(out)));
}

// {"enabled": bool, "if_revision"?: "..."}
void HttpApi::patch_program(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> body = parse(call, *document);
  if (!body) return;
  static constexpr std::array<std::string_view, 2> kNames = {"enabled", "if_revision"};
  std::array<json::Value, 2> fields;
  json::FieldErrors errors;
  const json::Pointer root;
  json::read_fields(*body, kNames, fields, root, errors);
  const auto enabled = json::bool_of(fields[0], json::Pointer(root, "enabled"), errors);
  std::optional<std::string> if_revision;
  if (fields[1].present()) {
    if_revision = json::text_of(fields[1], 64, json::Pointer(root, "if_revision"), errors);
  }
  if (!errors.empty()) {
    call.respond(unprocessable(errors));
    return;
  }
  const Status status = engine_.set_program_enabled(call.arguments[0], *enabled, if_revision);
  if (!status.ok()) {
    call.respond(problem(status.error()));
    return;
  }
  get_program(call);
}

void HttpApi::list_parameters(Call& call) {
  EngineOptions options = engine_.options();
  options.ranking = *engine_.ranking();
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("parameters");
  json.begin_array();
  for (const Option& option : option_table(options)) {
    json.begin_object();
    json.field("name", option.name());
    json.field("value", option.value());
    json.field("unit", option.unit);
    json.field("min", option.min);
    json.field("max", option.max);
    json.field("about", option.about);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

}  // namespace shanhuo
