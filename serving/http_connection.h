// Internal to the server (http_server.cc): one connection, and what all connections share.
//
// One connection is one strand with at most one operation in flight: read, handle, write, again.
// Reading stops while a request is handled, which keeps pipelined answers in order and gives a
// greedy client back-pressure.
//
// Ownership: ServerState's registry holds each open connection, pending operations too. A responder
// holds the connection weakly and the state strongly, so it may outlive both socket and server.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "serving/http.h"
#include "serving/http_server.h"
#include "serving/request_reader.h"
#include "serving/tls_stream.h"

namespace shanhuo {

using Strand = boost::asio::strand<boost::asio::io_context::executor_type>;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Strand>;

class Connection;

// Thread-safe.
struct ServerState {
  ServerState(HttpServerOptions o, Handler h);

  bool sheds(const HttpRequest& request) const;
  std::string next_request_id(std::string_view from_client);

  // The registry. False when it is full.
  bool remember(const std::shared_ptr<Connection>& connection);
  void forget(const Connection* connection);
  std::vector<std::shared_ptr<Connection>> all_open() const;
  size_t open_count() const;
  void wait_until_all_closed(int timeout_ms);

  // Constant after construction.
  const HttpServerOptions options;
  const Handler handler;
  const uint64_t request_id_seed;

  // Own synchronization.
  boost::asio::io_context io;
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> request_ids{0};
  std::atomic<uint64_t> requests{0}, shed{0}, refused{0}, malformed{0}, timed_out{0}, unanswered{0};
  std::atomic<int64_t> inflight{0}, buffered_bytes{0};

 private:
  mutable std::mutex mutex_;
  std::condition_variable all_closed_;
  std::unordered_map<const Connection*, std::shared_ptr<Connection>> open_;  // guarded by mutex_
};

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ServerState> state, Socket socket);
  ~Connection();

  // Thread-safe: the rest happens on the strand.
  void start();
  void answer_later(HttpResponse&& response);
  void close_later();
  void close_if_idle_later();
  void close_if_late_later();
  bool late(int64_t now_ns) const { return deadline_ns_ < now_ns; }

 private:
  void shake_hands();
  void read();
  void parse();
  void on_body_begins();
  bool hold_body();
  void dispatch();
  void refuse(int status, std::string_view detail);
  void answer(HttpResponse&& response);
  void on_answered();
  void linger();
  void close();
  void set_deadline(int ms);

  const std::shared_ptr<ServerState> state_;
  std::atomic<int64_t> deadline_ns_{std::numeric_limits<int64_t>::max()};

  // Used on the strand alone.
  TlsStream<Socket> stream_;
  RequestReader reader_;
  boost::beast::flat_buffer buffer_;
  int64_t received_ns_ = 0;
  int64_t held_bytes_ = 0;  // of the body being read, counted in state_->buffered_bytes
  bool peer_is_loopback_ = false;
  bool reading_ = false;
  bool keep_alive_ = true;
  bool http_1_0_ = false;
  bool head_ = false;
  bool linger_ = false;  // unread input: closing at once would reset the answer on its way
  bool closed_ = false;
  size_t lingered_bytes_ = 0;
  std::string request_id_;
  std::string out_head_;  // reused
  std::string out_body_;
};

}  // namespace shanhuo
