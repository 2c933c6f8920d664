// The public ledger: an append-only chain of entries, each of which names the hash of the one
// before, and signed checkpoints over blocks of them. Every line is text, and what is hashed is the
// text itself, so that anybody can check it with a dozen lines of a script (docs/giving.md).
//
//   entry       {"n":12,"kind":"donation","ts_ms":..,"fen":..,["points":..,"account":".."..],
//               "prev":"<hash of entry 11>","hash":"<hash>"}
//   hash        BLAKE2b-256 of byte 0 and the line's bytes before ,"hash":
//   checkpoint  {"checkpoint":3,"first":..,"entries":..,"from_ms":..,"to_ms":..,"root":"..",
//               "head":"<hash of its last entry>","prev":"..","signature":".."}
//   root        of the block's hashes (merkle.h);  prev: the digest of byte 2 and the bytes before
//               ,"signature": of the checkpoint before; of the first one, and of entry 0: 64 zeros
//   signature   Ed25519 over the line's bytes before ,"signature":
//   head        {"head":<number of entries>,"hash":"<of the last>","checkpoints":..,
//               "signature":".."}
//   header      {"ledger":"shanhuo/1","public_key":".."}
//   export      header, entries in order, each checkpoint after the last entry of its block, head
//
// A block ends with the hour of engine time, and at `block_entries_max`. No entry holds a viewer's
// or an order's id: names are keyed hashes (signing.h).
//
// Entries stay in memory until a checkpoint of the state has made them durable, then on disk alone:
// "ge" + number (big endian) for an entry's body, "gk" + number of its last entry for a
// checkpoint's line, "gh" for where the chain stands. The owner guards
// all calls by one mutex (giving.h), but for the static ones.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "features/merkle.h"
#include "features/signing.h"
#include "features/state_machine.h"

namespace shanhuo {

struct ChainEntry {
  std::string_view kind;
  Millis ts;
  int64_t fen = 0, points = 0;
  // Left out when empty.
  std::string_view account{}, order{}, item{}, cause{}, rule{}, what{};
};

// The pieces of lines, without what closes them.
inline constexpr std::string_view kLedgerHeader = "{\"ledger\":\"shanhuo/1\",\"public_key\":\"";
Digest entry_hash(std::string_view body);
std::string entry_line(std::string_view body, const Digest& hash);
std::string signed_line(std::string_view body, const LedgerKeys& keys);

class LedgerChain {
 public:
  LedgerChain(const LedgerKeys& keys, uint64_t block_entries_max)
      : keys_(keys), block_entries_max_(block_entries_max) {}

  // Gives the entry's number.
  uint64_t append(const ChainEntry& entry);
  // Ends the block if its hour is over.
  void pass(Millis now);

  uint64_t size() const { return next_; }
  uint64_t checkpoints() const { return checkpoints_; }
  uint64_t waiting() const { return bodies_.size(); }  // entries that are not durable yet
  std::string head_line() const;
  const LedgerKeys& keys() const { return keys_; }

  // What memory has of entries [first, first + count) and of checkpoints; the rest is on disk.
  struct Waiting {
    uint64_t first = 0, next = 0, checkpoints_made = 0;
    std::vector<std::string> bodies;  // of the entries from max(first, asked) on
    std::vector<std::pair<uint64_t, std::string>> checkpoints;  // last entry, line
    std::string head;                                           // a line
  };
  Waiting waiting_from(uint64_t first, uint64_t count) const;

  void begin_checkpoint();
  bool checkpoint_step(size_t records_max, StateWriter& writer);
  void checkpoint_committed();
  Status restore(const StateReader& reader);

  static std::string entry_key(uint64_t n);
  static std::string checkpoint_key(uint64_t last_entry);

 private:
  void end_block();
  std::string packed() const;
  bool unpack(std::string_view bytes);

  const LedgerKeys& keys_;
  const uint64_t block_entries_max_;
  uint64_t next_ = 0, checkpoints_ = 0;
  Digest head_{}, checkpoint_prev_{};
  MerkleFrontier block_;
  uint64_t block_first_ = 0;
  int64_t hour_ = INT64_MIN;  // of engine time
  int64_t block_from_ = INT64_MAX, block_to_ = INT64_MIN;

  std::deque<std::string> bodies_;                                 // the last ones, up to next_
  std::deque<std::pair<uint64_t, std::string>> checkpoints_made_;  // last entry, line
  // Of the running checkpoint of the state.
  uint64_t frozen_next_ = 0, frozen_checkpoints_ = 0, written_ = 0, written_checkpoints_ = 0;
  std::string frozen_;
};

}  // namespace shanhuo
