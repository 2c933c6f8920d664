// `shanhuo evaluate SUITE --data DIR [--json FILE]`: published protocols on real data, as tables.
//
// A suite reads its part of DIR, runs, and returns its tables; nothing is written but the JSON
// file. The same tables make the text on stdout and the JSON. Deterministic: seeds stand in the
// notes. allocation-day makes its own data and runs whole engines, each in a temporary folder;
// suites that train use two threads; the others are of one.
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
  bool met = true;  // false: what ships misses a target; the command then fails
};

// Share of the work that is done, 0..1.
using SuiteProgress = std::function<void(double share)>;

// What a suite is called with; each takes its part.
struct SuiteInput {
  std::string data;  // folder of the data sets
  std::vector<std::string> laws;
  int64_t pages = 0, programs = 0, counties = 0;  // of a simulated day
  uint64_t seed = 1;
  std::string part;                   // "test", or "dev": where parameters are chosen
  std::vector<std::string> settings;  // of every engine, "prices.fairness_alpha=2"; of models,
                                      // "softmax.dims=32" (model_settings.h)
};

struct Suite {
  std::string_view name;
  std::string_view about;
  bool needs_data = false;
  Result<SuiteReport> (*run)(const SuiteInput& input, const SuiteProgress& progress) = nullptr;
};

std::string text_of(const SuiteReport& report);
std::string json_of(const SuiteReport& report);

int evaluate_verb(const CliArguments& arguments);
extern const std::span<const FlagSpec> kEvaluateFlags;

// The suites; each reads what its name says under --data, if it needs any.
Result<SuiteReport> evaluate_allocation_steam(const SuiteInput& input,
                                              const SuiteProgress& progress);
Result<SuiteReport> evaluate_allocation_adx(const SuiteInput& input, const SuiteProgress& progress);
Result<SuiteReport> evaluate_allocation_day(const SuiteInput& input, const SuiteProgress& progress);
Result<SuiteReport> evaluate_open_bandit(const SuiteInput& input, const SuiteProgress& progress);
Result<SuiteReport> evaluate_kuairand_ctr(const SuiteInput& input, const SuiteProgress& progress);
Result<SuiteReport> evaluate_captions(const SuiteInput& input, const SuiteProgress& progress);
Result<SuiteReport> evaluate_gowalla(const SuiteInput& input, const SuiteProgress& progress);
Result<SuiteReport> evaluate_cold_start(const SuiteInput& input, const SuiteProgress& progress);
Result<SuiteReport> evaluate_grocery(const SuiteInput& input, const SuiteProgress& progress);

}  // namespace shanhuo
