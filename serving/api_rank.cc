// POST /v1/rank: validate at the edge, rank, answer.
#include "serving/http_api.h"
#include "serving/rank_codec.h"

namespace shanhuo {

void HttpApi::rank(Call& call) {
  const EngineOptions& options = engine_.options();
  const auto document = documents_.take();
  const std::optional<json::Value> body = parse(call, *document);
  if (!body) return;
  RankLimits limits;
  limits.candidates_max = static_cast<size_t>(options.api.candidates_max);
  limits.caller_clock = engine_.time().by_caller();
  limits.probabilities = options.calibration.score_kind == ScoreKind::kProbability;
  RankCall rank_call;
  json::FieldErrors errors;
  if (!decode_rank_call(*body, limits, rank_call, errors)) {
    engine_.metrics().rank_errors.add();
    call.respond(unprocessable(errors));
    return;
  }
  if (limits.caller_clock) engine_.time().advance(rank_call.request.now);
  rank_call.request.now = engine_.time().now();
  const int64_t timeout_ms = rank_call.timeout_ms.value_or(options.api.rank_timeout_ms);
  const int64_t deadline_ns = call.request.received_ns + timeout_ms * 1'000'000;
  RankAnswer answer = engine_.ranker().answer(rank_call, call.principal.caller,
                                              hash64(call.request.body), deadline_ns);
  if (answer.conflict) {
    engine_.metrics().rank_errors.add();
    call.respond(
        problem(409, "", "this request_id was sent within the last minutes with another body"));
    return;
  }
  engine_.metrics().rank_requests.add();
  engine_.metrics().rank_latency.observe_ns(monotonic_ns() - call.request.received_ns);
  call.respond(json_answer(200, std::move(answer.body)));
}

}  // namespace shanhuo
