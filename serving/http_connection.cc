// Tested by tests/serving_http_server_test.cc.
#include "serving/http_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <random>

#include "base/clock.h"
#include "serving/http_wire.h"
#include "serving/problem.h"

namespace shanhuo {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kBodyReadBytes = 64 << 10;
constexpr size_t kLingerBytesMax = 64 << 20;  // read and dropped after an early refusal
constexpr int kLingerTimeoutMs = 2'000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// One request in a handler: the sink behind its Responder.
class Exchange final : public ResponseSink {
 public:
  Exchange(std::shared_ptr<ServerState> state, std::weak_ptr<Connection> connection,
           int64_t held_bytes)
      : state_(std::move(state)), connection_(std::move(connection)), held_bytes_(held_bytes) {}
  ~Exchange() override {
    if (answered_.load()) return;
    ++state_->unanswered;
    respond(problem(500, "", "the request was dropped without an answer"));
  }

  void respond(HttpResponse&& response) override {
    if (answered_.exchange(true)) return;
    --state_->inflight;
    state_->buffered_bytes -= held_bytes_;
    if (const auto connection = connection_.lock()) connection->answer_later(std::move(response));
  }

 private:
  const std::shared_ptr<ServerState> state_;
  const std::weak_ptr<Connection> connection_;
  const int64_t held_bytes_;
  std::atomic<bool> answered_{false};
};

}  // namespace

ServerState::ServerState(HttpServerOptions o, Handler h)
    : options(std::move(o)),
      handler(std::move(h)),
      request_id_seed(std::random_device{}() + (uint64_t{std::random_device{}()} << 32)),
      io(std::max(1, options.threads)) {}

bool ServerState::sheds(const HttpRequest& request) const {
  if (inflight < static_cast<int64_t>(options.inflight_max)) return false;
  const auto& exempt = options.never_shed;
  return std::find(exempt.begin(), exempt.end(), request.path) == exempt.end();
}

std::string ServerState::next_request_id(std::string_view from_client) {
  return choose_request_id(from_client, request_id_seed, ++request_ids);
}

bool ServerState::remember(const std::shared_ptr<Connection>& connection) {
  const std::lock_guard lock(mutex_);
  if (open_.size() >= options.connections_max) return false;
  return open_.emplace(connection.get(), connection).second;
}

void ServerState::forget(const Connection* connection) {
  std::shared_ptr<Connection> last;  // freed outside the lock
  const std::lock_guard lock(mutex_);
  if (auto node = open_.extract(connection)) last = std::move(node.mapped());
  if (open_.empty()) all_closed_.notify_all();
}

std::vector<std::shared_ptr<Connection>> ServerState::all_open() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Connection>> connections;
  connections.reserve(open_.size());
  for (const auto& [key, connection] : open_) connections.push_back(connection);
  return connections;
}

size_t ServerState::open_count() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void ServerState::wait_until_all_closed(int timeout_ms) {
  std::unique_lock lock(mutex_);
  all_closed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                       [this] { return open_.empty(); });
}

Connection::Connection(std::shared_ptr<ServerState> state, Socket socket)
    : state_(std::move(state)),
      stream_(std::move(socket)),
      reader_({state_->options.header_bytes_max, state_->options.body_bytes_max}) {}

Connection::~Connection() { state_->buffered_bytes -= held_bytes_; }

void Connection::set_deadline(int ms) { deadline_ns_ = monotonic_ns() + int64_t{ms} * 1'000'000; }

void Connection::start() {
  error_code ec;
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ec);
  const auto peer = stream_.socket().remote_endpoint(ec);
  peer_is_loopback_ = !ec && peer.address().is_loopback();
  set_deadline(state_->options.header_timeout_ms);
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    self->state_->stopping ? self->close() : self->shake_hands();
  });
}

void Connection::shake_hands() {
  if (state_->options.tls == nullptr) return read();
  stream_.secure(*state_->options.tls->context())
      .async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](error_code ec) {
        ec ? self->close() : self->read();
      });
}

void Connection::answer_later(HttpResponse&& response) {
  // Weak: once the threads have ended, a strong reference queued here would never be freed.
  asio::dispatch(stream_.get_executor(),
                 [weak = weak_from_this(), answer = std::move(response)]() mutable {
                   if (const auto self = weak.lock()) self->answer(std::move(answer));
                 });
}

void Connection::close_later() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] { self->close(); });
}

void Connection::close_if_idle_later() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    if (self->reading_ && self->reader_.state() == RequestReader::State::kIdle) self->close();
  });
}

void Connection::close_if_late_later() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    if (self->closed_ || !self->late(monotonic_ns())) return;
    ++self->state_->timed_out;
    self->close();
  });
}

void Connection::read() {
  if (closed_) return;
  reading_ = true;
  const bool in_body = reader_.state() == RequestReader::State::kBody;
  stream_.async_read_some(buffer_.prepare(in_body ? kBodyReadBytes : kReadBytes),
                          [self = shared_from_this()](error_code ec, size_t bytes) {
                            self->reading_ = false;
                            if (ec || self->closed_) return self->close();
                            self->buffer_.commit(bytes);
                            self->parse();
                          });
}

// Requires: bytes in the buffer.
void Connection::parse() {
  using State = RequestReader::State;
  const State before = reader_.state();
  if (before == State::kIdle) {
    received_ns_ = monotonic_ns();
    set_deadline(state_->options.header_timeout_ms);
  }
  const asio::const_buffer input = buffer_.data();
  buffer_.consume(reader_.feed({static_cast<const char*>(input.data()), input.size()}));
  const State now = reader_.state();
  if (now == State::kRefused) {
    ++state_->malformed;
    return refuse(reader_.refused_status(), reader_.refused_detail());
  }
  if (!hold_body()) {
    ++state_->shed;
    return refuse(503, "too many bytes of requests are being held");
  }
  if (now == State::kDone) return dispatch();
  if (now == State::kBody && before != State::kBody) return on_body_begins();
  read();
}

void Connection::on_body_begins() {
  set_deadline(state_->options.body_timeout_ms);
  if (!reader_.expects_continue() || reader_.body_bytes() > 0) return read();
  asio::async_write(
      stream_, asio::buffer(kContinue.data(), kContinue.size()),
      [self = shared_from_this()](error_code ec, size_t) { ec ? self->close() : self->read(); });
}

// Counts what the body has grown by; false when all requests together hold too much.
bool Connection::hold_body() {
  const int64_t grown = static_cast<int64_t>(reader_.body_bytes()) - held_bytes_;
  if (grown == 0) return true;
  held_bytes_ += grown;
  return (state_->buffered_bytes += grown) <=
         static_cast<int64_t>(state_->options.buffered_bytes_max);
}

void Connection::dispatch() {
  ++state_->requests;
  http_1_0_ = reader_.http_1_0();
  keep_alive_ = reader_.keep_alive();
  HttpRequest request = reader_.take();
  head_ = request.head;
  request_id_ = state_->next_request_id(request.header("x-request-id"));
  request.request_id = request_id_;
  request.received_ns = received_ns_;
  request.peer_is_loopback = peer_is_loopback_;
  request.secure = stream_.secured();
  deadline_ns_ = kNever;
  const bool shed = state_->sheds(request);
  ++state_->inflight;
  const Responder respond(
      std::make_shared<Exchange>(state_, weak_from_this(), std::exchange(held_bytes_, 0)));
  if (shed) {
    ++state_->shed;
    return respond(problem({ErrorCode::kUnavailable, "too many requests in flight"}));
  }
  try {
    state_->handler(std::move(request), respond);
  } catch (const std::exception& e) {  // of a library or of the heap
    respond(problem(500, "", e.what()));
  }
}

// Answers without the handler and closes: what follows on this connection cannot be trusted.
void Connection::refuse(int status, std::string_view detail) {
  HttpResponse response = problem(status, "", detail);
  if (status == 503) response.with("retry-after", "1");
  request_id_ = state_->next_request_id(reader_.request_id_header());
  http_1_0_ = reader_.http_1_0();
  reader_.reset();
  state_->buffered_bytes -= std::exchange(held_bytes_, 0);
  keep_alive_ = false;
  linger_ = true;
  answer(std::move(response));
}

void Connection::answer(HttpResponse&& response) {
  if (closed_) return;
  keep_alive_ = keep_alive_ && !state_->stopping;
  out_head_.clear();
  append_response_head(response, {keep_alive_, http_1_0_, request_id_}, out_head_);
  out_body_ = head_ ? std::string() : std::move(response.body);
  set_deadline(state_->options.write_timeout_ms);
  const std::array parts = {asio::const_buffer(out_head_.data(), out_head_.size()),
                            asio::const_buffer(out_body_.data(), out_body_.size())};
  asio::async_write(stream_, parts, [self = shared_from_this()](error_code ec, size_t) {
    ec ? self->close() : self->on_answered();
  });
}

void Connection::on_answered() {
  out_body_ = {};
  head_ = false;
  if (closed_) return;
  if (!keep_alive_ || state_->stopping) {
    error_code ec;
    stream_.socket().shutdown(asio::socket_base::shutdown_send, ec);
    set_deadline(kLingerTimeoutMs);
    return linger_ ? linger() : close();
  }
  if (buffer_.size() > 0) return parse();
  if (buffer_.capacity() > kReadBytes) buffer_.shrink_to_fit();
  set_deadline(state_->options.idle_timeout_ms);
  read();
}

void Connection::linger() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(kBodyReadBytes),
                          [self = shared_from_this()](error_code ec, size_t bytes) {
                            self->lingered_bytes_ += bytes;
                            if (ec || self->lingered_bytes_ > kLingerBytesMax) {
                              self->close();
                            } else {
                              self->linger();
                            }
                          });
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  error_code ec;
  stream_.socket().close(ec);
  state_->forget(this);
}

}  // namespace shanhuo
