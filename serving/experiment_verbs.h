// `shanhuo experiment`: experiments of a running engine, over its API; and what they look like to
// people. Pure functions but for the verb.
#pragma once

#include <string>
#include <string_view>

#include "serving/cli.h"
#include "streaming/json.h"

namespace shanhuo {

// ls | show|history|enable|disable|delete ID | results ID [PHASE] | put FILE | diff ID [FROM [TO]]
// | revert ID REVISION | why VIEWER | approve ID | ramp ID [hold|continue]
int experiment_verb(const CliArguments& arguments);

std::string experiments_table(json::Value answer);
std::string experiment_text(json::Value experiment);
std::string ramp_text(json::Value experiment);  // empty: it has none
std::string history_text(json::Value answer);
std::string assignments_table(json::Value answer);
std::string results_text(json::Value answer);  // results_text.cc

// Both texts line by line, "- " and "+ " before what is in one alone.
std::string line_difference(std::string_view before, std::string_view after);
inline constexpr size_t kDifferenceCellsMax = 4'000'000;  // lines times lines; 4 bytes each

}  // namespace shanhuo
