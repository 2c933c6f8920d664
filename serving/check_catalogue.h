// `shanhuo check --catalogue DIR`: whether programs name any item of a catalogue.
//
//   DIR/items.ndjson       one Item a line (contract 2.1), as PUT /v1/items takes them
//   DIR/creators.ndjson    one creator a line, for conditions on groups; may be absent
//
// A program that names no item is enabled and will show nothing: a warning with its place. Running
// engines say the same of their own catalogue (serving/forecast.h).
#pragma once

#include <string>

#include "base/result.h"
#include "configs/yaml.h"
#include "ranking/program.h"

namespace shanhuo {

// Fails with file:line of what cannot be read.
Result<ConfigErrors> warnings_of_catalogue(const std::shared_ptr<const ProgramSet>& set,
                                           const std::string& directory);

}  // namespace shanhuo
