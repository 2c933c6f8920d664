// The keys of a program file that only some campaigns have: calendar, until, pairs, limits
// (ranking/program.h says what each does). Parts of program_reader.cc.
#pragma once

#include <string_view>

#include "configs/reader.h"
#include "ranking/program.h"

namespace shanhuo {

// The condition under `key`, over an item's attributes or a viewer's; matches everything when the
// key is absent. Errors stand at the key's value.
Condition read_condition(MapReader& map, std::string_view key, bool item_attributes);

// All four; absent keys leave the program as it is. Requires: its goals and room have been read.
void read_campaign_keys(MapReader& map, Program& program);

}  // namespace shanhuo
