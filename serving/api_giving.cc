// Causes, pledges and points (contract 2.7, docs/giving.md).
#include <map>

#include "features/counts.h"
#include "serving/http_api.h"

namespace shanhuo {
namespace {

struct CauseRow {
  std::string title;
  const GivingRule* rule = nullptr;
  const CauseRule* cause = nullptr;
  CauseTotals totals;
};
using CauseRows = std::map<std::string, CauseRow>;

// Items of kind cause, what rules name, and what has been given to: a walk over the catalogue, for
// a page that is looked at rarely.
CauseRows rows_of(const Catalogue& catalogue, const GivingRules& rules, const GivingBook& book) {
  CauseRows rows;
  for (const auto& chunk : catalogue.chunks) {
    if (!chunk) continue;
    for (const auto& item : *chunk) {
      if (item && item->item.kind == ItemKind::kCause) {
        rows[item->item.id.str()].title = item->item.title;
      }
    }
  }
  for (const GivingRule& rule : rules.rules) {
    for (const CauseRule& cause : rule.causes) {
      rows[cause.cause].rule = &rule;
      rows[cause.cause].cause = &cause;
    }
  }
  for (const auto& [id, totals] : book.causes()) rows[id].totals = totals;
  return rows;
}

void write_progress(JsonWriter& json, const CauseRow& row) {
  if (row.cause != nullptr) {
    json.field("rule", row.rule->id);
    json.field("threshold", row.cause->threshold);
    json.field("per", row.cause->each ? "viewer" : "all");
    json.field("repeats", row.cause->each || row.cause->repeats);
  }
  json.field("points", row.totals.points);
  json.field("towards", row.totals.towards);
  json.field("executions", row.totals.executions);
  json.field("backers", row.totals.backers);
}

std::string refusal(const PledgeOutcome& outcome) {
  const std::string number = std::to_string(outcome.number);
  switch (outcome.verdict) {
    case PledgeVerdict::kUnknownCause:
      return "no rule of giving takes points for this cause";
    case PledgeVerdict::kTooFew:
      return "the viewer has " + number + " points for it";
    case PledgeVerdict::kTooMany:
      return "the cause takes " + number + " more points";
    case PledgeVerdict::kExecuted:
      return "the cause has all that it asked for";
    case PledgeVerdict::kNoMultiple:
      return "must be a multiple of " + number;
    case PledgeVerdict::kOtherBody:
      return "this request_id was another pledge's";
    case PledgeVerdict::kDone:
      break;
  }
  return "";
}

}  // namespace

void HttpApi::list_causes(Call& call) {
  const std::shared_ptr<const GivingRules> rules = engine_.giving().rules();
  const CauseRows rows = rows_of(*engine_.catalogue(), *rules, engine_.giving());
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("causes");
  json.begin_array();
  for (const auto& [id, row] : rows) {
    json.begin_object();
    json.field("cause", id);
    if (!row.title.empty()) json.field("title", row.title);
    write_progress(json, row);
    json.field("donations", row.totals.donations);
    json.field("donated_fen", row.totals.donated_fen);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::post_pledge(Call& call) {
  const auto document = documents_.take();
  const std::optional<json::Value> body = parse(call, *document);
  if (!body) return;
  constexpr std::array<std::string_view, 3> kNames = {"request_id", "user_id", "points"};
  std::array<json::Value, 3> values;
  json::FieldErrors errors;
  const json::Pointer root, request_at(root, kNames[0]), user_at(root, kNames[1]),
      points_at(root, kNames[2]);
  Pledge pledge{.cause = call.arguments[0]};
  if (json::read_fields(*body, kNames, values, root, errors)) {
    pledge.request_id = json::id_of(values[0], request_at, errors).value_or("");
    pledge.user_id = json::id_of(values[1], user_at, errors).value_or("");
    pledge.points = json::integer_of(values[2], 1, kPledgePointsMax, points_at, errors).value_or(0);
  }
  if (!errors.empty()) return call.respond(unprocessable(errors));
  if (!valid_id(pledge.cause)) return call.respond(problem(404, "", "no such cause"));
  const Result<PledgeOutcome> decided = engine_.pledge(pledge);
  if (!decided.ok()) return call.respond(problem(decided.error()));
  const PledgeOutcome& outcome = decided.value();
  if (outcome.verdict == PledgeVerdict::kNoMultiple) {
    errors.add(points_at, refusal(outcome));
    return call.respond(unprocessable(errors));
  }
  if (outcome.verdict != PledgeVerdict::kDone) {
    const int status = outcome.verdict == PledgeVerdict::kUnknownCause ? 404 : 409;
    return call.respond(problem(status, "", refusal(outcome)));
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("request_id", pledge.request_id);
  json.field("cause", pledge.cause);
  json.field("points", pledge.points);
  json.field("entry", outcome.entry);
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

void HttpApi::get_points(Call& call) {
  if (!note_read(call, "the points were read")) return;
  const std::string& id = call.arguments[0];
  const GivingAccount account = engine_.giving().account(id).value_or(GivingAccount{});
  const std::shared_ptr<const GivingRules> rules = engine_.giving().rules();
  const CauseRows rows = rows_of(Catalogue(), *rules, engine_.giving());
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("user_id", id);
  if (!account.name.empty()) json.field("account", account.name);
  json.key("points");
  json.begin_array();
  for (const PointsLot& lot : account.lots) {
    json.begin_object();
    json.field("rule", lot.rule);
    json.field("points", lot.points);
    json.field("expires_ms", start_of_day(lot.day + 1).count());
    json.end_object();
  }
  json.end_array();
  json.key("pledged");
  json.begin_array();
  for (const PledgedPoints& given : account.pledged) {
    json.begin_object();
    json.field("cause", given.cause);
    json.field("pledged", given.points);
    if (const auto row = rows.find(given.cause); row != rows.end())
      write_progress(json, row->second);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

}  // namespace shanhuo
