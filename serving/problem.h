// Answers that say what is wrong: RFC 9457 `application/problem+json`,
//
//   {"type":"about:blank","title":"Unprocessable Content","status":422,"detail":"2 fields are
//   wrong",
//    "errors":[{"pointer":"/candidates/3/score","detail":"must be a finite number"}]}
//
// with every wrong field at once. The only place that knows which failure is which status.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serving/http.h"

namespace shanhuo {

struct FieldError {
  std::string pointer;  // RFC 6901, "" is the whole body
  std::string detail;   // what is wrong, and what is allowed
};

inline constexpr size_t kFieldErrorsMax = 100;  // listed in one answer; `detail` counts them all

// `title` empty: the standard phrase of the status. No `errors` member when there are none.
HttpResponse problem(int status, std::string_view title, std::string_view detail,
                     const std::vector<FieldError>& errors = {});

// The status and text of an Error; 503 carries `retry-after: 1`. kCorrupt and kIo are 500.
HttpResponse problem(const Error& error);

int http_status(ErrorCode code);             // kInvalid is 422
std::string_view status_phrase(int status);  // "Not Found"; "" for a status we never send

}  // namespace shanhuo
