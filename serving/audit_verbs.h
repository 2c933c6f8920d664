// `shanhuo audit`: who changed what, over the API, and whether the book of changes is whole, which
// needs no engine. `shanhuo boosting`: the switch of all boosting. And what they look like to
// people.
#pragma once

#include <span>
#include <string>

#include "serving/audit_chain.h"
#include "serving/cli.h"
#include "streaming/json.h"

namespace shanhuo {

// ls [--from --until --limit] | verify [--file FILE]; verify exits with 1 when something is wrong.
int audit_verb(const CliArguments& arguments);
// show | on | off
int boosting_verb(const CliArguments& arguments);

extern const std::span<const FlagSpec> kAuditFlags;

std::string audit_text(json::Value answer);
std::string boosting_text(json::Value answer);
std::string audit_report_text(const AuditReport& report);

}  // namespace shanhuo
