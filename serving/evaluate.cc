#include "serving/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/json_writer.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

using Kind = FlagSpec::Kind;
constexpr FlagSpec kFlags[] = {
    {"data", Kind::kText, "DIR", "folder of the data sets (README says where to get each)"},
    {"json", Kind::kText, "FILE", "writes the tables there, as JSON"},
    {"part", Kind::kText, "PART",
     "captions, gowalla, grocery: test, or dev, where parameters are chosen", "test"},
    {"law", Kind::kText, "NAMES", "allocation-day: which price laws, with commas between",
     "remaining_goal,fixed_boost,pid"},
    {"pages", Kind::kInteger, "N", "allocation-day: of a day, about", "160000", 2'000, 1e7},
    {"programs", Kind::kInteger, "N", "allocation-day: how many", "200", 10, 1'000},
    {"counties", Kind::kInteger, "N", "allocation-day: how many", "832", 20, 832},
    {"seed", Kind::kInteger, "N",
     "allocation-day, captions, cold-start, grocery: of everything random", "1", 0, 9e15},
};

constexpr Suite kSuites[] = {
    {"allocation-steam", "guarantees and fairness between 43 groups, re-ranked scores", true,
     evaluate_allocation_steam},
    {"allocation-adx", "two publishers' contracts, 100,000 requests each", true,
     evaluate_allocation_adx},
    {"open-bandit", "two policies' click rates, each from the log of the other", true,
     evaluate_open_bandit},
    {"kuairand-ctr", "clicks of short videos, predicted one by one while learning", true,
     evaluate_kuairand_ctr},
    {"allocation-day", "200 programs for a simulated day, in front of whole engines", false,
     evaluate_allocation_day},
    {"captions", "vectors of text alone: new items, by category", true, evaluate_captions},
    {"cold-start", "items that training never saw, by category and by who came first", true,
     evaluate_cold_start},
    {"gowalla", "check-ins: vectors that retrieve, LightGCN's split", true, evaluate_gowalla},
    {"grocery", "reviews: the next item, ReChorus's split", true, evaluate_grocery},
};

std::string names() {
  std::string all;
  for (const Suite& suite : kSuites) {
    if (!all.empty()) all += ", ";
    all += suite.name;
  }
  return all;
}

std::vector<std::string> split(const std::string& names) {
  std::vector<std::string> all;
  for (size_t at = 0; at <= names.size();) {
    const size_t end = std::min(names.find(',', at), names.size());
    all.push_back(names.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

Status write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text << '\n';
  file.close();
  if (file) return {};
  return Error{ErrorCode::kIo, path + ": cannot be written"};
}

}  // namespace

const std::span<const FlagSpec> kEvaluateFlags = kFlags;

SuiteCell cell(std::string text) { return {std::move(text), std::nullopt}; }

SuiteCell cell(double number, int digits) {
  if (!std::isfinite(number)) return cell("-");
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return {text, number};
}

std::string text_of(const SuiteReport& report) {
  std::string out = report.suite + "\n";
  for (const std::string& note : report.notes) out += "  " + note + "\n";
  for (const SuiteTable& table : report.tables) {
    out += "\n" + table.title + "\n";
    TextTable text(table.columns);
    for (const auto& row : table.rows) {
      std::vector<std::string> cells;
      for (const SuiteCell& value : row) cells.push_back(value.text);
      text.add(std::move(cells));
    }
    out += text.str();
  }
  return out;
}

std::string json_of(const SuiteReport& report) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("suite", report.suite);
  json.key("notes");
  json.begin_array();
  for (const std::string& note : report.notes) json.value(note);
  json.end_array();
  for (const SuiteTable& table : report.tables) {
    json.key(table.name);
    json.begin_array();
    for (const auto& row : table.rows) {
      json.begin_object();
      for (size_t c = 0; c < row.size(); ++c) {
        json.key(table.columns[c]);
        if (row[c].number) {
          json.value(*row[c].number);
        } else {
          json.value(row[c].text);
        }
      }
      json.end_object();
    }
    json.end_array();
  }
  json.end_object();
  return out;
}

int evaluate_verb(const CliArguments& arguments) {
  const auto suite = std::ranges::find(kSuites, arguments.operands[0], &Suite::name);
  if (suite == std::end(kSuites)) {
    return bad_usage(arguments,
                     "unknown suite '" + arguments.operands[0] + "'; allowed: " + names());
  }
  const std::string data = arguments.text("data");
  if (suite->needs_data && data.empty()) return bad_usage(arguments, "--data DIR is missing");
  if (suite->needs_data && !std::filesystem::is_directory(data)) {
    return fail(arguments, {ErrorCode::kNotFound, data + ": no such folder"});
  }
  const std::string part = arguments.text("part");
  if (part != "test" && part != "dev") {
    return bad_usage(arguments, "--part: allowed are test and dev");
  }
  SuiteInput input;
  input.data = data;
  input.part = part;
  input.laws = split(arguments.text("law"));
  input.pages = arguments.integer("pages");
  input.programs = arguments.integer("programs");
  input.counties = arguments.integer("counties");
  input.seed = static_cast<uint64_t>(arguments.integer("seed"));
  for (const auto& [key, value] : arguments.settings) {
    input.settings.push_back(std::string(key).append("=").append(value));
  }
  Progress progress(suite->name, "runs");
  uint64_t runs = 0;
  const Result<SuiteReport> report =
      suite->run(input, [&](double share) { progress.update(share, ++runs); });
  progress.finish();
  if (!report.ok()) return fail(arguments, report.error());
  std::fputs(text_of(report.value()).c_str(), stdout);
  if (arguments.given("json")) {
    const Status written = write_file(arguments.text("json"), json_of(report.value()));
    if (!written.ok()) return fail(arguments, written.error());
  }
  return report.value().met ? kExitDone : kExitFailed;
}

}  // namespace shanhuo
