#include "features/ledger_verify.h"

#include <charconv>

#include "features/ledger_chain.h"

namespace shanhuo {
namespace {

constexpr std::string_view kEntryStart = "{\"n\":";
constexpr std::string_view kCheckpointStart = "{\"checkpoint\":";
constexpr std::string_view kHeadStart = "{\"head\":";
constexpr std::string_view kHash = ",\"hash\":\"";
constexpr std::string_view kSignature = ",\"signature\":\"";
constexpr std::string_view kEnd = "\"}";
constexpr size_t kHexBytes = 64;
constexpr size_t kSignatureBytes = 128;

Error wrong(std::string_view what, uint64_t n, std::string_view detail) {
  return {ErrorCode::kCorrupt,
          std::string(what) + " " + std::to_string(n) + ": " + std::string(detail)};
}

// Cuts `mark` + `bytes` + `"}` off the end of a line; false when it does not end so.
bool cut_end(std::string_view& line, std::string_view mark, size_t bytes, std::string_view& value) {
  const size_t tail = mark.size() + bytes + kEnd.size();
  if (line.size() < tail || !line.ends_with(kEnd)) return false;
  const std::string_view end = line.substr(line.size() - tail);
  if (!end.starts_with(mark)) return false;
  value = end.substr(mark.size(), bytes);
  line.remove_suffix(tail);
  return true;
}

// Takes `mark` and a number from the front.
bool take_number(std::string_view& text, std::string_view mark, uint64_t& number) {
  if (!text.starts_with(mark)) return false;
  text.remove_prefix(mark.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

// Cuts `mark` + 64 hex digits + `"` off the end.
bool cut_hex(std::string_view& text, std::string_view mark, std::string_view& hex) {
  const size_t tail = mark.size() + kHexBytes + 1;
  if (text.size() < tail || text.back() != '"') return false;
  const std::string_view end = text.substr(text.size() - tail);
  if (!end.starts_with(mark)) return false;
  hex = end.substr(mark.size(), kHexBytes);
  text.remove_suffix(tail);
  return true;
}

}  // namespace

Status LedgerVerifier::line(std::string_view line) {
  if (ended_) return wrong("entry", entries_, "stands after the end of the ledger");
  if (key_.empty()) return header(line);
  if (line.starts_with(kEntryStart)) return entry(line);
  if (line.starts_with(kCheckpointStart)) return checkpoint(line);
  if (line.starts_with(kHeadStart)) return end(line);
  return wrong("entry", entries_, "the line here is neither an entry nor a checkpoint");
}

Status LedgerVerifier::header(std::string_view line) {
  Digest key;
  if (!line.starts_with(kLedgerHeader) || !line.ends_with(kEnd) ||
      line.size() != kLedgerHeader.size() + kHexBytes + kEnd.size() ||
      !from_hex(line.substr(kLedgerHeader.size(), kHexBytes), key)) {
    return Error{ErrorCode::kCorrupt, "line 1: is not the header of a ledger (shanhuo/1)"};
  }
  const std::string_view named = line.substr(kLedgerHeader.size(), kHexBytes);
  if (!wanted_key_.empty() && named != wanted_key_) {
    return Error{ErrorCode::kCorrupt, "line 1: the ledger is signed by another key"};
  }
  key_ = named;
  return {};
}

Status LedgerVerifier::entry(std::string_view line) {
  std::string_view body = line, hash, prev;
  if (!cut_end(body, kHash, kHexBytes, hash)) {
    return wrong("entry", entries_, "has no hash at its end");
  }
  std::string_view rest = body;
  uint64_t n = 0;
  if (!take_number(rest, kEntryStart, n) || !rest.starts_with(',')) {
    return wrong("entry", entries_, "has no number");
  }
  if (n != entries_) {
    return wrong("entry", entries_,
                 "number " + std::to_string(n) + " stands in its place: removed, added or moved");
  }
  scratch_.clear();
  append_hex(head_, scratch_);
  if (!cut_hex(rest, ",\"prev\":\"", prev) || prev != scratch_) {
    return wrong("entry", n, "does not follow from the one before");
  }
  head_ = entry_hash(body);
  scratch_.clear();
  append_hex(head_, scratch_);
  if (hash != scratch_) return wrong("entry", n, "is not what was hashed");
  block_.add(head_);
  ++entries_;
  return {};
}

Status LedgerVerifier::checkpoint(std::string_view line) {
  std::string_view body = line, signature, root, head, prev;
  uint64_t number = 0, first = 0, count = 0;
  if (!cut_end(body, kSignature, kSignatureBytes, signature) || !signed_by(key_, body, signature)) {
    return wrong("checkpoint", checkpoints_, "its signature does not hold");
  }
  std::string_view rest = body;
  if (!take_number(rest, kCheckpointStart, number) || !take_number(rest, ",\"first\":", first) ||
      !take_number(rest, ",\"entries\":", count) || !cut_hex(rest, ",\"prev\":\"", prev) ||
      !cut_hex(rest, ",\"head\":\"", head) || !cut_hex(rest, ",\"root\":\"", root)) {
    return wrong("checkpoint", checkpoints_, "is malformed");
  }
  if (number != checkpoints_ || prev != to_hex(checkpoint_prev_)) {
    return wrong(
        "checkpoint", checkpoints_,
        "number " + std::to_string(number) + " stands in its place: removed, added or moved");
  }
  if (first != block_first_ || count == 0 || first + count != entries_) {
    return wrong("checkpoint", number, "does not cover the entries before it");
  }
  if (head != to_hex(head_) || root != to_hex(block_.root())) {
    return wrong("checkpoint", number, "was signed over other entries");
  }
  checkpoint_prev_ = digest_of(2, body);
  block_.clear();
  block_first_ = entries_;
  ++checkpoints_;
  return {};
}

Status LedgerVerifier::end(std::string_view line) {
  std::string_view body = line, signature, hash;
  uint64_t entries = 0, checkpoints = 0;
  if (!cut_end(body, kSignature, kSignatureBytes, signature) || !signed_by(key_, body, signature)) {
    return Error{ErrorCode::kCorrupt, "the end of the ledger: its signature does not hold"};
  }
  std::string_view rest = body;
  const size_t comma = body.rfind(",\"checkpoints\":");
  if (comma == body.npos) return Error{ErrorCode::kCorrupt, "the end of the ledger is malformed"};
  std::string_view tail = body.substr(comma);
  rest = body.substr(0, comma);
  if (!take_number(tail, ",\"checkpoints\":", checkpoints) || !tail.empty() ||
      !take_number(rest, kHeadStart, entries) || !cut_hex(rest, kHash, hash) || !rest.empty()) {
    return Error{ErrorCode::kCorrupt, "the end of the ledger is malformed"};
  }
  if (entries != entries_ || hash != to_hex(head_)) {
    return wrong("entry", std::min(entries, entries_),
                 "the ledger was signed with " + std::to_string(entries) + " entries, " +
                     std::to_string(entries_) + " are here");
  }
  if (checkpoints != checkpoints_) {
    return wrong("checkpoint", checkpoints_, "is missing before the end");
  }
  ended_ = true;
  return {};
}

Status LedgerVerifier::finish() const {
  if (ended_) return {};
  return wrong("entry", entries_, "the ledger ends here without its signed end: cut off");
}

Status LedgerVerifier::all(std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == text.npos) return wrong("entry", entries_, "the last line does not end");
    const Status good = line(text.substr(0, end));
    if (!good.ok()) return good;
    text.remove_prefix(end + 1);
  }
  return finish();
}

}  // namespace shanhuo
