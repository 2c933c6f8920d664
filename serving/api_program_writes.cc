// Programs changed (contract 2.5): PUT, PATCH, DELETE.
#include "configs/yaml_edit.h"
#include "serving/http_api.h"
#include "serving/program_body.h"
#include "serving/program_status.h"

namespace shanhuo {

// Answers with the program as it is now, or with what was wrong.
void HttpApi::change_program(Call& call, const ConfigEdit& edit,
                             const std::optional<std::string>& if_revision,
                             const std::function<FieldError(const ConfigError&)>& field_of) {
  ConfigErrors wrong;
  const auto change =
      engine_.write_program(call.arguments[0], edit, if_revision, call.principal.caller, wrong);
  if (change.ok()) {
    show_program(call, warnings_of_program(call.arguments[0]));
    return;
  }
  if (wrong.empty()) {
    call.respond(problem(change.error()));
    return;
  }
  std::vector<FieldError> fields;
  for (const ConfigError& error : wrong) fields.push_back(field_of(error));
  call.respond(problem(422, "", "this is no program", fields));
}

void HttpApi::put_program(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> json = parse(call, *document);
  if (!json) return;
  ProgramBody body;
  const std::vector<FieldError> errors = read_program_body(*json, body);
  if (!errors.empty()) {
    call.respond(problem(422, "", "the body is wrong", errors));
    return;
  }
  Value definition(body.fields);
  if (definition.find("id") == nullptr) {
    definition.as_object().insert(definition.as_object().begin(), {"id", call.arguments[0]});
  }
  const ConfigEdit edit = body.yaml ? whole_file(*body.yaml) : whole_definition(definition);
  change_program(call, edit, body.if_revision,
                 [&](const ConfigError& error) { return program_field(error, body); });
}

void HttpApi::patch_program(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> json = parse(call, *document);
  if (!json) return;
  ProgramBody body;
  std::vector<FieldError> errors = read_program_body(*json, body);
  if (errors.empty() && body.yaml) errors.push_back({"/yaml", "is for PUT"});
  if (errors.empty() && body.fields.empty()) {
    errors.push_back({"/enabled", "is missing, or any other field of a program"});
  }
  if (!errors.empty()) {
    call.respond(problem(422, "", "the body is wrong", errors));
    return;
  }
  change_program(call, program_patch(body.fields), body.if_revision,
                 [&](const ConfigError& error) { return program_field(error, body); });
}

void HttpApi::delete_program(Call& call) {
  std::optional<std::string> if_revision;
  if (const auto given = call.request.param("if_revision")) if_revision = std::string(*given);
  const auto change = engine_.remove_program(call.arguments[0], if_revision, call.principal.caller);
  if (!change.ok()) {
    call.respond(problem(change.error()));
    return;
  }
  HttpResponse done;
  done.status = 204;
  done.content_type.clear();
  call.respond(std::move(done));
}

}  // namespace shanhuo
