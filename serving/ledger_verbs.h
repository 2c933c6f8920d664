// `shanhuo ledger`: the public ledger of a running engine, over its API, or an export of it, which
// needs no engine.
//
//   verify [--file EXPORT] [--entry N] [--key HEX]   checks chain, Merkle roots and signatures
//   export                                           all of it, on stdout, as verify reads it
//   ls [--entry N]                                   some entries, from N on
#pragma once

#include <span>

#include "serving/cli.h"

namespace shanhuo {

int ledger_verb(const CliArguments& arguments);
extern const std::span<const FlagSpec> kLedgerFlags;

}  // namespace shanhuo
