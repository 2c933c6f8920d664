// The command line's side of the HTTP API: one engine, one token, errors as sentences.
//
// Wraps HttpClient (one connection, one thread). Answers of 2xx are values; every other one is an
// Error made from its problem+json: kNotFound for 404, kConflict for 409, kTooLarge for 413,
// kUnavailable for 429, 503 and an engine that cannot be reached, kIo for other
// 5xx, kInvalid for the rest. The token
// is sent and never shown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "serving/cli.h"
#include "serving/http_client.h"

namespace shanhuo {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kNdjsonType = "application/x-ndjson";

class ApiClient {
 public:
  ApiClient(const Endpoint& endpoint, const std::string& token);

  // kInvalid when the URL is none.
  static Result<ApiClient> open(const CliArguments& arguments);

  // The body of the answer. Tries once.
  Result<std::string> call(std::string_view method, std::string_view target,
                           std::string_view body = {}, std::string_view content_type = kJsonType);

  // The same, repeated while the engine sheds (429, 503: after its retry-after) or cannot be
  // reached (after 0.1 s, then twice that, at most 2 s), until `patience` has passed without an
  // answer or the process is interrupted. For calls that may be repeated without harm.
  Result<std::string> call_patiently(std::string_view method, std::string_view target,
                                     std::string_view body, std::string_view content_type,
                                     Millis patience);

  uint64_t retries() const { return retries_; }

 private:
  struct Attempt {
    Result<std::string> result;
    Millis retry_after;  // what the engine asked for; 0: nothing
  };
  Attempt attempt(std::string_view method, std::string_view target, std::string_view body,
                  std::string_view content_type);

  HttpClient http_;
  HttpClient::Headers headers_;  // authorization, when there is a token; then content-type
  std::string place_;            // host:port, for messages
  uint64_t retries_ = 0;
};

// What an answer that is no success says: its detail, and the first fields that are wrong.
Error error_of_answer(const HttpResponse& answer);

}  // namespace shanhuo
