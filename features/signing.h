// Who signs the ledger, and names in it that nobody without the key can connect to what they stand
// for.
//
// Pure and thread-safe, but for load(), which may create the key file.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "features/digest.h"

namespace shanhuo {

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
  Digest naming_;
  SigningKey signing_;
  std::string public_key_;
};

}  // namespace shanhuo
