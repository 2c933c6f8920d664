// `shanhuo evaluate SUITE --data DIR [--json FILE]`: published protocols on real data, as tables.
//
// A suite reads its part of DIR, runs, and returns its tables; nothing is written but the JSON
// file. The same tables make the text on stdout and the JSON. One thread; deterministic: seeds
// stand in the notes.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serving/cli.h"

namespace shanhuo {

struct SuiteCell {
  std::string text;
  std::optional<double> number;  // in JSON in place of the text; finite
};
SuiteCell cell(std::string text);
SuiteCell cell(double number, int digits);  // what is no number is "-"

struct SuiteTable {
  std::string name;   // of the JSON field: "laws"
  std::string title;  // a sentence: what the rows are
  std::vector<std::string> columns;
  std::vector<std::vector<SuiteCell>> rows;  // each as long as columns
};

struct SuiteReport {
  std::string suite;
  std::vector<std::string> notes;  // seeds, what was chosen on which part
  std::vector<SuiteTable> tables;
};

// Share of the work that is done, 0..1.
using SuiteProgress = std::function<void(double share)>;

struct Suite {
  std::string_view name;
  std::string_view about;
  Result<SuiteReport> (*run)(const std::string& data, const SuiteProgress& progress) = nullptr;
};

std::string text_of(const SuiteReport& report);
std::string json_of(const SuiteReport& report);

int evaluate_verb(const CliArguments& arguments);
extern const std::span<const FlagSpec> kEvaluateFlags;

// The suites; each reads what its name says under `data`.
Result<SuiteReport> evaluate_allocation_steam(const std::string& data,
                                              const SuiteProgress& progress);
Result<SuiteReport> evaluate_allocation_adx(const std::string& data, const SuiteProgress& progress);

}  // namespace shanhuo
