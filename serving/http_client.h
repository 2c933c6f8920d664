// A blocking keep-alive client for the command line and the tests. One request at a time, used by
// one thread; whoever wants overlap uses several clients. Reconnects by itself when the server has
// closed an idle connection; a request that may have been executed is repeated only when its
// method is idempotent (GET, HEAD, PUT, DELETE).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "serving/http.h"

namespace shanhuo {

inline constexpr size_t kClientBodyBytesMax = size_t{256} << 20;  // of an answer; kTooLarge past it

struct Endpoint {
  std::string host;
  uint16_t port = 0;
  bool secure = false;  // TLS; the server's certificate is checked (tls.h, trusted_authorities())
};

class HttpClient {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  explicit HttpClient(Endpoint endpoint);  // does not connect yet
  HttpClient(std::string host, uint16_t port);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  // `target` is already percent-encoded. An answer of any status is a value, with all its headers;
  // kUnavailable when the server cannot be reached, closes early or takes more than `timeout_ms`.
  Result<HttpResponse> request(std::string_view method, std::string_view target,
                               const Headers& headers = {}, std::string_view body = {},
                               int timeout_ms = 10'000);

  // The same with `content-type: application/json`.
  Result<HttpResponse> send_json(std::string_view method, std::string_view target,
                                 std::string_view body, int timeout_ms = 10'000);

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

// "http://host:port", "http://host" (80), "https://host" (443) or "host:port" into its parts;
// kInvalid otherwise.
Result<Endpoint> parse_endpoint(std::string_view url);

}  // namespace shanhuo
