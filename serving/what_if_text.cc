// What a replay with other programs looks like to people and scripts, and its verb.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>

#include "base/json_writer.h"
#include "serving/serve.h"
#include "serving/terminal.h"
#include "serving/what_if.h"

namespace shanhuo {
namespace {

constexpr size_t kCountiesShown = 10;

template <typename Map>
void add_keys(const Map& map, std::set<std::string>& keys) {
  for (const auto& [key, value] : map) keys.insert(key);
}

WhatIfOutcome::Units units_of(const WhatIfOutcome& outcome, const std::string& program) {
  const auto found = outcome.programs.find(program);
  return found == outcome.programs.end() ? WhatIfOutcome::Units{} : found->second;
}

double county_of(const WhatIfOutcome& outcome, const std::string& county) {
  const auto found = outcome.counties.find(county);
  return found == outcome.counties.end() ? 0 : found->second;
}

std::set<std::string> programs_of(const WhatIfReport& report) {
  std::set<std::string> programs;
  for (const auto* each : {&report.happened, &report.same, &report.changed}) {
    add_keys(each->programs, programs);
  }
  return programs;
}

std::set<std::string> counties_of(const WhatIfReport& report) {
  std::set<std::string> counties;
  for (const auto* each : {&report.happened, &report.same, &report.changed}) {
    add_keys(each->counties, counties);
  }
  return counties;
}

std::string signed_number(double number) {
  return (number > 0 ? "+" : "") + format_fixed(number, 1);
}

// Columns of numbers: what happened, the two replays, and the change between these.
std::vector<std::string> row(const std::string& name, double happened, double same,
                             double changed) {
  return {name, format_fixed(happened, 1), format_fixed(same, 1), format_fixed(changed, 1),
          signed_number(changed - same)};
}

std::string county_table(const WhatIfReport& report) {
  std::vector<std::string> counties;
  for (const std::string& county : counties_of(report)) counties.push_back(county);
  const auto shift = [&](const std::string& county) {
    return county_of(report.changed, county) - county_of(report.same, county);
  };
  std::stable_sort(counties.begin(), counties.end(), [&](const auto& a, const auto& b) {
    return std::abs(shift(a)) > std::abs(shift(b));
  });
  TextTable table({"county", "happened", "as is", "changed", "shift"});
  for (size_t i = 0; i < std::min(kCountiesShown, counties.size()); ++i) {
    table.add(row(counties[i], county_of(report.happened, counties[i]),
                  county_of(report.same, counties[i]), county_of(report.changed, counties[i])));
  }
  return table.str();
}

void write_outcome(JsonWriter& json, std::string_view name, const WhatIfOutcome& outcome) {
  json.key(name);
  json.begin_object();
  json.field("pages", outcome.pages);
  json.field("organic_fen", outcome.organic_fen);
  json.field("loss_fen", outcome.loss_fen);
  json.field("loss_ratio", outcome.loss_ratio());
  json.key("programs");
  json.begin_object();
  for (const auto& [id, units] : outcome.programs) {
    json.key(id);
    json.begin_object();
    json.field("inserted", units.inserted);
    json.field("viewable", units.viewable);
    json.field("clicks", units.clicks);
    json.field("orders", units.orders);
    json.end_object();
  }
  json.end_object();
  json.key("counties");
  json.begin_object();
  for (const auto& [code, viewable] : outcome.counties) json.field(code, viewable);
  json.end_object();
  json.end_object();
}

}  // namespace

std::string what_if_text(const WhatIfReport& report) {
  std::string out = with_separators(report.happened.pages) + " recorded pages, " +
                    format_time(report.from) + " to " + format_time(report.to);
  if (report.skipped > 0) out += "; " + with_separators(report.skipped) + " skipped";
  out += "\nexpected viewable exposures; \"as is\" replays the present programs\n\n";
  TextTable programs({"program", "happened", "as is", "changed", "shift"});
  for (const std::string& id : programs_of(report)) {
    programs.add(row(id, units_of(report.happened, id).viewable, units_of(report.same, id).viewable,
                     units_of(report.changed, id).viewable));
  }
  out += programs.str() + "\n";
  TextTable loss({"viewers", "happened", "as is", "changed", "shift"});
  const auto percent = [](const WhatIfOutcome& outcome) {
    return format_fixed(100 * outcome.loss_ratio(), 3) + " %";
  };
  const double shift = 100 * (report.changed.loss_ratio() - report.same.loss_ratio());
  loss.add({"loss", percent(report.happened), percent(report.same), percent(report.changed),
            (shift > 0 ? "+" : "") + format_fixed(shift, 3)});
  return out + loss.str() + "\n" + county_table(report);
}

std::string what_if_json(const WhatIfReport& report) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("from_ms", report.from.count());
  json.field("to_ms", report.to.count());
  json.field("skipped", report.skipped);
  write_outcome(json, "happened", report.happened);
  write_outcome(json, "as_is", report.same);
  write_outcome(json, "changed", report.changed);
  json.end_object();
  return out + "\n";
}

int what_if_verb(const CliArguments& arguments) {
  WhatIfOptions options;
  ConfigErrors errors;
  options.engine = read_options(arguments, errors);
  for (const ConfigError& error : errors) std::fprintf(stderr, "%s\n", error.to_string().c_str());
  if (!errors.empty()) return kExitUsage;
  options.config_dir = std::filesystem::path(arguments.config_file).parent_path().string();
  if (options.config_dir.empty()) options.config_dir = ".";
  options.programs = arguments.text("what-if");
  if (arguments.given("from")) options.from = arguments.time("from");
  if (arguments.given("until")) options.to = arguments.time("until");
  const WallClock clock;
  const Result<WhatIfReport> report = what_if(options, clock);
  if (!report.ok() && report.error().code == ErrorCode::kInvalid) {
    return bad_usage(arguments, report.error().message);
  }
  if (!report.ok()) return fail(arguments, report.error());
  const std::string text =
      arguments.json ? what_if_json(report.value()) : what_if_text(report.value());
  std::fputs(text.c_str(), stdout);
  return kExitDone;
}

}  // namespace shanhuo
