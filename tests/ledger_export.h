// An export of the ledger (features/ledger_chain.h) from what memory holds, for tests and bench.
// Requires: nothing of it is on disk alone.
#pragma once

#include <string>

#include "features/ledger_chain.h"

namespace shanhuo {

inline std::string ledger_export(const LedgerChain::Waiting& waiting, const LedgerKeys& keys) {
  std::string text = std::string(kLedgerHeader) + keys.public_key() + "\"}\n";
  size_t checkpoint = 0;
  for (size_t n = 0; n < waiting.bodies.size(); ++n) {
    const std::string& body = waiting.bodies[n];
    const Digest hash = entry_hash(body);
    text += entry_line(body, hash) + "\n";
    const bool sealed = checkpoint < waiting.checkpoints.size() &&
                        waiting.checkpoints[checkpoint].first == waiting.first + n;
    if (sealed) text += waiting.checkpoints[checkpoint++].second + "\n";
  }
  return text + waiting.head + "\n";
}

}  // namespace shanhuo
