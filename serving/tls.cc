#include "serving/tls.h"

#include <sys/stat.h>

#include <boost/asio/ssl/context.hpp>
#include <utility>

namespace shanhuo {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr auto kOptions = ssl::context::default_workarounds | ssl::context::no_sslv2 |
                          ssl::context::no_sslv3 | ssl::context::no_tlsv1 |
                          ssl::context::no_tlsv1_1 | ssl::context::no_compression;

std::string stamp_of(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return {};
  return std::to_string(file.st_ino) + ";" + std::to_string(file.st_size) + ";" +
         std::to_string(file.st_mtim.tv_sec) + ";" + std::to_string(file.st_mtim.tv_nsec);
}

}  // namespace

TlsIdentity::TlsIdentity(std::string certificate, std::string key)
    : certificate_(std::move(certificate)), key_(std::move(key)) {}

Result<std::shared_ptr<TlsIdentity>> TlsIdentity::load(std::string certificate, std::string key) {
  std::shared_ptr<TlsIdentity> identity(new TlsIdentity(std::move(certificate), std::move(key)));
  const Result<bool> read = identity->reload_if_changed();
  if (!read.ok()) return read.error();
  return identity;
}

Status TlsIdentity::read() {
  auto context = std::make_shared<Context>(ssl::context::tls_server);
  context->set_options(kOptions);
  error_code error;
  const auto wrong = [&](const std::string& file) {
    return Error{ErrorCode::kInvalid, file + ": " + error.message()};
  };
  context->use_certificate_chain_file(certificate_, error);
  if (error) return wrong(certificate_);
  context->use_private_key_file(key_, ssl::context::pem, error);  // refuses another's key
  if (error) return wrong(key_);
  context_ = std::move(context);
  return {};
}

Result<bool> TlsIdentity::reload_if_changed() {
  const std::lock_guard lock(mutex_);
  std::string now = stamp_of(certificate_) + "|" + stamp_of(key_);
  if (now == stamp_) return false;
  stamp_ = std::move(now);
  const Status status = read();
  if (!status.ok()) return status.error();
  return true;
}

std::shared_ptr<TlsIdentity::Context> TlsIdentity::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

std::shared_ptr<TlsIdentity::Context> trusted_authorities() {
  auto context = std::make_shared<TlsIdentity::Context>(ssl::context::tls_client);
  context->set_options(kOptions);
  context->set_default_verify_paths();
  context->set_verify_mode(ssl::verify_peer);
  return context;
}

}  // namespace shanhuo
