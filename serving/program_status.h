// How a program and what became of it are written as JSON (contract 2.5). Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "features/attributes.h"
#include "ranking/price_controller.h"
#include "ranking/program.h"
#include "serving/change_book.h"

namespace shanhuo {

// What is said of a program beside its own fields and the status of its goals.
struct ProgramExtras {
  bool blocked = false;
  std::vector<std::string> refused;  // what is wrong with its file on disk; empty: it is live
  bool whole = false;                // with the members below
  Value definition;                  // the file as it reads
  std::vector<std::string> warnings;
  std::vector<RecordedChange> history;  // newest first
};

void write_program(JsonWriter& json, const Program& program, const ProgramStatus& status,
                   const ProgramExtras& extras);

// A key of a configuration file as a JSON pointer: "goals[0].unit" is "/goals/0/unit".
std::string pointer_of(std::string_view key);

std::string_view goal_unit_name(GoalUnit unit);  // "viewable", "click", "order"

}  // namespace shanhuo
