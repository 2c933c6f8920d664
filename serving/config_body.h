// A program or an experiment as calls carry it: its file's words in JSON, or {"yaml": "the file's
// text"}; beside either, `if_revision`. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "configs/yaml.h"
#include "features/attributes.h"
#include "serving/problem.h"
#include "streaming/json.h"

namespace shanhuo {

struct ConfigBody {
  Value::Object fields;             // all but the two below
  std::optional<std::string> yaml;  // then there are no fields
  std::optional<std::string> if_revision;
};

// What is wrong with the body itself; what it says is read as its file is.
std::vector<FieldError> read_config_body(json::Value json, ConfigBody& body);

// Where in the body: a place in the text when there is one, else the field.
FieldError config_field(const ConfigError& error, const ConfigBody& body);

// Requires: no body.yaml.
std::string yaml_of_body(const ConfigBody& body);

}  // namespace shanhuo
