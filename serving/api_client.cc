#include "serving/api_client.h"

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "serving/answer_text.h"
#include "serving/problem.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

constexpr int kTimeoutMs = 60'000;
constexpr Millis kRetryAfterMax{30'000};
constexpr Millis kBackoffFirst{100}, kBackoffMax{2'000};
constexpr size_t kErrorsShown = 5;

ErrorCode code_of_status(int status) {
  switch (status) {
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case 413:
      return ErrorCode::kTooLarge;
    case 429:
    case 503:
      return ErrorCode::kUnavailable;
    default:
      return status >= 500 ? ErrorCode::kIo : ErrorCode::kInvalid;
  }
}

Millis retry_after_of(const HttpResponse& answer) {
  const std::string_view text = answer.header("retry-after");
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return Millis(0);
  return std::min(Millis(std::min<int64_t>(seconds, 3600) * 1000), kRetryAfterMax);
}

}  // namespace

Error error_of_answer(const HttpResponse& answer) {
  Error error{code_of_status(answer.status),
              std::to_string(answer.status) + " " + std::string(status_phrase(answer.status))};
  json::Document document;
  const Result<json::Value> body = document.parse(answer.body);
  if (!body.ok()) return error;
  const std::string detail = text_member(body.value(), "detail");
  if (!detail.empty()) error.message += ": " + detail;
  size_t shown = 0;
  for (const json::Value wrong : body.value().find("errors").elements()) {
    if (shown++ == kErrorsShown) break;
    error.message += "\n  " + text_member(wrong, "pointer") + ": " + text_member(wrong, "detail");
  }
  return error;
}

ApiClient::ApiClient(const Endpoint& endpoint, const std::string& token)
    : http_(endpoint), place_(endpoint.host + ":" + std::to_string(endpoint.port)) {
  if (!token.empty()) headers_.emplace_back("authorization", "Bearer " + token);
  headers_.emplace_back("content-type", "");
}

Result<ApiClient> ApiClient::open(const CliArguments& arguments) {
  Result<Endpoint> endpoint = parse_endpoint(arguments.url);
  if (!endpoint.ok()) return endpoint.error().within("--to");
  return ApiClient(std::move(endpoint).value(), arguments.token);
}

ApiClient::Attempt ApiClient::attempt(std::string_view method, std::string_view target,
                                      std::string_view body, std::string_view content_type) {
  headers_.back().second = content_type;
  Result<HttpResponse> answer = http_.request(method, target, headers_, body, kTimeoutMs);
  if (!answer.ok()) return {answer.error().within("engine at " + place_), Millis(0)};
  if (answer.value().status >= 200 && answer.value().status < 300) {
    return {std::move(answer.value().body), Millis(0)};
  }
  return {error_of_answer(answer.value()), retry_after_of(answer.value())};
}

Result<std::string> ApiClient::call(std::string_view method, std::string_view target,
                                    std::string_view body, std::string_view content_type) {
  return attempt(method, target, body, content_type).result;
}

Result<std::string> ApiClient::call_patiently(std::string_view method, std::string_view target,
                                              std::string_view body, std::string_view content_type,
                                              Millis patience) {
  const int64_t give_up_ns = monotonic_ns() + patience.count() * 1'000'000;
  Millis backoff = kBackoffFirst;
  for (;;) {
    Attempt made = attempt(method, target, body, content_type);
    if (made.result.ok() || made.result.error().code != ErrorCode::kUnavailable) {
      return std::move(made.result);
    }
    const Millis wait = std::max(made.retry_after, backoff);
    if (monotonic_ns() + wait.count() * 1'000'000 > give_up_ns) return std::move(made.result);
    if (!sleep_unless_interrupted(wait)) return std::move(made.result);
    backoff = std::min(backoff + backoff, kBackoffMax);
    ++retries_;
  }
}

}  // namespace shanhuo
