#include "serving/audit_verbs.h"
#include "serving/cli.h"
#include "serving/conformance.h"
#include "serving/evaluate.h"
#include "serving/experiment_verbs.h"
#include "serving/import.h"
#include "serving/ledger_verbs.h"
#include "serving/operator_verbs.h"
#include "serving/replay.h"
#include "serving/serve.h"
#include "serving/simulation.h"
#include "serving/train.h"

int main(int argc, char** argv) {
  using namespace shanhuo;  // NOLINT(google-build-using-namespace)
  constexpr std::span<const FlagSpec> kNoFlags;
  const Verb verbs[] = {
      {"serve", "", "runs the engine until it is stopped", 0, 0, kNoFlags, serve_verb},
      {"check", "", "validates every YAML file of the configuration", 0, 0, kCheckFlags,
       check_verb},
      {"import", "FORMAT PATH", "makes items.ndjson and events.ndjson of a public data set", 2, 2,
       kImportFlags, import_verb},
      {"train", "", "makes a model of what viewers chose, from event files or a log", 0, 0,
       kTrainFlags, train_verb},
      {"evaluate", "SUITE", "a published protocol on real data: gowalla, grocery, ...", 1, 1,
       kEvaluateFlags, evaluate_verb},
      {"conformance", "FILE", "a GrowthBook cases file, passed and failed by section", 1, 1,
       kNoFlags, conformance_verb},
      {"replay", "FILE|- | --from-log DIR",
       "sends events, items or creators through the API, from a file or a log", 0, 1, kReplayFlags,
       replay_verb},
      {"rebuild", "", "makes the state of a stopped engine again, from its log", 0, 0, kNoFlags,
       rebuild_verb},
      {"simulate", "", "viewers with tastes in front of a running engine", 0, 0, kSimulateFlags,
       simulate_verb},
      {"stats", "", "what a running engine has counted", 0, 0, kNoFlags, stats_verb},
      {"program", "ls | show|why|forecast|enable|disable|delete ID | put|validate FILE",
       "programs of a running engine", 1, 2, kProgramFlags, program_verb},
      {"experiment",
       "ls | show|history|enable|disable|delete ID | results ID [PHASE] | put FILE | diff ID [FROM "
       "[TO]] | revert ID REVISION | why VIEWER | approve ID | ramp ID [hold|continue]",
       "experiments of a running engine", 1, 4, kProgramFlags, experiment_verb},
      {"boosting", "show|on|off", "the switch of all boosting", 1, 1, kNoFlags, boosting_verb},
      {"audit", "ls | verify",
       "who changed what; verify needs no engine, and finds what was edited", 1, 1, kAuditFlags,
       audit_verb},
      {"ledger", "verify | ls | export", "the public ledger: of a running engine, or a file", 1, 1,
       kLedgerFlags, ledger_verb},
      {"model", "ls | use VERSION", "trained models of a running engine", 1, 2, kNoFlags,
       model_verb},
      {"user", "show|forget ID", "one viewer of a running engine", 2, 2, kNoFlags, user_verb},
      {"token", "new ROLE[:CREATOR] [NAME] | rotate NAME", "makes an access token, or renews it", 2,
       3, kTokenFlags, token_verb},
      {"backup", "DIR", "copies a running engine's data to a new folder on its machine", 1, 1,
       kNoFlags, backup_verb},
      {"restore", "BACKUP", "brings a backup into the empty folder --data-dir", 1, 1, kNoFlags,
       restore_verb},
  };
  return run_cli(verbs, argc, argv);
}
