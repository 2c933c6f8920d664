#include "serving/audit_verbs.h"

#include <cstdio>

#include "base/json_writer.h"
#include "serving/answer_text.h"
#include "serving/api_client.h"
#include "serving/config_json.h"
#include "serving/experiment_verbs.h"
#include "serving/operator_verbs.h"
#include "serving/serve.h"

namespace shanhuo {
namespace {

constexpr FlagSpec kFlags[] = {
    {"book", FlagSpec::Kind::kText, "NAME",
     "changes, or reads: who looked at whose data, people by a keyed hash", "changes"},
    {"file", FlagSpec::Kind::kText, "FILE", "verify: this book, not the data folder's"},
    {"from", FlagSpec::Kind::kTime, "TIME", "ls: changes since then"},
    {"until", FlagSpec::Kind::kTime, "TIME", "ls: changes before then"},
    {"limit", FlagSpec::Kind::kInteger, "N", "ls: the newest so many", "100", 1, 1000},
};

int list(const CliArguments& arguments) {
  std::string target = "/v1/audit?limit=" + std::to_string(arguments.integer("limit")) +
                       "&book=" + percent_encode(arguments.text("book"));
  if (arguments.given("from")) target += "&from=" + std::to_string(arguments.time("from").count());
  if (arguments.given("until")) target += "&to=" + std::to_string(arguments.time("until").count());
  return show(arguments, "GET", target, "", audit_text);
}

int verify(const CliArguments& arguments) {
  std::string file = arguments.text("file");
  if (file.empty()) {
    std::string folder = arguments.data_dir;
    if (folder.empty()) {
      ConfigErrors errors;
      folder = read_options(arguments, errors).data_dir;
      if (!errors.empty()) return bad_usage(arguments, errors.front().to_string());
    }
    file = folder + "/" + arguments.text("book") + ".ndjson";
  }
  const Result<AuditReport> report = verify_audit(file);
  if (!report.ok()) return fail(arguments, report.error());
  std::string out;
  if (arguments.json) {
    JsonWriter json(out);
    write_audit_report(json, report.value());
    out += "\n";
  } else {
    out = audit_report_text(report.value());
  }
  std::fputs(out.c_str(), stdout);
  return report.value().wrong.empty() ? kExitDone : kExitFailed;
}

}  // namespace

const std::span<const FlagSpec> kAuditFlags = kFlags;

int audit_verb(const CliArguments& arguments) {
  const std::string& what = arguments.operands[0];
  if (what == "ls") return list(arguments);
  if (what == "verify") return verify(arguments);
  return bad_usage(arguments, "'" + what + "' is not allowed; allowed: ls, verify");
}

int boosting_verb(const CliArguments& arguments) {
  const std::string& what = arguments.operands[0];
  const std::string target = "/v1/boosting";
  if (what == "show") return show(arguments, "GET", target, "", boosting_text);
  if (what != "on" && what != "off") {
    return bad_usage(arguments, "'" + what + "' is not allowed; allowed: show, on, off");
  }
  const char* body = what == "on" ? R"({"enabled":true})" : R"({"enabled":false})";
  return show(arguments, "PUT", target, body, boosting_text);
}

std::string audit_text(json::Value answer) {
  std::string out;
  for (const json::Value change : answer.find("changes").elements()) {
    out += time_of(change.find("at_ms")) + "  " + text_member(change, "who") + "  " +
           text_member(change, "kind") + " " + text_member(change, "id") + "\n  " +
           text_member(change, "what") + "\n";
  }
  bool whole = false;
  answer.find("chain").find("ok").get(whole);
  if (!whole) out += "the book was tampered with: shanhuo audit verify\n";
  return out;
}

std::string boosting_text(json::Value answer) {
  bool enabled = true;
  answer.find("enabled").get(enabled);
  std::string out = enabled ? "boosting is on\n" : "boosting is OFF: all pages are organic\n";
  for (const json::Value error : answer.find("errors").elements()) {
    std::string_view text;
    error.get(text);
    out += "refused: " + std::string(text) + "\n";
  }
  return out + history_text(answer);
}

std::string audit_report_text(const AuditReport& report) {
  std::string out;
  for (const AuditProblem& problem : report.wrong) {
    out += problem.file + (problem.line > 0 ? ":" + std::to_string(problem.line) : "") + ": " +
           problem.what + "\n";
  }
  if (report.unchained > 0) {
    out += with_separators(report.unchained) + " lines are older than the chain\n";
  }
  if (report.torn) out += "a crash has cut the last line; its change was not made\n";
  if (!report.wrong.empty()) return out + "the book was tampered with\n";
  return out + "whole: " + with_separators(report.lines) + " lines" +
         (report.ends.empty() ? "" : ", the newest is " + report.ends) + "\n";
}

}  // namespace shanhuo
