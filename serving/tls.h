// TLS of the HTTP face, by certificate files as authorities and their tools write them; at least
// TLS 1.2. Sockets with and without it look alike to those who read and write (tls_stream.h).
//
// Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace shanhuo {

// Who a server is.
class TlsIdentity {
 public:
  using Context = boost::asio::ssl::context;

  // `certificate`: the server's own, then those between it and a root, PEM; `key`: its private key,
  // PEM without a passphrase. kInvalid when they cannot be used, with the file and why.
  static Result<std::shared_ptr<TlsIdentity>> load(std::string certificate, std::string key);

  // Reads the files again if they changed (call about once a second): connections from now on get
  // the new certificate. True when it is live; on an error the last good one stays.
  Result<bool> reload_if_changed();

  std::shared_ptr<Context> context() const;

 private:
  TlsIdentity(std::string certificate, std::string key);
  Status read();

  const std::string certificate_, key_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::string stamp_;  // of the version last looked at, good or bad
  std::shared_ptr<Context> context_;
};

// Whom a client believes: the system's authorities, or those of the file SSL_CERT_FILE.
std::shared_ptr<TlsIdentity::Context> trusted_authorities();

}  // namespace shanhuo
