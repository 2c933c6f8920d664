// A program as calls carry it: its file's words in JSON, or {"yaml": "the file's text"}; beside
// either, `if_revision`. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "configs/yaml.h"
#include "features/attributes.h"
#include "serving/problem.h"
#include "streaming/json.h"

namespace shanhuo {

struct ProgramBody {
  Value::Object fields;             // all but the two below
  std::optional<std::string> yaml;  // then there are no fields
  std::optional<std::string> if_revision;
};

// What is wrong with the body itself; what it says of a program is read by read_program().
std::vector<FieldError> read_program_body(json::Value json, ProgramBody& body);

// Where in the body: a place in the text when there is one, else the field.
FieldError program_field(const ConfigError& error, const ProgramBody& body);

// Requires: no body.yaml.
std::string yaml_of_body(const ProgramBody& body);

}  // namespace shanhuo
