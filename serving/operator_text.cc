// What the engine's answers look like to people.
#include <string>

#include "base/json_writer.h"
#include "serving/operator_verbs.h"
#include "serving/terminal.h"

namespace shanhuo {
namespace {

std::string text_of_member(json::Value object, std::string_view name) {
  std::string_view text;
  object.find(name).get(text);
  return std::string(text);
}

// A count, with separators; "-" when it is not there.
std::string count_of(json::Value value) {
  uint64_t number = 0;
  if (value.get(number)) return with_separators(number);
  double real = 0;
  if (value.get(real)) return format_fixed(real, 0);
  return "-";
}

std::string number_of(json::Value value, int decimals) {
  double number = 0;
  return value.get(number) ? format_fixed(number, decimals) : "-";
}

std::string yes_or_no(json::Value value) {
  bool yes = false;
  value.get(yes);
  return yes ? "yes" : "no";
}

std::string time_of(json::Value value) {
  int64_t ms = 0;
  return value.get(ms) ? format_time(Millis(ms)) : "-";
}

// "viewable" or "viewable/day"
std::string unit_of(json::Value goal) {
  const std::string unit = text_of_member(goal, "unit");
  return text_of_member(goal, "per") == "day" ? unit + "/day" : unit;
}

void write_indented(json::Value value, size_t depth, std::string& out) {
  const std::string inner(2 * depth + 2, ' ');
  const bool object = value.is_object();
  if ((!object && !value.is_array()) || value.size() == 0) {
    JsonWriter json(out);
    json::write(json, value);
    return;
  }
  out += object ? "{" : "[";
  bool first = true;
  const auto begin = [&] {
    out += (first ? "\n" : ",\n") + inner;
    first = false;
  };
  for (const json::Member member : value.members()) {
    begin();
    JsonWriter json(out);
    json.value(member.name);
    out += ": ";
    write_indented(member.value, depth + 1, out);
  }
  for (const json::Value element : value.elements()) {
    begin();
    write_indented(element, depth + 1, out);
  }
  out += '\n' + std::string(2 * depth, ' ') + (object ? '}' : ']');
}

}  // namespace

std::string indented(json::Value value) {
  std::string out;
  write_indented(value, 0, out);
  return out + '\n';
}

std::string stats_text(json::Value stats) {
  const json::Value events = stats.find("events");
  TextTable table({"what", "value"});
  for (const std::string_view name :
       {"accepted", "rejected", "applied", "duplicate", "late", "dead", "token_expired"}) {
    table.add({"events " + std::string(name), count_of(events.find(name))});
  }
  for (const json::Member reason : events.find("dead_by_reason").members()) {
    table.add({"  dead: " + std::string(reason.name), count_of(reason.value)});
  }
  table.add({"lag, records", count_of(stats.find("lag_records"))});
  table.add({"watermark", time_of(stats.find("watermark_ms"))});
  const json::Value freshness = stats.find("freshness_ms");
  table.add({"freshness p50, ms", number_of(freshness.find("p50"), 1)});
  table.add({"freshness p99, ms", number_of(freshness.find("p99"), 1)});
  const json::Value rank = stats.find("rank");
  table.add({"rank requests", count_of(rank.find("requests"))});
  table.add({"rank p50, ms", number_of(rank.find("p50_ms"), 3)});
  table.add({"rank p99, ms", number_of(rank.find("p99_ms"), 3)});
  for (const json::Member stage : rank.find("degraded").members()) {
    table.add({"  degraded: " + std::string(stage.name), count_of(stage.value)});
  }
  double loss = 0;
  stats.find("user_loss_ratio").get(loss);
  table.add({"viewers' loss", format_fixed(100 * loss, 3) + " %"});
  table.add({"viewers", count_of(stats.find("viewers"))});
  table.add({"items", count_of(stats.find("items"))});
  table.add({"decisions lost", count_of(stats.find("decisions_lost"))});
  return table.str();
}

std::string programs_table(json::Value programs) {
  TextTable table({"program", "enabled", "unit", "goal", "delivered", "cap", "pace", "in flight",
                   "inserted", "price"});
  for (const json::Value program : programs.find("programs").elements()) {
    for (const json::Value goal : program.find("goals").elements()) {
      table.add({text_of_member(program, "id"), yes_or_no(program.find("enabled")), unit_of(goal),
                 count_of(goal.find("target")), count_of(goal.find("delivered")),
                 count_of(goal.find("cap")), number_of(goal.find("pace"), 3),
                 number_of(goal.find("in_flight"), 0), count_of(program.find("inserted")),
                 number_of(goal.find("price"), 3)});
    }
  }
  return table.str();
}

std::string program_text(json::Value program) {
  std::string surfaces;
  for (const json::Value surface : program.find("surfaces").elements()) {
    std::string_view name;
    surface.get(name);
    surfaces += (surfaces.empty() ? "" : ", ") + std::string(name);
  }
  const json::Value name = program.find("name"), schedule = program.find("schedule");
  std::string out = text_of_member(program, "id") + "  " + text_of_member(name, "zh-CN") + "  " +
                    text_of_member(name, "en") + "\n";
  out += "enabled: " + yes_or_no(program.find("enabled")) +
         ", priority: " + count_of(program.find("priority")) +
         ", urgent: " + yes_or_no(program.find("urgent")) +
         ", revision: " + text_of_member(program, "revision") + "\n";
  out += "surfaces: " + surfaces + "\n";
  out += "schedule: " + time_of(schedule.find("start_ms")) + " to " +
         time_of(schedule.find("end_ms")) + "\n\n";
  TextTable table({"unit", "goal", "delivered", "in flight", "cap", "curve", "pace", "price"});
  for (const json::Value goal : program.find("goals").elements()) {
    table.add({unit_of(goal), count_of(goal.find("target")), count_of(goal.find("delivered")),
               number_of(goal.find("in_flight"), 0), count_of(goal.find("cap")),
               number_of(goal.find("curve"), 3), number_of(goal.find("pace"), 3),
               number_of(goal.find("price"), 3)});
  }
  return out + table.str();
}

std::string shortfall_table(json::Value program) {
  TextTable table({"unit", "cause", "share of the pages without it"});
  for (const json::Value goal : program.find("goals").elements()) {
    for (const json::Value cause : goal.find("shortfall").elements()) {
      double share = 0;
      cause.find("share").get(share);
      table.add(
          {unit_of(goal), text_of_member(cause, "cause"), format_fixed(100 * share, 1) + " %"});
    }
  }
  return table.str();
}

std::string forecast_table(json::Value program) {
  TextTable table({"unit", "goal", "delivered", "forecast", "low", "high"});
  for (const json::Value goal : program.find("goals").elements()) {
    const json::Value forecast = goal.find("forecast");
    table.add({unit_of(goal), count_of(goal.find("target")), count_of(goal.find("delivered")),
               number_of(forecast.find("value"), 0), number_of(forecast.find("low"), 0),
               number_of(forecast.find("high"), 0)});
  }
  return table.str();
}

}  // namespace shanhuo
