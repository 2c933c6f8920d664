// Format of "gh": next checkpoints block_first:varint hour from to:zigzag head prev:32 bytes
// (leaves:varint root:32 bytes)* (packing.h).
#include "features/ledger_chain.h"

#include <algorithm>

#include "base/json_writer.h"
#include "features/packing.h"

namespace shanhuo {
namespace {

constexpr std::string_view kHeadKey = "gh";

void put_digest(std::string* out, const Digest& digest) { out->append(as_bytes(digest)); }

bool take_digest(std::string_view* in, Digest* digest) {
  if (in->size() < digest->size()) return false;
  std::copy_n(in->data(), digest->size(), digest->begin());
  in->remove_prefix(digest->size());
  return true;
}

std::string numbered(std::string_view prefix, uint64_t n) {
  std::string key(prefix);
  put_key64(&key, static_cast<int64_t>(n));
  return key;
}

}  // namespace

Digest entry_hash(std::string_view body) { return digest_of(0, body); }

std::string entry_line(std::string_view body, const Digest& hash) {
  std::string line(body);
  line += ",\"hash\":\"";
  append_hex(hash, line);
  return line += "\"}";
}

std::string signed_line(std::string_view body, const LedgerKeys& keys) {
  return std::string(body) + ",\"signature\":\"" + keys.sign(body) + "\"}";
}

std::string LedgerChain::entry_key(uint64_t n) { return numbered("ge", n); }
std::string LedgerChain::checkpoint_key(uint64_t last_entry) { return numbered("gk", last_entry); }

uint64_t LedgerChain::append(const ChainEntry& entry) {
  std::string body;
  body.reserve(384);
  JsonWriter json(body);
  json.begin_object();
  json.field("n", next_);
  json.field("kind", entry.kind);
  json.field("ts_ms", entry.ts.count());
  if (entry.fen != 0) json.field("fen", entry.fen);
  if (entry.points != 0) json.field("points", entry.points);
  const std::pair<std::string_view, std::string_view> texts[] = {
      {"account", entry.account}, {"order", entry.order}, {"item", entry.item},
      {"cause", entry.cause},     {"rule", entry.rule},   {"what", entry.what}};
  for (const auto& [name, text] : texts) {
    if (!text.empty()) json.field(name, text);
  }
  body += ",\"prev\":\"";
  append_hex(head_, body);
  body += '"';
  head_ = entry_hash(body);
  block_.add(head_);
  block_from_ = std::min(block_from_, entry.ts.count());
  block_to_ = std::max(block_to_, entry.ts.count());
  bodies_.push_back(std::move(body));
  const uint64_t n = next_++;
  if (next_ - block_first_ >= block_entries_max_) end_block();
  return n;
}

void LedgerChain::pass(Millis now) {
  const int64_t hour = window_of(now, kHour);
  if (hour <= hour_) return;
  if (next_ > block_first_ && hour_ != INT64_MIN) end_block();
  hour_ = hour;
}

void LedgerChain::end_block() {
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.field("checkpoint", checkpoints_);
  json.field("first", block_first_);
  json.field("entries", next_ - block_first_);
  json.field("from_ms", block_from_);
  json.field("to_ms", block_to_);
  json.field("root", to_hex(block_.root()));
  json.field("head", to_hex(head_));
  json.field("prev", to_hex(checkpoint_prev_));
  checkpoint_prev_ = digest_of(2, body);
  checkpoints_made_.emplace_back(next_ - 1, signed_line(body, keys_));
  ++checkpoints_;
  block_.clear();
  block_first_ = next_;
  block_from_ = INT64_MAX;
  block_to_ = INT64_MIN;
}

std::string LedgerChain::head_line() const {
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.field("head", next_);
  json.field("hash", to_hex(head_));
  json.field("checkpoints", checkpoints_);
  return signed_line(body, keys_);
}

LedgerChain::Waiting LedgerChain::waiting_from(uint64_t first, uint64_t count) const {
  Waiting waiting;
  waiting.next = next_;
  waiting.checkpoints_made = checkpoints_;
  waiting.first = next_ - bodies_.size();
  const uint64_t end = first + std::min(count, next_ - std::min(first, next_));
  for (uint64_t n = std::max(first, waiting.first); n < end; ++n) {
    waiting.bodies.push_back(bodies_[n - waiting.first]);
  }
  waiting.checkpoints.assign(checkpoints_made_.begin(), checkpoints_made_.end());
  waiting.head = head_line();
  return waiting;
}

std::string LedgerChain::packed() const {
  std::string out;
  for (const uint64_t n : {next_, checkpoints_, block_first_}) put_varint(&out, n);
  for (const int64_t n : {hour_, block_from_, block_to_}) put_signed(&out, n);
  put_digest(&out, head_);
  put_digest(&out, checkpoint_prev_);
  for (const MerkleFrontier::Part& part : block_.parts()) {
    put_varint(&out, part.leaves);
    put_digest(&out, part.root);
  }
  return out;
}

bool LedgerChain::unpack(std::string_view bytes) {
  bool good = take_varint(&bytes, &next_) && take_varint(&bytes, &checkpoints_) &&
              take_varint(&bytes, &block_first_) && take_signed(&bytes, &hour_) &&
              take_signed(&bytes, &block_from_) && take_signed(&bytes, &block_to_) &&
              take_digest(&bytes, &head_) && take_digest(&bytes, &checkpoint_prev_);
  std::vector<MerkleFrontier::Part> parts;
  uint64_t leaves = 0;
  while (good && !bytes.empty()) {
    MerkleFrontier::Part& part = parts.emplace_back();
    good = take_varint(&bytes, &part.leaves) && take_digest(&bytes, &part.root);
    leaves += part.leaves;
  }
  block_.restore(std::move(parts));
  return good && leaves == next_ - block_first_;
}

void LedgerChain::begin_checkpoint() {
  frozen_ = packed();
  frozen_next_ = next_;
  frozen_checkpoints_ = checkpoints_;
  written_ = next_ - bodies_.size();
  written_checkpoints_ = checkpoints_ - checkpoints_made_.size();
}

bool LedgerChain::checkpoint_step(size_t records_max, StateWriter& writer) {
  for (size_t i = 0; i < records_max && written_ < frozen_next_; ++i, ++written_) {
    writer.put(entry_key(written_), bodies_[written_ - (next_ - bodies_.size())]);
  }
  if (written_ < frozen_next_) return false;
  for (; written_checkpoints_ < frozen_checkpoints_; ++written_checkpoints_) {
    const uint64_t first = checkpoints_ - checkpoints_made_.size();
    const auto& [last, line] = checkpoints_made_[written_checkpoints_ - first];
    writer.put(checkpoint_key(last), line);
  }
  writer.put(kHeadKey, frozen_);
  return true;
}

void LedgerChain::checkpoint_committed() {
  while (next_ - bodies_.size() < frozen_next_) bodies_.pop_front();
  while (checkpoints_ - checkpoints_made_.size() < frozen_checkpoints_) {
    checkpoints_made_.pop_front();
  }
}

Status LedgerChain::restore(const StateReader& reader) {
  const Result<std::optional<std::string>> stored = reader.get(kHeadKey);
  if (!stored.ok()) return stored.error();
  if (!stored.value() || unpack(*stored.value())) return {};
  return Error{ErrorCode::kCorrupt, "ledger: where its chain stands does not hold"};
}

}  // namespace shanhuo
