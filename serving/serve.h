// The verbs that run inside this process instead of talking to a running engine.
//
//   serve   reads the configuration, restores the state, serves until SIGINT or SIGTERM, and prints
//           "ready: http://HOST:PORT" on stdout once it answers
//   check   reads every YAML file of the configuration and prints all that is wrong, one
//           "file:line:col: key: what" a line; with --catalogue also which programs name no item
//
//   rebuild   makes the state again from the log of an engine that is stopped (rebuild.h)
//
// All return the exit code: 0 done, 1 the work failed, 2 the configuration is wrong.
#pragma once

#include "configs/engine_options.h"
#include "serving/cli.h"

namespace shanhuo {

// What a command line says about its engine: engine.yaml, then --set, then --listen and --data-dir.
// A file that is not there is an error.
EngineOptions read_options(const CliArguments& arguments, ConfigErrors& errors);

int serve_verb(const CliArguments& arguments);
int check_verb(const CliArguments& arguments);
extern const std::span<const FlagSpec> kCheckFlags;
int rebuild_verb(const CliArguments& arguments);

}  // namespace shanhuo
