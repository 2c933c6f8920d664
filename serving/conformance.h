// `shanhuo conformance FILE [--json]`: a cases file of GrowthBook's SDK specification (cases.json:
// sections of cases, each an array) run against configs/; passed and failed by section, and what
// failed. Exit 1 when anything did.
//
// Sections that only a browser needs (decrypt, urlRedirect) and sections of names that nobody knows
// are skipped, and said to be. One thread, no engine.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "features/attributes.h"
#include "serving/cli.h"

namespace shanhuo {

struct ConformanceFailure {
  std::string name;           // of the case; its number where it has none
  std::string expected, got;  // JSON
};

struct ConformanceSection {
  std::string name;
  size_t passed = 0, skipped = 0;
  std::vector<ConformanceFailure> failed;
};

// kInvalid: `cases` is no object.
Result<std::vector<ConformanceSection>> run_conformance(const Value& cases);

int conformance_verb(const CliArguments& arguments);

}  // namespace shanhuo
