#include "serving/operator_verbs.h"

#include <cstdio>
#include <filesystem>

#include "base/durable_file.h"
#include "base/json_writer.h"
#include "configs/program_store.h"
#include "configs/yaml.h"
#include "serving/api_client.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

constexpr FlagSpec kRevisionFlags[] = {
    {"if-revision", FlagSpec::Kind::kText, "REV", "put, delete: only if the file is at it"},
    {"dry-run", FlagSpec::Kind::kSwitch, "", "enable, disable, put: what it would do, and no more"},
};

std::string done_text(json::Value) { return "done\n"; }

// {"yaml": the file as it is, comments and all}
Result<std::string> file_body(const CliArguments& arguments) {
  const Result<std::string> text = read_text_file(arguments.operands[1]);
  if (!text.ok()) return text.error();
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.field("yaml", text.value());
  if (arguments.given("if-revision")) json.field("if_revision", arguments.text("if-revision"));
  json.end_object();
  return body;
}

}  // namespace

int show(const CliArguments& arguments, std::string_view method, const std::string& target,
         std::string_view body, AnswerText text) {
  Result<ApiClient> client = ApiClient::open(arguments);
  if (!client.ok()) return bad_usage(arguments, client.error().message);
  const Result<std::string> answer = client.value().call(method, target, body);
  if (!answer.ok()) return fail(arguments, answer.error());
  if (arguments.json) {
    std::printf("%s\n", answer.value().empty() ? "{}" : answer.value().c_str());
    return kExitDone;
  }
  json::Document document({.bytes_max = 64u << 20});
  const Result<json::Value> value = document.parse(answer.value().empty() ? "{}" : answer.value());
  if (!value.ok()) return fail(arguments, value.error().within("the engine's answer"));
  std::fputs(text(value.value()).c_str(), stdout);
  return kExitDone;
}

int dry_run_switch(const CliArguments& arguments, const std::string& target, bool enabled) {
  const char* body = enabled ? R"({"enabled":true})" : R"({"enabled":false})";
  return show(arguments, "POST", target + ":dry_run", body, dry_run_text);
}

int set_enabled(const CliArguments& arguments, const std::string& target, bool enabled,
                AnswerText text) {
  if (arguments.is_on("dry-run")) return dry_run_switch(arguments, target, enabled);
  Result<ApiClient> client = ApiClient::open(arguments);
  if (!client.ok()) return bad_usage(arguments, client.error().message);
  const Result<std::string> answer = client.value().call("GET", target);
  if (!answer.ok()) return fail(arguments, answer.error());
  json::Document document;
  const Result<json::Value> thing = document.parse(answer.value());
  std::string_view revision;
  if (!thing.ok() || !thing.value().find("revision").get(revision)) {
    return bad_usage(arguments, "the engine's answer has no revision");
  }
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.field("enabled", enabled);
  json.field("if_revision", revision);
  json.end_object();
  return show(arguments, "PATCH", target, body, text);
}

int put_file(const CliArguments& arguments, const std::string& collection, AnswerText text) {
  const std::string& file = arguments.operands[1];
  const Result<std::string> body = file_body(arguments);
  if (!body.ok()) return bad_usage(arguments, body.error().message);
  ConfigErrors errors;
  YamlNode root;
  const Result<std::string> yaml = read_text_file(file);
  if (!yaml.ok() || !parse_yaml(yaml.value(), file, root, errors)) {
    return bad_usage(arguments, yaml.ok() ? errors.front().to_string() : yaml.error().message);
  }
  const YamlNode* id = root.find("id");
  if (id == nullptr || id->text.empty()) return bad_usage(arguments, file + ": id: is missing");
  const std::string target = collection + "/" + percent_encode(id->text);
  if (arguments.is_on("dry-run")) {
    return show(arguments, "POST", target + ":dry_run", body.value(), dry_run_text);
  }
  return show(arguments, "PUT", target, body.value(), text);
}

int delete_one(const CliArguments& arguments, const std::string& target) {
  const std::string revision =
      arguments.given("if-revision") ? arguments.text("if-revision") : std::string();
  const std::string query = revision.empty() ? "" : "?if_revision=" + percent_encode(revision);
  return show(arguments, "DELETE", target + query, "", done_text);
}

const std::span<const FlagSpec> kProgramFlags = kRevisionFlags;

int stats_verb(const CliArguments& arguments) {
  return show(arguments, "GET", "/v1/stats", "", stats_text);
}

int program_verb(const CliArguments& arguments) {
  const std::string& what = arguments.operands[0];
  const bool listing = what == "ls", of_file = what == "put" || what == "validate";
  if (listing != (arguments.operands.size() == 1)) {
    return bad_usage(arguments, listing   ? "ls takes no ID"
                                : of_file ? what + " needs a FILE"
                                          : what + " needs an ID");
  }
  if (listing) return show(arguments, "GET", "/v1/programs", "", programs_table);
  if (what == "put") return put_file(arguments, "/v1/programs", program_text);
  if (what == "validate") {
    const Result<std::string> body = file_body(arguments);
    if (!body.ok()) return bad_usage(arguments, body.error().message);
    return show(arguments, "POST", "/v1/programs:validate", body.value(), validation_text);
  }
  const std::string target = "/v1/programs/" + percent_encode(arguments.operands[1]);
  if (what == "show") return show(arguments, "GET", target, "", program_text);
  if (what == "why") return show(arguments, "GET", target, "", shortfall_table);
  if (what == "forecast") return show(arguments, "GET", target + "/forecast", "", forecast_table);
  if (what == "enable") return set_enabled(arguments, target, true, program_text);
  if (what == "disable") return set_enabled(arguments, target, false, program_text);
  if (what == "delete") return delete_one(arguments, target);
  return bad_usage(arguments, "'" + what +
                                  "' is not allowed; allowed: ls, show ID, why ID, forecast ID, "
                                  "enable ID, disable ID, put FILE, validate FILE, delete ID");
}

int model_verb(const CliArguments& arguments) {
  const std::string& what = arguments.operands[0];
  if (what == "ls" && arguments.operands.size() == 1) {
    return show(arguments, "GET", "/v1/models", "", models_table);
  }
  if (what == "use" && arguments.operands.size() == 2) {
    std::string body;
    JsonWriter json(body);
    json.begin_object();
    json.field("version", arguments.operands[1]);
    json.end_object();
    return show(arguments, "PUT", "/v1/models/current", body, indented);
  }
  return bad_usage(arguments, "allowed: ls, use VERSION (text-1: vectors from text)");
}

int user_verb(const CliArguments& arguments) {
  const std::string& what = arguments.operands[0];
  const std::string target = "/v1/users/" + percent_encode(arguments.operands[1]);
  if (what == "show") return show(arguments, "GET", target, "", indented);
  if (what == "forget") return show(arguments, "DELETE", target, "", done_text);
  return bad_usage(arguments, "'" + what + "' is not allowed; allowed: show ID, forget ID");
}

int backup_verb(const CliArguments& arguments) {
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.field("directory", std::filesystem::absolute(arguments.operands[0]).string());
  json.end_object();
  return show(arguments, "POST", "/v1/backups", body, done_text);
}

int restore_verb(const CliArguments& arguments) {
  if (arguments.data_dir.empty()) return bad_usage(arguments, "--data-dir DIR is missing");
  const Status restored = restore_backup(arguments.operands[0], arguments.data_dir);
  if (!restored.ok()) return fail(arguments, restored.error());
  std::printf(arguments.json ? "{\"restored\":true}\n" : "restored, every record verified\n");
  return kExitDone;
}

}  // namespace shanhuo
