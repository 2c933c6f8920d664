// Programs as people read them, on a telephone too: no line is wider than kWidth columns but for
// ids and places in files.
#include <algorithm>
#include <string>
#include <utility>

#include "serving/answer_text.h"
#include "serving/operator_verbs.h"

namespace shanhuo {
namespace {

constexpr size_t kWidth = 60;

bool yes(json::Value value) {
  bool flag = false;
  value.get(flag);
  return flag;
}

// With separators; of few, what there is after the point.
std::string count(json::Value value) {
  const double number = real_of(value);
  if (number < 0 || (number < 10 && number != static_cast<double>(static_cast<int>(number)))) {
    return format_fixed(number, 1);
  }
  return with_separators(static_cast<uint64_t>(number + 0.5));
}

std::string percent(json::Value value) { return format_fixed(100 * real_of(value), 1) + " %"; }

// "viewable" or "viewable/day"
std::string unit(json::Value goal) {
  const std::string name = text_member(goal, "unit");
  return text_member(goal, "per") == "day" ? name + "/day" : name;
}

// Breaks at blanks; what is longer than a line stands on its own.
std::string wrapped(std::string_view words, const std::string& indent) {
  std::string out, line;
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    const std::string_view word = words.substr(0, end);
    words.remove_prefix(std::min(end + 1, words.size()));
    const bool fits =
        display_width(indent) + display_width(line) + 1 + display_width(word) <= kWidth;
    if (!line.empty() && !fits) {
      out += indent + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  return line.empty() ? out : out + indent + line + "\n";
}

std::string wrapped_all(json::Value texts, std::string_view before, const std::string& indent) {
  std::string out;
  for (const json::Value each : texts.elements()) {
    std::string_view said;
    each.get(said);
    out += wrapped(std::string(before) + std::string(said), indent);
  }
  return out;
}

std::string headline(json::Value program) {
  const std::string zh = text_member(program.find("name"), "zh-CN"),
                    en = text_member(program.find("name"), "en");
  std::string out = text_member(program, "id");
  if (!zh.empty()) out += "  " + zh;
  if (!en.empty() && display_width(out) + 2 + en.size() <= kWidth) out += "  " + en;
  return out;
}

// The contract's causes, in the operators' words.
std::string_view cause_zh(std::string_view cause) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"no_inventory", "没有合适的物品"},
      {"below_relevance", "观众不感兴趣"},
      {"frequency_capped", "频次已满"},
      {"no_slot", "没有位置"},
      {"user_budget", "体验预算用尽"},
      {"out_of_stock", "缺货"},
      {"out_of_season", "过季"},
      {"conflict", "让位于其他活动"},
      {"blocked", "已屏蔽"}};
  for (const auto& [name, zh] : kNames) {
    if (name == cause) return zh;
  }
  return "";
}

std::string goal_lines(json::Value goal) {
  const json::Value forecast = goal.find("forecast");
  std::string out =
      unit(goal) + ": " + count(goal.find("delivered")) + " of " + count(goal.find("target"));
  if (real_of(goal.find("cap")) > 0) out += ", cap " + count(goal.find("cap"));
  out += "\n  pace " + format_fixed(real_of(goal.find("pace")), 3) + ", " +
         percent(goal.find("curve")) + " of the traffic over\n";
  out += "  price " + format_fixed(real_of(goal.find("price")), 3) + " fen, in flight " +
         count(goal.find("in_flight")) + "\n";
  return out + "  at the deadline " + count(forecast.find("value")) + " (" +
         count(forecast.find("low")) + " to " + count(forecast.find("high")) + ")\n";
}

}  // namespace

std::string programs_table(json::Value programs) {
  std::string out;
  for (const json::Value program : programs.find("programs").elements()) {
    out += headline(program) + (yes(program.find("enabled")) ? "" : "  (off)") +
           (program.find("refused").size() > 0 ? "  (its file is refused)" : "") + "\n";
    for (const json::Value goal : program.find("goals").elements()) {
      out += "  " + unit(goal) + " " + count(goal.find("delivered")) + " of " +
             count(goal.find("target")) + ", pace " + format_fixed(real_of(goal.find("pace")), 2) +
             ", price " + format_fixed(real_of(goal.find("price")), 2) + "\n";
    }
  }
  const json::Value errors = programs.find("errors");
  if (errors.size() > 0) out += "refused on disk, the last good set is live:\n";
  return out + wrapped_all(errors, "", "  ");
}

std::string dry_run_text(json::Value report) {
  const json::Value before = report.find("before"), after = report.find("after");
  uint64_t requests = 0;
  report.find("requests").get(requests);
  TextTable table({"", "before", "after"});
  const auto row = [&](const char* name, std::string_view member, int decimals) {
    table.add({name, format_fixed(real_of(before.find(member)), decimals),
               format_fixed(real_of(after.find(member)), decimals)});
  };
  row("inserted items a page", "inserted_per_page", 3);
  row("viewers' loss, fen a page", "loss_fen_per_page", 4);
  row("p50 of ranking, ms", "p50_ms", 3);
  row("p99 of ranking, ms", "p99_ms", 3);
  for (const json::Value program : report.find("programs").elements()) {
    table.add({"share of " + text_member(program, "program"),
               format_fixed(real_of(program.find("share_before")), 3),
               format_fixed(real_of(program.find("share_after")), 3)});
  }
  return "of " + with_separators(requests) + " requests, the oldest " +
         format_fixed(real_of(report.find("oldest_age_ms")) / 60'000, 1) + " minutes old, " +
         format_fixed(100 * real_of(report.find("pages_changed")), 1) +
         " % of the pages would change\n" + table.str();
}

std::string program_text(json::Value program) {
  std::string surfaces;
  for (const json::Value surface : program.find("surfaces").elements()) {
    std::string_view name;
    surface.get(name);
    surfaces += (surfaces.empty() ? "" : ", ") + std::string(name);
  }
  const json::Value schedule = program.find("schedule");
  std::string out = headline(program) + "\n";
  out += std::string(yes(program.find("enabled")) ? "on" : "off") +
         (yes(program.find("blocked")) ? ", blocked" : "") +
         (yes(program.find("urgent")) ? ", urgent" : "") + ", priority " +
         count(program.find("priority")) + "\n";
  out += "revision " + text_member(program, "revision") + ", inserted " +
         count(program.find("inserted")) + "\n";
  out += wrapped("surfaces " + surfaces, "");
  out += "from " + time_of(schedule.find("start_ms")) + "\n  to " +
         time_of(schedule.find("end_ms")) + "\n";
  out += wrapped_all(program.find("refused"), "refused: ", "");
  for (const json::Value goal : program.find("goals").elements()) out += "\n" + goal_lines(goal);
  const json::Value warnings = program.find("warnings");
  if (warnings.size() > 0) out += "\n" + wrapped_all(warnings, "warning: ", "");
  for (const json::Value change : program.find("history").elements()) {
    out += "\nlast change " + time_of(change.find("at_ms")) + ", " + text_member(change, "who") +
           "\n" + wrapped(text_member(change, "what"), "  ");
    break;
  }
  return out;
}

std::string shortfall_table(json::Value program) {
  std::string out = headline(program) + "\n";
  for (const json::Value goal : program.find("goals").elements()) {
    const json::Value causes = goal.find("shortfall");
    out += unit(goal) + ": " + count(goal.find("delivered")) + " of " + count(goal.find("target")) +
           ", short by " + count(goal.find("short_by")) + "\n";
    if (causes.size() == 0) out += "  nothing was in the way\n";
    for (const json::Value cause : causes.elements()) {
      const std::string name = text_member(cause, "cause");
      out += "  " + percent(cause.find("share")) + " " + name + " " + std::string(cause_zh(name)) +
             ": " + count(cause.find("pages")) + " pages\n";
    }
  }
  return out;
}

std::string forecast_table(json::Value forecast) {
  std::string out = text_member(forecast, "id") + "\n";
  for (const json::Value goal : forecast.find("goals").elements()) {
    const json::Value expected = goal.find("forecast");
    bool can = false;
    const bool known = goal.find("attainable").get(can);
    out += unit(goal) + ": " + count(goal.find("delivered")) + " of " + count(goal.find("target")) +
           (known ? can ? ", can be met" : ", cannot be met" : "") + "\n";
    out += "  by " + time_of(goal.find("deadline_ms")) + "\n";
    out += "  forecast " + count(expected.find("value")) + " (" + count(expected.find("low")) +
           " to " + count(expected.find("high")) + ")\n";
    out += wrapped(text_member(goal, "message"), "  ");
  }
  if (forecast.find("conflicts").size() > 0) out += "asked for by others too:\n";
  for (const json::Value conflict : forecast.find("conflicts").elements()) {
    out += wrapped(text_member(conflict, "message"), "  ");
  }
  return out;
}

std::string validation_text(json::Value validation) {
  if (!yes(validation.find("valid"))) {
    std::string out = "not valid\n";
    for (const json::Value error : validation.find("errors").elements()) {
      out += wrapped(text_member(error, "pointer") + ": " + text_member(error, "detail"), "  ");
    }
    return out;
  }
  return "valid\n" + wrapped_all(validation.find("warnings"), "warning: ", "  ") +
         forecast_table(validation);
}

}  // namespace shanhuo
