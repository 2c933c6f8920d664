// How an experiment's coverage grows by itself: whether the next step may be taken now, and what it
// waits for. A ramp never goes on by itself on stale or thin data, nor past `approve_at` without an
// operator who has not written the experiment.
//
// ramp_view() is a pure function. A RampBook remembers, over restarts, since when each step holds
// and who approved: data_dir/ramps.json, replaced with each change. It is not thread-safe:
// experiment_watch.h guards it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "configs/experiment.h"

namespace shanhuo {

enum class RampState : uint8_t {
  kDone,         // the last step is reached
  kNotRunning,   // the experiment does not
  kBoostingOff,  // nobody can meet it
  kHeld,         // by an operator: `held: true`
  kWaits,        // for hold_h
  kStale,        // no events
  kThin,         // too few viewers in a variation, or too little is known of a guardrail
  kSampleRatio,  // viewers are not spread as the weights say: nothing is known
  kGuardrail,    // one of them is surely or possibly worse than allowed
  kApproval,     // wants one
  kReady,        // the step may be taken
};
std::string_view ramp_state_name(RampState state);  // "done", "not_running", ...

struct RampMemory {
  std::string definition;   // Ramp::definition of what this is about
  double coverage = -1;     // that it is at
  Millis since;             // engine time; since then
  std::string approved_by;  // empty: nobody yet
  std::string noted;        // states in which it held here, so far as the history says so
};

// What the results of the present phase have against the next step (guardrail.h).
struct ResultsHold {
  RampState state = RampState::kReady;  // nothing; or kStale, kThin, kSampleRatio, kGuardrail
  std::string why;
};

struct RampFacts {
  Millis now;         // engine time
  Millis last_event;  // newest that was folded
  Millis stale;       // without events for longer, nothing is known
  bool boosting = true;
  std::vector<uint64_t> viewers;       // by variation, exposed since the engine started
  std::optional<ResultsHold> results;  // nullopt: nobody has looked at this phase of late
};

struct RampView {
  RampState state = RampState::kDone;
  std::optional<double> next;  // coverage
  Millis due;                  // when hold_h is over; 0 without a next step
  std::string why;             // for people
};

// Whether it holds for a reason that belongs into the history.
bool is_hold(RampState state);

// Requires: experiment.ramp.
RampView ramp_view(const Experiment& experiment, const RampMemory& memory, const RampFacts& facts);

class RampBook {
 public:
  // A missing file: nothing is remembered. kCorrupt, kIo.
  static Result<RampBook> open(std::string path);

  const RampMemory* find(const std::string& id) const;
  void set(const std::string& id, RampMemory memory);
  // Forgets all others.
  void keep(const std::vector<std::string>& ids);
  // Durable when it returns; nothing when nothing changed.
  Status save();

 private:
  explicit RampBook(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::map<std::string, RampMemory> memories_;
  bool changed_ = false;
};

}  // namespace shanhuo
