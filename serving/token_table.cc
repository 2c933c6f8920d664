#include "serving/token_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "configs/reader.h"
#include "features/digest.h"

namespace shanhuo {
namespace {

constexpr size_t kDigestHexDigits = 64;  // of SHA-256
constexpr size_t kTokenBytes = 32;
constexpr std::string_view kBlanks = " \t\r";
constexpr double kRateMin = 0.01, kRateMax = 1'000'000;

constexpr std::pair<std::string_view, Role> kRoles[] = {{"feed", Role::kFeed},
                                                        {"ingest", Role::kIngest},
                                                        {"creator", Role::kCreator},
                                                        {"operator", Role::kOperator},
                                                        {"admin", Role::kAdmin}};

Error invalid(std::string what) { return {ErrorCode::kInvalid, std::move(what)}; }

// The digest of a line, whichever case its digits have; empty when it is none.
std::string parse_digest(std::string_view text) {
  if (text.size() != kDigestHexDigits) return {};
  std::string digest(text);
  for (char& c : digest) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  const bool hex = digest.find_first_not_of("0123456789abcdef") == std::string::npos;
  return hex ? digest : std::string();
}

// Takes the next line off `text`.
std::string_view next_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// Takes the next word off `line`; empty at its end or at a comment.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  if (line.empty() || line.front() == '#') return {};
  const size_t end = std::min(line.find_first_of(kBlanks), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

// Role and id of "creator:c-17" or "feed".
Result<Principal> parse_role_word(std::string_view word) {
  const size_t colon = word.find(':');
  const std::string_view name = word.substr(0, colon);
  const auto* const role = std::find_if(std::begin(kRoles), std::end(kRoles),
                                        [&](const auto& known) { return known.first == name; });
  if (role == std::end(kRoles)) {
    return invalid("role '" + std::string(name) +
                   "' is not feed, ingest, creator, operator or admin");
  }
  const bool has_id = colon != std::string_view::npos;
  if (has_id != (role->second == Role::kCreator)) {
    return invalid("creator, and no other role, takes ':' and a creator id");
  }
  Principal principal{role->second, has_id ? std::string(word.substr(colon + 1)) : "", ""};
  if (has_id && !valid_id(principal.creator_id)) {
    return invalid("the creator id must be 1..128 bytes of UTF-8");
  }
  return principal;
}

Status parse_until(std::string_view text, TokenEntry& entry) {
  entry.until = parse_rfc3339(text);
  if (entry.until) return {};
  return invalid("until: '" + std::string(text) +
                 "' is no time with an offset, as 2026-12-31T18:00:00+08:00");
}

Status parse_rate(std::string_view text, TokenEntry& entry) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), entry.per_second);
  const bool number = error == std::errc() && end == text.data() + text.size();
  if (number && entry.per_second >= kRateMin && entry.per_second <= kRateMax) return {};
  return invalid("rate: '" + std::string(text) + "' is not 0.01..1000000 requests a second");
}

// One word behind the role.
Status parse_term(std::string_view word, TokenEntry& entry) {
  const size_t is = word.find('=');
  const std::string_view key = is == word.npos ? std::string_view() : word.substr(0, is);
  if (key == "until") {
    if (entry.until) return invalid("until stands twice");
    return parse_until(word.substr(is + 1), entry);
  }
  if (key == "rate") {
    if (entry.per_second > 0) return invalid("rate stands twice");
    return parse_rate(word.substr(is + 1), entry);
  }
  if (!entry.principal.caller.empty()) {
    return invalid("a line holds digest, role, one name, until= and rate=");
  }
  entry.principal.caller = word;
  return valid_id(word) ? Status() : Status(invalid("the name must be 1..128 bytes of UTF-8"));
}

Result<TokenEntry> parse_line(std::string_view digest_word, std::string_view rest) {
  TokenEntry entry;
  entry.digest = parse_digest(digest_word);
  if (entry.digest.empty()) {
    return invalid("the line must begin with a SHA-256 of 64 hex digits");
  }
  Result<Principal> principal = parse_role_word(next_word(rest));
  if (!principal.ok()) return principal.error();
  entry.principal = std::move(principal).value();
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    if (const Status term = parse_term(word, entry); !term.ok()) return term.error();
  }
  if (entry.principal.caller.empty()) entry.principal.caller = digest_word.substr(0, 8);
  return entry;
}

std::string line_of(std::string_view digest, std::string_view role, const TokenTerms& terms) {
  std::string line = std::string(digest) + " " + std::string(role);
  if (!terms.name.empty()) line += " " + terms.name;
  if (!terms.until.empty()) line += " until=" + terms.until;
  if (!terms.rate.empty()) line += " rate=" + terms.rate;
  return line;
}

// The word that begins with `key`=, without that; empty: none.
std::string term_of(std::string_view line, std::string_view key) {
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=') {
      return std::string(word.substr(key.size() + 1));
    }
  }
  return {};
}

}  // namespace

std::string_view role_name(Role role) {
  for (const auto& [text, known] : kRoles) {
    if (known == role) return text;
  }
  return "nobody";
}

RateLimit::RateLimit(double per_second)
    : interval_ns_(static_cast<int64_t>(1e9 / per_second)),
      burst_ns_(std::max<int64_t>(0, 1'000'000'000 - interval_ns_)) {}

int64_t RateLimit::wait_ns(int64_t now_ns) {
  int64_t due = next_ns_.load(std::memory_order_relaxed);
  while (true) {
    const int64_t from = std::max(due, now_ns);
    if (from - now_ns > burst_ns_) return from - now_ns - burst_ns_;
    if (next_ns_.compare_exchange_weak(due, from + interval_ns_, std::memory_order_relaxed)) {
      return 0;
    }
  }
}

Result<TokenTable> TokenTable::parse(std::string_view text, const std::string& file,
                                     size_t tokens_max, const TokenTable& previous) {
  TokenTable table;
  std::set<std::string> seen;
  for (size_t number = 1; !text.empty(); ++number) {
    std::string_view line = next_line(text);
    const std::string_view digest = next_word(line);
    if (digest.empty()) continue;
    const std::string place = file + ":" + std::to_string(number);
    Result<TokenEntry> parsed = parse_line(digest, line);
    if (!parsed.ok()) return parsed.error().within(place);
    TokenEntry& entry = parsed.value();
    if (!seen.insert(entry.digest).second) return invalid("the same token twice").within(place);
    if (table.entries_.size() == tokens_max) {
      return invalid("more than " + std::to_string(tokens_max) + " tokens").within(place);
    }
    if (entry.per_second > 0) {
      const TokenEntry* const before = previous.find(entry.digest);
      const bool same = before != nullptr && before->per_second == entry.per_second;
      entry.principal.limit =
          same ? before->principal.limit : std::make_shared<RateLimit>(entry.per_second);
    }
    table.entries_.push_back(std::move(entry));
  }
  return table;
}

// To the end: the time tells nothing about the table.
const TokenEntry* TokenTable::find(std::string_view digest) const {
  const TokenEntry* found = nullptr;
  for (const TokenEntry& entry : entries_) {
    if (equal_secrets(entry.digest, digest)) found = &entry;
  }
  return found;
}

Result<NewToken> make_token(std::string_view role, const TokenTerms& terms) {
  std::string token = random_token(kTokenBytes);
  const std::string digest = sha256_hex(token);
  std::string line = line_of(digest, role, terms);
  const bool one_word_each = role.find_first_of(" \t\n#") == role.npos &&
                             terms.name.find_first_of(" \t\n#=") == terms.name.npos;
  if (!one_word_each) return invalid("ids and names in a token file hold no blanks, '#' or '='");
  const Result<TokenEntry> parsed =
      parse_line(digest, std::string_view(line).substr(digest.size()));
  if (!parsed.ok()) return parsed.error();
  return NewToken{std::move(token), std::move(line)};
}

Result<RotatedTokens> rotate_tokens(std::string_view text, const std::string& file,
                                    std::string_view name, const std::string& until) {
  const auto ends = parse_rfc3339(until);
  if (!ends) return invalid("'" + until + "' is no time with an offset");
  const Result<TokenTable> table = TokenTable::parse(text, file, SIZE_MAX, {});
  if (!table.ok()) return table.error();
  RotatedTokens rotated;
  std::string role, rate;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    std::string_view rest = line;
    const std::string_view digest = next_word(rest);
    const TokenEntry* const entry = table.value().find(parse_digest(digest));
    if (entry == nullptr || entry->principal.caller != name) {
      rotated.text += std::string(line) + "\n";
      continue;
    }
    std::string_view words = rest;
    role = next_word(words);
    rate = term_of(rest, "rate");
    const bool sooner = entry->until && *entry->until <= *ends;
    const TokenTerms old{std::string(name), sooner ? term_of(rest, "until") : until, rate};
    rotated.text += line_of(digest, role, old) + "\n";
    ++rotated.old;
  }
  if (rotated.old == 0) {
    return Error{ErrorCode::kNotFound, file + ": no token is named " + std::string(name)};
  }
  Result<NewToken> made = make_token(role, {std::string(name), "", rate});
  if (!made.ok()) return made.error();
  rotated.token = std::move(made).value();
  rotated.text += rotated.token.line + "\n";
  return rotated;
}

}  // namespace shanhuo
