// A plain TCP connection to 127.0.0.1 for tests that must say what no HTTP client would.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace shanhuo {

class RawSocket {
 public:
  explicit RawSocket(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawSocket() { ::close(fd_); }
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  bool connected() const { return connected_; }

  // False when the peer no longer takes bytes.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Everything received until `text` has shown up, the peer closes or time is up.
  std::string read_until(std::string_view text, int timeout_ms = 5'000) {
    while (received_.find(text) == std::string::npos && receive(timeout_ms)) {
    }
    return received_;
  }

  // True when the peer has closed within the time.
  bool closes(int timeout_ms) {
    while (receive(timeout_ms)) {
    }
    return closed_;
  }

  const std::string& received() const { return received_; }

 private:
  bool receive(int timeout_ms) {
    pollfd waiting{fd_, POLLIN, 0};
    if (closed_ || ::poll(&waiting, 1, timeout_ms) <= 0) return false;
    char bytes[65536];
    const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
    closed_ = got <= 0;
    if (!closed_) received_.append(bytes, static_cast<size_t>(got));
    return !closed_;
  }

  const int fd_;
  bool connected_ = false;
  bool closed_ = false;
  std::string received_;
};

}  // namespace shanhuo
