#include "serving/config_json.h"

namespace shanhuo {

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name);
  json.begin_array();
  for (const std::string& text : texts) json.value(std::string_view(text));
  json.end_array();
}

void write_errors(JsonWriter& json, const ConfigErrors& errors) {
  json.key("errors");
  json.begin_array();
  for (const ConfigError& error : errors) json.value(error.to_string());
  json.end_array();
}

void write_names(JsonWriter& json, std::string_view zh, std::string_view en) {
  json.key("name");
  json.begin_object();
  json.field("zh-CN", zh);
  json.field("en", en);
  json.end_object();
}

void write_change(JsonWriter& json, const RecordedChange& change) {
  json.begin_object();
  json.field("at_ms", change.at.count());
  json.field("who", change.who);
  json.field("kind", change.kind);
  json.field("id", change.id);
  json.field("what", change.what);
  json.field("from", change.from);
  json.field("to", change.to);
  json.field("hash", change.hash);
  json.end_object();
}

void write_changes(JsonWriter& json, const std::vector<RecordedChange>& history) {
  json.key("history");
  json.begin_array();
  for (const RecordedChange& change : history) write_change(json, change);
  json.end_array();
}

void write_audit_report(JsonWriter& json, const AuditReport& report) {
  json.begin_object();
  json.field("ok", report.wrong.empty());
  json.field("lines", report.lines);
  json.field("unchained", report.unchained);
  json.field("torn", report.torn);
  json.field("ends", report.ends);
  json.key("wrong");
  json.begin_array();
  for (const AuditProblem& problem : report.wrong) {
    json.begin_object();
    json.field("file", problem.file);
    json.field("line", problem.line);
    json.field("what", problem.what);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

std::vector<std::string> refused_of(const std::string& file, const ConfigErrors& errors) {
  std::vector<std::string> refused;
  for (const ConfigError& error : errors) {
    if (error.file == file) refused.push_back(error.to_string());
  }
  return refused;
}

Value definition_of(std::string_view text) {
  ConfigErrors errors;
  YamlNode root;
  return parse_yaml(text, "", root, errors) ? to_value(root) : Value();
}

}  // namespace shanhuo
