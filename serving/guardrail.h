// When a guardrail of an experiment acts: its metric is surely worse than the experiment allows.
//
// Sure is what the sequential interval of the present phase says (experiment_results.h), which is
// right however often it is looked at. Only metrics that the experiment itself names act; nothing
// does on thin or stale results.
//
// A ramp (ramp.h) is held by less: an alarm of the sample ratio, any metric that is surely worse,
// and one that the experiment names whose best estimate is worse than allowed, sure or not. Were it
// held until a metric is surely kept, a small coverage could never grow to show it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "serving/experiment_results.h"
#include "serving/ramp.h"

namespace shanhuo {

struct GuardrailTerms {
  int64_t viewers_min = 100;  // in each of the two variations
  Millis now;                 // engine time
  Millis stale;               // results without an event for longer say nothing
};

// A metric of a variation that is worse than allowed.
struct GuardrailBreach {
  std::string metric, variation;
  Lift lift;         // relative, sequential
  double limit = 0;  // relative, towards the worse

  // "ctr of more: -0.231 (-0.350 .. -0.112), allowed 0.050 worse"
  std::string text() const;
};

// The first one, by metric and variation. `results`: of the experiment's present phase.
std::optional<GuardrailBreach> guardrail_breach(const Experiment& experiment,
                                                const ExperimentResults& results,
                                                const GuardrailTerms& terms);

// The same results, as a ramp sees them. Stale and thin are asked for where the experiment names a
// guardrail. Viewers whose unit is another attribute depend on each other: their ratio says
// nothing.
ResultsHold results_hold(const Experiment& experiment, const ExperimentResults& results,
                         const GuardrailTerms& terms);

}  // namespace shanhuo
