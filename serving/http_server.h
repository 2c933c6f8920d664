// The HTTP/1.1 face: accepts, parses, bounds, times out, sheds; what a request means is the
// Handler's. One request at a time per connection, so pipelined requests are answered in order.
//
// Threads: `threads` of them share all connections. A client that is slow, or sends garbage, holds
// its own connection and nothing else: no thread ever waits for a peer. start() and stop() belong
// to one owner; stats() may be called from anywhere.
//
// What the server answers by itself, as problem+json: 400 malformed, 408 is never sent (a late
// client is closed), 413 body, 431 header, 501 unknown method, 503 shedding, 500 a handler that
// did not answer. `Expect: 100-continue` is honoured once the length is acceptable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "serving/http.h"
#include "serving/tls.h"

namespace shanhuo {

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // a numeric address
  uint16_t port = 8080;            // 0: any free one, see HttpServer::port()
  int threads = 2;
  size_t connections_max = 4096;                  // each costs a socket and, idle, 18 kB
  size_t header_bytes_max = 16 << 10;             // request line and headers; past it 431
  size_t body_bytes_max = 8 << 20;                // past it 413
  size_t buffered_bytes_max = size_t{512} << 20;  // bodies held by all requests; past it 503
  size_t inflight_max = 1024;  // requests with a handler; past it 503 with retry-after
  std::vector<std::string> never_shed = {"/healthz", "/readyz", "/metrics"};  // paths
  int header_timeout_ms = 10'000;  // first byte (or connect, TLS's handshake too) to their end
  int body_timeout_ms = 30'000;    // end of the headers to the end of the body
  int idle_timeout_ms = 60'000;    // between requests
  int write_timeout_ms = 30'000;   // one answer
  int shutdown_grace_ms = 5'000;   // how long stop() waits for answers
  std::shared_ptr<TlsIdentity> tls = nullptr;  // nullptr: plain
};

// Since start(). Monotonic but for the last three.
struct HttpServerStats {
  uint64_t requests = 0;        // parsed whole, shed ones included
  uint64_t shed = 0;            // 503 by inflight_max or buffered_bytes_max
  uint64_t refused = 0;         // connections past connections_max
  uint64_t malformed = 0;       // 400, 413, 431, 501 by the server itself
  uint64_t timed_out = 0;       // connections closed by a timeout
  uint64_t unanswered = 0;      // handlers that dropped their responder
  uint64_t connections = 0;     // open now
  uint64_t inflight = 0;        // handlers that have not answered yet
  uint64_t buffered_bytes = 0;  // of bodies, now
};

class HttpServer {
 public:
  HttpServer(HttpServerOptions options, Handler handler);
  ~HttpServer();  // stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds and starts the threads; requests may arrive before it returns. kInvalid when the address
  // is not numeric, kIo when it cannot be bound. Once per server.
  Status start();

  // The bound port; 0 before start().
  uint16_t port() const;

  // Stops accepting, closes idle connections, lets requests in flight finish for
  // shutdown_grace_ms, closes the rest and joins the threads. Idempotent. Not from a handler.
  void stop();

  HttpServerStats stats() const;

  struct Core;  // defined in http_server.cc

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace shanhuo
