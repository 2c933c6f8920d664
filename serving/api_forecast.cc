// What programs will come to, before they start and on their way (contract 2.5). Runs on the
// worker: the survey of recorded traffic takes up to a second.
#include "configs/program_check.h"
#include "configs/program_reader.h"
#include "serving/config_body.h"
#include "serving/config_json.h"
#include "serving/forecast.h"
#include "serving/http_api.h"
#include "serving/program_status.h"

namespace shanhuo {
namespace {

constexpr size_t kLooksMax = 2'000'000;  // requests times programs of one survey

}  // namespace

ProgramForecast HttpApi::forecast_of(const Program& program) const {
  const std::shared_ptr<const World> world = engine_.world();
  const Millis now = engine_.time().now();
  const TrafficSample sample =
      engine_.requests().take(kLooksMax / (world->programs().programs.size() + 1));
  const std::vector<ProgramStatus> status = engine_.prices().status(now);
  const std::shared_ptr<const RankingOptions> ranking = engine_.ranking();
  return forecast(program, {sample, *world, engine_.features(), *ranking,
                            engine_.options().prices.hourly_traffic, status, now});
}

// What an operator should know of a program that is live now.
std::vector<std::string> HttpApi::warnings_of_program(const std::string& id) const {
  const std::shared_ptr<const World> world = engine_.world();
  const int index = world->programs().find(id);
  if (index < 0) return {};
  const Program& program = world->program(static_cast<ProgramIndex>(index));
  const Result<std::string> text = engine_.programs().text(id);
  ConfigErrors warnings;
  warn_of_program(program, text.ok() ? text.value() : "", engine_.time().now(), warnings);
  std::vector<std::string> all;
  for (const ConfigError& warning : warnings) all.push_back(warning.to_string());
  const ProgramForecast made = forecast_of(program);
  all.insert(all.end(), made.warnings.begin(), made.warnings.end());
  return all;
}

void HttpApi::get_forecast(Call& call) {
  const std::shared_ptr<const World> world = engine_.world();
  const std::optional<ProgramIndex> index = find_program(call, *world);
  if (!index) return;
  const Program& program = world->program(*index);
  const ProgramForecast made = forecast_of(program);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_forecast(json, program, made);
  write_texts(json, "warnings", made.warnings);
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::validate_program(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> json_body = parse(call, *document);
  if (!json_body) return;
  ConfigBody body;
  const std::vector<FieldError> errors = read_config_body(*json_body, body);
  if (!errors.empty()) {
    call.respond(problem(422, "", "the body is wrong", errors));
    return;
  }
  const std::string text = body.yaml ? *body.yaml : yaml_of_body(body);
  ConfigErrors wrong, found;
  const std::optional<Program> program = read_program(text, "yaml", wrong);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("valid", program.has_value());
  json.key("errors");
  json.begin_array();
  for (const ConfigError& error : wrong) {
    const FieldError field = config_field(error, body);
    json.begin_object();
    json.field("pointer", field.pointer);
    json.field("detail", field.detail);
    json.end_object();
  }
  json.end_array();
  std::vector<std::string> warnings;
  if (program) {
    warn_of_program(*program, text, engine_.time().now(), found);
    for (const ConfigError& warning : found) {
      warnings.push_back(body.yaml ? warning.to_string() : warning.key + ": " + warning.message);
    }
    const ProgramForecast made = forecast_of(*program);
    warnings.insert(warnings.end(), made.warnings.begin(), made.warnings.end());
    write_forecast(json, *program, made);
  }
  write_texts(json, "warnings", warnings);
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

}  // namespace shanhuo
