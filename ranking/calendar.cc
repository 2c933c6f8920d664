#include "ranking/calendar.h"

#include <algorithm>

namespace shanhuo {
namespace {

// Once a program has ended its last day stays.
Program raised(Program program, Millis now) {
  now = std::min(now, program.end - Millis(1));
  for (const CalendarDays& entry : program.calendar) {
    if (!entry.days.contains(now)) continue;
    for (Goal& goal : program.goals) {
      goal.missed_value_fen *= entry.missed_value;
      if (goal.per != GoalPeriod::kDay || goal.share_of != Surface::kNone) continue;
      goal.at_least *= entry.goals;
      goal.at_most *= entry.goals;
    }
  }
  return program;
}

}  // namespace

std::shared_ptr<const ProgramSet> programs_on_day(std::shared_ptr<const ProgramSet> programs,
                                                  Millis now) {
  std::shared_ptr<ProgramSet> today;
  for (size_t p = 0; p < programs->programs.size(); ++p) {
    const Program& program = *programs->programs[p];
    if (program.calendar.empty()) continue;
    if (!today) today = std::make_shared<ProgramSet>(*programs);
    today->programs[p] = std::make_shared<const Program>(raised(program, now));
  }
  return today ? std::move(today) : std::move(programs);
}

}  // namespace shanhuo
