// Internal to the server and the client: a TCP socket, or TLS over one, to be read and written
// alike. Belongs to its one user, as the socket does.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <optional>
#include <utility>

#include "serving/tls.h"

namespace shanhuo {

template <typename Socket>
class TlsStream {
 public:
  using executor_type = typename Socket::executor_type;

  explicit TlsStream(Socket socket) : socket_(std::move(socket)) {}

  Socket& socket() { return socket_; }
  executor_type get_executor() { return socket_.get_executor(); }

  // From here on nothing but TLS passes; a handshake comes first.
  boost::asio::ssl::stream<Socket&>& secure(TlsIdentity::Context& context) {
    return tls_.emplace(socket_, context);
  }
  bool secured() const { return tls_.has_value(); }
  void forget_tls() { tls_.reset(); }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    tls_ ? tls_->async_read_some(buffers, std::forward<Handler>(handler))
         : socket_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    tls_ ? tls_->async_write_some(buffers, std::forward<Handler>(handler))
         : socket_.async_write_some(buffers, std::forward<Handler>(handler));
  }

 private:
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace shanhuo
