#include "serving/problem.h"

#include "base/json_writer.h"

namespace shanhuo {

std::string_view status_phrase(int status) {
  switch (status) {
    // clang-format off
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    default: return "";
      // clang-format on
  }
}

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return 422;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kConflict:
      return 409;
    case ErrorCode::kTooLarge:
      return 413;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
      return 500;
  }
  return 500;
}

HttpResponse problem(int status, std::string_view title, std::string_view detail,
                     const std::vector<FieldError>& errors) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/problem+json";
  JsonWriter json(response.body);
  json.begin_object();
  json.field("type", "about:blank");
  json.field("title", title.empty() ? status_phrase(status) : title);
  json.field("status", status);
  if (errors.size() > kFieldErrorsMax) {
    json.field("detail", std::string(detail) + " (the first " + std::to_string(kFieldErrorsMax) +
                             " of " + std::to_string(errors.size()) + " errors are listed)");
  } else if (!detail.empty()) {
    json.field("detail", detail);
  }
  if (!errors.empty()) {
    json.key("errors");
    json.begin_array();
    for (size_t i = 0; i < errors.size() && i < kFieldErrorsMax; ++i) {
      json.begin_object();
      json.field("pointer", errors[i].pointer);
      json.field("detail", errors[i].detail);
      json.end_object();
    }
    json.end_array();
  }
  json.end_object();
  return response;
}

HttpResponse problem(const Error& error) {
  const int status = http_status(error.code);
  HttpResponse response = problem(status, "", error.message);
  if (status == 503) response.with("retry-after", "1");
  return response;
}

}  // namespace shanhuo
