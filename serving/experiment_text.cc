// Experiments as people read them, on a telephone too.
#include <algorithm>
#include <string>
#include <vector>

#include "base/json_writer.h"
#include "serving/answer_text.h"
#include "serving/experiment_verbs.h"

namespace shanhuo {
namespace {

std::string percent(double share) { return format_fixed(100 * share, 1) + " %"; }

std::string count(json::Value value) {
  uint64_t number = 0;
  value.get(number);
  return with_separators(number);
}

std::string texts(json::Value list, const std::string& before) {
  std::string out;
  for (const json::Value each : list.elements()) {
    std::string_view said;
    each.get(said);
    out += before + std::string(said) + "\n";
  }
  return out;
}

std::string variation_lines(json::Value experiment) {
  std::string out;
  for (const json::Value variation : experiment.find("variations").elements()) {
    out += "  " + text_member(variation, "key") + "  " +
           percent(real_of(variation.find("weight"))) + ", " + count(variation.find("exposures")) +
           " exposures\n";
    for (const json::Member set : variation.find("set").members()) {
      std::string value;
      JsonWriter json(value);
      json::write(json, set.value);
      out += "    " + std::string(set.name) + ": " + value + "\n";
    }
  }
  return out;
}

std::string alarm_line(json::Value alarm) {
  if (!alarm.present()) return "";
  return "  ALARM 报警: " + text_member(alarm, "why") + "\n";
}

std::string headline(json::Value experiment) {
  const std::string zh = text_member(experiment.find("name"), "zh-CN");
  std::vector<double> range;
  for (const json::Value end : experiment.find("range").elements()) range.push_back(real_of(end));
  range.resize(2);
  return text_member(experiment, "id") + (zh.empty() ? "" : "  " + zh) + "\n  " +
         text_member(experiment, "state") + ", layer " + text_member(experiment, "layer") + " " +
         percent(range[0]) + " to " + percent(range[1]) + ", coverage " +
         percent(real_of(experiment.find("coverage"))) +
         (experiment.find("refused").size() > 0 ? ", its file is refused" : "") + "\n" +
         alarm_line(experiment.find("alarm"));
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string experiments_table(json::Value answer) {
  std::string out;
  for (const json::Value experiment : answer.find("experiments").elements()) {
    const std::string ramp = ramp_text(experiment);
    out += headline(experiment) + variation_lines(experiment) + (ramp.empty() ? "" : "  " + ramp);
  }
  const json::Value errors = answer.find("errors");
  if (errors.size() > 0) out += "refused on disk, the last good set is live:\n";
  return out + texts(errors, "  ");
}

std::string experiment_text(json::Value experiment) {
  return headline(experiment) + variation_lines(experiment) + ramp_text(experiment) + "revision " +
         text_member(experiment, "revision") + "\n" +
         texts(experiment.find("refused"), "refused: ") + history_text(experiment);
}

std::string ramp_text(json::Value experiment) {
  const json::Value ramp = experiment.find("ramp");
  if (!ramp.present()) return "";
  const std::string approved = text_member(ramp, "approved_by");
  int64_t since = 0;
  ramp.find("since_ms").get(since);
  const json::Value next = ramp.find("next");
  return "ramp at " + percent(real_of(experiment.find("coverage"))) +
         (since == 0 ? "" : " since " + time_of(ramp.find("since_ms"))) +
         (next.present() ? ", next " + percent(real_of(next)) : "") + ": " +
         text_member(ramp, "state") + ", " + text_member(ramp, "why") +
         (approved.empty() ? "" : "; approved by " + approved) + "\n";
}

std::string history_text(json::Value answer) {
  std::string out;
  for (const json::Value change : answer.find("history").elements()) {
    const auto revision = [&](std::string_view name) {
      const std::string given = text_member(change, name);
      return given.empty() ? std::string("none") : given;
    };
    out += time_of(change.find("at_ms")) + "  " + text_member(change, "who") + "\n  " +
           revision("from") + " -> " + revision("to") + "\n  " + text_member(change, "what") + "\n";
  }
  return out;
}

std::string assignments_table(json::Value answer) {
  TextTable table({"experiment", "variation", "reason", "detail"});
  for (const json::Value each : answer.find("experiments").elements()) {
    const std::string variation = text_member(each, "variation");
    table.add({text_member(each, "experiment"), variation.empty() ? "-" : variation,
               text_member(each, "reason"), text_member(each, "detail")});
  }
  return table.str();
}

// The longest common subsequence of lines; what is not in it is taken away or added.
std::string line_difference(std::string_view before, std::string_view after) {
  const std::vector<std::string_view> a = lines_of(before), b = lines_of(after);
  if (a.size() * b.size() > kDifferenceCellsMax) return "too long to compare\n";
  const size_t width = b.size() + 1;
  std::vector<uint32_t> common((a.size() + 1) * width);
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      common[i * width + j] =
          a[i] == b[j] ? common[(i + 1) * width + j + 1] + 1
                       : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  std::string out;
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      out += "  " + std::string(a[i++]) + "\n";
      ++j;
    } else if (j == b.size() ||
               (i < a.size() && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      out += "- " + std::string(a[i++]) + "\n";
    } else {
      out += "+ " + std::string(b[j++]) + "\n";
    }
  }
  return out;
}

}  // namespace shanhuo
