#include "serving/http_client.h"

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <chrono>

#include "serving/tls_stream.h"

namespace shanhuo {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Deadline = std::chrono::steady_clock::time_point;
using ResponseParser = http::response_parser<http::string_body>;

bool idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

std::string request_head(std::string_view method, std::string_view target, const Endpoint& server,
                         const HttpClient::Headers& headers, size_t body_bytes) {
  std::string head;
  head.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  const auto own_host = [](const auto& header) {
    return equals_ignoring_case(header.first, "host");
  };
  if (std::none_of(headers.begin(), headers.end(), own_host)) {
    head.append("host: ").append(server.host).append(":");
    head.append(std::to_string(server.port)).append("\r\n");
  }
  for (const auto& [name, value] : headers) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (body_bytes > 0 || (method != "GET" && method != "HEAD")) {
    head.append("content-length: ").append(std::to_string(body_bytes)).append("\r\n");
  }
  return head.append("\r\n");
}

HttpResponse to_response(ResponseParser::value_type&& message) {
  HttpResponse response;
  response.status = static_cast<int>(message.result_int());
  response.content_type.clear();
  for (const auto& field : message) {
    const auto name = field.name_string(), value = field.value();
    if (field.name() == http::field::content_type) response.content_type = value;
    response.headers.emplace_back(std::string(name.data(), name.size()),
                                  std::string(value.data(), value.size()));
  }
  response.body = std::move(message.body());
  return response;
}

}  // namespace

struct HttpClient::Connection {
  explicit Connection(Endpoint e) : endpoint(std::move(e)) {}

  error_code connect(Deadline deadline);
  error_code shake_hands(Deadline deadline);
  error_code exchange(std::string_view head, std::string_view body, ResponseParser& parser,
                      Deadline deadline);
  // Runs the one pending operation; past the deadline it is cut short and `ec` says timed_out.
  void run_until(Deadline deadline, error_code& ec);
  bool still_open();
  void close() {
    error_code ignored;
    stream.socket().close(ignored);
    stream.forget_tls();
    buffer.clear();
  }

  const Endpoint endpoint;
  asio::io_context io{1};
  TlsStream<asio::ip::tcp::socket> stream{asio::ip::tcp::socket(io)};
  boost::beast::flat_buffer buffer;
};

void HttpClient::Connection::run_until(Deadline deadline, error_code& ec) {
  io.restart();
  io.run_until(deadline);
  if (io.stopped()) return;
  close();
  io.run();
  ec = asio::error::timed_out;
}

error_code HttpClient::Connection::connect(Deadline deadline) {
  error_code ec;
  asio::ip::tcp::resolver resolver(io);
  const auto endpoints = resolver.resolve(endpoint.host, std::to_string(endpoint.port), ec);
  if (ec) return ec;
  asio::async_connect(stream.socket(), endpoints,
                      [&ec](error_code result, const asio::ip::tcp::endpoint&) { ec = result; });
  run_until(deadline, ec);
  error_code ignored;
  if (!ec) stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  return ec || !endpoint.secure ? ec : shake_hands(deadline);
}

// The certificate must be of the host that was asked for, by an authority that is trusted.
error_code HttpClient::Connection::shake_hands(Deadline deadline) {
  const std::shared_ptr<TlsIdentity::Context> trusted = trusted_authorities();
  auto& tls = stream.secure(*trusted);
  tls.set_verify_callback(asio::ssl::host_name_verification(endpoint.host));
  SSL_set_tlsext_host_name(tls.native_handle(), endpoint.host.c_str());
  error_code ec;
  tls.async_handshake(asio::ssl::stream_base::client, [&ec](error_code result) { ec = result; });
  run_until(deadline, ec);
  return ec;
}

error_code HttpClient::Connection::exchange(std::string_view head, std::string_view body,
                                            ResponseParser& parser, Deadline deadline) {
  const std::array parts = {asio::const_buffer(head.data(), head.size()),
                            asio::const_buffer(body.data(), body.size())};
  // The read starts with the write: a server may refuse a large body before it has seen it all.
  error_code write_ec, read_ec;
  asio::async_write(stream, parts, [&](error_code result, size_t) { write_ec = result; });
  http::async_read(stream, buffer, parser, [&](error_code result, size_t) {
    read_ec = result;
    if (!parser.is_done() || parser.keep_alive()) return;
    error_code ignored;
    stream.socket().shutdown(asio::socket_base::shutdown_both,
                             ignored);  // ends a write nobody reads
  });
  run_until(deadline, read_ec);
  if (!read_ec && write_ec) close();
  return read_ec;
}

// An idle connection that became readable was closed by the server (or speaks out of turn; TLS
// does).
bool HttpClient::Connection::still_open() {
  asio::ip::tcp::socket& socket = stream.socket();
  if (!socket.is_open()) return false;
  error_code ec;
  socket.non_blocking(true, ec);
  char byte;
  socket.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, ec);
  return ec == asio::error::would_block || (!ec && stream.secured());
}

HttpClient::HttpClient(Endpoint endpoint)
    : connection_(std::make_unique<Connection>(std::move(endpoint))) {}
HttpClient::HttpClient(std::string host, uint16_t port)
    : HttpClient(Endpoint{std::move(host), port}) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<HttpResponse> HttpClient::request(std::string_view method, std::string_view target,
                                         const Headers& headers, std::string_view body,
                                         int timeout_ms) {
  Connection& c = *connection_;
  const Deadline deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  const std::string head = request_head(method, target, c.endpoint, headers, body.size());
  const std::string peer = c.endpoint.host + ":" + std::to_string(c.endpoint.port);
  for (bool retried = false;; retried = true) {
    const bool reused = c.still_open();
    if (!reused) {
      c.close();
      const error_code ec = c.connect(deadline);
      if (ec) {
        c.close();
        return Error{ErrorCode::kUnavailable, "connect to " + peer + ": " + ec.message()};
      }
    }
    ResponseParser parser;
    parser.body_limit(kClientBodyBytesMax);
    parser.header_limit(64 << 10);
    parser.skip(method == "HEAD");
    const error_code ec = c.exchange(head, body, parser, deadline);
    if (!ec) {
      if (!parser.keep_alive()) c.close();
      return to_response(parser.release());
    }
    const bool nothing_came = !parser.got_some();
    c.close();
    if (ec == http::error::body_limit) return Error{ErrorCode::kTooLarge, peer + ": long answer"};
    const bool may_retry = reused && !retried && nothing_came && ec != asio::error::timed_out;
    if (!may_retry || !idempotent(method)) {
      return Error{ErrorCode::kUnavailable, std::string(method) + " " + std::string(target) +
                                                " at " + peer + ": " + ec.message()};
    }
  }
}

Result<HttpResponse> HttpClient::send_json(std::string_view method, std::string_view target,
                                           std::string_view body, int timeout_ms) {
  return request(method, target, {{"content-type", "application/json"}}, body, timeout_ms);
}

Result<Endpoint> parse_endpoint(std::string_view url) {
  constexpr std::string_view kScheme = "http://", kSecureScheme = "https://";
  std::string_view rest = url;
  Endpoint endpoint;
  endpoint.secure = rest.starts_with(kSecureScheme);
  const bool has_scheme = endpoint.secure || rest.starts_with(kScheme);
  if (has_scheme) rest.remove_prefix(endpoint.secure ? kSecureScheme.size() : kScheme.size());
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  const Error wrong{
      ErrorCode::kInvalid,
      "'" + std::string(url) + "' is not http://host:port, https://host:port or host:port"};
  const size_t bracket = rest.rfind(']');
  const size_t colon = rest.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  std::string_view host = rest.substr(0, has_port ? colon : rest.size());
  if (has_port) {
    const std::string_view port = rest.substr(colon + 1);
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (ec != std::errc() || end != port.data() + port.size()) return wrong;
  } else if (has_scheme) {
    endpoint.port = endpoint.secure ? 443 : 80;
  } else {
    return wrong;
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty() || host.find_first_of("/@?# ") != std::string_view::npos) return wrong;
  endpoint.host = host;
  return endpoint;
}

}  // namespace shanhuo
