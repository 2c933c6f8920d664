#include "configs/program_check.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "base/durable_file.h"
#include "configs/program_store.h"
#include "configs/yaml_edit.h"
#include "ranking/attributes.h"

namespace shanhuo {
namespace {

std::string spell(double number) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  return error == std::errc() ? std::string(buffer, end) : "?";
}

// One program's file as a tree, to say where something stands.
class Places {
 public:
  Places(std::string_view text, const std::string& file, ConfigErrors& out)
      : file_(file), out_(out) {
    ConfigErrors ignored;
    parse_yaml(text, file, root_, ignored);
  }

  // `keys`: "goals", "0", "at_least": as far as the file has them.
  void warn(const std::vector<std::string_view>& keys, std::string_view key, std::string message) {
    const YamlNode* node = &root_;
    for (const std::string_view each : keys) {
      const YamlNode* next = node->find(each);
      size_t index = 0;
      const auto [end, error] = std::from_chars(each.data(), each.data() + each.size(), index);
      if (node->kind == YamlNode::Kind::kSequence && error == std::errc() &&
          index < node->items.size()) {
        next = &node->items[index];
      }
      if (next == nullptr) break;
      node = next;
    }
    out_.push_back({file_, node->line, node->column, std::string(key), std::move(message)});
  }

  Value value(std::string_view key) const {
    const YamlNode* node = root_.find(key);
    return node == nullptr ? Value() : to_value(*node);
  }

 private:
  YamlNode root_;
  const std::string& file_;
  ConfigErrors& out_;
};

// The engine's own attribute that is meant, if one letter or two are wrong; else "".
std::string_view nearest(std::string_view path, std::span<const std::string_view> names) {
  const auto distance = [](std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= b.size(); ++j) {
        const size_t swap = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({swap, row[j] + 1, row[j - 1] + 1});
      }
    }
    return row[b.size()];
  };
  for (const std::string_view name : names) {
    if (distance(path, name) <= 2) return name;
  }
  return {};
}

void warn_of_audience(const Program& program, Places& places) {
  for (const std::string& path : program.audience.attribute_names()) {
    if (viewer_attribute_known(path)) continue;
    const std::string_view meant = nearest(path, viewer_attribute_names());
    places.warn({"audience"}, "audience",
                path + " is none of the engine's attributes" +
                    (meant.empty() ? "" : " (" + std::string(meant) + "?)") +
                    ": it holds only for requests that carry one of that name; the engine's are " +
                    std::string(viewer_attributes_allowed()));
  }
}

void warn_of_goals(const Program& program, Places& places) {
  for (size_t g = 0; g < program.goals.size(); ++g) {
    const Goal& goal = program.goals[g];
    const std::string at = std::to_string(g), key = "goals[" + at + "]";
    if (goal.at_least > 0 && goal.missed_value_fen <= 0) {
      places.warn({"goals", at, "missed_value_fen"}, key + ".missed_value_fen",
                  "0 fen are paid for a missed unit, so nothing is done for the " +
                      spell(goal.at_least) + " that are asked for");
    }
    if (goal.at_least <= 0 && goal.at_most <= 0) {
      places.warn({"goals", at, "at_least"}, key + ".at_least",
                  "0, and no at_most: promises nothing and caps nothing");
    }
  }
}

void warn_of_slots(const Program& program, Places& places) {
  const Placement& placement = program.placement;
  const int room =
      (placement.last_slot - placement.first_slot) / std::max(1, placement.min_gap) + 1;
  if (placement.per_request_max <= room) return;
  places.warn({"placement", "per_request_max"}, "placement.per_request_max",
              std::to_string(placement.per_request_max) + " never fit: slots " +
                  std::to_string(placement.first_slot) + " to " +
                  std::to_string(placement.last_slot) + " with a gap of " +
                  std::to_string(placement.min_gap) + " have room for " + std::to_string(room));
}

bool run_together(const Program& a, const Program& b) {
  return a.enabled && b.enabled && a.start < b.end && b.start < a.end;
}

// Shares of one surface cannot come to more than all of it.
void warn_of_shares(const ProgramSet& set, const Program& program, Places& places) {
  for (size_t g = 0; g < program.goals.size(); ++g) {
    const Surface surface = program.goals[g].share_of;
    if (surface == Surface::kNone) continue;
    double sum = 0;
    std::string terms;
    for (const auto& other : set.programs) {
      if (!run_together(program, *other)) continue;
      for (const Goal& goal : other->goals) {
        if (goal.share_of != surface || goal.at_least <= 0) continue;
        sum += goal.at_least;
        terms += (terms.empty() ? "" : " + ") + spell(goal.at_least) + " of " + other->id.str();
      }
    }
    if (sum <= 1 || program.goals[g].at_least <= 0) continue;
    const std::string at = std::to_string(g);
    places.warn({"goals", at, "at_least"}, "goals[" + at + "].at_least",
                terms + " = " + spell(sum) + " of what is inserted on " +
                    std::string(surface_name(surface)) + ": more than all of it");
  }
}

// Of two programs for the same items and viewers, one's cap ends what the other still promises.
void warn_of_caps(const ProgramSet& set, const Program& program, Places& places,
                  const std::vector<Value>& items, size_t mine) {
  for (size_t o = 0; o < set.programs.size(); ++o) {
    const Program& other = *set.programs[o];
    if (o == mine || !run_together(program, other) || !same_value(items[o], items[mine])) continue;
    for (size_t g = 0; g < program.goals.size(); ++g) {
      for (const Goal& theirs : other.goals) {
        const Goal& goal = program.goals[g];
        const bool same =
            goal.unit == theirs.unit && goal.per == theirs.per && goal.share_of == theirs.share_of;
        if (!same || theirs.at_most <= 0 || theirs.at_most >= goal.at_least) continue;
        const std::string at = std::to_string(g);
        places.warn({"goals", at, "at_least"}, "goals[" + at + "].at_least",
                    spell(goal.at_least) + " is asked of the same items that " + other.id.str() +
                        " caps at " + spell(theirs.at_most) +
                        ": what this program shows counts "
                        "there too while that one is named, and it goes on alone past the cap");
      }
    }
  }
}

}  // namespace

void warn_of_program(const Program& program, std::string_view text, Millis now,
                     ConfigErrors& warnings) {
  Places places(text, program.file, warnings);
  if (program.enabled && program.end <= now) {
    const double days = static_cast<double>((now - program.end).count()) / 8.64e7;
    places.warn({"schedule", "end"}, "schedule.end",
                "is past since " + std::to_string(static_cast<int64_t>(days)) +
                    " days: it is enabled and will never run");
  }
  warn_of_audience(program, places);
  warn_of_goals(program, places);
  warn_of_slots(program, places);
}

void warn_of_no_items(const Program& program, size_t items, const std::string& whose,
                      ConfigErrors& warnings) {
  if (!program.enabled) return;
  const Result<std::string> text = read_text_file(program.file);
  Places places(text.ok() ? text.value() : "", program.file, warnings);
  places.warn({"items"}, "items",
              "names none of the " + std::to_string(items) + " items of " + whose +
                  ": nothing can be shown, and 0 of any goal can be met");
}

ConfigErrors warnings_of(const ProgramSet& set, Millis now) {
  ConfigErrors warnings;
  std::vector<std::string> texts;
  std::vector<Value> items;
  for (const auto& program : set.programs) {
    const Result<std::string> text = read_text_file(program->file);
    texts.push_back(text.ok() ? text.value() : "");
    ConfigErrors ignored;
    Value both = Value::Array{Places(texts.back(), program->file, ignored).value("items"),
                              Places(texts.back(), program->file, ignored).value("audience")};
    items.push_back(std::move(both));
  }
  for (size_t p = 0; p < set.programs.size(); ++p) {
    const Program& program = *set.programs[p];
    warn_of_program(program, texts[p], now, warnings);
    Places places(texts[p], program.file, warnings);
    warn_of_shares(set, program, places);
    warn_of_caps(set, program, places, items, p);
  }
  return warnings;
}

}  // namespace shanhuo
