// What keeps operators safe: the book of changes as they read it, and the switch of all boosting.
#include <limits>

#include "serving/config_json.h"
#include "serving/http_api.h"
#include "serving/query_params.h"

namespace shanhuo {
namespace {

constexpr size_t kAuditShown = 100, kAuditShownMax = 1'000;
constexpr size_t kHistoryShown = 20;

}  // namespace

void HttpApi::get_audit(Call& call) {
  std::vector<FieldError> errors;
  Millis from(0), to(std::numeric_limits<int64_t>::max());
  uint64_t limit = kAuditShown;
  const std::string_view which = call.request.param("book").value_or("changes");
  if (which != "changes" && which != "reads") {
    errors.push_back({"?book", "must be changes or reads"});
  }
  read_period(call.request, std::nullopt, from, to, errors);
  read_count(call.request, "limit", limit, 1, kAuditShownMax, errors);
  if (!errors.empty()) return call.respond(problem(422, "", "the query is wrong", errors));
  const ChangeBook& book = which == "reads" ? engine_.reads() : engine_.changes();
  const auto changes = book.between(from, to, limit);
  if (!changes.ok()) return call.respond(problem(changes.error()));
  const Result<AuditReport> verified = book.verify();
  if (!verified.ok() && verified.error().code != ErrorCode::kNotFound) {
    return call.respond(problem(verified.error()));
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("changes");
  json.begin_array();
  for (const RecordedChange& change : changes.value()) write_change(json, change);
  json.end_array();
  json.key("chain");
  write_audit_report(json, verified.ok() ? verified.value() : AuditReport());
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::approve_experiment(Call& call) {
  const std::shared_ptr<const ExperimentSet> set = engine_.experiments().current();
  const int index = set->find(call.arguments[0]);
  if (index < 0) return call.respond(problem(404, "", "no such experiment"));
  const Status approved = engine_.watch().approve(set->experiments()[static_cast<size_t>(index)],
                                                  call.principal.caller);
  if (!approved.ok()) return call.respond(problem(approved.error()));
  show_experiment(call);
}

void HttpApi::get_boosting(Call& call) {
  const BoostingSwitch& boosting = engine_.boosting();
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("enabled", boosting.enabled());
  json.field("revision", boosting.revision());
  write_errors(json, boosting.errors());
  write_changes(json, engine_.changes().last("boosting", "all", kHistoryShown));
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::put_boosting(Call& call) {
  const std::optional<ConfigBody> body = read_config(call);
  if (!body) return;
  const bool good = !body->yaml && body->fields.size() == 1 && body->fields[0].first == "enabled" &&
                    body->fields[0].second.is_bool();
  if (!good) {
    return call.respond(
        problem(422, "", "the body is wrong",
                {{"/enabled", "must be true or false; beside it, if_revision alone"}}));
  }
  const Result<ConfigChange> changed = engine_.set_boosting(
      body->fields[0].second.as_bool(), body->if_revision, call.principal.caller);
  if (!changed.ok()) return call.respond(problem(changed.error()));
  get_boosting(call);
}

}  // namespace shanhuo
