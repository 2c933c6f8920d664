// Trained models (serving/model_shelf.h): which there are, which serves, and another one in its
// place.
#include <array>

#include "serving/http_api.h"

namespace shanhuo {
namespace {

void write_manifest(JsonWriter& json, const ModelManifest& manifest) {
  json.field("kind", vector_model_kind_name(manifest.parts.kind));
  json.field("items", manifest.items);
  json.key("data");
  json.begin_object();
  json.field("first_ms", manifest.facts.first.count());
  json.field("last_ms", manifest.facts.last.count());
  json.field("events", manifest.facts.events);
  json.field("viewers", manifest.facts.viewers);
  json.end_object();
  write_numbers(json, "metrics", manifest.facts.metrics);
  write_numbers(json, "parameters", manifest.facts.parameters);
}

}  // namespace

void HttpApi::list_models(Call& call) {
  const std::shared_ptr<const World> world = engine_.world();
  const std::string current(model_version(*world));
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("current", current);
  if (!engine_.model_refused().empty()) json.field("refused", engine_.model_refused());
  json.key("models");
  json.begin_array();
  for (const ModelShelf::Entry& entry : engine_.models().list()) {
    json.begin_object();
    json.field("version", entry.version);
    if (entry.manifest.ok()) {
      write_manifest(json, entry.manifest.value());
    } else {
      json.field("refused", entry.manifest.error().message);
    }
    json.end_object();
  }
  json.end_array();
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::put_model(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> body = parse(call, *document);
  if (!body) return;
  static constexpr std::array<std::string_view, 1> kNames = {"version"};
  std::array<json::Value, 1> fields;
  json::FieldErrors errors;
  const json::Pointer root;
  json::read_fields(*body, kNames, fields, root, errors);
  const json::Pointer at(root, "version");
  const auto version = json::text_of(fields[0], 64, at, errors);
  if (!errors.empty()) {
    call.respond(unprocessable(errors));
    return;
  }
  const Result<bool> serves = engine_.use_model(std::string(*version), call.principal.caller);
  if (!serves.ok()) {
    const Error& error = serves.error();
    call.respond(error.code == ErrorCode::kNotFound
                     ? problem(404, "", error.message)
                     : problem(422, "", "the model is refused, the present one stays",
                               {{"/version", error.message}}));
    return;
  }
  const std::shared_ptr<const World> world = engine_.world();
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("current", model_version(*world));
  json.field("chosen", *version);
  json.end_object();
  call.respond(json_answer(serves.value() ? 200 : 202, std::move(out)));
}

}  // namespace shanhuo
