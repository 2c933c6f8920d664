// Bytes of one connection -> HttpRequests, in pieces of any size. Knows HTTP/1.1 and its limits, no
// socket and no clock. Strict where leniency lets requests be smuggled: one Host, no transfer
// coding but chunked, never both lengths. Not thread-safe; one per connection.
//
//   idle --first byte--> header --> body --> done --take()--> idle
//                           \________\_____\--> refused        (the connection must be closed)
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "serving/http.h"

namespace shanhuo {

class RequestReader {
 public:
  struct Limits {
    size_t header_bytes_max;  // request line, headers and trailers
    size_t body_bytes_max;
  };
  enum class State { kIdle, kHeader, kBody, kDone, kRefused };

  explicit RequestReader(Limits limits);
  ~RequestReader();

  // Consumes what it can of `bytes` and returns how much. Incomplete lines are not consumed: offer
  // them again with more behind them. Requires: bytes, and a state before kDone.
  size_t feed(std::string_view bytes);
  State state() const;

  // Of the present request; known from kBody on (request_id_header() whenever it has been read).
  bool keep_alive() const;
  bool http_1_0() const;
  bool expects_continue() const;
  size_t body_bytes() const;  // received so far
  std::string_view request_id_header() const;

  // Requires kDone: everything set but peer_is_loopback, received_ns and request_id.
  HttpRequest take();

  // Requires kRefused: 400, 413, 431 or 501, and why.
  int refused_status() const;
  const std::string& refused_detail() const;

  // Forgets the present request.
  void reset();

 private:
  struct Parser;
  struct Refusal {
    int status = 0;
    std::string detail;
  };
  void refuse(int status, std::string detail);
  void finish();

  const Limits limits_;
  std::unique_ptr<Parser> parser_;  // allocated once, constructed anew for each request
  State state_ = State::kIdle;
  Refusal refusal_;
};

}  // namespace shanhuo
