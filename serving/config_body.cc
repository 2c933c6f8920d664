#include "serving/config_body.h"

#include "configs/yaml_edit.h"
#include "serving/program_status.h"

namespace shanhuo {
namespace {

constexpr size_t kRevisionBytesMax = 64;

// Takes the member out of the fields; false: it is no text.
bool take_text(Value::Object& fields, std::string_view name, size_t bytes_max,
               std::optional<std::string>& text) {
  for (auto it = fields.begin(); it != fields.end(); ++it) {
    if (it->first != name) continue;
    if (!it->second.is_text() || it->second.as_text().size() > bytes_max) return false;
    text = it->second.as_text();
    fields.erase(it);
    return true;
  }
  return true;
}

}  // namespace

std::vector<FieldError> read_config_body(json::Value json, ConfigBody& body) {
  const Result<Value> value = json::to_value(json);
  if (!value.ok() || !value.value().is_object()) {
    return {{"", value.ok() ? "must be an object" : value.error().message}};
  }
  body.fields = value.value().as_object();
  std::vector<FieldError> errors;
  if (!take_text(body.fields, "if_revision", kRevisionBytesMax, body.if_revision)) {
    errors.push_back({"/if_revision", "must be a text of at most 64 bytes"});
  }
  if (!take_text(body.fields, "yaml", kYamlBytesMax, body.yaml)) {
    errors.push_back({"/yaml", "must be a text of at most 1048576 bytes"});
  }
  if (body.yaml && !body.fields.empty()) {
    errors.push_back({"/yaml", "is the whole file; nothing but if_revision stands beside it"});
  }
  return errors;
}

FieldError config_field(const ConfigError& error, const ConfigBody& body) {
  if (!body.yaml) {
    // Names of parameters have dots of their own.
    constexpr std::string_view kSet = "].set.";
    const size_t set = error.key.find(kSet);
    if (set == std::string::npos) return {pointer_of(error.key), error.message};
    return {
        pointer_of(error.key.substr(0, set + 1)) + "/set/" + error.key.substr(set + kSet.size()),
        error.message};
  }
  ConfigError placed = error;
  placed.file = std::to_string(error.line) + ":" + std::to_string(error.column);
  placed.line = 0;
  return {"/yaml", placed.to_string()};
}

std::string yaml_of_body(const ConfigBody& body) { return yaml_of(Value(body.fields)); }

}  // namespace shanhuo
