// `shanhuo train --events FILE --items FILE --out DIR`, or --data-dir DIR or --from-log kafka in
// place of the files: makes a model of what viewers chose, as a folder DIR/VERSION
// (model_folder.h) that the engine can serve.
//
// While it runs, DIR/.VERSION.training has what was learned so far (train_state.h), and --resume
// goes on from there, to the same bytes as one long run. Without --version the name is made of the
// kind, the day of the newest event, and a digest of data and parameters.
#pragma once

#include <span>

#include "serving/cli.h"

namespace shanhuo {

int train_verb(const CliArguments& arguments);
extern const std::span<const FlagSpec> kTrainFlags;

}  // namespace shanhuo
