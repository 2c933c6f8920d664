// The one door to libsodium: digests, random bytes, signatures and comparing secrets. What access
// tokens, exposure tokens, revisions and the ledger are made of. Pure and thread-safe, but that
// random_*() read the system's random device.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace shanhuo {

using Digest = std::array<uint8_t, 32>;

inline std::string_view as_bytes(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// 64 lower-case hex digits (FIPS 180-4).
std::string sha256_hex(std::string_view bytes);
// BLAKE2b-256 (RFC 7693) of the byte `tag`, then `a`, then `b`.
Digest digest_of(uint8_t tag, std::string_view a, std::string_view b = {});
// BLAKE2b of `bytes` with a secret, as long as `mac` (16..64 bytes). Allocates nothing.
void keyed_digest(const Digest& secret, std::span<const uint8_t> bytes, std::span<uint8_t> mac);

// Lower-case hex digits, two a byte, and back; false when `hex` is anything else.
std::string to_hex(std::span<const uint8_t> bytes);
void append_hex(std::span<const uint8_t> bytes, std::string& out);
bool from_hex(std::string_view hex, std::span<uint8_t> bytes);

// Whether both are equal; the time taken tells nothing but their lengths.
bool equal_secrets(std::string_view a, std::string_view b);

void random_bytes(std::span<uint8_t> bytes);
// `bytes` of them in URL-safe base64 without padding.
std::string random_token(size_t bytes);

// Ed25519 (RFC 8032).
using Signature = std::array<uint8_t, 64>;
struct SigningKey {
  std::array<uint8_t, 64> secret{};
  Digest public_key{};
};
SigningKey signing_key(const Digest& seed);
Signature sign(const SigningKey& key, std::string_view text);
bool signed_by(const Digest& public_key, std::string_view text, const Signature& signature);

}  // namespace shanhuo
