// A program's calendar (program.h): what its goals are on a day.
#pragma once

#include <memory>

#include "ranking/program.h"

namespace shanhuo {

// The set with the goals of the day (UTC+8) that holds `now`; the same set when it has no
// calendars. Entries of a calendar that share a day multiply. Pure; the version stays.
std::shared_ptr<const ProgramSet> programs_on_day(std::shared_ptr<const ProgramSet> programs,
                                                  Millis now);

}  // namespace shanhuo
