#include "serving/experiment_verbs.h"

#include <cstdio>

#include "base/json_writer.h"
#include "serving/answer_text.h"
#include "serving/api_client.h"
#include "serving/operator_verbs.h"

namespace shanhuo {
namespace {

constexpr std::string_view kAllowed =
    "ls, show ID, results ID [PHASE], history ID, enable ID, disable ID, put FILE, delete ID, "
    "diff ID [FROM [TO]], revert ID REVISION, why VIEWER, approve ID, ramp ID [hold|continue]";

std::string object_of(std::string_view key, std::string_view value) {
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.field(key, value);
  json.end_object();
  return body;
}

// A member of what the engine answers; empty: there is none.
Result<std::string> member_of(ApiClient& client, const std::string& target, std::string_view name) {
  const Result<std::string> answer = client.call("GET", target);
  if (!answer.ok()) return answer.error();
  json::Document document;
  const Result<json::Value> value = document.parse(answer.value());
  if (!value.ok()) return value.error();
  return text_member(value.value(), name);
}

// The revision that the last change came from.
Result<std::string> before_last(ApiClient& client, const std::string& target) {
  const Result<std::string> answer = client.call("GET", target + "/history");
  if (!answer.ok()) return answer.error();
  json::Document document;
  const Result<json::Value> value = document.parse(answer.value());
  if (!value.ok()) return value.error();
  for (const json::Value change : value.value().find("history").elements()) {
    const std::string from = text_member(change, "from");
    if (!from.empty() && from != text_member(change, "to")) return from;
    if (from.empty()) break;
  }
  return Error{ErrorCode::kNotFound, "there is no change to show; name a revision"};
}

// Between two revisions; from the last change's, to what is live, unless they are named.
int diff(const CliArguments& arguments, const std::string& target) {
  Result<ApiClient> client = ApiClient::open(arguments);
  if (!client.ok()) return bad_usage(arguments, client.error().message);
  const auto& operands = arguments.operands;
  const Result<std::string> from =
      operands.size() > 2 ? Result<std::string>(operands[2]) : before_last(client.value(), target);
  if (!from.ok()) return fail(arguments, from.error());
  const Result<std::string> to = operands.size() > 3
                                     ? Result<std::string>(operands[3])
                                     : member_of(client.value(), target, "revision");
  if (!to.ok()) return fail(arguments, to.error());
  const std::string history = target + "/history?revision=";
  const Result<std::string> before =
      member_of(client.value(), history + percent_encode(from.value()), "yaml");
  if (!before.ok()) return fail(arguments, before.error());
  const Result<std::string> after =
      member_of(client.value(), history + percent_encode(to.value()), "yaml");
  if (!after.ok()) return fail(arguments, after.error());
  const std::string difference = line_difference(before.value(), after.value());
  std::string out = "--- " + from.value() + "\n+++ " + to.value() + "\n" + difference;
  if (arguments.json) out = object_of("difference", difference) + "\n";
  std::fputs(out.c_str(), stdout);
  return kExitDone;
}

int hold_ramp(const CliArguments& arguments, const std::string& target) {
  const std::string& what = arguments.operands[2];
  if (what != "hold" && what != "continue") {
    return bad_usage(arguments, "'" + what + "' is not allowed; allowed: hold, continue");
  }
  const char* body = what == "hold" ? R"({"ramp":{"held":true}})" : R"({"ramp":{"held":false}})";
  return show(arguments, "PATCH", target, body, ramp_text);
}

}  // namespace

int experiment_verb(const CliArguments& arguments) {
  const std::string& what = arguments.operands[0];
  const size_t count = arguments.operands.size();
  if (what == "ls" && count == 1) {
    return show(arguments, "GET", "/v1/experiments", "", experiments_table);
  }
  if (count == 1)
    return bad_usage(arguments, what + " is not enough; allowed: " + std::string(kAllowed));
  const std::string& operand = arguments.operands[1];
  const std::string target = "/v1/experiments/" + percent_encode(operand);
  if (what == "diff") return diff(arguments, target);
  if (what == "revert" && count == 3) {
    return show(arguments, "POST", target + "/revert", object_of("to", arguments.operands[2]),
                experiment_text);
  }
  if (what == "ramp" && count == 3) return hold_ramp(arguments, target);
  if (what == "results" && count <= 3) {
    const std::string phase =
        count == 3 ? "?phase=" + percent_encode(arguments.operands[2]) : std::string();
    return show(arguments, "GET", target + "/results" + phase, "", results_text);
  }
  if (count == 2) {
    if (what == "ramp") return show(arguments, "GET", target, "", ramp_text);
    if (what == "approve") return show(arguments, "POST", target + ":approve", "{}", ramp_text);
    if (what == "show") return show(arguments, "GET", target, "", experiment_text);
    if (what == "history") return show(arguments, "GET", target + "/history", "", history_text);
    if (what == "enable") return set_enabled(arguments, target, true, experiment_text);
    if (what == "disable") return set_enabled(arguments, target, false, experiment_text);
    if (what == "put") return put_file(arguments, "/v1/experiments", experiment_text);
    if (what == "delete") return delete_one(arguments, target);
    if (what == "why") {
      return show(arguments, "POST", "/v1/experiments:why", object_of("user_id", operand),
                  assignments_table);
    }
  }
  return bad_usage(arguments,
                   "'" + what + "' with that is not allowed; allowed: " + std::string(kAllowed));
}

}  // namespace shanhuo
