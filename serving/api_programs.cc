// Programs as operators see them (contract 2.5), and the parameters of engine.yaml.
#include <map>

#include "configs/parameters.h"
#include "serving/config_json.h"
#include "serving/http_api.h"
#include "serving/program_status.h"

namespace shanhuo {
namespace {

constexpr size_t kHistoryShown = 20;

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
  const ConfigErrors errors = engine_.programs().errors();
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("programs");
  json.begin_array();
  for (const auto& program : world->programs().programs) {
    ProgramExtras extras;
    extras.blocked = world->catalogue().program_blocked(program->id);
    extras.refused = refused_of(program->file, errors);
    write_program(json, *program, status[program->id.str()], extras);
  }
  json.end_array();
  write_errors(json, errors);
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

std::optional<ProgramIndex> HttpApi::find_program(Call& call, const World& world) {
  const int index = world.programs().find(call.arguments[0]);
  if (index >= 0) return static_cast<ProgramIndex>(index);
  call.respond(problem(404, "", "no such program"));
  return std::nullopt;
}

void HttpApi::get_program(Call& call) { show_program(call, {}); }

void HttpApi::show_program(Call& call, std::vector<std::string> warnings) {
  const std::shared_ptr<const World> world = engine_.world();
  const std::optional<ProgramIndex> index = find_program(call, *world);
  if (!index) return;
  const Program& program = world->program(*index);
  auto status = status_by_id(engine_, engine_.time().now());
  ProgramExtras extras;
  extras.blocked = world->catalogue().program_blocked(program.id);
  extras.refused = refused_of(program.file, engine_.programs().errors());
  extras.whole = true;
  const Result<std::string> text = engine_.programs().text(program.id.view());
  if (text.ok()) extras.definition = definition_of(text.value());
  extras.warnings = std::move(warnings);
  extras.history = engine_.changes().last("program", program.id.view(), kHistoryShown);
  std::string out;
  JsonWriter json(out);
  write_program(json, program, status[program.id.str()], extras);
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::list_parameters(Call& call) {
  EngineOptions options = engine_.options(), defaults;
  options.ranking = *engine_.ranking();
  const std::vector<Option> at_default = option_table(defaults);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("parameters");
  json.begin_array();
  auto unset = at_default.begin();
  for (const Option& option : option_table(options)) {
    json.begin_object();
    json.field("name", option.name());
    json.field("type", option.type());
    json.field("value", option.value());
    json.field("default", (unset++)->value());
    json.field("unit", option.unit);
    json.field("min", option.min);
    json.field("max", option.max);
    json.field("about", option.about);
    json.field("experiment", is_parameter(option));  // whether a variation may set it
    if (const auto* words = std::get_if<Option::Enum>(&option.target)) {
      json.key("allowed");
      json.begin_array();
      for (const std::string_view word : words->second) json.value(word);
      json.end_array();
    }
    json.end_object();
  }
  json.end_array();
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

}  // namespace shanhuo
