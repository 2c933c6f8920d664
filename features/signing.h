// What makes the ledger provable: BLAKE2b-256 (RFC 7693), Ed25519 signatures (RFC 8032), and names
// that nobody without the key can connect to what they stand for. libsodium stays in signing.cc.
//
// Pure and thread-safe, but for load(), which may create the key file.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace shanhuo {

using Digest = std::array<uint8_t, 32>;

// Of the byte `tag`, then `a`, then `b`.
Digest digest_of(uint8_t tag, std::string_view a, std::string_view b = {});
inline std::string_view as_bytes(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}
// 64 lower-case hex digits, and back; false when `hex` is anything else.
std::string to_hex(const Digest& digest);
void append_hex(const Digest& digest, std::string& out);
bool from_hex(std::string_view hex, Digest& digest);

// Whether `signature` (128 hex digits) is that of `text` by `public_key` (64 hex digits).
bool signed_by(std::string_view public_key, std::string_view text, std::string_view signature);

class LedgerKeys {
 public:
  // All keys follow from one secret text.
  explicit LedgerKeys(std::string_view secret);
  // The secret is the first line of the file, which is created, mode 0600, when it is missing.
  // kInvalid: others may read it, or it holds fewer than 32 characters.
  static Result<LedgerKeys> load(const std::string& path);

  // 32 hex digits. `kind` keeps the names of orders apart from those of viewers.
  std::string name_of(std::string_view kind, std::string_view a, std::string_view b = {}) const;
  std::string sign(std::string_view text) const;
  const std::string& public_key() const { return public_key_; }

 private:
  std::array<uint8_t, 32> naming_{};
  std::array<uint8_t, 64> signing_{};
  std::string public_key_;
};

}  // namespace shanhuo
