#include "features/signing.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "features/digest.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr size_t kSecretBytesMin = 32;
constexpr size_t kNameBytes = 16;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Error io_error(const std::string& path) {
  return {ErrorCode::kIo, path + ": " + std::strerror(errno)};
}

Status write_secret(int file, const std::string& path, const std::string& line) {
  const bool written = ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (!written || ::fsync(file) != 0) return io_error(path);
  return {};
}

Result<std::string> make_secret(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return io_error(path);
  const std::string secret = random_token(kSecretBytesMin);
  const Status written = write_secret(file, path, secret + "\n");
  ::close(file);
  if (!written.ok()) return written.error();
  return secret;
}

}  // namespace

Digest digest_of(uint8_t tag, std::string_view a, std::string_view b) {
  Digest digest;
  crypto_generichash_blake2b_state state;
  crypto_generichash_blake2b_init(&state, nullptr, 0, digest.size());
  crypto_generichash_blake2b_update(&state, &tag, 1);
  crypto_generichash_blake2b_update(&state, bytes_of(a), a.size());
  if (!b.empty()) crypto_generichash_blake2b_update(&state, bytes_of(b), b.size());
  crypto_generichash_blake2b_final(&state, digest.data(), digest.size());
  return digest;
}

void append_hex(const Digest& digest, std::string& out) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  for (const uint8_t byte : digest) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
}

std::string to_hex(const Digest& digest) {
  std::string hex;
  append_hex(digest, hex);
  return hex;
}

bool from_hex(std::string_view hex, Digest& digest) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (hex.size() != 2 * digest.size()) return false;
  for (size_t i = 0; i < digest.size(); ++i) {
    const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

bool signed_by(std::string_view public_key, std::string_view text, std::string_view signature) {
  Digest key, first, second;
  if (!from_hex(public_key, key) || signature.size() != 128 ||
      !from_hex(signature.substr(0, 64), first) || !from_hex(signature.substr(64), second)) {
    return false;
  }
  std::array<uint8_t, crypto_sign_BYTES> bytes{};
  std::memcpy(bytes.data(), first.data(), first.size());
  std::memcpy(bytes.data() + first.size(), second.data(), second.size());
  return crypto_sign_verify_detached(bytes.data(), bytes_of(text), text.size(), key.data()) == 0;
}

LedgerKeys::LedgerKeys(std::string_view secret) {
  CHECK(sodium_init() >= 0);
  naming_ = digest_of('n', secret);
  const Digest seed = digest_of('s', secret);
  Digest key;
  static_assert(sizeof(Digest) == crypto_sign_SEEDBYTES);
  crypto_sign_seed_keypair(key.data(), signing_.data(), seed.data());
  public_key_ = to_hex(key);
}

Result<LedgerKeys> LedgerKeys::load(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    if (errno != ENOENT) return io_error(path);
    const Result<std::string> made = make_secret(path);
    if (!made.ok()) return made.error();
    return LedgerKeys(made.value());
  }
  struct stat facts {};
  std::array<char, 256> text{};
  const bool known = ::fstat(file, &facts) == 0;
  const ssize_t size = known ? ::read(file, text.data(), text.size()) : -1;
  const Error failed = io_error(path);
  ::close(file);
  if (size < 0) return failed;
  if ((facts.st_mode & 077) != 0) {
    return Error{ErrorCode::kInvalid, path + ": others may read it; chmod 600"};
  }
  const std::string_view all(text.data(), static_cast<size_t>(size));
  const std::string_view secret = all.substr(0, all.find('\n'));
  if (secret.size() < kSecretBytesMin) {
    return Error{ErrorCode::kInvalid, path + ": its first line is no key of 32 or more characters"};
  }
  return LedgerKeys(secret);
}

std::string LedgerKeys::name_of(std::string_view kind, std::string_view a,
                                std::string_view b) const {
  std::string text;
  put_text(&text, kind);
  put_text(&text, a);
  put_text(&text, b);
  Digest name;
  crypto_generichash_blake2b(name.data(), name.size(), bytes_of(text), text.size(), naming_.data(),
                             naming_.size());
  return to_hex(name).substr(0, 2 * kNameBytes);
}

std::string LedgerKeys::sign(std::string_view text) const {
  std::array<uint8_t, crypto_sign_BYTES> bytes{};
  crypto_sign_detached(bytes.data(), nullptr, bytes_of(text), text.size(), signing_.data());
  Digest half;
  std::string hex;
  for (const size_t at : {size_t{0}, half.size()}) {
    std::memcpy(half.data(), bytes.data() + at, half.size());
    append_hex(half, hex);
  }
  return hex;
}

}  // namespace shanhuo
