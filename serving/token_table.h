// The table of access tokens, as an operator's file has it (contract 2.10). Only digests are kept.
//
//   line    = digest SP role [":" creator_id] *(SP word)     one token
//   digest  = 64 hex digits, SHA-256 of the token's text
//   role    = "feed" | "ingest" | "creator" | "operator" | "admin"    creator alone takes an id
//   word    = name | "until=" time | "rate=" requests a second         each at most once
//   name    = the caller, for logs and idempotence; else the digest's first 8 digits
//   time    = RFC 3339 with an offset; the token is unknown from then on
//   rate    = 0.01..1,000,000; a burst of one second's worth (at least one request) passes
//   "#" starts a comment after a blank or at the start; empty lines are skipped
//
// A table is immutable but for what its rates have let through. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace shanhuo {

enum class Role : uint8_t { kNobody, kFeed, kIngest, kCreator, kOperator, kAdmin };
std::string_view role_name(Role role);  // "nobody", "feed", ...

// How many requests a second pass: the generic cell rate algorithm (ITU-T I.371, annex A), one
// number of state. Thread-safe.
class RateLimit {
 public:
  // Requires: per_second > 0.
  explicit RateLimit(double per_second);
  // 0: passes. Otherwise after how many nanoseconds one would, and nothing has changed.
  int64_t wait_ns(int64_t now_ns);

 private:
  const int64_t interval_ns_, burst_ns_;
  std::atomic<int64_t> next_ns_{INT64_MIN};  // when the next one is due at the steady rate
};

struct Principal {
  Role role = Role::kNobody;
  std::string creator_id;  // of Role::kCreator
  std::string caller;      // name of the token; "local" without a token file, "" for nobody
  std::shared_ptr<RateLimit> limit = nullptr;  // of the token; nullptr: none
};

struct TokenEntry {
  std::string digest;  // sha256_hex() of the token
  Principal principal;
  std::optional<Millis> until;  // wall clock
  double per_second = 0;        // 0: no limit
};

class TokenTable {
 public:
  TokenTable() = default;
  // kInvalid with `file`:line: what, for a bad line, a digest that stands twice or too many. A
  // token of `previous` with the same rate keeps what it has used of it.
  static Result<TokenTable> parse(std::string_view text, const std::string& file, size_t tokens_max,
                                  const TokenTable& previous);

  // nullptr: unknown. Takes as long whatever the table holds. `digest`: as TokenEntry's.
  const TokenEntry* find(std::string_view digest) const;
  size_t size() const { return entries_.size(); }

 private:
  std::vector<TokenEntry> entries_;
};

struct NewToken {
  std::string token;  // 43 characters of base64url; shown once, stored nowhere
  std::string line;   // for the token file, without a newline
};

struct TokenTerms {
  std::string name, until, rate;  // as in a line; empty: none
};

// `role`: as in a line, with a creator's id. kInvalid when the line would be refused.
Result<NewToken> make_token(std::string_view role, const TokenTerms& terms);

struct RotatedTokens {
  NewToken token;
  std::string text;  // of the whole file, with the new line
  int old = 0;       // lines that end at `until` now
};

// Another token of the same role and rate as those of `name`, which hold until `until` (RFC 3339)
// at most. kNotFound without one, kInvalid when the file does not hold.
Result<RotatedTokens> rotate_tokens(std::string_view text, const std::string& file,
                                    std::string_view name, const std::string& until);

}  // namespace shanhuo
