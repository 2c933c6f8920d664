// Looks after the experiments that run: takes the next step of a ramp when it may be taken
// (ramp.h), on behalf of "ramp", noting once a step in the history what holds it; and switches off
// an experiment one of whose guardrails is surely broken (guardrail.h, operation.h), on behalf of
// "guardrail"; through the same files, books and checks as an operator's change. A guardrail acts
// once in a phase: an operator who switches the experiment on again has looked.
//
// Thread-safe. tick() reads and writes files: one upkeep thread calls it a few times a second.
// guard() reads every viewer of the experiments (experiment_results.h), about once a minute of
// engine time: a thread calls it that may take seconds.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "configs/boosting_switch.h"
#include "configs/experiment_store.h"
#include "serving/change_book.h"
#include "serving/guardrail.h"
#include "serving/metrics.h"
#include "serving/operation.h"
#include "serving/page_meters.h"
#include "serving/ramp.h"

namespace shanhuo {

// What the watch works with; all of it outlives it and is thread-safe.
struct ExperimentWatchParts {
  const ExperimentStore& experiments;
  const Metrics& metrics;
  const BoostingSwitch& boosting;
  ChangeBook& changes;
  const MetricStore& metric_files;
  const ExperimentTally& tally;
  PageMeters& meters;
  int64_t guardrail_viewers_min, guardrail_pages_min;  // ExperimentOptions'
  Millis guardrail_window;                             // the same
  Millis stale;                                        // ExperimentOptions::stale_ms
  std::function<Millis()> now, last_event;             // engine time
  std::function<Millis()> wall_now;
  // Changes an experiment that is at `revision`, saying why in the book of changes.
  std::function<Status(const std::string& id, Value patch, const std::string& revision,
                       const std::string& who, const std::string& why)>
      write;
};

class ExperimentWatch {
 public:
  static Result<std::unique_ptr<ExperimentWatch>> open(const std::string& data_dir,
                                                       ExperimentWatchParts parts);

  // Failures to write go to stderr and are tried again by the next tick.
  void tick();
  // Same; by one thread.
  void guard();

  struct Shown {
    RampView view;
    RampMemory memory;
  };
  // nullopt: it has no ramp.
  std::optional<Shown> ramp(const Experiment& experiment);
  // What its results hold against it, as they were looked at last in this phase, and its pages:
  // kSampleRatio or kGuardrail. nullopt: nothing, or nobody has looked since the start.
  std::optional<ResultsHold> alarm(const Experiment& experiment);
  // error_rate and latency, where it names them; empty before its first page could be counted.
  std::vector<OperationResult> operation(const Experiment& experiment) const;
  // On behalf of `who`. kConflict: it has nothing to approve, or `who` has written it.
  Status approve(const Experiment& experiment, const std::string& who);

 private:
  ExperimentWatch(ExperimentWatchParts parts, RampBook ramps)
      : parts_(std::move(parts)), ramps_(std::move(ramps)) {}

  // What the results of a phase said of going on with a ramp.
  struct Look {
    uint32_t phase = 0;
    Millis at;  // engine time
    ResultsHold hold;
  };

  // But for the results.
  RampFacts facts_of(const Experiment& experiment) const;
  bool has_guarded(const Experiment& experiment) const;
  void guard(const Experiment& experiment, const MetricSet& metrics);
  void guard_operation(const ExperimentSet& set);
  void roll_back(const Experiment& experiment, const std::string& why);
  bool has_written(const Experiment& experiment, const std::string& who) const;
  // These require that mutex_ is held.
  RampMemory memory_of(const Experiment& experiment, Millis now);
  void add_results(const Experiment& experiment, RampFacts& facts) const;
  void step(const Experiment& experiment);
  void note_hold(const Experiment& experiment, const RampView& view, RampMemory memory);

  const ExperimentWatchParts parts_;
  std::mutex mutex_;
  RampBook ramps_;                      // guarded by mutex_
  std::map<std::string, Look> looks_;   // by experiment that runs; guarded by mutex_
  int64_t guarded_minute_ = INT64_MIN;  // engine time; of guard()'s thread
};

}  // namespace shanhuo
