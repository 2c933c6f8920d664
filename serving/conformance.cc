#include "serving/conformance.h"

#include <cstdio>

#include "base/durable_file.h"
#include "base/json_writer.h"
#include "configs/program_store.h"
#include "features/attributes_json.h"
#include "serving/conformance_cases.h"
#include "streaming/json.h"

namespace shanhuo {
namespace {

constexpr size_t kFileBytesMax = 64u << 20;
constexpr size_t kFailuresShown = 20;  // of a section, as text

ConformanceSection run_section(std::string_view name, const Value& cases) {
  ConformanceSection section;
  section.name = name;
  const CaseRunner run = runner_of(name);
  for (size_t i = 0; i < cases.as_array().size(); ++i) {
    const Value& each = cases.as_array()[i];
    if (run == nullptr) {
      ++section.skipped;
      continue;
    }
    const bool named = each.is_array() && !each.as_array().empty() && each.as_array()[0].is_text();
    std::string title = named ? each.as_array()[0].as_text() : "";
    if (title.empty()) title = "case " + std::to_string(i);
    const auto verdict = each.is_array() ? run(each.as_array()) : std::nullopt;
    if (!verdict) {
      section.failed.push_back({title, "a case of this section", json_text(each)});
    } else if (verdict->passed()) {
      ++section.passed;
    } else {
      section.failed.push_back({title, json_text(verdict->expected), json_text(verdict->got)});
    }
  }
  return section;
}

Result<Value> read_cases(const std::string& path) {
  const Result<std::string> text = read_text_file(path, kFileBytesMax);
  if (!text.ok()) return text.error();
  json::Document document({.bytes_max = kFileBytesMax, .depth_max = 256});
  const Result<json::Value> parsed = document.parse(text.value());
  if (!parsed.ok()) return parsed.error().within(path);
  Result<Value> tree = json::to_value(parsed.value());
  if (!tree.ok()) return tree.error().within(path);
  return tree;
}

void print_text(const std::vector<ConformanceSection>& sections) {
  size_t passed = 0, failed = 0, skipped = 0;
  std::printf("%-24s %7s %7s %8s\n", "section", "passed", "failed", "skipped");
  for (const ConformanceSection& section : sections) {
    std::printf("%-24s %7zu %7zu %8zu\n", section.name.c_str(), section.passed,
                section.failed.size(), section.skipped);
    passed += section.passed;
    failed += section.failed.size();
    skipped += section.skipped;
  }
  std::printf("%-24s %7zu %7zu %8zu\n", "all", passed, failed, skipped);
  for (const ConformanceSection& section : sections) {
    for (size_t i = 0; i < section.failed.size() && i < kFailuresShown; ++i) {
      const ConformanceFailure& failure = section.failed[i];
      std::printf("\n%s: %s\n  expected %s\n  got      %s\n", section.name.c_str(),
                  failure.name.c_str(), failure.expected.c_str(), failure.got.c_str());
    }
    if (section.failed.size() > kFailuresShown) {
      std::printf("\n%s: %zu more (--json has all)\n", section.name.c_str(),
                  section.failed.size() - kFailuresShown);
    }
  }
}

void print_json(const std::vector<ConformanceSection>& sections) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("sections");
  json.begin_array();
  for (const ConformanceSection& section : sections) {
    json.begin_object();
    json.field("section", section.name);
    json.field("passed", section.passed);
    json.field("failed", section.failed.size());
    json.field("skipped", section.skipped);
    json.key("failures");
    json.begin_array();
    for (const ConformanceFailure& failure : section.failed) {
      json.begin_object();
      json.field("case", failure.name);
      json.field("expected", failure.expected);
      json.field("got", failure.got);
      json.end_object();
    }
    json.end_array();
    json.end_object();
  }
  json.end_array();
  json.end_object();
  std::printf("%s\n", out.c_str());
}

}  // namespace

Result<std::vector<ConformanceSection>> run_conformance(const Value& cases) {
  if (!cases.is_object()) {
    return Error{ErrorCode::kInvalid, "is no object of sections, each an array of cases"};
  }
  std::vector<ConformanceSection> sections;
  for (const auto& [name, section] : cases.as_object()) {
    if (section.is_array()) sections.push_back(run_section(name, section));
  }
  return sections;
}

int conformance_verb(const CliArguments& arguments) {
  const Result<Value> cases = read_cases(arguments.operands[0]);
  if (!cases.ok()) return fail(arguments, cases.error());
  const auto sections = run_conformance(cases.value());
  if (!sections.ok()) return fail(arguments, sections.error().within(arguments.operands[0]));
  arguments.json ? print_json(sections.value()) : print_text(sections.value());
  bool failed = false;
  for (const ConformanceSection& section : sections.value()) failed |= !section.failed.empty();
  return failed ? kExitFailed : kExitDone;
}

}  // namespace shanhuo
