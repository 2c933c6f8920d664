// What a request and an answer are to the rest of serving/: plain values, no socket, no library.
//
//   http_server.h   bytes -> HttpRequest -> Handler -> Responder -> bytes
//   http_client.h   the other side
//   problem.h       answers that say what is wrong
//
// Ownership: requests and answers own every byte they show. Views returned by header() and param()
// live as long as the request stands where it is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace shanhuo {

// Header lines in the order of arrival, kept in one string. Names are compared without case.
class HeaderList {
 public:
  void add(std::string_view name, std::string_view value);
  // The first value of that name; empty when there is none.
  std::string_view get(std::string_view name) const;
  size_t count(std::string_view name) const;
  size_t size() const { return lines_.size(); }

 private:
  struct Line {
    uint32_t name_at, name_bytes, value_at, value_bytes;
  };
  std::string_view name(const Line& line) const;

  std::string text_;
  std::vector<Line> lines_;
};

struct HttpRequest {
  std::string method;  // "GET", "POST", "PUT", "PATCH", "DELETE" or "OPTIONS"
  bool head = false;   // the client said HEAD: `method` is "GET", the body is dropped
  std::string path;    // percent-decoded, without the query: for people and logs
  std::vector<std::string> segments;  // the path split at '/', then decoded: route on these, since
                                      // an id may hold %2F. "/" has none; "/a/" is {"a", ""}
  std::vector<std::pair<std::string, std::string>> params;  // of the query, decoded, '+' is a blank
  HeaderList headers;
  std::string content_type;  // media type in lower case, without parameters
  std::string body;
  bool peer_is_loopback = false;
  bool secure = false;      // it came by TLS
  int64_t received_ns = 0;  // base/clock.h monotonic_ns() when the first byte was seen
  std::string request_id;   // the client's x-request-id, or a new one; every answer repeats it

  std::string_view header(std::string_view name) const { return headers.get(name); }
  // The first parameter of that name; nullopt when absent, "" when given without a value.
  std::optional<std::string_view> param(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";  // empty: no such line (204, 304)
  std::string body;
  // Few, with lower-case names. Content-length, connection, date and x-request-id are the server's.
  std::vector<std::pair<std::string, std::string>> headers;

  HttpResponse& with(std::string_view name, std::string_view value) & {
    headers.emplace_back(name, value);
    return *this;
  }
  HttpResponse&& with(std::string_view name, std::string_view value) && {
    headers.emplace_back(name, value);
    return std::move(*this);
  }
  std::string_view header(std::string_view name) const;  // first of that name, without case
};

// Where an answer goes. Implemented by the server, and by tests.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  virtual void respond(HttpResponse&& response) = 0;
};

// The right to answer one request. Callable from any thread, once: later calls (by any copy) do
// nothing. If the last copy dies without a call, the server answers 500, so no client waits for
// ever. Calls after the connection or the server is gone do nothing.
class Responder {
 public:
  explicit Responder(std::shared_ptr<ResponseSink> sink) : sink_(std::move(sink)) {}
  void operator()(HttpResponse&& response) const { sink_->respond(std::move(response)); }

 private:
  std::shared_ptr<ResponseSink> sink_;
};

// Called on a server thread. Must not block: whoever waits (for the log, for a long report) moves
// the request and the responder elsewhere and answers later.
using Handler = std::function<void(HttpRequest&&, Responder)>;

// Splits and decodes a request target ("/v1/items/a%2Fb?x=1") into path, segments and params.
// Fails (kInvalid) on a target that is not origin-form, a broken escape, %00, or bytes that are not
// UTF-8 once decoded.
Status parse_target(std::string_view target, HttpRequest& request);

// RFC 3986 escaping of one path segment or query value: all but unreserved characters.
std::string percent_encode(std::string_view text);

// ASCII comparison without case, as header names and schemes want it.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace shanhuo
