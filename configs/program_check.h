// What a program says that it hardly means: it may run, but an operator should know. Each with
// file, line, column and the arithmetic, like an error (configs/yaml.h). What cannot be meant at
// all is an error of read_program(). What needs traffic or a catalogue stands in
// serving/forecast.h.
#pragma once

#include <string>
#include <string_view>

#include "configs/yaml.h"
#include "ranking/program.h"

namespace shanhuo {

// Of one program; `text` is what it was read from.
void warn_of_program(const Program& program, std::string_view text, Millis now,
                     ConfigErrors& warnings);

// That it names none of a catalogue's items; reads its file again. `whose` catalogue.
void warn_of_no_items(const Program& program, size_t items, const std::string& whose,
                      ConfigErrors& warnings);

// Of all programs of a set, and between them; reads their files again.
ConfigErrors warnings_of(const ProgramSet& set, Millis now);

}  // namespace shanhuo
