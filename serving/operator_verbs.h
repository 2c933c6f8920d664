// Verbs of operators. Over the API: stats, program, model, user, backup. On this machine: token,
// restore. Each prints a table or sentences, or with --json what the engine answered, as it
// answered it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "serving/cli.h"
#include "streaming/json.h"

namespace shanhuo {

int stats_verb(const CliArguments& arguments);
// ls | show ID | enable ID | disable ID | why ID | forecast ID | put FILE | validate FILE |
// delete ID
int program_verb(const CliArguments& arguments);
// ls | use VERSION
int model_verb(const CliArguments& arguments);
int user_verb(const CliArguments& arguments);    // show ID | forget ID
int backup_verb(const CliArguments& arguments);  // DIR, on the engine's machine
int token_verb(const CliArguments& arguments);   // new ROLE[:CREATOR] [NAME] | rotate NAME
int restore_verb(const CliArguments& arguments);

// What verbs over the API share. One call; what comes back is printed as it is with --json, else
// through `text`.
using AnswerText = std::string (*)(json::Value);
int show(const CliArguments& arguments, std::string_view method, const std::string& target,
         std::string_view body, AnswerText text);
// Of POST .../{id}:dry_run.
std::string dry_run_text(json::Value report);
// What --dry-run makes of a verb that changes `target`.
int dry_run_switch(const CliArguments& arguments, const std::string& target, bool enabled);
// Reads the revision first, so that somebody else's change in between is a conflict.
int set_enabled(const CliArguments& arguments, const std::string& target, bool enabled,
                AnswerText text);
// The file that the second operand names, to where its id belongs; --if-revision.
int put_file(const CliArguments& arguments, const std::string& collection, AnswerText text);
int delete_one(const CliArguments& arguments, const std::string& target);

extern const std::span<const FlagSpec> kTokenFlags;
extern const std::span<const FlagSpec> kProgramFlags;

// The texts that the verbs print for an answer of the engine; for their tests.
std::string stats_text(json::Value stats);
std::string programs_table(json::Value programs);  // of {"programs": [...]}
std::string program_text(json::Value program);     // one program, goal by goal
std::string shortfall_table(json::Value program);
std::string forecast_table(json::Value forecast);     // of GET .../forecast
std::string models_table(json::Value models);         // of GET /v1/models
std::string validation_text(json::Value validation);  // of POST :validate

// JSON with one member a line, for people.
std::string indented(json::Value value);

// Copies the backup at `from` (folders log and state, and files beside them) into `data_dir`, which
// must be missing or empty, and reads every record of the copy before it gets its name.
Status restore_backup(const std::string& from, const std::string& data_dir);

}  // namespace shanhuo
