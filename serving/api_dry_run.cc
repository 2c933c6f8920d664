// POST /v1/experiments/{id}:dry_run and /v1/programs/{id}:dry_run: what a change would do, tried on
// the requests of late (dry_run.h). Runs on the worker.
#include <set>

#include "configs/program_store.h"
#include "configs/yaml_edit.h"
#include "serving/config_body.h"
#include "serving/http_api.h"

namespace shanhuo {
namespace {

// What a body asks for: nothing, the switch the other way; fields, a merge patch, or the whole of
// what does not exist yet; {"yaml": ...}, the whole file.
ConfigEdit edit_of(const ConfigBody& body, const std::string& id, std::string_view text,
                   const std::function<ConfigEdit(Value)>& patch) {
  if (body.yaml) return whole_file(*body.yaml);
  if (!body.fields.empty() && !text.empty()) return patch(Value(body.fields));
  if (!body.fields.empty()) {
    Value definition(body.fields);
    if (definition.find("id") == nullptr) {
      definition.as_object().insert(definition.as_object().begin(), {"id", id});
    }
    return whole_definition(definition);
  }
  ConfigErrors ignored;
  YamlNode root;
  bool enabled = true;
  if (parse_yaml(text, "", root, ignored)) {
    const Value now = to_value(root);
    const Value* said = now.find("enabled");
    enabled = said == nullptr || !said->is_bool() || said->as_bool();
  }
  return patch(Value(Value::Object{{"enabled", Value(!enabled)}}));
}

void write_side(JsonWriter& json, std::string_view name, const DryRunSide& side) {
  json.key(name);
  json.begin_object();
  json.field("inserted_per_page", side.inserted);
  json.field("loss_fen_per_page", side.loss_fen);
  json.field("loss_ratio",
             side.organic_value_fen > 0 ? side.loss_fen / side.organic_value_fen : 0.0);
  json.field("p50_ms", side.p50_ms);
  json.field("p99_ms", side.p99_ms);
  json.end_object();
}

double share_of(const DryRunSide& side, const std::string& program, double pages) {
  const auto found = side.by_program.find(program);
  const double all = side.inserted * pages;
  return found == side.by_program.end() || all <= 0 ? 0 : static_cast<double>(found->second) / all;
}

void write_programs(JsonWriter& json, const DryRunReport& report) {
  std::set<std::string> names;
  for (const auto& [name, count] : report.before.by_program) names.insert(name);
  for (const auto& [name, count] : report.after.by_program) names.insert(name);
  const auto pages = static_cast<double>(report.requests);
  json.key("programs");
  json.begin_array();
  for (const std::string& name : names) {
    const auto inserted = [&](const DryRunSide& side) {
      const auto found = side.by_program.find(name);
      return found == side.by_program.end() ? uint64_t{0} : found->second;
    };
    json.begin_object();
    json.field("program", name);
    json.field("inserted_before", inserted(report.before));
    json.field("inserted_after", inserted(report.after));
    json.field("share_before", share_of(report.before, name, pages));
    json.field("share_after", share_of(report.after, name, pages));
    json.end_object();
  }
  json.end_array();
}

std::string report_json(const DryRunReport& report, Millis now) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("requests", report.requests);
  json.field("unreadable", report.unreadable);
  json.field("complete", report.complete);
  json.field("oldest_age_ms", (now - report.oldest).count());
  json.field("newest_age_ms", (now - report.newest).count());
  write_side(json, "before", report.before);
  write_side(json, "after", report.after);
  json.field("pages_changed", report.changed);
  json.field("organic_moved_per_page", report.moved);
  json.field("organic_moved_by", report.moved_by);
  json.field("organic_left_out_per_page", report.left_out);
  write_programs(json, report);
  json.end_object();
  return out;
}

}  // namespace

void HttpApi::dry_run(Call& call, ConfigKind kind) {
  ConfigBody body;
  if (!call.request.body.empty()) {
    std::optional<ConfigBody> read = read_config(call);
    if (!read) return;
    body = std::move(*read);
  }
  const std::string& id = call.arguments[0];
  const bool program = kind == ConfigKind::kProgram;
  const Result<std::string> text =
      program ? engine_.programs().text(id) : engine_.experiments().text(id);
  const ConfigEdit edit = edit_of(body, id, text.ok() ? text.value() : "", [&](Value patch) {
    return program ? program_patch(std::move(patch))
                   : engine_.experiments().patch(std::move(patch));
  });
  ConfigErrors wrong;
  const Result<DryRunReport> report = engine_.dry_run(kind, id, edit, rank_limits(), wrong);
  if (report.ok()) {
    return call.respond(json_answer(200, report_json(report.value(), engine_.time().now())));
  }
  if (wrong.empty()) return call.respond(problem(report.error()));
  std::vector<FieldError> fields;
  for (const ConfigError& error : wrong) fields.push_back(config_field(error, body));
  call.respond(problem(422, "", program ? "this is no program" : "this is no experiment", fields));
}

void HttpApi::dry_run_program(Call& call) { dry_run(call, ConfigKind::kProgram); }
void HttpApi::dry_run_experiment(Call& call) { dry_run(call, ConfigKind::kExperiment); }

}  // namespace shanhuo
