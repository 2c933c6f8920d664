// Lines of the ledger (features/ledger_chain.h), from memory and disk. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "features/giving.h"

namespace shanhuo {

struct LedgerPiece {
  uint64_t first = 0;                                           // number of the first of `bodies`
  std::vector<std::string> bodies{};                            // of entries, in order
  std::vector<std::pair<uint64_t, std::string>> checkpoints{};  // those that end in it: last, line
  uint64_t size = 0;                                            // of the whole ledger
  std::string head;                                             // its line
};

// Entries [first, first + count), as far as there are any. kCorrupt when the disk lacks one.
Result<LedgerPiece> read_ledger(const GivingBook& book, const StateReader& disk, uint64_t first,
                                uint64_t count);
// The checkpoint that covers an entry: its last entry and its line; nothing: none does yet.
Result<std::optional<std::pair<uint64_t, std::string>>> checkpoint_of(const GivingBook& book,
                                                                      const StateReader& disk,
                                                                      uint64_t entry);

// An inclusion proof, and what it takes to check one.
struct LedgerProof {
  std::string line, checkpoint;  // whole lines
  uint64_t index = 0;            // of the entry in its block
  std::vector<Digest> path;
};
// kNotFound: there is no such entry; kConflict: no checkpoint covers it yet.
Result<LedgerProof> prove_entry(const GivingBook& book, const StateReader& disk, uint64_t entry);
// kCorrupt with what does not hold.
Status check_proof(const LedgerProof& proof, std::string_view public_key);

// The number behind `"name":` in a line of the ledger.
std::optional<int64_t> ledger_number(std::string_view line, std::string_view name);

}  // namespace shanhuo
