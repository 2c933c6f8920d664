// Programs and experiments changed (contract 2.5, 2.6): PUT, PATCH, DELETE, and an experiment
// brought back to an earlier revision.
#include "configs/yaml_edit.h"
#include "serving/config_body.h"
#include "serving/http_api.h"
#include "serving/program_status.h"

namespace shanhuo {

// Answers with the thing as it is now, or with what was wrong.
void HttpApi::change_config(Call& call, ConfigKind kind, const ConfigEdit& edit,
                            const ConfigBody& body) {
  ConfigErrors wrong;
  const std::string& id = call.arguments[0];
  const auto change =
      engine_.write_config(kind, id, edit, body.if_revision, call.principal.caller, wrong);
  if (change.ok()) {
    return kind == ConfigKind::kProgram ? show_program(call, warnings_of_program(id))
                                        : show_experiment(call);
  }
  if (wrong.empty()) return call.respond(problem(change.error()));
  std::vector<FieldError> fields;
  for (const ConfigError& error : wrong) fields.push_back(config_field(error, body));
  call.respond(problem(
      422, "", kind == ConfigKind::kProgram ? "this is no program" : "this is no experiment",
      fields));
}

// The body, or nothing after having answered what is wrong with it.
std::optional<ConfigBody> HttpApi::read_config(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> json = parse(call, *document);
  if (!json) return std::nullopt;
  ConfigBody body;
  const std::vector<FieldError> errors = read_config_body(*json, body);
  if (errors.empty()) return body;
  call.respond(problem(422, "", "the body is wrong", errors));
  return std::nullopt;
}

void HttpApi::put_config(Call& call, ConfigKind kind) {
  const std::optional<ConfigBody> body = read_config(call);
  if (!body) return;
  Value definition(body->fields);
  if (definition.find("id") == nullptr) {
    definition.as_object().insert(definition.as_object().begin(), {"id", call.arguments[0]});
  }
  change_config(call, kind, body->yaml ? whole_file(*body->yaml) : whole_definition(definition),
                *body);
}

void HttpApi::patch_config(Call& call, ConfigKind kind) {
  const std::optional<ConfigBody> body = read_config(call);
  if (!body) return;
  std::vector<FieldError> errors;
  if (body->yaml) {
    errors.push_back({"/yaml", "is for PUT"});
  } else if (body->fields.empty()) {
    errors.push_back({"/enabled", "is missing, or any other field"});
  }
  if (!errors.empty()) return call.respond(problem(422, "", "the body is wrong", errors));
  change_config(call, kind,
                kind == ConfigKind::kProgram ? program_patch(body->fields)
                                             : engine_.experiments().patch(body->fields),
                *body);
}

void HttpApi::delete_config(Call& call, ConfigKind kind) {
  std::optional<std::string> if_revision;
  if (const auto given = call.request.param("if_revision")) if_revision = std::string(*given);
  const auto change =
      engine_.remove_config(kind, call.arguments[0], if_revision, call.principal.caller);
  if (!change.ok()) return call.respond(problem(change.error()));
  HttpResponse done;
  done.status = 204;
  done.content_type.clear();
  call.respond(std::move(done));
}

void HttpApi::put_program(Call& call) { put_config(call, ConfigKind::kProgram); }
void HttpApi::patch_program(Call& call) { patch_config(call, ConfigKind::kProgram); }
void HttpApi::delete_program(Call& call) { delete_config(call, ConfigKind::kProgram); }
void HttpApi::put_experiment(Call& call) { put_config(call, ConfigKind::kExperiment); }
void HttpApi::patch_experiment(Call& call) { patch_config(call, ConfigKind::kExperiment); }
void HttpApi::delete_experiment(Call& call) { delete_config(call, ConfigKind::kExperiment); }

// Byte for byte; also what has been deleted comes back.
void HttpApi::revert_experiment(Call& call) {
  const std::optional<ConfigBody> body = read_config(call);
  if (!body) return;
  const bool named = !body->yaml && body->fields.size() == 1 && body->fields[0].first == "to" &&
                     body->fields[0].second.is_text();
  if (!named) {
    return call.respond(
        problem(422, "", "the body is wrong",
                {{"/to", "must be a revision of GET .../history; beside it, if_revision alone"}}));
  }
  const Result<std::string> text = engine_.revisions().text(body->fields[0].second.as_text());
  if (!text.ok()) {
    return call.respond(problem(422, "", "the body is wrong", {{"/to", text.error().message}}));
  }
  change_config(call, ConfigKind::kExperiment, whole_file(text.value()), *body);
}

}  // namespace shanhuo
