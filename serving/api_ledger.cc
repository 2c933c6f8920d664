// GET /v1/ledger and /v1/ledger/{entry}/proof: the public ledger, page by page, and proofs that an
// entry is in it.
#include <optional>

#include "serving/http_api.h"
#include "serving/ledger_lines.h"
#include "serving/query_params.h"

namespace shanhuo {
namespace {

constexpr uint64_t kPageMax = 10'000;     // entries of one answer
constexpr uint64_t kScannedMax = 50'000;  // entries looked at for one answer

struct LedgerQuery {
  Millis from{0}, to{INT64_MAX};
  uint64_t cursor = 0, limit = 1'000;
  bool ndjson = false;
};

LedgerQuery read_query(const HttpRequest& request, std::vector<FieldError>& errors) {
  LedgerQuery query;
  query.ndjson = request.header("accept").find("application/x-ndjson") != std::string_view::npos;
  if (const auto format = request.param("format")) {
    query.ndjson = *format == "ndjson";
    if (!query.ndjson && *format != "json") errors.push_back({"?format", "must be json or ndjson"});
  }
  if (query.ndjson) query.limit = kPageMax;
  const bool timed = request.param("from").has_value() || request.param("to").has_value();
  read_period(request, std::nullopt, query.from, query.to, errors);
  if (query.ndjson && timed) {
    errors.push_back({"?from", "an export is whole; leave from and to out"});
  }
  read_count(request, "cursor", query.cursor, 0, UINT64_MAX, errors);
  read_count(request, "limit", query.limit, 1, kPageMax, errors);
  return query;
}

// The page as lines of an export: together, the pages are one.
std::string as_lines(const LedgerPiece& piece, const LedgerKeys& keys) {
  std::string out;
  if (piece.first == 0) out += std::string(kLedgerHeader) + keys.public_key() + "\"}\n";
  auto checkpoint = piece.checkpoints.begin();
  for (size_t i = 0; i < piece.bodies.size(); ++i) {
    out += entry_line(piece.bodies[i], entry_hash(piece.bodies[i])) + "\n";
    if (checkpoint == piece.checkpoints.end() || checkpoint->first != piece.first + i) continue;
    out += checkpoint->second + "\n";
    ++checkpoint;
  }
  if (piece.first + piece.bodies.size() >= piece.size) out += piece.head + "\n";
  return out;
}

std::string as_json(const LedgerPiece& piece, const LedgerQuery& query, const LedgerKeys& keys) {
  std::string out =
      "{\"public_key\":\"" + keys.public_key() + "\",\"head\":" + piece.head + ",\"entries\":[";
  uint64_t shown = 0, next = piece.first;
  for (const std::string& body : piece.bodies) {
    if (shown == query.limit) break;
    ++next;
    const Millis ts(ledger_number(body, "ts_ms").value_or(0));
    if (ts < query.from || ts >= query.to) continue;
    out += (shown++ == 0 ? "" : ",") + entry_line(body, entry_hash(body));
  }
  out += "]";
  if (next < piece.size) out += ",\"next\":" + std::to_string(next);
  return out + "}";
}

}  // namespace

void HttpApi::get_ledger(Call& call) {
  std::vector<FieldError> errors;
  const LedgerQuery query = read_query(call.request, errors);
  if (!errors.empty()) return call.respond(problem(422, "", "the query is wrong", errors));
  const bool timed = query.from > Millis(0) || query.to < Millis(INT64_MAX);
  const Result<LedgerPiece> piece = read_ledger(engine_.giving(), engine_.stored(), query.cursor,
                                                timed ? kScannedMax : query.limit);
  if (!piece.ok()) return call.respond(problem(piece.error()));
  const LedgerKeys& keys = engine_.giving().keys();
  if (!query.ndjson) {
    return call.respond(json_answer(200, as_json(piece.value(), query, keys)));
  }
  HttpResponse response = json_answer(200, as_lines(piece.value(), keys));
  response.content_type = "application/x-ndjson";
  call.respond(std::move(response));
}

void HttpApi::get_proof(Call& call) {
  const std::optional<uint64_t> entry = whole_number(call.arguments[0]);
  if (!entry) return call.respond(problem(404, "", "the ledger has no such entry"));
  const Result<LedgerProof> proof = prove_entry(engine_.giving(), engine_.stored(), *entry);
  if (!proof.ok()) return call.respond(problem(proof.error()));
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("entry", *entry);
  json.field("line", proof.value().line);
  json.field("checkpoint", proof.value().checkpoint);
  json.field("index", proof.value().index);
  json.key("path");
  json.begin_array();
  for (const Digest& hash : proof.value().path) json.value(to_hex(hash));
  json.end_array();
  json.field("public_key", engine_.giving().keys().public_key());
  json.end_object();
  call.respond(json_answer(200, std::move(out)));
}

}  // namespace shanhuo
