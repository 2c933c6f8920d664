// Checks an export of the ledger (ledger_chain.h) line by line, without an engine: numbers, hashes,
// links, Merkle roots, signatures, and that nothing is missing at the end. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "features/merkle.h"

namespace shanhuo {

class LedgerVerifier {
 public:
  // `public_key`: the one that must have signed; empty: whichever the export names.
  explicit LedgerVerifier(std::string_view public_key = {}) : wanted_key_(public_key) {}

  // The next line, without its line feed. kCorrupt names the first thing that does not hold; the
  // verifier is of no use then.
  Status line(std::string_view line);
  // After the last line.
  Status finish() const;
  // A whole export.
  Status all(std::string_view text);

  uint64_t entries() const { return entries_; }
  uint64_t checkpoints() const { return checkpoints_; }
  // Entries that a checkpoint covers.
  uint64_t sealed() const { return block_first_; }
  const std::string& public_key() const { return key_; }
  const Digest& head() const { return head_; }

 private:
  Status header(std::string_view line);
  Status entry(std::string_view line);
  Status checkpoint(std::string_view line);
  Status end(std::string_view line);

  const std::string wanted_key_;
  std::string key_;
  std::string scratch_;
  uint64_t entries_ = 0, checkpoints_ = 0, block_first_ = 0;
  Digest head_{}, checkpoint_prev_{};
  MerkleFrontier block_;
  bool ended_ = false;
};

}  // namespace shanhuo
