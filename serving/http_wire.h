// The bytes of an answer's head and the texts around a request that need no HTTP library; internal
// to the server. Pure functions but for the clock behind `date`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "serving/http.h"

namespace shanhuo {

struct ResponseFraming {
  bool keep_alive = true;
  bool http_1_0 = false;  // the client's version: it must be told about keep-alive
  std::string_view request_id;
};

// head = status-line, the answer's own lines, then date, x-request-id, content-length, connection
// and the empty line. Lines of the answer that hold control characters are left out: they would
// split the head. Appends to `out`.
void append_response_head(const HttpResponse& response, const ResponseFraming& framing,
                          std::string& out);

// "Application/JSON; charset=utf-8" -> "application/json".
std::string media_type(std::string_view content_type);

// The client's id if it is valid (contract 2), else 16 hex digits made of the two numbers.
std::string choose_request_id(std::string_view from_client, uint64_t seed, uint64_t sequence);

}  // namespace shanhuo
