// `shanhuo simulate --what-if FILE`: the recorded requests of a data folder ranked again, with the
// programs as they are and with those of FILE, beside what happened.
//
// Works on a copy of the folder, which must not be in use (a backup, or a stopped engine's):
// nothing of it is ever changed. Replayed are the decisions that the log still has and that carry
// their requests (streaming/decision.h), in order, at their times, with prices, frequency caps,
// rooms and goals of a run of its own that begins with the first of them. Known differences to what
// happened: profiles, item rates and catalogue are those of the folder, not of then; of longer
// organic lists only the page is known; items that `until` has let go are back; views, clicks and
// orders come as often as they were expected to, drawn from a hash of request and item, at once. So
// read changes off the two replays, and off the first beside what happened how good the replay is.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "configs/engine_options.h"
#include "serving/cli.h"

namespace shanhuo {

struct WhatIfOptions {
  EngineOptions engine;    // data_dir: the folder
  std::string config_dir;  // its programs/ are the present ones
  std::string programs;    // a program's file, in place of the one of its id or beside all; or a
                           // folder of files, in place of all
  Millis from{0}, to{INT64_MAX};
};

struct WhatIfOutcome {
  struct Units {
    uint64_t inserted = 0;
    double viewable = 0;  // expected, as clicks and orders
    double clicks = 0;
    double orders = 0;
  };
  uint64_t pages = 0;
  double organic_fen = 0, loss_fen = 0;
  std::map<std::string, Units> programs;   // by id
  std::map<std::string, double> counties;  // viewable, by code

  double loss_ratio() const { return organic_fen > 0 ? loss_fen / organic_fen : 0; }
};

struct WhatIfReport {
  Millis from, to;       // of the first and the last one replayed
  uint64_t skipped = 0;  // recorded before requests were, or outside of from and to
  WhatIfOutcome happened, same, changed;
};

// kInvalid: nothing to replay, or a wrong file; kConflict: the folder is in use.
Result<WhatIfReport> what_if(const WhatIfOptions& options, const Clock& clock);

std::string what_if_text(const WhatIfReport& report);
std::string what_if_json(const WhatIfReport& report);

int what_if_verb(const CliArguments& arguments);

}  // namespace shanhuo
