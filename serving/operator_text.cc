// What the engine's answers look like to people.
#include <string>

#include "base/json_writer.h"
#include "serving/answer_text.h"
#include "serving/operator_verbs.h"

namespace shanhuo {
namespace {

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

std::string models_table(json::Value models) {
  TextTable table({"version", "kind", "items", "trained until", "recall@20"});
  const std::string current = text_member(models, "current");
  std::string refused;
  for (const json::Value model : models.find("models").elements()) {
    const std::string version = text_member(model, "version");
    if (model.find("refused").present()) {
      refused += "refused: " + text_member(model, "refused") + "\n";
      continue;
    }
    table.add({version + (version == current ? " *" : ""), text_member(model, "kind"),
               count_of(model.find("items")), time_of(model.find("data").find("last_ms")),
               number_of(model.find("metrics").find("recall@20"), 4)});
  }
  if (models.find("refused").present()) {
    refused += "refused at the start: " + text_member(models, "refused") + "\n";
  }
  return "serves: " + current + "\n" + table.str() + refused;
}

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

}  // namespace shanhuo
