#include "features/signing.h"

#include "features/key_file.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr size_t kSecretBytesMin = 32;
constexpr size_t kNameBytes = 16;

}  // namespace

bool signed_by(std::string_view public_key, std::string_view text, std::string_view signature) {
  Digest key;
  Signature bytes;
  return from_hex(public_key, key) && from_hex(signature, bytes) && signed_by(key, text, bytes);
}

LedgerKeys::LedgerKeys(std::string_view secret)
    : naming_(digest_of('n', secret)),
      signing_(signing_key(digest_of('s', secret))),
      public_key_(to_hex(signing_.public_key)) {}

Result<LedgerKeys> LedgerKeys::load(const std::string& path) {
  const auto text = read_key_file(path);
  if (!text.ok()) return text.error();
  if (!text.value()) {
    const std::string secret = random_token(kSecretBytesMin);
    const Status written = write_key_file(path, secret + "\n");
    if (!written.ok()) return written.error();
    return LedgerKeys(secret);
  }
  const std::string_view all = *text.value();
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
  keyed_digest(naming_, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, name);
  return to_hex(name).substr(0, 2 * kNameBytes);
}

std::string LedgerKeys::sign(std::string_view text) const {
  return to_hex(shanhuo::sign(signing_, text));
}

}  // namespace shanhuo
