// Rank requests. The first byte chooses the limits: bit 0 `clock: caller`, bit 1 `score_kind:
// probability`. Holds whatever the bytes are: false exactly when there are errors; what was taken
// obeys the contract's bounds; the organic answer to it is JSON with every candidate in its place.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/check.h"
#include "serving/rank_codec.h"

namespace shanhuo {
namespace {

void check_request(const RankCall& call, const RankLimits& limits) {
  const RankRequest& request = call.request;
  CHECK(valid_id(request.request_id));
  CHECK(valid_id(request.user_id) || (request.user_id.empty() && valid_id(request.room_id)));
  CHECK(request.count >= 1 && request.count <= kCountMax);
  CHECK(request.candidates.size() <= limits.candidates_max);
  CHECK(!call.timeout_ms || *call.timeout_ms >= 0);
  std::set<std::string_view> ids;
  for (const RankCandidate& candidate : request.candidates) {
    CHECK(valid_id(candidate.item_id));
    CHECK(ids.insert(candidate.item_id).second);
    CHECK(std::isfinite(candidate.score));
    CHECK(!limits.probabilities || (candidate.score >= 0 && candidate.score <= 1));
  }
  if (request.place) {
    CHECK(std::abs(request.place->lat) <= 90 && std::abs(request.place->lon) <= 180);
  }
}

void check_answer(const RankRequest& request) {
  Slate slate;
  for (const RankCandidate& candidate : request.candidates) {
    slate.items.emplace_back();
    slate.items.back().item_id = candidate.item_id;
    slate.items.back().score = candidate.score;
  }
  std::string out;
  JsonWriter json(out);
  write_rank_answer(json, request, slate, std::vector<std::string>(slate.items.size()),
                    ProgramSet(), RankVersions());
  json::Document document;
  const Result<json::Value> answer = document.parse(out);
  CHECK(answer.ok());
  std::string_view id;
  CHECK(answer.value().find("request_id").get(id) && id == request.request_id);
  CHECK(answer.value().find("items").size() == slate.items.size());
  size_t position = 0;
  for (const json::Value item : answer.value().find("items").elements()) {
    CHECK(item.find("item_id").get(id) && id == slate.items[position].item_id);
    double score = 0;
    CHECK(item.find("score").get(score) && score == slate.items[position].score);
    ++position;
  }
}

void run(std::string_view input) {
  if (input.empty()) return;
  RankLimits limits;
  limits.candidates_max = 50;
  limits.caller_clock = (input.front() & 1) != 0;
  limits.probabilities = (input.front() & 2) != 0;
  json::Document document;
  const Result<json::Value> body = document.parse(input.substr(1));
  if (!body.ok()) return;
  RankCall call;
  json::FieldErrors errors;
  const bool taken = decode_rank_call(body.value(), limits, call, errors);
  CHECK(taken == errors.empty());
  if (!taken) return;
  check_request(call, limits);
  check_answer(call.request);
}

}  // namespace
}  // namespace shanhuo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  shanhuo::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
