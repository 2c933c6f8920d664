// Time-outs cost a connection one store per phase: it notes its deadline, and a sweep a few times a
// second closes those past theirs. Tested by tests/serving_http_server_test.cc.
#include "serving/http_server.h"

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <thread>

#include "base/check.h"
#include "base/clock.h"
#include "serving/http_connection.h"

namespace shanhuo {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Strand>;

constexpr int kSweepMs = 250;

}  // namespace

struct HttpServer::Core : std::enable_shared_from_this<HttpServer::Core> {
  Core(HttpServerOptions options, Handler handler)
      : state(std::make_shared<ServerState>(std::move(options), std::move(handler))) {}

  Status listen();
  void accept();
  void admit(Socket socket);
  void sweep();
  void stop();

  // Constant once the threads run.
  const std::shared_ptr<ServerState> state;
  std::vector<std::thread> threads;
  uint16_t port = 0;

  // Used on the control strand.
  Strand control{state->io.get_executor()};
  asio::executor_work_guard<asio::io_context::executor_type> work{state->io.get_executor()};
  asio::basic_socket_acceptor<Tcp, Strand> acceptor{control};
  Timer timer{control};
  bool accepting = false;
};

Status HttpServer::Core::listen() {
  const HttpServerOptions& options = state->options;
  error_code ec;
  const auto address = asio::ip::make_address(options.host, ec);
  if (ec) return Error{ErrorCode::kInvalid, "listen address " + options.host + " is not numeric"};
  const Tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) {
    return Error{ErrorCode::kIo, "listen on " + options.host + ":" + std::to_string(options.port) +
                                     ": " + ec.message()};
  }
  port = acceptor.local_endpoint(ec).port();
  return {};
}

// On an error (no file descriptors left) the sweep tries again, instead of a spin here.
void HttpServer::Core::accept() {
  if (state->stopping) return;
  accepting = true;
  acceptor.async_accept(
      asio::make_strand(state->io),
      asio::bind_executor(control, [self = shared_from_this()](error_code ec, Socket socket) {
        self->accepting = false;
        if (ec || self->state->stopping) return;
        self->admit(std::move(socket));
        self->accept();
      }));
}

void HttpServer::Core::admit(Socket socket) {
  const auto connection = std::make_shared<Connection>(state, std::move(socket));
  if (state->remember(connection)) {
    connection->start();
  } else {
    ++state->refused;  // its destructor closes the socket
  }
}

void HttpServer::Core::sweep() {
  const int64_t now_ns = monotonic_ns();
  for (const auto& connection : state->all_open()) {
    if (connection->late(now_ns)) connection->close_if_late_later();
  }
  if (!accepting) accept();
  timer.expires_after(std::chrono::milliseconds(kSweepMs));
  timer.async_wait([self = shared_from_this()](error_code ec) {
    if (!ec && !self->state->stopping) self->sweep();
  });
}

void HttpServer::Core::stop() {
  if (state->stopping.exchange(true) || threads.empty()) return;
  std::promise<void> nobody_enters;  // waited for, so that all_open() below has everybody
  asio::post(control, [this, &nobody_enters] {
    error_code ec;
    acceptor.close(ec);
    timer.cancel();
    nobody_enters.set_value();
  });
  nobody_enters.get_future().wait();
  for (const auto& connection : state->all_open()) connection->close_if_idle_later();
  state->wait_until_all_closed(state->options.shutdown_grace_ms);
  for (const auto& connection : state->all_open()) connection->close_later();
  work.reset();  // run() returns when the last operation has been told of its end
  for (std::thread& thread : threads) thread.join();
}

HttpServer::HttpServer(HttpServerOptions options, Handler handler)
    : core_(std::make_shared<Core>(std::move(options), std::move(handler))) {}
HttpServer::~HttpServer() { stop(); }

Status HttpServer::start() {
  CHECK(core_->threads.empty());
  const Status listening = core_->listen();
  if (!listening.ok()) return listening;
  asio::post(core_->control, [core = core_] { core->sweep(); });
  for (int i = 0; i < std::max(1, core_->state->options.threads); ++i) {
    core_->threads.emplace_back([state = core_->state] { state->io.run(); });
  }
  return {};
}

uint16_t HttpServer::port() const { return core_->port; }
void HttpServer::stop() { core_->stop(); }

HttpServerStats HttpServer::stats() const {
  const ServerState& state = *core_->state;
  HttpServerStats stats;
  stats.requests = state.requests;
  stats.shed = state.shed;
  stats.refused = state.refused;
  stats.malformed = state.malformed;
  stats.timed_out = state.timed_out;
  stats.unanswered = state.unanswered;
  stats.connections = state.open_count();
  stats.inflight = static_cast<uint64_t>(std::max<int64_t>(0, state.inflight));
  stats.buffered_bytes = static_cast<uint64_t>(std::max<int64_t>(0, state.buffered_bytes));
  return stats;
}

}  // namespace shanhuo
