// Results of an experiment as people read them.
#include <string>
#include <vector>

#include "serving/answer_text.h"
#include "serving/experiment_verbs.h"

namespace shanhuo {
namespace {

std::string count(json::Value value) {
  uint64_t number = 0;
  value.get(number);
  return with_separators(number);
}

bool flag(json::Value value) {
  bool set = false;
  return value.get(set) && set;
}

std::string signed_percent(double share) {
  return (share > 0 ? "+" : "") + format_fixed(100 * share, 2) + " %";
}

std::string interval(json::Value lift) {
  if (lift.find("value").is_null()) return "-";
  return "[" + signed_percent(real_of(lift.find("low"))) + ", " +
         signed_percent(real_of(lift.find("high"))) + "]";
}

std::string value_of(json::Value lift) {
  return lift.find("value").is_null() ? "-" : signed_percent(real_of(lift.find("value")));
}

std::string head(json::Value answer) {
  const std::string zh = text_member(answer.find("name"), "zh-CN");
  std::string out = text_member(answer, "experiment") + (zh.empty() ? "" : "  " + zh) + "\n" +
                    "phase " + text_member(answer, "phase") +
                    (flag(answer.find("present")) ? "" : " (over)") + ", newest event " +
                    time_of(answer.find("newest_ms")) + "\n";
  for (const json::Value variation : answer.find("variations").elements()) {
    out += "  " + text_member(variation, "key") + "  " + count(variation.find("viewers")) +
           " viewers, weight " + format_fixed(100 * real_of(variation.find("weight")), 1) + " %\n";
  }
  out += "  " + count(answer.find("multiple")) + " in two variations and left out, " +
         count(answer.find("left_out")) + " exposures without room\n";
  const json::Value ratio = answer.find("sample_ratio");
  if (ratio.find("p").is_null()) return out;
  return out + "sample ratio 样本比例: p " + format_fixed(real_of(ratio.find("p")), 6) +
         (flag(ratio.find("alarm"))
              ? "  ALARM 报警: viewers are not spread as the weights say; nothing below means "
                "anything\n"
              : ", as the weights say\n");
}

void add_rows(TextTable& table, json::Value metric) {
  const std::string zh = text_member(metric.find("name"), "zh-CN");
  const std::string title = text_member(metric, "metric") + (zh.empty() ? "" : " " + zh);
  bool first = true;
  for (const json::Value arm : metric.find("variations").elements()) {
    const json::Value lift = arm.find("lift"), cuped = arm.find("lift_cuped");
    const json::Value fixed = lift.find("relative");
    const std::string verdict = text_member(arm, "guardrail");
    table.add({first ? title : "", text_member(arm, "key"),
               format_fixed(real_of(arm.find("mean")), 5), value_of(fixed), interval(fixed),
               fixed.find("p").is_null() ? "-" : format_fixed(real_of(fixed.find("p")), 4),
               interval(lift.find("relative_sequential")),
               interval(cuped.find("relative_sequential")), verdict.empty() ? "-" : verdict});
    first = false;
  }
}

// error_rate and latency, by pages.
std::string operation_lines(json::Value answer) {
  TextTable table(
      {"of pages 运行", "variation", "pages", "mean 均值", "99.9 % at any time", "guardrail 护栏"});
  for (const json::Value metric : answer.find("operation").elements()) {
    const bool errors = text_member(metric, "metric") == "error_rate";
    const std::string title = errors ? "error_rate 降级页占比" : "latency 每页毫秒";
    bool first = true;
    for (const json::Value arm : metric.find("variations").elements()) {
      const std::string verdict = text_member(arm, "guardrail");
      table.add({first ? title : "", text_member(arm, "key"), count(arm.find("pages")),
                 format_fixed(real_of(arm.find("mean")), errors ? 5 : 3),
                 interval(arm.find("lift")), verdict.empty() ? "-" : verdict});
      first = false;
    }
  }
  return answer.find("operation").size() == 0 ? "" : "\n" + table.str();
}

}  // namespace

std::string results_text(json::Value answer) {
  TextTable table({"metric 指标", "variation", "mean 均值", "lift 提升", "95 % at one look", "p",
                   "95 % at any time", "with CUPED", "guardrail 护栏"});
  for (const json::Value metric : answer.find("metrics").elements()) add_rows(table, metric);
  std::string out = head(answer) + "\n" + table.str() + operation_lines(answer);
  if (answer.find("phases").size() < 2) return out;
  out += "\nphases 阶段:\n";
  for (const json::Value phase : answer.find("phases").elements()) {
    out += "  " + text_member(phase, "phase") + "  " + count(phase.find("viewers")) +
           " viewers, from " + time_of(phase.find("from_ms")) +
           (flag(phase.find("present")) ? ", now" : "") + "\n";
  }
  return out;
}

}  // namespace shanhuo
