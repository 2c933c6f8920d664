#include "serving/ledger_lines.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace shanhuo {
namespace {

constexpr std::string_view kSignature = ",\"signature\":\"";
constexpr std::string_view kHash = ",\"hash\":\"";

Error lacking(uint64_t entry) {
  return {ErrorCode::kCorrupt, "ledger: entry " + std::to_string(entry) + " is not on disk"};
}

// The text between `name` and the next quote.
std::string_view text_after(std::string_view line, std::string_view name) {
  const size_t at = line.rfind(name);
  if (at == line.npos) return {};
  line.remove_prefix(at + name.size());
  return line.substr(0, line.find('"'));
}

}  // namespace

std::optional<int64_t> ledger_number(std::string_view line, std::string_view name) {
  const std::string key = "\"" + std::string(name) + "\":";
  const size_t at = line.find(key);
  int64_t number = 0;
  if (at == line.npos) return std::nullopt;
  const char* begin = line.data() + at + key.size();
  const bool good = std::from_chars(begin, line.data() + line.size(), number).ec == std::errc();
  return good ? std::optional(number) : std::nullopt;
}

Result<LedgerPiece> read_ledger(const GivingBook& book, const StateReader& disk, uint64_t first,
                                uint64_t count) {
  LedgerChain::Waiting waiting = book.waiting_from(first, count);
  LedgerPiece piece{.first = first, .size = waiting.next, .head = std::move(waiting.head)};
  const uint64_t end = first + std::min(count, waiting.next - std::min(first, waiting.next));
  const uint64_t disk_end = std::min(end, waiting.first);
  if (first < disk_end) {
    const auto read = [&](std::string_view, std::string_view body) -> Status {
      piece.bodies.emplace_back(body);
      return {};
    };
    const Status entries =
        disk.scan_range(LedgerChain::entry_key(first), LedgerChain::entry_key(disk_end), read);
    if (!entries.ok()) return entries.error();
    if (piece.bodies.size() != disk_end - first) return lacking(first + piece.bodies.size());
  }
  if (first < end) {
    const auto read = [&](std::string_view, std::string_view line) -> Status {
      // One that was made since would not go with the head.
      const auto number = static_cast<uint64_t>(ledger_number(line, "checkpoint").value_or(0));
      if (number >= waiting.checkpoints_made) return {};
      const uint64_t last = static_cast<uint64_t>(ledger_number(line, "first").value_or(0) +
                                                  ledger_number(line, "entries").value_or(0)) -
                            1;
      piece.checkpoints.emplace_back(last, line);
      return {};
    };
    const Status sealed =
        disk.scan_range(LedgerChain::checkpoint_key(first), LedgerChain::checkpoint_key(end), read);
    if (!sealed.ok()) return sealed.error();
  }
  for (auto& [last, line] : waiting.checkpoints) {
    const bool known = !piece.checkpoints.empty() && piece.checkpoints.back().first >= last;
    if (last >= first && last < end && !known) {
      piece.checkpoints.emplace_back(last, std::move(line));
    }
  }
  std::ranges::move(waiting.bodies, std::back_inserter(piece.bodies));
  return piece;
}

Result<std::optional<std::pair<uint64_t, std::string>>> checkpoint_of(const GivingBook& book,
                                                                      const StateReader& disk,
                                                                      uint64_t entry) {
  using Found = std::optional<std::pair<uint64_t, std::string>>;
  const LedgerChain::Waiting waiting = book.waiting_from(UINT64_MAX, 0);
  Found found;
  const Error enough{ErrorCode::kConflict, ""};  // ends the walk
  const auto first = [&](std::string_view, std::string_view line) -> Status {
    const int64_t last =
        ledger_number(line, "first").value_or(0) + ledger_number(line, "entries").value_or(0) - 1;
    found.emplace(static_cast<uint64_t>(last), line);
    return enough;
  };
  const Status walked = disk.scan_range(LedgerChain::checkpoint_key(entry),
                                        LedgerChain::checkpoint_key(waiting.next), first);
  if (!walked.ok() && !found) return walked.error();
  if (found) return found;
  for (const auto& [last, line] : waiting.checkpoints) {
    if (last >= entry) return Found({last, line});
  }
  return Found();
}

Result<LedgerProof> prove_entry(const GivingBook& book, const StateReader& disk, uint64_t entry) {
  const uint64_t size = book.waiting_from(UINT64_MAX, 0).next;
  if (entry >= size) return Error{ErrorCode::kNotFound, "the ledger has no such entry"};
  const auto found = checkpoint_of(book, disk, entry);
  if (!found.ok()) return found.error();
  if (!found.value()) {
    return Error{ErrorCode::kConflict, "its hour is not over yet: no checkpoint covers it"};
  }
  const auto& [last, line] = *found.value();
  const auto first = static_cast<uint64_t>(ledger_number(line, "first").value_or(0));
  const Result<LedgerPiece> block = read_ledger(book, disk, first, last - first + 1);
  if (!block.ok()) return block.error();
  if (block.value().bodies.size() != last - first + 1) return lacking(last);
  std::vector<Digest> leaves;
  for (const std::string& body : block.value().bodies) leaves.push_back(entry_hash(body));
  LedgerProof proof;
  proof.index = entry - first;
  proof.line = entry_line(block.value().bodies[proof.index], leaves[proof.index]);
  proof.checkpoint = line;
  proof.path = merkle_path(leaves, proof.index);
  return proof;
}

Status check_proof(const LedgerProof& proof, std::string_view public_key) {
  const std::string_view checkpoint = proof.checkpoint, line = proof.line;
  const size_t signature = checkpoint.rfind(kSignature), hash = line.rfind(kHash);
  if (signature == checkpoint.npos || hash == line.npos) {
    return Error{ErrorCode::kCorrupt, "the proof is malformed"};
  }
  const std::string_view body = checkpoint.substr(0, signature);
  if (!signed_by(public_key, body, text_after(checkpoint, kSignature))) {
    return Error{ErrorCode::kCorrupt, "the checkpoint's signature does not hold"};
  }
  const Digest leaf = entry_hash(line.substr(0, hash));
  if (to_hex(leaf) != text_after(line, kHash)) {
    return Error{ErrorCode::kCorrupt, "the entry is not what was hashed"};
  }
  const int64_t n = ledger_number(line, "n").value_or(-1);
  const int64_t first = ledger_number(body, "first").value_or(0);
  const int64_t entries = ledger_number(body, "entries").value_or(0);
  Digest root;
  const bool leads = n >= first && n < first + entries &&
                     merkle_root_of(leaf, static_cast<uint64_t>(n - first),
                                    static_cast<uint64_t>(entries), proof.path, root);
  if (!leads || to_hex(root) != text_after(body, "\"root\":\"")) {
    return Error{ErrorCode::kCorrupt, "the path does not lead to the signed root"};
  }
  return {};
}

}  // namespace shanhuo
