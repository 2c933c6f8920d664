// POST /v1/rank: validate at the edge, rank, answer.
#include "serving/http_api.h"
#include "serving/rank_codec.h"

namespace shanhuo {
namespace {

constexpr std::string_view kProtobuf = "application/x-protobuf";

// A request repeated in the other format is another body, whatever its bytes.
uint64_t body_hash(const HttpRequest& request, RankFormat format) {
  const uint64_t hash = hash64(request.body);
  return format == RankFormat::kJson ? hash : hash_combine(hash, static_cast<uint64_t>(format));
}

}  // namespace

bool HttpApi::read_rank_call(Call& call, const RankLimits& limits, json::Document& document,
                             RankProtoDecoder& decoder, RankCall& rank_call) {
  json::FieldErrors errors;
  if (call.request.content_type == kProtobuf) {
    const Status decoded = decoder.decode(call.request.body, limits, rank_call, errors);
    if (decoded.ok()) return true;
    if (errors.empty()) {
      call.respond(problem(400, "", decoded.error().message));
      return false;
    }
  } else {
    const std::optional<json::Value> body = parse(call, document);
    if (!body) return false;
    if (decode_rank_call(*body, limits, rank_call, errors)) return true;
  }
  engine_.metrics().rank_errors.add();
  call.respond(unprocessable(errors));
  return false;
}

RankLimits HttpApi::rank_limits() const {
  const EngineOptions& options = engine_.options();
  RankLimits limits;
  limits.candidates_max = static_cast<size_t>(options.api.candidates_max);
  limits.caller_clock = engine_.time().by_caller();
  limits.probabilities = options.calibration.score_kind == ScoreKind::kProbability;
  return limits;
}

void HttpApi::rank(Call& call) {
  const EngineOptions& options = engine_.options();
  const RankLimits limits = rank_limits();
  const auto document = documents_.take();
  const auto decoder = rank_decoders_.take();
  RankCall rank_call;
  if (!read_rank_call(call, limits, *document, *decoder, rank_call)) return;
  if (limits.caller_clock) engine_.time().advance(rank_call.request.now);
  rank_call.request.now = engine_.time().now();
  const int64_t timeout_ms = rank_call.timeout_ms.value_or(options.api.rank_timeout_ms);
  const int64_t deadline_ns = call.request.received_ns + timeout_ms * 1'000'000;
  RankAnswer answer = engine_.ranker().answer(
      rank_call, call.principal.caller, body_hash(call.request, rank_call.format), deadline_ns);
  if (answer.conflict) {
    engine_.metrics().rank_errors.add();
    call.respond(
        problem(409, "", "this request_id was sent within the last minutes with another body"));
    return;
  }
  engine_.metrics().rank_requests.add();
  engine_.metrics().rank_latency.observe_ns(monotonic_ns() - call.request.received_ns);
  HttpResponse response = json_answer(200, std::move(answer.body));
  if (rank_call.format == RankFormat::kProtobuf) response.content_type = kProtobuf;
  call.respond(std::move(response));
  engine_.recent().offer(rank_call.request, rank_call.format, call.request.body,
                         call.request.received_ns);
}

}  // namespace shanhuo
