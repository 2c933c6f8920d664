#include "features/digest.h"

#include <sodium.h>

#include "base/check.h"

namespace shanhuo {
namespace {

// libsodium picks its fastest code here, and finds the random device.
void init_sodium() {
  static const int kReady = sodium_init();
  CHECK(kReady >= 0);
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<uint8_t, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), bytes_of(bytes), bytes.size());
  return to_hex(digest);
}

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

void keyed_digest(const Digest& secret, std::span<const uint8_t> bytes, std::span<uint8_t> mac) {
  init_sodium();
  CHECK(crypto_generichash_blake2b(mac.data(), mac.size(), bytes.data(), bytes.size(),
                                   secret.data(), secret.size()) == 0);
}

void append_hex(std::span<const uint8_t> bytes, std::string& out) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  for (const uint8_t byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
}

std::string to_hex(std::span<const uint8_t> bytes) {
  std::string hex;
  append_hex(bytes, hex);
  return hex;
}

bool from_hex(std::string_view hex, std::span<uint8_t> bytes) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (hex.size() != 2 * bytes.size()) return false;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void random_bytes(std::span<uint8_t> bytes) {
  init_sodium();
  randombytes_buf(bytes.data(), bytes.size());
}

std::string random_token(size_t bytes) {
  std::string random(bytes, '\0');
  random_bytes({reinterpret_cast<uint8_t*>(random.data()), random.size()});
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string token(sodium_base64_ENCODED_LEN(bytes, kVariant), '\0');
  sodium_bin2base64(token.data(), token.size(), bytes_of(random), random.size(), kVariant);
  token.pop_back();  // the terminator
  return token;
}

SigningKey signing_key(const Digest& seed) {
  static_assert(sizeof(Digest) == crypto_sign_SEEDBYTES &&
                sizeof(Digest) == crypto_sign_PUBLICKEYBYTES &&
                sizeof(SigningKey::secret) == crypto_sign_SECRETKEYBYTES &&
                sizeof(Signature) == crypto_sign_BYTES);
  init_sodium();
  SigningKey key;
  crypto_sign_seed_keypair(key.public_key.data(), key.secret.data(), seed.data());
  return key;
}

Signature sign(const SigningKey& key, std::string_view text) {
  Signature signature;
  crypto_sign_detached(signature.data(), nullptr, bytes_of(text), text.size(), key.secret.data());
  return signature;
}

bool signed_by(const Digest& public_key, std::string_view text, const Signature& signature) {
  return crypto_sign_verify_detached(signature.data(), bytes_of(text), text.size(),
                                     public_key.data()) == 0;
}

}  // namespace shanhuo
