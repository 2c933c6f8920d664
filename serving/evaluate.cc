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
};

constexpr Suite kSuites[] = {
    {"allocation-steam", "guarantees and fairness between 43 groups, re-ranked scores",
     evaluate_allocation_steam},
    {"allocation-adx", "two publishers' contracts, 100,000 requests each", evaluate_allocation_adx},
};

std::string names() {
  std::string all;
  for (const Suite& suite : kSuites) {
    if (!all.empty()) all += ", ";
    all += suite.name;
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
  if (!arguments.given("data")) return bad_usage(arguments, "--data DIR is missing");
  const std::string data = arguments.text("data");
  if (!std::filesystem::is_directory(data)) {
    return fail(arguments, {ErrorCode::kNotFound, data + ": no such folder"});
  }
  Progress progress(suite->name, "runs");
  uint64_t runs = 0;
  const Result<SuiteReport> report =
      suite->run(data, [&](double share) { progress.update(share, ++runs); });
  progress.finish();
  if (!report.ok()) return fail(arguments, report.error());
  std::fputs(text_of(report.value()).c_str(), stdout);
  if (!arguments.given("json")) return kExitDone;
  const Status written = write_file(arguments.text("json"), json_of(report.value()));
  return written.ok() ? kExitDone : fail(arguments, written.error());
}

}  // namespace shanhuo
